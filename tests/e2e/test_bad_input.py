"""A job or key file with something wrong in it is refused whole: nothing is sent, no journal is left behind, and the
message names file, line and field."""
import json
import unittest

from support import E2E, clean_environment, csv_text, muster, onboarding, row

UUID = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d"
HEADER = "operation,userId,tokenSerialNumber,tokenName\n"
GOOD = f"assign,{UUID},000123456789,\n"


class BadJob(E2E):
    def setUp(self):
        super().setUp()
        self.server = self.serve()

    def refused(self, name, content, *words, flags=(), plan=True):
        """`content`: nothing where the file is not to be made."""
        path = self.dir / name
        if content is not None:
            self.write(name, content)
        left = [p.name for p in self.dir.iterdir() if p.name != "tenant"]
        done = self.exits(2, self.run_job(path, self.server, *flags))
        for word in (name, *words):
            self.assertIn(word, done.err)
        self.assertEqual(done.json["exitCode"], 2, "a JSON last line on failure too")
        self.assertTrue(done.json["error"])
        self.nothing_was_sent()
        self.no_files_but(*left)
        if plan:
            planned = muster("plan", path, *[f for f in flags if f != "--skip-invalid"])
            self.exits(2, planned)
            for word in words:
                self.assertIn(word, planned.out + planned.err)
        return done

    def test_an_empty_file(self):
        self.refused("job.csv", "", "empty")

    def test_an_empty_jsonl_file(self):
        self.refused("job.jsonl", "", "empty")

    def test_a_header_alone_with_a_misspelt_column(self):
        self.refused("job.csv", "operation,userId,tokenSerialNumbr\n", "tokenSerialNumbr", "tokenSerialNumber", "--map")

    def test_a_header_without_an_operation_column(self):
        self.refused("job.csv", "userId,tokenSerialNumber\n", "operation", "--operation")

    def test_an_unclosed_quote_is_named_with_the_line_it_opens_on(self):
        self.refused("job.csv", HEADER + GOOD + f'assign,{UUID},000123456780,"Ann\n' + GOOD, "job.csv:3", "tokenName",
                     "quote")

    def test_text_behind_a_closing_quote(self):
        self.refused("job.csv", HEADER + f'assign,{UUID},000123456780,"Ann"x\n', "job.csv:2", "tokenName", "quote")

    def test_a_row_with_too_few_fields(self):
        self.refused("job.csv", HEADER + GOOD + f"assign,{UUID}\n", "job.csv:3", "2 fields", "4")

    def test_a_row_with_too_many_fields(self):
        self.refused("job.csv", HEADER + GOOD + f"assign,{UUID},000123456780,Ann,Smith\n", "job.csv:3", "5 fields", "4")

    def test_invalid_utf8_is_named_with_line_and_field(self):
        self.refused("job.csv", HEADER.encode() + GOOD.encode() + f"assign,{UUID},000123456780,".encode() + b"J\xfcrgen\n",
                     "job.csv:3", "tokenName", "UTF-8")

    def test_invalid_utf8_in_jsonl(self):
        line = json.dumps({"operation": "assign", "userId": UUID, "tokenSerialNumber": "1", "tokenName": "J?rgen"})
        self.refused("job.jsonl", line.encode().replace(b"?", b"\xfc") + b"\n", "job.jsonl:1", "UTF-8")

    def test_an_overlong_serial(self):
        self.refused("job.csv", HEADER + GOOD + f"assign,{UUID},{'1' * 37},\n", "job.csv:3", "tokenSerialNumber", "36")

    def test_an_overlong_name(self):
        self.refused("job.csv", HEADER + f"assign,{UUID},1,{'é' * 256}\n", "job.csv:2", "tokenName", "255")

    def test_a_bad_uuid(self):
        self.refused("job.csv", HEADER + GOOD + f"assign,{UUID[:-1]},000123456789,\n", "job.csv:3", "userId", "UUID")

    def test_a_user_id_that_would_change_the_request_path(self):
        self.refused("job.csv", HEADER + "assign,../../v1/users/1,000123456789,\n", "job.csv:2", "userId")

    def test_an_unknown_operation(self):
        self.refused("job.csv", HEADER + GOOD + f"assing,{UUID},000123456789,\n", "job.csv:3", "operation", "assing",
                     "assign")

    def test_a_missing_required_field(self):
        self.refused("job.csv", HEADER + f"enable,{UUID},,\n", "job.csv:2", "tokenSerialNumber", "missing")

    def test_a_missing_operation(self):
        self.refused("job.csv", HEADER + f",{UUID},000123456789,\n", "job.csv:2", "operation", "missing")

    def test_a_serial_that_a_spreadsheet_turned_into_a_number(self):
        self.refused("job.csv", HEADER + f"assign,{UUID},1.23E+11,\n", "job.csv:2", "tokenSerialNumber", "spreadsheet")

    def test_a_serial_that_is_a_number_in_jsonl(self):
        self.refused("job.jsonl", f'{{"operation":"enable","userId":"{UUID}","tokenSerialNumber":123456789}}\n',
                     "job.jsonl:1", "tokenSerialNumber", "string")

    def test_a_malformed_jsonl_line(self):
        good = json.dumps({"operation": "enable", "userId": UUID, "tokenSerialNumber": "000123456789"})
        self.refused("job.jsonl", good + "\n" + good[:-1] + "\n" + good + "\n", "job.jsonl:2")

    def test_a_jsonl_line_that_is_no_object(self):
        self.refused("job.jsonl", '["assign"]\n', "job.jsonl:1")

    def test_a_jsonl_member_that_is_there_twice(self):
        self.refused("job.jsonl", f'{{"operation":"enable","userId":"{UUID}","tokenSerialNumber":"1","tokenSerialNumber":"2"}}\n',
                     "job.jsonl:1", "tokenSerialNumber", "twice")

    def test_a_column_that_is_there_twice(self):
        self.refused("job.csv", f"operation,userId,tokenSerialNumber,userid\nassign,{UUID},1,{UUID}\n", "userId")

    def test_a_binary_file(self):
        self.refused("job.csv", bytes(range(256)) * 40, "text")

    def test_a_workbook_saved_under_the_wrong_name(self):
        self.refused("job.csv", b"PK\x03\x04" + bytes(1000), "workbook", "CSV")

    def test_utf16_text(self):
        self.refused("job.csv", (HEADER + GOOD).encode("utf-16"), "UTF-16", "UTF-8")

    def test_a_file_that_is_missing(self):
        self.refused("nosuch.csv", None, "No such file")

    def test_a_directory(self):
        (self.dir / "folder.csv").mkdir()
        self.refused("folder.csv", None, "directory")

    def test_a_name_that_does_not_tell_the_format(self):
        self.refused("job.txt", HEADER + GOOD, "--format")

    def test_a_workbook(self):
        self.refused("job.xlsx", b"PK\x03\x04" + bytes(1000), "CSV")

    def test_standard_input_with_an_invalid_row_leaves_no_file_behind(self):
        journal = self.dir / "night.journal"
        done = muster("run", "-", *self.access(self.server), "--journal", journal, "--output", "json",
                      stdin=(HEADER + f"assign,{UUID[1:]},1,\n").encode())
        self.exits(2, done)
        self.assertIn(":2", done.err)
        self.assertEqual(done.json["exitCode"], 2)
        self.nothing_was_sent()
        self.no_files_but()

    def test_empty_standard_input(self):
        done = muster("run", "-", *self.access(self.server), "--journal", self.dir / "j", "--output", "json", stdin=b"")
        self.exits(2, done)
        self.assertIn("standard input", done.err)
        self.no_files_but()

    def test_every_invalid_row_is_told_with_its_line_even_behind_line_breaks_in_quotes(self):
        content = HEADER + f'assign,{UUID},1,"a\nb\r\nc"\n' + f"assign,{UUID},x y,\n\n" + f"assing,{UUID},1,\n"
        done = self.refused("job.csv", content, "job.csv:5", "job.csv:7")
        self.assertIn("2 of 3 rows", done.err)

    def test_skip_invalid_runs_the_rest(self):
        rows = onboarding(self.tenant, tokens=10, devices=3)
        bad = [row("assign", "nobody", "000123456789"), row("frobnicate", UUID, "1"), row("enable", UUID, "2" * 40)]
        mixed = rows[:5] + bad[:1] + rows[5:9] + bad[1:] + rows[9:]
        job = self.job(mixed)
        done = self.exits(1, self.run_job(job, self.server, "--skip-invalid"))
        told = self.summed_up(done, len(mixed))["outcomes"]
        self.assertEqual((told["applied"], told["invalid"]), (len(rows), 3))
        reported = self.report(self.journal_of(job))
        self.assertEqual([r["line"] for r in reported if r["outcome"] == "invalid"], [7, 12, 13])
        self.assertTrue(all("message" in r for r in reported if r["outcome"] == "invalid"))
        self.assertEqual(sum(self.tenant.changes().values()), len(rows))
        again = self.exits(1, muster("resume", self.journal_of(job)))
        self.assertEqual((again.json["outcomes"], again.json["requests"]), (done.json["outcomes"], 0))

    def test_skip_invalid_passes_over_rows_that_cannot_be_read(self):
        rows = onboarding(self.tenant, tokens=3, devices=0)
        lines = csv_text(rows).encode().splitlines(keepends=True)
        lines[3:3] = [b"assign,too few\r\n", b'enable,"a"b,,,,\r\n', b"enable,\xff,,,,\r\n"]
        job = self.write("job.csv", b"".join(lines))
        done = self.exits(1, self.run_job(job, self.server, "--skip-invalid"))
        told = self.summed_up(done, len(rows) + 3)["outcomes"]
        self.assertEqual((told["applied"], told["invalid"]), (len(rows), 3))

    def test_skip_invalid_does_not_excuse_a_file_that_ends_within_quotes(self):
        self.refused("job.csv", HEADER + GOOD + f'assign,{UUID},2,"Ann\n', "job.csv:3", flags=["--skip-invalid"])


class BadKey(E2E):
    def setUp(self):
        super().setUp()
        self.server = self.serve()
        self.rows = onboarding(self.tenant, tokens=3, devices=1)
        self.good = json.loads(self.tenant.key.read_text())

    def refused(self, content, *words):
        job, key = self.job(self.rows), self.dir / "acme.key"
        if content is not None:
            key.write_text(content if isinstance(content, str) else json.dumps(content))
            key.chmod(0o600)
        left = [p.name for p in self.dir.iterdir() if p.name != "tenant"]
        done = muster("run", job, "--credentials", key, "--base-url", self.server.url, "--ca-file", self.tenant.ca,
                      "--output", "json")
        self.exits(2, done)
        for word in ("acme.key", *words):
            self.assertIn(word, done.err)
        self.assertEqual(done.json["exitCode"], 2)
        self.assertNotIn("PRIVATE KEY", done.out + done.err)
        self.nothing_was_sent()
        self.no_files_but(*left)

    def without(self, name):
        return {k: v for k, v in self.good.items() if k != name}

    def test_a_key_file_that_is_missing(self):
        self.refused(None, "No such file")

    def test_a_key_file_that_is_not_json(self):
        self.refused("acme", "JSON")

    def test_a_key_file_that_is_cut_off(self):
        self.refused(json.dumps(self.good)[:-200], "JSON")

    def test_a_bare_pem_key(self):
        self.refused(self.good["accessKey"], "PEM")

    def test_an_empty_key_file(self):
        self.refused("", "empty")

    def test_a_key_file_without_access_id(self):
        self.refused(self.without("accessID"), "accessID")

    def test_a_key_file_without_access_key(self):
        self.refused(self.without("accessKey"), "accessKey")

    def test_a_key_file_without_the_address(self):
        self.refused(self.without("adminRestApiUrl"), "adminRestApiUrl")

    def test_a_field_that_is_not_a_string(self):
        self.refused({**self.good, "accessID": 7}, "accessID", "string")

    def test_an_address_that_is_not_https(self):
        self.refused({**self.good, "adminRestApiUrl": "http://localhost/AdminInterface/restapi/v1"}, "adminRestApiUrl",
                     "https")

    def test_a_key_that_lost_a_line(self):
        lines = self.good["accessKey"].split("\n")
        self.refused({**self.good, "accessKey": "\n".join(lines[:5] + lines[6:])}, "accessKey")

    def test_a_key_with_a_changed_letter(self):
        # In the modulus: of the other numbers OpenSSL can do without any one.
        lines = self.good["accessKey"].split("\n")
        lines[3] = ("B" if lines[3][0] == "A" else "A") + lines[3][1:]
        self.refused({**self.good, "accessKey": "\n".join(lines)}, "accessKey")

    def test_no_key_file_named(self):
        done = muster("run", self.job(self.rows), "--base-url", self.server.url, "--output", "json")
        self.exits(2, done)
        self.assertIn("--credentials", done.err)
        self.assertIn("MUSTER_CREDENTIALS", done.err)
        self.no_files_but("job.csv")

    def test_a_world_readable_key_file_gets_a_warning_only(self):
        self.tenant.key.chmod(0o644)
        done = self.run_job(self.job(self.rows), self.server)
        self.all_done(done, len(self.rows))
        self.assertIn("help-desk.key", done.err)
        self.assertRegex(done.err, "(?i)warning")

    def test_a_private_key_file_gets_no_warning(self):
        done = self.run_job(self.job(self.rows), self.server)
        self.all_done(done, len(self.rows))
        self.assertNotRegex(done.err, "(?i)warning")

    def test_an_older_key_file_whose_address_has_no_version_works(self):
        url = self.good["adminRestApiUrl"]
        self.assertTrue(url.endswith("/v1"))
        self.tenant.key.write_text(json.dumps({**self.good, "adminRestApiUrl": url[:-len("/v1")]}))
        self.all_done(self.run_job(self.job(self.rows), self.server), len(self.rows))

    def test_the_key_file_can_be_named_in_the_environment(self):
        done = muster("run", self.job(self.rows), "--base-url", self.server.url, "--ca-file", self.tenant.ca, "--output",
                      "json", environment=clean_environment(MUSTER_CREDENTIALS=str(self.tenant.key)))
        self.all_done(done, len(self.rows))


if __name__ == "__main__":
    unittest.main()
