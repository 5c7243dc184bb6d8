"""The commands around a run: what they print, what they return, and what they never tell."""
import signal
import base64
import csv
import io
import json
import pathlib
import re
import subprocess
import unittest

from support import (COLUMNS, E2E, LOCAL, MUSTER, OUTCOMES, TENANT, clean_environment, csv_text, jsonl_text, muster,
                     onboarding, row, seeded, unused_port, wait_until)

COMMANDS = ["plan", "run", "resume", "status", "report", "verify"]
NOBODY = "00000000-0000-4000-8000-000000000000"


class Usage(E2E):
    def is_usage_error(self, *arguments, words=()):
        done = self.exits(2, muster(*arguments, cwd=self.dir))
        self.assertTrue(done.err.strip(), f"says why\n{done}")
        for word in words:
            self.assertIn(word, done.err)
        return done

    def test_help_of_every_command_has_examples_and_goes_to_standard_output(self):
        everything = self.succeeds(muster("--help")).out
        for command in COMMANDS:
            with self.subTest(command):
                self.assertIn(command, everything)
                told = self.succeeds(muster(command, "--help"))
                self.assertIn(f"muster {command} ", told.out)
                self.assertIn("Example", told.out)
                self.assertEqual(told.err, "")

    def test_help_of_run_names_every_flag_of_the_contract(self):
        told = muster("run", "--help").out
        for flag in ("--credentials", "MUSTER_CREDENTIALS", "--journal", "--concurrency", "--max-rate", "--max-attempts",
                     "--stop-after-failures", "--base-url", "--ca-file", "--proxy", "--connect-timeout",
                     "--request-timeout", "--skip-invalid", "--output", "--log-format", "--no-progress", "--config",
                     "--map", "--operation", "--format"):
            self.assertIn(flag, told)

    def test_version(self):
        self.assertRegex(self.succeeds(muster("--version")).out, r"^muster \d+\.\d+\.\d+\n$")

    def test_the_tenants_help(self):
        for arguments in (["--help"], ["init", "--help"], ["serve", "--help"]):
            with self.subTest(arguments):
                done = subprocess.run([TENANT, *arguments], capture_output=True, timeout=20, text=True, stdin=subprocess.DEVNULL)
                self.assertEqual(done.returncode, 0)
                self.assertIn("muster-tenant", done.stdout)

    def test_no_command(self):
        self.is_usage_error()

    def test_an_unknown_command(self):
        self.is_usage_error("provision", words=["provision"])

    def test_a_missing_argument(self):
        for command in COMMANDS:
            with self.subTest(command):
                self.is_usage_error(command)

    def test_an_unknown_flag(self):
        for command in COMMANDS:
            with self.subTest(command):
                self.is_usage_error(command, "x.csv", "--frobnicate", words=["--frobnicate"])

    def test_values_that_make_no_sense_name_their_flag(self):
        job = self.job(onboarding(self.tenant, tokens=2, devices=0))
        for flag, value in (("--concurrency", "0"), ("--concurrency", "many"), ("--max-rate", "fast"), ("--max-rate", "0/s"),
                            ("--max-rate", "-5/s"), ("--max-attempts", "0"), ("--stop-after-failures", "0"),
                            ("--stop-after-failures", "101%"), ("--connect-timeout", "soon"), ("--request-timeout", "0s"),
                            ("--output", "xml"), ("--log-format", "xml"), ("--format", "xls"), ("--map", "Serial"),
                            ("--map", "shoeSize=Serial"), ("--operation", "assing"), ("--base-url", "localhost"),
                            ("--proxy", "ftp://proxy:1")):
            with self.subTest(f"{flag} {value}"):
                self.is_usage_error("run", job, "--credentials", self.tenant.key, flag, value, words=[flag])
        self.nothing_was_sent()
        self.no_files_but("job.csv")

    def test_a_usage_error_with_output_json_has_a_json_last_line(self):
        job = self.job(onboarding(self.tenant, tokens=2, devices=0))
        for flags in (["--max-rate", "fast"], ["--map", "Serial"], ["--base-url", "localhost"], []):
            with self.subTest(flags):
                done = muster("run", job, *(["--credentials", self.tenant.key] if flags else []), *flags, "--output", "json")
                self.exits(2, done)
                self.assertEqual(done.json["exitCode"], 2)

    def test_commands_on_a_journal_that_is_not_there(self):
        for command in ("resume", "status", "report", "verify"):
            with self.subTest(command):
                self.is_usage_error(command, self.dir / "none.journal", words=["none.journal"])

    def test_commands_on_a_file_that_is_no_journal(self):
        path = self.write("other.journal", "operation,userId\n" * 20)
        for command in ("resume", "status", "report", "verify"):
            with self.subTest(command):
                done = self.exits(3, muster(command, path))
                self.assertIn("other.journal", done.err)
        self.assertEqual(path.read_text(), "operation,userId\n" * 20, "left as it was")


class Plan(E2E):
    def test_plan_counts_and_sends_nothing(self):
        rows, server = onboarding(self.tenant, tokens=10, devices=4), self.serve()
        rows.append(row("disable", rows[0]["userId"], rows[0]["tokenSerialNumber"]))
        for job, form in ((self.job(rows), "csv"), (self.job(rows, "job.jsonl"), "jsonl")):
            with self.subTest(form):
                told = self.succeeds(muster("plan", job, "--output", "json")).json
                self.assertEqual(told["operations"], {"assign": 10, "enable": 10, "disable": 1, "enable-ds100": 4})
                self.assertEqual((told["rows"], told["invalid"]), (25, 0))
                text = self.succeeds(muster("plan", job, "--max-rate", "10/s")).out
                for word in ("25 rows", "assign", "enable-ds100", "10 requests/s"):
                    self.assertIn(word, text)
        self.assertEqual(server.process.poll(), None)
        self.nothing_was_sent()
        self.no_files_but("job.csv", "job.jsonl")

    def test_plan_names_duplicates_and_contradictions_by_line(self):
        a, b = self.tenant.users()[:2]
        s, t = self.tenant.tokens()[:2]
        job = self.job([row("assign", a, s), row("assign", a, s), row("assign", b, t), row("enable", a, t)])
        told = self.succeeds(muster("plan", job, "--output", "json")).json
        self.assertEqual((told["duplicates"], told["contradictions"]), (1, 1))
        self.assertEqual([c["lines"] for c in told["conflicts"]], [[2, 3], [4, 5]])

    def test_plan_lists_as_many_as_it_is_told_and_takes_no_negative_number(self):
        job = self.write("job.csv", "operation,userId,tokenSerialNumber\n" + "".join(
            f"enable,{NOBODY},{i // 2:012}\n" for i in range(60)))
        self.assertEqual(self.succeeds(muster("plan", job, "--list", "7")).out.count("ask for the same thing"), 7)
        self.assertEqual(self.succeeds(muster("plan", job, "--list", "999")).out.count("ask for the same thing"), 30)
        self.assertIn("--list: -1 is no whole number", self.exits(2, muster("plan", job, "--list", "-1")).err)

    def test_plan_lists_invalid_rows_with_lines_and_exits_2(self):
        job = self.job([row("assign", "x", "1"), *onboarding(self.tenant, tokens=1, devices=0), row("assing", NOBODY, "1")])
        told = self.exits(2, muster("plan", job, "--output", "json")).json
        self.assertEqual([r["line"] for r in told["invalidRows"]], [2, 5])
        text = self.exits(2, muster("plan", job)).out
        self.assertIn("job.csv:2: userId", text)


class Journal(E2E):
    """Each test has a journal of a finished run."""

    def setUp(self):
        super().setUp()
        self.rows = onboarding(self.tenant, tokens=40, devices=20)
        self.path = self.job(self.rows)
        self.journal = self.journal_of(self.path)
        self.server = self.serve()
        self.all_done(self.run_job(self.path, self.server), len(self.rows))
        self.bytes = self.journal.read_bytes()

    def test_status_and_verify_of_a_finished_journal(self):
        status = self.succeeds(muster("status", self.journal, "--output", "json"))
        self.assertEqual(self.summed_up(status, len(self.rows))["outcomes"]["applied"], len(self.rows))
        text = self.succeeds(muster("status", self.journal)).out
        self.assertIn("finished", text)
        self.assertIn(f"{len(self.rows)} rows", text)
        self.assertIn("sound", self.succeeds(muster("verify", self.journal)).out)
        self.assertEqual(self.journal.read_bytes(), self.bytes, "left as it was")

    def test_a_truncated_journal_is_sound_and_resume_goes_on_from_there(self):
        random_numbers, seed = seeded(self.id())
        changes = self.tenant.changes()
        header = len(self.bytes) - len(self.bytes[self.bytes.index(b'"settings"'):])
        first = self.bytes.index(b"}", header) + 200
        for cut in sorted(random_numbers.sample(range(first, len(self.bytes)), 12)) + [len(self.bytes) - 1]:
            with self.subTest(MUSTER_SEED=seed, cut=cut):
                self.journal.write_bytes(self.bytes[:cut])
                self.succeeds(muster("verify", self.journal))
                self.all_done(muster("resume", self.journal), len(self.rows))
                self.succeeds(muster("verify", self.journal))
                self.assertEqual(self.tenant.changes(), changes, "nothing is changed again")
        self.agrees_with_tenant(self.journal, self.rows)

    def test_a_flipped_byte_in_the_middle_is_told_by_verify_and_refused_by_resume(self):
        random_numbers, seed = seeded(self.id())
        handled = self.tenant.handled()
        for at in [3, 10, 40, *random_numbers.sample(range(100, len(self.bytes) * 3 // 4), 8)]:
            with self.subTest(MUSTER_SEED=seed, at=at):
                damaged = bytearray(self.bytes)
                damaged[at] ^= 1 << random_numbers.randrange(8)
                self.journal.write_bytes(damaged)
                told = self.exits(3, muster("verify", self.journal))
                self.assertRegex(told.out + told.err, "(?i)damaged|no Muster journal|checksum|version")
                for command in ("resume", "status", "report"):
                    self.exits(3, muster(command, self.journal))
                self.assertEqual(self.journal.read_bytes(), damaged, "left as it was")
        self.assertEqual(self.tenant.handled(), handled)

    def test_resume_of_a_damaged_journal_with_output_json_has_a_json_last_line(self):
        damaged = bytearray(self.bytes)
        damaged[len(damaged) // 2] ^= 4
        self.journal.write_bytes(damaged)
        for command in (["resume", self.journal, "--output", "json"], ["status", self.journal, "--output", "json"]):
            self.assertEqual(self.exits(3, muster(*command)).json["exitCode"], 3)

    def test_a_job_file_that_changed_is_refused_with_3(self):
        self.journal.write_bytes(self.bytes[:-60])  # not finished any more
        original = self.path.read_bytes()
        changed = {"longer": original + original.splitlines(keepends=True)[-1], "shorter": original[:-20],
                   "same length": original.replace(b"Token 7", b"Tokem 7", 1), "gone": None}
        handled = self.tenant.handled()
        for how, content in changed.items():
            with self.subTest(how):
                self.path.unlink(missing_ok=True)
                if content is not None:
                    self.path.write_bytes(content)
                done = self.exits(3, muster("resume", self.journal))
                self.assertIn("job.csv", done.err)
                self.assertEqual(done.json["exitCode"], 3)
                self.exits(3, muster("report", self.journal, "--format", "csv"))
        self.assertEqual(self.tenant.handled(), handled)
        self.path.write_bytes(original)
        self.all_done(muster("resume", self.journal), len(self.rows))

    def test_a_csv_report_has_the_jobs_columns_first(self):
        done = self.succeeds(muster("report", self.journal, "--format", "csv"))
        table = list(csv.reader(io.StringIO(done.out_bytes.decode(), newline="")))
        self.assertEqual(table[0][:len(COLUMNS)], COLUMNS)
        self.assertEqual(table[0][len(COLUMNS):len(COLUMNS) + 2], ["line", "outcome"])
        self.assertEqual([r[:len(COLUMNS)] for r in table[1:]], [[r[c] for c in COLUMNS] for r in self.rows])
        self.assertTrue(all(len(r) == len(table[0]) for r in table))

    def test_a_jsonl_report_has_an_object_a_line(self):
        done = self.succeeds(muster("report", self.journal, "--format", "jsonl"))
        told = [json.loads(line) for line in done.out.splitlines()]
        self.assertEqual([r["ticket"] for r in told], [r["ticket"] for r in self.rows])
        self.assertTrue(all(list(r)[:len(COLUMNS)] == COLUMNS for r in told))
        self.assertEqual({r["outcome"] for r in told}, {"applied"})

    def test_a_report_can_be_written_to_a_file_but_not_over_the_job_or_the_journal(self):
        out, original = self.dir / "result.csv", self.path.read_bytes()
        self.succeeds(muster("report", self.journal, "--format", "csv", "-o", out))
        self.assertEqual(out.read_bytes(), muster("report", self.journal, "--format", "csv").out_bytes)
        for victim in (self.path, self.journal):
            self.exits(2, muster("report", self.journal, "-o", victim))
        self.assertEqual((self.path.read_bytes(), self.journal.read_bytes()), (original, self.bytes))
        self.exits(2, muster("report", self.journal, "-o", self.dir / "no" / "such" / "folder.csv"))

    def test_only_selects_outcomes_and_an_unknown_one_is_a_usage_error(self):
        for outcome in OUTCOMES:
            self.assertEqual(len(self.report(self.journal, "--only", outcome)),
                             len(self.rows) if outcome == "applied" else 0)
        self.assertEqual(len(self.report(self.journal, "--only", "rejected,applied")), len(self.rows))
        self.assertIn("splendid", self.exits(2, muster("report", self.journal, "--only", "splendid")).err)


class Flags(E2E):
    def test_map_and_operation_serve_a_file_of_another_shape(self):
        rows = [r for r in onboarding(self.tenant, tokens=5, devices=0) if r["operation"] == "assign"]
        other = [{"Employee": r["userId"], "Serial No": r["tokenSerialNumber"], "Cost, centre": f"C {n}"}
                 for n, r in enumerate(rows)]
        flags = ["--operation", "assign", "--map", "tokenSerialNumber=Serial No", "--map", "userId=Employee"]
        for name, text in (("people.csv", csv_text(other, list(other[0]))), ("people.jsonl", jsonl_text(other))):
            with self.subTest(name):
                job = self.write(name, text)
                self.succeeds(muster("plan", job, *flags))
        job = self.write("people.csv", csv_text(other, list(other[0])))
        server = self.serve()
        self.all_done(self.run_job(job, server, *flags), 5)
        told = self.report(self.journal_of(job))
        self.assertEqual([{c: r[c] for c in other[0]} for r in told], other)
        for r in rows:
            self.assertEqual(self.tenant.token(r["tokenSerialNumber"])["user"], r["userId"])

    def test_resume_remembers_map_and_operation(self):
        rows = [r for r in onboarding(self.tenant, tokens=20, devices=0) if r["operation"] == "assign"]
        job = self.write("people.csv", csv_text([{"Who": r["userId"], "No": r["tokenSerialNumber"]} for r in rows], ["Who", "No"]))
        port = unused_port()
        done = self.run_job(job, f"{LOCAL}:{port}", "--operation", "assign", "--map", "userId=Who", "--map",
                            "tokenSerialNumber=No", "--max-attempts", "1")
        self.exits(4, done)
        with self.tenant.serve(port=port):
            self.all_done(muster("resume", self.journal_of(job)), len(rows))
        self.assertEqual(sum(self.tenant.changes().values()), len(rows))

    def test_field_names_are_matched_without_regard_to_case(self):
        rows = onboarding(self.tenant, tokens=3, devices=1)
        text = csv_text(rows)
        head = text.index("\r\n")
        job = self.write("job.csv", text[:head].upper() + text[head:])
        self.all_done(self.run_job(job, self.serve()), len(rows))

    def test_config_holds_flags(self):
        rows, server = onboarding(self.tenant, tokens=3, devices=1), self.serve()
        config = self.write("muster.conf", f"credentials = {self.tenant.key}\nbase-url = {server.url}\n"
                                           f"ca-file = {self.tenant.ca}\noutput = json\nconcurrency = 2\n")
        self.all_done(muster("run", self.job(rows), "--config", config), len(rows))

    def test_a_flag_given_beats_the_config(self):
        rows, server = onboarding(self.tenant, tokens=3, devices=1), self.serve()
        config = self.write("muster.conf", f"credentials = {self.tenant.key}\nca-file = {self.tenant.ca}\noutput = json\n"
                                           "base-url = https://127.0.0.1:1\n")
        self.all_done(muster("run", self.job(rows), "--config", config, "--base-url", server.url), len(rows))

    def test_a_config_that_is_missing_or_wrong_is_a_usage_error(self):
        job = self.job(onboarding(self.tenant, tokens=3, devices=1))
        wrong = self.write("wrong.conf", "conkurrency = 2\n")
        for config in (self.dir / "missing.conf", wrong):
            with self.subTest(config.name):
                done = self.run_job(job, f"{LOCAL}:{unused_port()}", "--max-attempts", "1", "--config", config)
                self.assertIn(config.name, self.exits(2, done).err)
        self.nothing_was_sent()

    def test_log_format_json_makes_every_line_of_standard_error_an_object(self):
        rows = [*onboarding(self.tenant, tokens=20, devices=5), row("assign", NOBODY, self.tenant.tokens()[50]), row("enable", "x", "y")]
        done = self.run_job(self.job(rows), self.serve("--limit", "bucket:50/s:10"), "--log-format", "json", "--skip-invalid")
        self.exits(1, done)
        lines = [json.loads(line) for line in done.err.splitlines()]
        self.assertGreater(len(lines), 2)
        self.assertTrue(all(isinstance(line, dict) for line in lines))

    def test_text_output_sums_up_and_says_what_to_do_next(self):
        rows, server = [row("assign", NOBODY, self.tenant.tokens()[0])], self.serve()
        job = self.job(rows)
        done = self.exits(1, muster("run", job, *self.access(server)))
        self.assertRegex(done.out, r"rejected +1\b")
        self.assertIn(f"muster report {self.journal_of(job)}", done.out)

    def test_two_processes_never_work_on_one_journal(self):
        rows = onboarding(self.tenant)
        job, server = self.job(rows), self.serve("--limit", "bucket:100/s:20")
        run = self.start_job(job, server)
        wait_until(lambda: self.tenant.handled() >= 30, "30 requests handled")
        second = self.exits(2, muster("resume", self.journal_of(job)))
        self.assertIn("another muster", second.err)
        self.exits(2, self.run_job(job, server))
        status = self.exits(1, muster("status", self.journal_of(job)))
        self.assertTrue(run.runs())
        self.assertIn("running", status.out)
        self.assertNotIn("muster resume", status.out)
        self.all_done(run.wait(60), len(rows))
        self.onboarded(self.journal_of(job), rows)

    def test_a_journal_in_the_way_is_never_overwritten(self):
        job, server = self.job(onboarding(self.tenant, tokens=3, devices=0)), self.serve()
        self.write("job.csv.journal", "precious")
        self.exits(2, self.run_job(job, server))
        self.assertEqual(self.journal_of(job).read_text(), "precious")
        self.nothing_was_sent()

    def test_a_journal_that_cannot_be_written_stops_before_anything_is_sent(self):
        job, server = self.job(onboarding(self.tenant, tokens=3, devices=0)), self.serve()
        done = self.run_job(job, server, "--journal", self.dir / "no" / "folder" / "j")
        self.assertIn(done.code, (2, 4), str(done))
        self.assertIn("folder", done.err)
        self.nothing_was_sent()


class Pipes(E2E):
    def test_a_reader_that_has_seen_enough_ends_a_report_without_a_complaint(self):
        user = self.tenant.users()[0]
        job = self.job([row("assign", user, f"{n:012}", "x" * 100) for n in range(20_000)])
        self.exits(4, self.run_job(job, f"{LOCAL}:{unused_port()}", "--max-attempts", "1"))
        for form in ("csv", "jsonl", "text"):
            with self.subTest(form):
                process = subprocess.Popen([MUSTER, "report", self.journal_of(job), "--format", form], stdin=subprocess.DEVNULL,
                                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment())
                self.assertTrue(process.stdout.readline())
                process.stdout.close()
                err = process.stderr.read().decode()
                process.stderr.close()
                code = process.wait(20)
                self.assertEqual(err, "", "no complaint: the reader wanted no more")
                self.assertIn(code, (0, 141, -signal.SIGPIPE))  # 141 is how a shell tells it

    def test_a_full_disk_under_standard_output_is_an_error(self):
        rows, server = onboarding(self.tenant, tokens=3, devices=0), self.serve()
        job = self.job(rows)
        self.all_done(self.run_job(job, server), len(rows))
        for command in (["report", self.journal_of(job)], ["status", self.journal_of(job)]):
            with self.subTest(command[0]), open("/dev/full", "w") as full:
                done = subprocess.run([MUSTER, *command], stdout=full, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20)
                self.assertNotEqual(done.returncode, 0)


class Secrets(E2E):
    """Nothing that Muster writes holds the key, a bearer token or a password."""

    def setUp(self):
        super().setUp()
        self.key = json.loads(self.tenant.key.read_text())
        self.texts = []

    def keep(self, result):
        self.texts += [result.out_bytes, result.err_bytes]
        return result

    def tells_nothing(self):
        body = [line.encode() for line in self.key["accessKey"].splitlines() if line and "-----" not in line]
        der = base64.b64decode(b"".join(body))
        self.texts += [p.read_bytes() for p in self.dir.iterdir() if p.is_file()]
        for text in self.texts:
            for secret in (*body, b"PRIVATE KEY", b"Bearer", der[60:80]):
                self.assertNotIn(secret, text)
            self.assertIsNone(re.search(rb"eyJ[A-Za-z0-9_-]{8,}\.", text), "a JWT")

    def test_in_any_output_or_file_of_runs_that_succeed_and_fail(self):
        rows = [*onboarding(self.tenant, tokens=30, devices=5), row("assign", NOBODY, self.tenant.tokens()[50])]
        faults = ["--fault", "500:10%", "--fault", "reset-after:10%", "--fault", "garbage:10%", "--limit", "bucket:200/s:20"]
        for n, flags in enumerate((["--output", "json"], ["--log-format", "json"], ["--max-attempts", "1"])):
            job = self.job(rows, f"job{n}.csv")
            with self.tenant.serve(*faults) as server:
                self.keep(muster("run", job, *self.access(server), *flags))
            for command in (["status"], ["verify"], ["report"], ["report", "--format", "jsonl"]):
                self.keep(muster(command[0], self.journal_of(job), *command[1:]))
        self.tells_nothing()

    def test_in_any_output_or_file_of_runs_that_are_refused(self):
        job = self.job(onboarding(self.tenant, tokens=3, devices=0))
        self.key["accessKey"] = self.key["accessKey"].replace("\n", "", 3)
        for n, broken in enumerate((self.key, {**self.key, "accessID": ""}, {**self.key, "adminRestApiUrl": "x"})):
            folder = self.dir / "tenant" / f"broken{n}.key"
            folder.write_text(json.dumps(broken))
            self.keep(self.exits(2, muster("run", job, "--credentials", folder)))
        stray = self.dir / "tenant" / "stray.key"
        stray.write_text(json.dumps({**json.loads(self.tenant.key.read_text()), "accessID": NOBODY}))
        with self.tenant.serve() as server:
            self.keep(self.exits(4, muster("run", job, "--credentials", stray, "--base-url", server.url, "--ca-file",
                                           self.tenant.ca)))
        self.tells_nothing()

    def test_a_proxys_password_is_kept_nowhere(self):
        job = self.job(onboarding(self.tenant, tokens=3, devices=0))
        proxy = f"http://someone:hunter2secret@127.0.0.1:{unused_port()}"
        self.keep(self.exits(4, self.run_job(job, "https://acme.example", "--proxy", proxy, "--max-attempts", "1")))
        self.keep(muster("status", self.journal_of(job)))
        self.keep(self.exits(4, muster("resume", self.journal_of(job))))
        for text in [*self.texts, self.journal_of(job).read_bytes()]:
            self.assertNotIn(b"hunter2secret", text)

    def test_what_the_system_shows_of_a_running_process(self):
        rows = onboarding(self.tenant, tokens=30, devices=0)
        job = self.job(rows)
        with self.tenant.serve("--fault", "latency:50ms") as server:
            run = self.start_job(job, server, "--concurrency", "2")
            wait_until(lambda: self.tenant.handled() > 2, "requests")
            process = pathlib.Path("/proc") / str(run.pid)
            self.texts += [(process / name).read_bytes() for name in ("cmdline", "environ", "comm")]
            limits = (process / "limits").read_text()
            self.keep(run.wait())
        self.tells_nothing()
        self.assertRegex(limits, r"Max core file size\s+0\s+0\s", "a core dump would hold the key")

    def test_the_journal_is_readable_by_its_owner_alone(self):
        rows = onboarding(self.tenant, tokens=3, devices=0)
        job = self.job(rows)
        self.all_done(self.run_job(job, self.serve()), len(rows))
        self.assertEqual(self.journal_of(job).stat().st_mode & 0o077, 0)


if __name__ == "__main__":
    unittest.main()
