"""The network and the server fail now and then: every row is done all the same, and done once."""
import unittest

from support import E2E, onboarding, row, seeded


class Faults(E2E):
    tenant_size = {"users": 400, "tokens": 400, "devices": 100}

    def survives(self, *faults, flags=(), rows=None, timeout=60):
        _, seed = seeded(self.id())
        rows = rows if rows is not None else onboarding(self.tenant)
        job, server = self.job(rows), self.serve("--seed", seed, *[w for f in faults for w in ("--fault", f)])
        with self.subTest(MUSTER_SEED=seed):
            done = self.run_job(job, server, *flags, timeout=timeout)
            told = self.all_done(done, len(rows))
            self.assertGreater(told["requests"], len(rows), "there were faults")
            self.assertGreater(told["retries"], 0)
            server.stop()  # what was delayed is applied before it ends
            self.onboarded(self.journal_of(job), rows)
            return told

    def test_errors_and_lost_connections_are_survived_and_nothing_is_done_twice(self):
        told = self.survives("500:3%", "reset-before:2%", "reset-after:2%")
        self.assertGreater(told["outcomes"]["already"], 0, "done by attempts whose replies were lost")

    def test_replies_that_are_no_json_are_survived_and_nothing_is_done_twice(self):
        self.survives("garbage:2%", "500:2%", "reset-after:2%")

    def test_a_third_of_all_replies_lost_is_survived_and_nothing_is_done_twice(self):
        told = self.survives("reset-after:33%", flags=["--max-attempts", "20"],
                             rows=onboarding(self.tenant, tokens=100, devices=30))
        self.assertGreater(told["outcomes"]["already"], 10)

    def test_requests_that_stall_are_given_up_and_nothing_is_done_twice(self):
        self.survives("stall:2%:4s", flags=["--request-timeout", "500ms"],
                      rows=onboarding(self.tenant, tokens=150, devices=50))

    def test_all_four_operations_survive_faults(self):
        rows = onboarding(self.tenant, tokens=100, devices=50)
        rows += [row("disable", r["userId"], r["tokenSerialNumber"]) for r in rows if r["operation"] == "assign"]
        self.survives("500:5%", "reset-before:5%", "reset-after:5%", "garbage:5%", rows=rows)

    def test_failures_that_outlast_the_attempts_are_exhausted_and_can_be_run_again(self):
        rows = onboarding(self.tenant, tokens=10, devices=5)
        job = self.job(rows)
        with self.tenant.serve("--fault", "500:100%") as server:
            done = self.exits(1, self.run_job(job, server, "--max-attempts", "2"))
        told = self.summed_up(done, len(rows))["outcomes"]
        self.assertEqual((told["applied"], told["already"], told["pending"]), (0, 0, 0))
        self.nothing_was_sent()
        self.assertEqual(told["blocked"], 10, "the enable rows behind the assignments that failed")
        self.assertEqual(told["exhausted"] + told["inDoubt"], 15)

    def test_lost_connections_before_anything_is_applied_are_told_from_doubt_by_asking(self):
        rows = onboarding(self.tenant, tokens=10, devices=5)
        job = self.job(rows)
        with self.tenant.serve("--fault", "reset-before:60%") as server:
            done = self.run_job(job, server, "--max-attempts", "3")
        self.summed_up(done, len(rows))
        self.agrees_with_tenant(self.journal_of(job), rows)


if __name__ == "__main__":
    unittest.main()
