"""The whole way of a job: it is carried out once and completely, and its journal knows."""
import unittest

from support import E2E, jsonl_text, muster, onboarding, csv_text, row


class WholeJob(E2E):
    tenant_size = {"users": 2000, "tokens": 2000, "devices": 500}

    def test_a_large_job_is_applied_once_each_row_and_its_journal_is_finished(self):
        rows = onboarding(self.tenant)
        self.assertGreater(len(rows), 4000)
        job, server = self.job(rows), self.serve()
        done = self.run_job(job, server, timeout=120)
        told = self.all_done(done, len(rows))
        self.assertEqual(told["outcomes"]["applied"], len(rows))
        self.assertEqual(told["requests"], len(rows))
        self.assertEqual(told["journal"], str(self.journal_of(job)))
        self.onboarded(self.journal_of(job), rows)
        handled = self.tenant.handled()
        self.assertEqual(handled, len(rows))

        again = muster("resume", self.journal_of(job), "--output", "json")
        self.all_done(again, len(rows))
        self.assertEqual(again.json["outcomes"], told["outcomes"])
        self.assertEqual(again.json["requests"], 0)
        self.assertEqual(self.tenant.handled(), handled, "resume of a finished journal sends nothing")

        second = self.exits(2, self.run_job(job, server))
        self.assertIn("resume", second.err)
        self.assertEqual(self.tenant.handled(), handled, "a second run sends nothing")


class Job(E2E):
    def test_a_jsonl_job_is_applied(self):
        rows = onboarding(self.tenant)
        job = self.job(rows, "job.jsonl")
        self.all_done(self.run_job(job, self.serve()), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def test_a_csv_job_on_standard_input_is_kept_beside_the_journal(self):
        self.from_standard_input(csv_text, "csv")

    def test_a_jsonl_job_on_standard_input_is_kept_beside_the_journal(self):
        self.from_standard_input(jsonl_text, "jsonl")

    def from_standard_input(self, text, form):
        rows, server, journal = onboarding(self.tenant), self.serve(), self.dir / "night.journal"
        done = muster("run", "-", *self.access(server), "--journal", journal, "--format", form, "--output", "json",
                      stdin=text(rows).encode())
        self.all_done(done, len(rows))
        self.onboarded(journal, rows)
        again = muster("resume", journal, "--output", "json")
        self.all_done(again, len(rows))
        self.assertEqual(again.json["requests"], 0)

    def test_standard_input_needs_no_format_flag(self):
        for text in (csv_text, jsonl_text):
            with self.subTest(text.__name__):
                rows = onboarding(self.tenant, tokens=3, devices=0)
                told = self.succeeds(muster("plan", "-", "--output", "json", stdin=text(rows).encode()))
                self.assertEqual(told.json["rows"], len(rows))

    def test_rows_of_one_token_take_effect_in_file_order(self):
        user, rows = self.tenant.users()[0], []
        for n, serial in enumerate(self.tenant.tokens()[:5]):
            rows += [row("assign", user, serial)]
            rows += [row(("enable", "disable")[k % 2], user, serial) for k in range(7 + n)]
        job = self.job(rows)
        self.all_done(self.run_job(job, self.serve("--fault", "latency:3ms")), len(rows))
        self.onboarded(self.journal_of(job), rows)
        for serial in self.tenant.tokens()[:5]:
            asked = [r["operation"] for r in rows if r["tokenSerialNumber"] == serial]
            served = [o for o, in self.tenant.query("SELECT operation FROM audit WHERE serial = ? ORDER BY id", serial)]
            self.assertEqual(served, asked)

    def test_what_was_so_before_needs_no_change_and_counts_as_done(self):
        rows, server = onboarding(self.tenant, tokens=20, devices=5), self.serve()
        self.all_done(self.run_job(self.job(rows, "first.csv"), server), len(rows))
        changes = self.tenant.changes()
        told = self.all_done(self.run_job(self.job(rows, "second.csv"), server), len(rows))
        self.assertGreaterEqual(told["outcomes"]["already"], 20, "each assignment was there without this run's doing")
        self.assertEqual(self.tenant.changes(), changes)

    def test_max_rate_holds_the_run_to_that_rate(self):
        rows = onboarding(self.tenant, tokens=30, devices=0)
        told = self.all_done(self.run_job(self.job(rows), self.serve(), "--max-rate", "30/s"), len(rows))
        self.assertGreater(told["seconds"], (len(rows) - 10) / 30)

    def test_an_empty_job_is_done(self):
        job = self.write("job.csv", "operation,userId,tokenSerialNumber\n")
        told = self.all_done(self.run_job(job, self.serve()), 0)
        self.assertEqual(told["requests"], 0)


if __name__ == "__main__":
    unittest.main()
