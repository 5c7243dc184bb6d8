"""Whatever limit the service sets and however it says so: every row is done, none is used up by waiting."""
import unittest

from support import E2E, onboarding


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

    def test_throttling_costs_few_requests(self):
        told = self.is_kept("bucket:100/s:10,retry-after=seconds")
        self.assertLess(told["throttled"], 100)


if __name__ == "__main__":
    unittest.main()
