"""A run may end at any moment and in any way: nothing is lost, nothing is done twice, and resume finishes it."""
import signal
import time
import unittest

from support import E2E, LOCAL, muster, onboarding, row, seeded, start, unused_port, wait_until


class Kill(E2E):
    tenant_size = {"users": 400, "tokens": 400, "devices": 100}

    def after(self, run, handled):
        """Waits until the tenant has handled so many requests, or the run is over."""
        wait_until(lambda: self.tenant.handled() >= handled or not run.runs(), f"{handled} requests handled")

    def mixed_job(self):
        """All four operations, and some tokens that several rows name."""
        rows = onboarding(self.tenant)
        assigned = {r["tokenSerialNumber"]: r["userId"] for r in rows if r["operation"] == "assign"}
        for serial, user in list(assigned.items())[::4]:
            rows.append(row("disable", user, serial))
        return rows

    def killed_and_resumed(self, server_flags):
        random_numbers, seed = seeded(self.id())
        rows = self.mixed_job()
        job = self.job(rows)
        journal = self.journal_of(job)
        moments = sorted(random_numbers.randrange(len(rows) * 9 // 10) for _ in range(5))
        with self.subTest(MUSTER_SEED=seed, killed_after=moments):
            server = self.serve("--seed", seed, *server_flags)
            run = self.start_job(job, server)
            kills = 0
            for moment in moments:
                wait_until(lambda: journal.exists() or not run.runs(), "a journal")
                self.after(run, moment)
                ended = run.kill()
                self.assertNotIn(ended.code, (2, 3, 4), f"seed {seed}\n{ended}")
                kills += ended.code == -signal.SIGKILL
                self.succeeds(muster("verify", journal))
                run = start("resume", journal)
            ended = run.wait(45)
            self.assertGreaterEqual(kills, 4, f"seed {seed}: killed too late to prove anything")
            told = self.all_done(ended, len(rows))
            self.assertEqual(told["outcomes"]["inDoubt"], 0)
            server.stop()
            self.onboarded(journal, rows)

    def test_five_kills_at_random_moments_lose_nothing_and_repeat_nothing(self):
        self.killed_and_resumed(["--limit", "bucket:250/s:50"])

    def test_five_kills_amid_faults_lose_nothing_and_repeat_nothing(self):
        self.killed_and_resumed(["--limit", "bucket:250/s:50,retry-after=none", "--fault", "reset-after:3%", "--fault",
                                 "500:3%", "--fault", "latency:20ms"])

    def test_a_kill_before_anything_was_sent_costs_nothing(self):
        rows = onboarding(self.tenant, tokens=20, devices=0)
        job, server = self.job(rows), self.serve()
        run = self.start_job(job, server)
        wait_until(lambda: self.journal_of(job).exists() or not run.runs(), "a journal", pause=0.0005)
        run.kill()
        status = muster("status", self.journal_of(job)).out
        self.assertIn("muster resume", status)
        self.assertNotIn("running", status)
        self.all_done(muster("resume", self.journal_of(job)), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def test_a_kill_while_every_request_is_in_flight_leaves_no_doubt_after_resume(self):
        rows = onboarding(self.tenant, tokens=30, devices=30)
        job, server = self.job(rows), self.serve("--fault", "latency:700ms")
        run = self.start_job(job, server)
        self.after(run, 10)
        self.exits(-signal.SIGKILL, run.kill())
        status = self.exits(1, muster("status", self.journal_of(job), "--output", "json"))
        self.assertGreater(status.json["outcomes"]["inDoubt"], 0, "what was in flight is in doubt until it is asked about")
        self.all_done(muster("resume", self.journal_of(job)), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def killed_halfway(self):
        rows = onboarding(self.tenant, tokens=60, devices=20)
        job = self.job(rows)
        with self.tenant.serve("--limit", "bucket:100/s:10") as server:
            run = self.start_job(job, server)
            self.after(run, 60)
            self.exits(-signal.SIGKILL, run.kill())
        return rows, self.journal_of(job), server.port

    def test_resume_waits_for_a_service_that_was_there_before_the_kill(self):
        rows, journal, port = self.killed_halfway()
        run = start("resume", journal, "--max-attempts", "1")
        wait_until(lambda: "trying again" in run.err_so_far() or not run.runs(), "word of the outage")
        time.sleep(0.5)
        with self.tenant.serve(port=port):
            self.all_done(run.wait(), len(rows))
        self.onboarded(journal, rows)

    def test_resume_gives_another_address_up_soon_where_nobody_ever_answered(self):
        _, journal, _ = self.killed_halfway()
        elsewhere = f"{LOCAL}:{unused_port()}"
        self.exits(4, muster("resume", journal, "--base-url", elsewhere, "--max-attempts", "2", timeout=10))

    def test_resume_needs_no_argument_but_the_journal_even_from_another_directory(self):
        rows = onboarding(self.tenant, tokens=40, devices=20)
        job = self.job(rows)
        server = self.serve("--limit", "bucket:50/s:5")
        run = start("run", "job.csv", "--credentials", "tenant/help-desk.key", "--base-url", server.url, "--ca-file",
                    "tenant/ca.pem", "--output", "json", cwd=self.dir)
        self.after(run, 20)
        self.exits(-signal.SIGKILL, run.kill())
        self.all_done(muster("resume", self.journal_of(job), cwd="/"), len(rows))
        self.onboarded(self.journal_of(job), rows)


class Interrupt(E2E):
    tenant_size = {"users": 200, "tokens": 200, "devices": 0}

    def interrupted_by(self, number, code):
        rows = onboarding(self.tenant)
        job, server = self.job(rows), self.serve("--limit", "bucket:100/s:20")
        journal = self.journal_of(job)
        run = self.start_job(job, server)
        wait_until(lambda: self.tenant.handled() >= 30, "30 requests handled")
        run.signal(number)
        ended = self.exits(code, run.wait(15))
        told = self.summed_up(ended, len(rows))
        self.assertGreater(told["outcomes"]["pending"], 0)
        self.assertEqual(told["outcomes"]["inDoubt"], 0, "what was in flight was waited for")
        self.assertIn(f"muster resume {journal}", ended.err)
        self.agrees_with_tenant(journal, rows)
        status = self.exits(1, muster("status", journal, "--output", "json"))
        self.assertEqual(status.json["outcomes"], told["outcomes"])
        handled = self.tenant.handled()
        finished = muster("resume", journal)
        self.all_done(finished, len(rows))
        self.assertEqual(self.tenant.handled(), len(rows), f"{handled} before resume: nothing is asked for twice")
        self.onboarded(journal, rows)

    def test_sigint_finishes_what_is_in_flight_and_exits_130(self):
        self.interrupted_by(signal.SIGINT, 130)

    def test_sigterm_finishes_what_is_in_flight_and_exits_143(self):
        self.interrupted_by(signal.SIGTERM, 143)

    def test_a_second_sigint_stops_at_once_and_the_journal_is_whole(self):
        rows = onboarding(self.tenant, tokens=30)
        job, server = self.job(rows), self.serve("--fault", "latency:5000ms")
        journal = self.journal_of(job)
        run = self.start_job(job, server)
        wait_until(lambda: journal.exists() and b"pending" in muster("status", journal).out_bytes and
                   muster("status", journal, "--output", "json").json["outcomes"]["inDoubt"] > 0, "requests in flight")
        run.signal(signal.SIGINT)
        wait_until(lambda: "in flight" in run.err_so_far(), "word that requests are waited for")
        time.sleep(0.2)  # two signals at the same moment count as one (timeout(1) sends two)
        run.signal(signal.SIGINT)
        ended = self.exits(130, run.wait(3))
        self.summed_up(ended, len(rows))
        self.succeeds(muster("verify", journal))
        server.stop()
        with self.tenant.serve(port=server.port):
            self.all_done(muster("resume", journal), len(rows))
        self.onboarded(journal, rows)

    def test_sigint_while_the_service_tells_to_wait_ends_at_once(self):
        rows = onboarding(self.tenant, tokens=30)
        job, server = self.job(rows), self.serve("--limit", "window:20/60s,retry-after=seconds")
        run = self.start_job(job, server)
        wait_until(lambda: self.tenant.handled() >= 20 and "limits the run" in run.err_so_far(), "a throttled run")
        run.signal(signal.SIGINT)
        ended = self.exits(130, run.wait(5))
        self.assertEqual(self.summed_up(ended, len(rows))["outcomes"]["pending"], len(rows) - 20)

    def test_sigint_while_the_service_is_away_ends_at_once(self):
        rows = onboarding(self.tenant, tokens=30)
        job = self.job(rows)
        run = self.start_job(job, f"{LOCAL}:{unused_port()}", "--max-attempts", "1000")
        wait_until(lambda: "connect" in run.err_so_far() or not run.runs(), "word of the outage")
        run.signal(signal.SIGINT)
        ended = self.exits(130, run.wait(5))
        self.assertEqual(self.summed_up(ended, len(rows))["outcomes"]["pending"], len(rows))


if __name__ == "__main__":
    unittest.main()
