"""A journal that something damaged in the middle: verify says where and how many rows it touches, verify --repair puts
them in doubt, and resume finishes the run with one change for each row."""
import signal
import unittest

from support import E2E, muster, onboarding, row, seeded, wait_until


class Repair(E2E):
    tenant_size = {"users": 200, "tokens": 200, "devices": 50}
    words_may_be_lost = True

    def half_done(self, rows, handled):
        """A run that was killed on the way."""
        job, self.server = self.job(rows), self.serve("--limit", "bucket:250/s:50")
        run = self.start_job(job, self.server)
        wait_until(lambda: self.tenant.handled() >= handled or not run.runs(), f"{handled} requests handled")
        self.exits(-signal.SIGKILL, run.kill())
        return self.journal_of(job)

    def damage(self, journal, random_numbers, places, length):
        """Overwrites so many stretches behind the header; the last records stay, so that it is no torn tail."""
        data = bytearray(journal.read_bytes())
        first = data.index(b"}}") + 2
        for _ in range(places):
            at = random_numbers.randrange(first, len(data) - length - 400)
            data[at:at + length] = random_numbers.randbytes(length)
        journal.write_bytes(data)
        return bytes(data)

    def repaired_and_resumed(self, places, length):
        random_numbers, seed = seeded(self.id())
        with self.subTest(MUSTER_SEED=seed, places=places, length=length):
            rows = onboarding(self.tenant)
            journal = self.half_done(rows, 150)
            damaged = self.damage(journal, random_numbers, places, length)
            told = self.exits(3, muster("verify", journal))
            self.assertRegex(told.out, r"damaged at byte \d+")
            self.assertRegex(told.out, r"\d+ rows? cannot be trusted")
            self.assertIn("--repair", told.out)
            self.exits(3, muster("resume", journal))
            self.assertEqual(journal.read_bytes(), damaged, "left as it was")

            mended = self.succeeds(muster("verify", "--repair", journal))
            self.assertIn("are in doubt", mended.out)
            kept = journal.with_name(journal.name + ".damaged")
            self.assertEqual(kept.read_bytes(), damaged)
            self.assertIn("sound", self.succeeds(muster("verify", journal)).out)
            self.assertIn("sound", self.succeeds(muster("verify", "--repair", journal)).out)
            status = self.exits(1, muster("status", journal, "--output", "json"))
            self.assertGreater(status.json["outcomes"]["inDoubt"], 0)
            self.all_done(muster("resume", journal), len(rows))
            self.onboarded(journal, rows)

    def test_a_few_bytes(self):
        self.repaired_and_resumed(places=1, length=3)

    def test_many_places(self):
        self.repaired_and_resumed(places=8, length=40)

    def test_a_long_stretch(self):
        self.repaired_and_resumed(places=1, length=2000)

    def test_rows_that_undo_each_other_are_never_undone_by_resume(self):
        random_numbers, seed = seeded(self.id())
        rows = []
        for r in onboarding(self.tenant, tokens=100, devices=0):
            rows.append(r)
            if r["operation"] == "enable":
                rows.append(row("disable", r["userId"], r["tokenSerialNumber"]))
        with self.subTest(MUSTER_SEED=seed):
            journal = self.half_done(rows, 150)
            self.damage(journal, random_numbers, places=4, length=300)
            self.succeeds(muster("verify", "--repair", journal))
            ended = muster("resume", journal, "--output", "json")
            told = self.summed_up(ended, len(rows))["outcomes"]
            self.assertEqual(told["applied"] + told["already"] + told["inDoubt"], len(rows), str(ended))
            self.assertEqual(self.tenant.query("SELECT count(*) FROM (SELECT 1 FROM audit WHERE changed = 1 "
                                               "GROUP BY operation, serial HAVING count(*) > 1)")[0][0], 0)
            doubted = {r["tokenSerialNumber"] for r in self.report(journal, "--only", "inDoubt")}
            for r in rows:
                if r["operation"] == "disable" and r["tokenSerialNumber"] not in doubted:
                    self.assertEqual(self.tenant.token(r["tokenSerialNumber"])["status"], "Disabled")

    def test_while_a_run_is_at_work_on_it_nothing_is_repaired(self):
        rows = onboarding(self.tenant, tokens=60, devices=0)
        job, server = self.job(rows), self.serve("--limit", "bucket:20/s:5")
        run = self.start_job(job, server)
        wait_until(lambda: self.tenant.handled() >= 20 or not run.runs(), "20 requests handled")
        journal = self.journal_of(job)
        data = bytearray(journal.read_bytes())
        at = data.index(b"}}") + 40
        with open(journal, "r+b") as file:
            file.seek(at)
            file.write(bytes([data[at] ^ 1]))
        refused = self.exits(2, muster("verify", "--repair", journal))
        self.assertIn("another muster", refused.err)
        self.exits(-signal.SIGKILL, run.kill())
        self.succeeds(muster("verify", "--repair", journal))
        self.all_done(muster("resume", journal), len(rows))
        self.onboarded(journal, rows)

    def test_without_its_job_or_its_beginning_it_is_not_repaired(self):
        rows = onboarding(self.tenant, tokens=60, devices=0)
        journal = self.half_done(rows, 60)
        random_numbers, _ = seeded(self.id())
        damaged = self.damage(journal, random_numbers, places=1, length=5)
        job = self.dir / "job.csv"
        content = job.read_bytes()
        job.write_bytes(content + b"\n")
        self.exits(3, muster("verify", "--repair", journal))
        job.write_bytes(content)
        self.assertEqual(journal.read_bytes(), damaged)
        headless = bytearray(damaged)
        headless[40] ^= 1
        journal.write_bytes(headless)
        self.assertIn("cannot be repaired", self.exits(3, muster("verify", "--repair", journal)).err)
        self.assertEqual(journal.read_bytes(), headless)
        self.assertEqual([p.name for p in self.dir.glob("*.damaged*")] + [p.name for p in self.dir.glob("*.repairing")], [])


if __name__ == "__main__":
    unittest.main()
