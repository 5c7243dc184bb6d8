"""Whatever limit the service sets and however it says so: every row is done, none is used up by waiting."""
import json
import signal
import unittest

from support import E2E, muster, onboarding, wait_until


class Limits(E2E):
    tenant_size = {"users": 400, "tokens": 400, "devices": 100}

    def is_kept(self, limit, rows=400, flags=()):
        """How fast it goes is for the benchmarks to say; here it only has to come to its end."""
        rows = onboarding(self.tenant)[-100:] + onboarding(self.tenant)[:rows - 100]
        job, server = self.job(rows), self.serve("--limit", limit)
        done = self.run_job(job, server, *flags, timeout=90)
        told = self.all_done(done, len(rows))
        self.assertEqual(told["outcomes"]["applied"], len(rows))
        self.assertGreater(told["throttled"], 0, "the limit was met")
        self.assertEqual(told["requests"], len(rows) + told["throttled"])
        self.onboarded(self.journal_of(job), rows)
        return told

    def test_a_token_bucket_that_tells_seconds(self):
        self.is_kept("bucket:100/s:10,retry-after=seconds")

    def test_a_token_bucket_that_tells_a_date(self):
        self.is_kept("bucket:100/s:10,retry-after=date")

    def test_a_token_bucket_that_tells_nothing(self):
        self.is_kept("bucket:100/s:10,retry-after=none")

    def test_a_token_bucket_that_tells_its_quota_in_headers(self):
        self.is_kept("bucket:100/s:10,retry-after=none,headers")

    def test_a_fixed_window(self):
        self.is_kept("window:50/2s", rows=300)

    def test_a_long_fixed_window(self):
        self.is_kept("window:50/5s", rows=140)

    def test_a_sliding_window(self):
        self.is_kept("sliding:50/2s,retry-after=none", rows=300)

    def test_a_cap_on_requests_at_once(self):
        self.is_kept("concurrent:4")

    def test_a_cap_on_requests_at_once_that_tells_nothing(self):
        self.is_kept("concurrent:4,retry-after=none")

    def test_a_low_rate_is_found_without_using_up_attempts(self):
        told = self.is_kept("bucket:20/s:2,retry-after=none", rows=160, flags=["--max-attempts", "1"])
        self.assertEqual(told["retries"], 0)

    def test_the_limit_that_was_met_is_told_and_remembered(self):
        rows = onboarding(self.tenant)
        job, server = self.job(rows), self.serve("--limit", "bucket:150/s:20,retry-after=none")
        run = self.start_job(job, server)
        wait_until(lambda: self.tenant.handled() >= 200, "200 requests handled")
        run.signal(signal.SIGINT)
        first = run.wait()
        self.assertEqual(first.code, 130, str(first))
        self.assertIn("the service limits the run", first.err)
        limit = json.loads(first.out.splitlines()[-1])["limit"]
        self.assertGreater(limit["rate"], 75)
        self.assertLess(limit["rate"], 300)
        told = self.all_done(muster("resume", self.journal_of(job), timeout=90), len(rows))
        self.assertGreater(told["limit"]["rate"], 75)
        self.assertLess(told["limit"]["rate"], 300)
        self.onboarded(self.journal_of(job), rows)

    def test_a_share_of_the_limit_and_nonsense_for_one(self):
        rows = onboarding(self.tenant, tokens=100, devices=20)
        job, server = self.job(rows), self.serve("--limit", "bucket:200/s:20,retry-after=none")
        self.all_done(self.run_job(job, server, "--max-share", "50%", timeout=90), len(rows))
        self.onboarded(self.journal_of(job), rows)
        for nonsense in ("0", "-5", "101", "half", "50/s"):
            done = self.exits(2, self.run_job(self.job(rows, name="other.csv"), server, "--max-share", nonsense))
            self.assertIn("--max-share", done.err)

    def test_throttling_costs_few_requests(self):
        told = self.is_kept("bucket:100/s:10,retry-after=seconds")
        self.assertLess(told["throttled"], 100)


if __name__ == "__main__":
    unittest.main()
