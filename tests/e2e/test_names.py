"""Token names arrive byte for byte, and come back so in every report."""
import csv
import io
import json
import unittest

from support import E2E, csv_text, jsonl_text, muster, row

NAMES = [
    'Ann "the Key" Smith', '"', '""', '"quoted"', "Smith, Ann", ",", ",,\",\"",
    "two\nlines", "two\r\nlines", "lone\rreturn", "\n", "ends with a break\n", "ends with a break\r\n", "tab\there",
    "back\\slash", "\\", "\\n is no break", "\\u0041", "C:\\Temp\\", "/", "a/b?c=d&e#f%20", "<b>&amp;</b>", "'; --",
    "😀", "👩‍👩‍👧‍👦 family", "\U0010ffff", "é and é", "日本語", "مرحبا",
    "line\u2028separator", "paragraph\u2029separator", "next\u0085line", "\ufeffmark", "zero\u200bwidth", "nb\u00a0sp",
    " leading", "trailing ", "  both  ", "\ttab around\t", "=1+1", "+41 44 000 00 00", "-", "@cmd", "0", "null", "true", "007",
    "\x01control\x1f", "\x7f", "€" * 255, "x" * 255,
]


class Names(E2E):
    tenant_size = {"users": 100, "tokens": 100, "devices": 0}

    def rows(self, names):
        users = self.tenant.users()
        return [row("assign", users[n % len(users)], serial, name, ticket=f"t{n}")
                for n, (serial, name) in enumerate(zip(self.tenant.tokens(), names, strict=False))]

    def arrive(self, job, rows):
        server = self.serve()
        self.all_done(self.run_job(job, server), len(rows))
        for r in rows:
            stored = self.tenant.query("SELECT CAST(name AS BLOB) FROM tokens WHERE serial = ?", r["tokenSerialNumber"])
            self.assertEqual(stored[0][0], (r["tokenName"] or r["tokenSerialNumber"]).encode(), r)
        reported = self.agrees_with_tenant(self.journal_of(job), rows)
        self.assertEqual([r.get("tokenName", "") for r in reported], [r["tokenName"] for r in rows])

    def test_there_are_enough_tokens_for_every_name(self):
        self.assertEqual(len(self.rows(NAMES)), len(NAMES))

    def test_from_csv(self):
        rows = self.rows(NAMES)
        self.arrive(self.job(rows), rows)

    def test_from_csv_with_lf_and_a_byte_order_mark_and_quotes_everywhere(self):
        rows = self.rows(NAMES)
        text = csv_text(rows, lineterminator="\n", quoting=csv.QUOTE_ALL)
        self.arrive(self.write("job.csv", b"\xef\xbb\xbf" + text.encode()), rows)

    def test_from_jsonl(self):
        rows = self.rows(NAMES)
        self.arrive(self.job(rows, "job.jsonl"), rows)

    def test_from_jsonl_with_every_character_escaped(self):
        rows = self.rows(NAMES)
        text = "".join(json.dumps(r, ensure_ascii=True) + "\r\n" for r in rows)
        self.arrive(self.write("job.jsonl", text), rows)

    def test_no_name_lets_the_service_name_the_token_by_its_serial(self):
        rows = self.rows(["", ""])
        self.arrive(self.job(rows, "job.jsonl"), rows)
        self.assertEqual(self.tenant.token(rows[0]["tokenSerialNumber"])["name"], rows[0]["tokenSerialNumber"])

    def test_rows_with_such_names_survive_as_a_job_from_csv_and_from_jsonl(self):
        for name, text, read in (
                ("job.csv", csv_text, lambda t: list(csv.DictReader(io.StringIO(t, newline="")))),
                ("job.jsonl", jsonl_text, lambda t: [json.loads(line) for line in t.split("\n") if line])):
            with self.subTest(name):
                rows = [r | {"userId": "00000000-0000-4000-8000-000000000000"} for r in self.rows(NAMES)]
                job = self.write(name, text(rows))
                with self.tenant.serve() as server:
                    self.exits(1, self.run_job(job, server))
                again = self.succeeds(muster("report", self.journal_of(job), "--only", "rejected", "--as-job"))
                self.assertEqual([r.get("tokenName", "") for r in read(again.out_bytes.decode())],
                                 [r["tokenName"] for r in rows])

    def test_a_report_for_people_has_one_line_a_row_and_no_control_characters(self):
        rows = [r | {"userId": "00000000-0000-4000-8000-000000000000"} for r in self.rows(NAMES)]
        job = self.job(rows)
        with self.tenant.serve() as server:
            self.exits(1, self.run_job(job, server))
        text = self.succeeds(muster("report", self.journal_of(job))).out
        self.assertEqual(len(text.splitlines()), len(rows) + 1)
        self.assertNotRegex(text.replace("\n", ""), "[\x00-\x1f\x7f]")


if __name__ == "__main__":
    unittest.main()
