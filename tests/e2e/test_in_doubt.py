"""Assignments whose replies never came: Muster asks the service what became of each, and tells it truly, also where
another administrator has been there meanwhile."""
import contextlib
import signal
import sqlite3
import time
import unittest

from support import E2E, SUCCEEDED, csv_text, muster, row, wait_until

EACH = 1  # tokens of each fate; all are sent at once
OURS, ANOTHERS, NOBODYS = range(3)  # what the service says about a token when it is asked


class InDoubt(E2E):
    tenant_size = {"users": 60, "tokens": 60, "devices": 0}

    def setUp(self):
        super().setUp()
        users, tokens = self.tenant.users(), self.tenant.tokens()
        self.other = users[40]
        self.tokens = [(tokens[n], users[n], n % 3) for n in range(3 * EACH)]
        self.rows = []
        for serial, user, _ in self.tokens:
            self.rows += [row("assign", user, serial, "A name"), row("enable", user, serial)]
        self.path = self.job(self.rows)
        self.journal = self.journal_of(self.path)

    def serials(self, fate):
        return [serial for serial, _, f in self.tokens if f == fate]

    def change(self, sql, serials):
        """By another administrator, while nobody serves the tenant."""
        with contextlib.closing(sqlite3.connect(self.tenant.directory / "tenant.db", timeout=10)) as db, db:
            for serial in serials:
                self.assertEqual(db.execute(sql, {"serial": serial, "other": self.other}).rowcount, 1)

    def moved_and_taken_back(self):
        """Of what the tenant applied, another administrator gives some to somebody else and takes some back."""
        self.change("UPDATE tokens SET user_id = :other WHERE serial = :serial", self.serials(ANOTHERS))
        self.change("UPDATE tokens SET user_id = NULL, state = 'Unassigned', name = NULL, assigned_at = NULL, "
                    "assigned_by = NULL WHERE serial = :serial", self.serials(NOBODYS))

    def assigned_to_another(self, server):
        """Another administrator's muster gives some of the tokens to somebody else."""
        job = self.write("others.csv", csv_text([row("assign", self.other, s) for s in self.serials(ANOTHERS)]))
        self.all_done(muster("run", job, "--credentials", self.tenant.super_key, "--base-url", server.url, "--ca-file",
                             self.tenant.ca, "--output", "json"), EACH)

    def all_handled(self):
        wait_until(lambda: self.tenant.handled() >= 3 * EACH, "every assignment applied")

    def all_intended(self):
        wait_until(self.journal.exists, "a journal")
        wait_until(lambda: muster("status", self.journal, "--output", "json").json["outcomes"]["inDoubt"] == 3 * EACH,
                   "every assignment on its way")

    def told_in_truth(self, ended, applied_before):
        """The truth about each row, in the summary, the report and the tenant."""
        ours = OURS if applied_before else NOBODYS
        self.exits(1, ended)
        told = self.summed_up(ended, len(self.rows))["outcomes"]
        already = EACH if applied_before else 0
        self.assertEqual({name: n for name, n in told.items() if n},
                         {name: n for name, n in {"applied": 4 * EACH - already, "already": already, "rejected": EACH,
                                                  "blocked": EACH}.items() if n}, str(ended))
        report = {(r["operation"], r["tokenSerialNumber"]): r for r in self.report(self.journal)}
        for serial, user, fate in self.tokens:
            assign, enable, token = report["assign", serial], report["enable", serial], self.tenant.token(serial)
            asked = self.tenant.query("SELECT user_id, http_status, changed FROM audit WHERE operation = 'assign' AND "
                                      "serial = ? AND user_id != ?", serial, self.other)
            with self.subTest(fate=fate, serial=serial, assign=assign, audit=asked):
                if fate == ANOTHERS:
                    self.assertEqual((assign["outcome"], enable["outcome"]), ("rejected", "blocked"))
                    self.assertIn("assigned to another user", assign["message"])
                    self.assertIn(self.other, assign["message"], "names who has it")
                    self.assertEqual((token["user"], token["status"]), (self.other, "Disabled"), "left alone")
                    self.assertEqual(len(asked), 1 if applied_before else 0, "not sent again")
                    continue
                self.assertIn(assign["outcome"], SUCCEEDED)
                self.assertEqual(assign["outcome"] == "already", fate == ours == OURS)
                self.assertEqual(enable["outcome"], "applied")
                self.assertEqual((token["user"], token["status"], token["name"]), (user, "Enabled", "A name"))
                self.assertEqual(assign["changedAt"], token["assigned_at"])
                again = applied_before and fate == NOBODYS
                self.assertEqual(asked, [(user, 200, 1)] * (2 if again else 1), "sent no more often than needed")
        self.assertEqual(muster("resume", self.journal).json["requests"], 0)

    # Muster lives on.

    def lives_on(self, fault, *flags):
        server = self.serve("--fault", fault)
        run = self.start_job(self.path, server, "--max-attempts", "30", *flags)
        return server, run

    def test_replies_lost_after_all_was_applied(self):
        server, run = self.lives_on("reset-after:100%")
        self.all_handled()
        server.stop(signal.SIGKILL)
        self.moved_and_taken_back()
        with self.tenant.serve(port=server.port):
            self.told_in_truth(run.wait(), applied_before=True)

    def test_stalls_past_the_deadline_that_are_applied_after_all(self):
        server, run = self.lives_on("stall:100%:2s", "--request-timeout", "300ms")
        self.all_handled()
        server.stop(signal.SIGKILL)
        self.moved_and_taken_back()
        with self.tenant.serve(port=server.port):
            self.told_in_truth(run.wait(), applied_before=True)

    def test_stalls_past_the_deadline_that_are_never_applied(self):
        server, run = self.lives_on("stall:100%:60s", "--request-timeout", "300ms")
        self.all_intended()
        time.sleep(1.0)  # given up, and the first look-ups too
        server.stop(signal.SIGKILL)
        self.assertEqual(self.tenant.handled(), 0)
        self.change("UPDATE tokens SET user_id = :other, state = 'Activated' WHERE serial = :serial",
                    self.serials(ANOTHERS))
        with self.tenant.serve(port=server.port):
            self.told_in_truth(run.wait(), applied_before=False)

    # Muster is killed, and resumed.

    def test_a_kill_after_all_was_applied(self):
        server, run = self.lives_on("reset-after:100%")
        self.all_handled()
        self.exits(-signal.SIGKILL, run.kill())
        server.stop(signal.SIGKILL)
        self.moved_and_taken_back()
        with self.tenant.serve(port=server.port):
            self.told_in_truth(muster("resume", self.journal), applied_before=True)

    def test_a_kill_while_all_is_in_flight_and_applied_after_it(self):
        server, run = self.lives_on("stall:100%:3s")
        self.all_intended()
        time.sleep(0.7)  # they leave within milliseconds
        self.exits(-signal.SIGKILL, run.kill())
        self.assertEqual(self.tenant.handled(), 0)
        self.all_handled()
        server.stop(signal.SIGKILL)
        self.moved_and_taken_back()
        with self.tenant.serve(port=server.port):
            self.told_in_truth(muster("resume", self.journal), applied_before=True)

    def test_a_kill_before_any_of_it_was_applied(self):
        server, run = self.lives_on("stall:100%:60s")
        self.all_intended()
        self.exits(-signal.SIGKILL, run.kill())
        server.stop(signal.SIGKILL)
        self.assertEqual(self.tenant.handled(), 0)
        with self.tenant.serve(port=server.port) as again:
            self.assigned_to_another(again)
            self.told_in_truth(muster("resume", self.journal), applied_before=False)


if __name__ == "__main__":
    unittest.main()
