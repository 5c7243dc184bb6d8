"""Rows that the service refuses, and runs that must not go on: each row's reason is told, and no others suffer."""
import csv
import io
import json
import signal
import unittest

from support import E2E, make_tenant, muster, onboarding, row, wait_until

NOBODY = "00000000-0000-4000-8000-000000000000"
NO_TOKEN = "999999999999"


class Refusals(E2E):
    tenant_size = {"users": 300, "tokens": 300, "devices": 30}

    def setUp(self):
        super().setUp()
        self.user, self.other = self.tenant.users()[:2]
        self.disabled = self.tenant.users("Disabled")[0]
        self.good, self.expired = self.tenant.tokens(), self.tenant.tokens(expired=True)[0]
        self.server = self.serve()

    def outcome_of(self, rows, *flags, name="job.csv"):
        """Runs the rows and gives the report of the last one, after checking the exit code and the summary."""
        job = self.job(rows, name)
        done = self.exits(1, self.run_job(job, self.server, *flags))
        self.summed_up(done, len(rows))
        return self.report(self.journal_of(job))[-1]

    def is_rejected(self, rows, status, *words):
        told = self.outcome_of(rows)
        self.assertEqual((told["outcome"], told["httpStatus"]), ("rejected", status), told)
        for word in words:
            self.assertIn(word, told["message"], "the service's own words")
        text = muster("report", self.journal_of(self.dir / "job.csv"), "--only", "rejected")
        self.assertIn(told["message"], self.succeeds(text).out)

    def test_an_unknown_user_is_rejected_with_the_services_words(self):
        self.is_rejected([row("assign", NOBODY, self.good[0])], 404, "user", NOBODY)

    def test_an_unknown_token_is_rejected_with_the_services_words(self):
        self.is_rejected([row("assign", self.user, NO_TOKEN)], 404, "token", NO_TOKEN)

    def test_an_expired_token_is_rejected_with_the_services_words(self):
        self.is_rejected([row("assign", self.user, self.expired)], 409, "expired", self.expired)

    def test_a_disabled_user_is_rejected_with_the_services_words(self):
        self.is_rejected([row("assign", self.disabled, self.good[0])], 409, "disabled", self.disabled)

    def test_assigning_another_users_token_is_rejected_with_the_services_words(self):
        self.is_rejected([row("assign", self.other, self.good[0]), row("assign", self.user, self.good[0])], 409,
                         "assigned", "another")

    def test_enabling_another_users_token_is_rejected_with_the_services_words(self):
        self.is_rejected([row("assign", self.other, self.good[0]), row("enable", self.user, self.good[0])], 409,
                         "not assigned", self.good[0])

    def test_enabling_an_unassigned_token_is_rejected(self):
        self.is_rejected([row("enable", self.user, self.good[0])], 409, "not assigned")

    def test_an_unknown_device_is_rejected_with_the_services_words(self):
        self.is_rejected([row("enable-ds100", self.user, device=NO_TOKEN)], 404, "device")

    def test_another_users_device_is_rejected(self):
        serial, owner = self.tenant.devices()[0]
        user = self.user if owner != self.user else self.other
        told = self.outcome_of([row("enable-ds100", user, device=serial)])
        self.assertEqual(told["outcome"], "rejected")

    def test_the_sixth_token_of_a_user_is_rejected(self):
        rows = [row("assign", self.user, serial) for serial in self.good[:6]]
        self.outcome_of(rows)
        told = self.report(self.journal_of(self.dir / "job.csv"))
        self.assertEqual(sorted(r["outcome"] for r in told), ["applied"] * 5 + ["rejected"])

    def test_rows_behind_a_failed_one_of_the_same_token_are_blocked_and_all_others_applied(self):
        rows = onboarding(self.tenant, tokens=40, devices=10)
        bad = rows[10]["tokenSerialNumber"]
        for r in rows:
            if r["tokenSerialNumber"] == bad:
                r["userId"] = NOBODY
        rows.append(row("disable", NOBODY, bad))
        job = self.job(rows)
        done = self.exits(1, self.run_job(job, self.server))
        told = self.summed_up(done, len(rows))["outcomes"]
        self.assertEqual((told["rejected"], told["blocked"], told["applied"]), (1, 2, len(rows) - 3))
        of = {r["line"]: r for r in self.agrees_with_tenant(self.journal_of(job), rows)}
        self.assertEqual(of[12]["outcome"], "rejected")
        self.assertEqual([of[13]["outcome"], of[len(rows) + 1]["outcome"]], ["blocked", "blocked"])
        self.assertIn("12", of[13]["message"], "names the line that failed")
        self.assertEqual(self.tenant.handled(), len(rows) - 2, "blocked rows are not sent")

    def rejected_job(self, name):
        rows = onboarding(self.tenant, tokens=10, devices=5)
        rows.insert(0, {**row("assign", self.disabled, self.good[20], 'For "A, B"\r\nand C'), "ticket": 'CHG "7", a\nb'})
        rows.insert(5, row("assign", NOBODY, self.good[21], "", ticket="CHG-8"))
        rows.append(row("enable", self.user, self.good[22], ticket="CHG-9"))
        job = self.job(rows, name)
        self.exits(1, self.run_job(job, self.server))
        chosen = self.succeeds(muster("report", self.journal_of(job), "--only", "rejected", "--as-job"))
        return [rows[0], rows[5], rows[-1]], chosen

    def test_rejected_rows_can_be_written_as_a_csv_job_that_runs_again(self):
        failed, chosen = self.rejected_job("job.csv")
        again = list(csv.DictReader(io.StringIO(chosen.out_bytes.decode(), newline="")))
        self.assertEqual(again, failed, "the same rows with all their columns, the unknown ones too")
        self.runs_again(self.write("again.csv", chosen.out_bytes), 3)

    def test_rejected_rows_can_be_written_as_a_jsonl_job_that_runs_again(self):
        failed, chosen = self.rejected_job("job.jsonl")
        self.assertEqual([json.loads(line) for line in chosen.out.split("\n") if line],
                         [{k: v for k, v in r.items() if v} for r in failed])
        self.runs_again(self.write("again.jsonl", chosen.out_bytes), 3)

    def runs_again(self, job, rows):
        plan = self.succeeds(muster("plan", job, "--output", "json")).json
        self.assertEqual((plan["rows"], plan["invalid"]), (rows, 0))
        told = self.summed_up(self.exits(1, self.run_job(job, self.server)), rows)
        self.assertEqual(told["outcomes"]["rejected"], rows)

    def test_a_mended_job_of_the_rejected_rows_is_applied(self):
        rows = [row("assign", NOBODY, s) for s in self.good[:5]]
        job = self.job(rows)
        self.exits(1, self.run_job(job, self.server))
        out = self.dir / "again.csv"
        self.succeeds(muster("report", self.journal_of(job), "--only", "rejected,blocked", "--as-job", "-o", out))
        out.write_text(out.read_text().replace(NOBODY, self.user))
        self.all_done(self.run_job(out, self.server), 5)

    def test_resume_of_a_finished_run_with_rejected_rows_sends_nothing_and_says_the_same(self):
        rows = [row("assign", NOBODY, self.good[0]), row("enable", NOBODY, self.good[0])]
        job = self.job(rows)
        first = self.exits(1, self.run_job(job, self.server))
        handled = self.tenant.handled()
        again = self.exits(1, muster("resume", self.journal_of(job)))
        self.assertEqual(again.json["outcomes"], first.json["outcomes"])
        self.assertEqual((again.json["requests"], self.tenant.handled()), (0, handled))


class Stops(E2E):
    tenant_size = {"users": 300, "tokens": 300, "devices": 30}

    def failing_rows(self, good):
        users = self.tenant.users()
        return [row("assign", users[n] if n < good else NOBODY, serial)
                for n, serial in enumerate(self.tenant.tokens()[:200])]

    def test_stop_after_failures_stops_and_leaves_the_rest_pending(self):
        rows, server = self.failing_rows(20), self.serve()
        job = self.job(rows)
        done = self.exits(4, self.run_job(job, server, "--stop-after-failures", "5", "--concurrency", "4"))
        told = self.summed_up(done, len(rows))["outcomes"]
        self.assertGreaterEqual(told["rejected"], 5)
        self.assertLess(told["rejected"], 15, "no more than were in flight")
        self.assertGreater(told["pending"], 150)
        self.assertIn("--stop-after-failures", done.err)
        self.agrees_with_tenant(self.journal_of(job), rows)
        again = muster("resume", self.journal_of(job), "--stop-after-failures", "1000")
        told = self.summed_up(self.exits(1, again), len(rows))["outcomes"]
        self.assertEqual((told["applied"], told["rejected"], told["pending"]), (20, 180, 0))

    def test_stop_after_failures_takes_a_share(self):
        rows, server = self.failing_rows(20), self.serve()
        done = self.run_job(self.job(rows), server, "--stop-after-failures", "50%", "--concurrency", "4")
        self.assertGreater(self.summed_up(self.exits(4, done), len(rows))["outcomes"]["pending"], 0)

    def test_another_tenants_key_stops_the_run_before_it_burns_rows(self):
        stranger = make_tenant(self.dir / "stranger", users=100, tokens=100, devices=30, seed=77)
        rows, server = onboarding(self.tenant), self.serve()
        job = self.job(rows)
        done = muster("run", job, "--credentials", stranger.key, "--base-url", server.url, "--ca-file",
                      self.tenant.ca, "--output", "json")
        told = self.summed_up(self.exits(4, done), len(rows))
        self.assertEqual(told["outcomes"]["pending"], len(rows))
        self.assertLess(told["requests"], 100)
        self.assertIn("key", done.err)
        self.assertIn("403", done.err)
        self.nothing_was_sent()
        self.succeeds(muster("verify", self.journal_of(job)))
        self.all_done(muster("resume", self.journal_of(job), "--credentials", self.tenant.key), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def test_a_key_that_ceases_to_be_accepted_midway_leaves_the_rest_pending(self):
        rows = onboarding(self.tenant)
        job = self.job(rows)
        with self.tenant.serve("--limit", "bucket:100/s:20") as server:
            run = self.start_job(job, server)
            wait_until(lambda: self.tenant.handled() >= 30, "30 requests handled")
            run.signal(signal.SIGINT)
            self.exits(130, run.wait(15))
        stranger = make_tenant(self.dir / "stranger", users=100, tokens=100, devices=30, seed=77)
        before = self.tenant.handled()
        with self.tenant.serve(port=server.port):
            done = self.exits(4, muster("resume", self.journal_of(job), "--credentials", stranger.key))
            self.assertEqual(self.tenant.handled(), before)
            self.assertGreater(self.summed_up(done, len(rows))["outcomes"]["pending"], 0)
            self.agrees_with_tenant(self.journal_of(job), rows)
            self.all_done(muster("resume", self.journal_of(job), "--credentials", self.tenant.key), len(rows))
        self.onboarded(self.journal_of(job), rows)


if __name__ == "__main__":
    unittest.main()
