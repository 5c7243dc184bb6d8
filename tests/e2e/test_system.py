"""The machine at its worst: the disk, the files, the descriptors, the signals, the streams and the surroundings that
muster is given. It says on standard error what is wrong, ends with the right exit code, and resume finishes the job."""
import calendar
import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from support import (E2E, MUSTER, clean_environment, csv_text, muster, onboarding, start, unused_port, wait_until)

NOBODY = 65534
SLOWLY = ["--max-rate", "150/s"]


class SystemCase(E2E):
    tenant_size = {"users": 60, "tokens": 60, "devices": 10}

    def wants(self, condition, what):
        if not condition:
            self.skipTest(f"needs {what}")

    def raw(self, *arguments, timeout=30, **options):
        """muster with streams, limits and rights of the test's own choice; returns (exit code, standard error)."""
        options.setdefault("env", clean_environment())
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.DEVNULL)
        done = subprocess.run([str(a) for a in (MUSTER, *arguments)], stderr=subprocess.PIPE, timeout=timeout, **options)
        return done.returncode, done.stderr.decode("utf-8", "replace")

    def running(self, **options):
        """A run with some way behind it and some ahead."""
        self.rows = onboarding(self.tenant)
        self.jobfile = self.job(self.rows)
        self.server = self.serve()
        run = start("run", self.jobfile, *self.access(self.server), "--output", "json", *SLOWLY, **options)
        wait_until(lambda: self.tenant.handled() >= 25 or not run.runs(), "25 requests handled")
        return run

    def finishes(self, journal=None, rows=None):
        """Resume ends with every row applied, by one change each."""
        journal, rows = journal or self.journal_of(self.jobfile), rows or self.rows
        self.all_done(muster("resume", journal, "--output", "json", "--max-rate", "5000"), len(rows))
        self.changed_once(journal, rows)


class Disk(SystemCase):
    tenant_size = {"users": 90, "tokens": 90, "devices": 10}

    @contextlib.contextmanager
    def mounted(self, size):
        """A small file system of its own; needs root."""
        folder = self.dir / "small"
        folder.mkdir()
        made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], stdin=subprocess.DEVNULL,
                              capture_output=True) if os.geteuid() == 0 else None
        self.wants(made and made.returncode == 0, "root, to mount a small file system")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], stdin=subprocess.DEVNULL, check=True)

    def test_a_disk_that_fills_up_midway_stops_the_run_and_resume_finishes_it_once_there_is_room(self):
        self.rows = onboarding(self.tenant)
        self.jobfile, server = self.job(self.rows), self.serve()
        with self.mounted("4k") as folder:
            journal = folder / "j"
            done = self.exits(4, self.run_job(self.jobfile, server, "--journal", journal))
            told = self.summed_up(done, len(self.rows))
            self.assertIn("No space left on device", done.err)
            self.assertIn(str(journal), done.err)
            self.assertGreater(told["outcomes"]["pending"], 0)
            again = self.exits(4, muster("resume", journal))
            self.assertIn("No space left on device", again.err)
            subprocess.run(["mount", "-o", "remount,size=1m", folder], check=True, stdin=subprocess.DEVNULL)
            self.finishes(journal)

    def test_a_file_that_may_not_grow_stops_the_run_and_resume_finishes_it(self):
        self.rows = onboarding(self.tenant)
        self.jobfile, server = self.job(self.rows), self.serve()
        limited = 0
        for most in (0, 100, 1500, 2500, 4000):
            with self.subTest(most):
                journal = self.dir / f"j{most}"
                code, err = self.raw("run", self.jobfile, *self.access(server), "--journal", journal,
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
                self.assertEqual(code, 4, err)
                self.assertIn("File too large", err)
                self.assertIn(str(journal), err)
                limited += journal.exists()
                if not journal.exists():
                    self.nothing_was_sent()
        self.assertGreaterEqual(limited, 2)
        self.all_done(muster("resume", journal, "--output", "json"), len(self.rows))

    def test_a_disk_that_is_full_from_the_start_makes_no_journal_and_sends_nothing(self):
        self.rows = onboarding(self.tenant, tokens=5)
        self.jobfile, server = self.job(self.rows), self.serve()
        with self.mounted("16k") as folder:
            with contextlib.suppress(OSError), open(folder / "filler", "wb", buffering=0) as filler:
                while True:
                    filler.write(b"x" * 4096)
            done = self.run_job(self.jobfile, server, "--journal", folder / "j")
            self.assertIn(done.code, (2, 4), str(done))
            self.assertIn("No space left on device", done.err)
            self.assertFalse((folder / "j").exists())
            self.nothing_was_sent()
            piped = muster("run", "-", *self.access(server), "--journal", folder / "p", stdin=csv_text(self.rows).encode())
            self.assertIn(piped.code, (2, 4), str(piped))
            self.assertIn("No space left on device", piped.err)
            self.assertEqual([p.name for p in folder.iterdir()], ["filler"])
            (folder / "filler").unlink()
            self.all_done(self.run_job(self.jobfile, server, "--journal", folder / "j"), len(self.rows))
            self.onboarded(folder / "j", self.rows)

    def test_a_folder_that_is_read_only_makes_no_journal_and_a_journal_in_it_can_still_be_read(self):
        self.rows = onboarding(self.tenant)
        self.jobfile, server = self.job(self.rows), self.serve()
        with self.mounted("1m") as folder:
            journal = folder / "j"
            run = self.start_job(self.jobfile, server, "--journal", journal, *SLOWLY)
            wait_until(lambda: self.tenant.handled() >= 25, "25 requests handled")
            run.signal(signal.SIGINT)
            self.exits(130, run.wait())
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True, stdin=subprocess.DEVNULL)
            before = self.tenant.handled()
            for done in (self.exits(2, self.run_job(self.jobfile, server, "--journal", folder / "other")),
                         self.exits(4, muster("resume", journal))):
                self.assertIn("Read-only file system", done.err)
                self.assertIn(str(folder), done.err)
            self.assertEqual(self.tenant.handled(), before)
            self.exits(1, muster("status", journal))
            self.succeeds(muster("verify", journal))
            self.succeeds(muster("report", journal))
            subprocess.run(["mount", "-o", "remount,rw", folder], check=True, stdin=subprocess.DEVNULL)
            self.finishes(journal)

    def test_a_user_without_rights_is_told_which_file_and_nothing_is_sent(self):
        self.wants(os.geteuid() == 0, "root, to become another user")
        self.rows = onboarding(self.tenant, tokens=5)
        self.jobfile, server = self.job(self.rows), self.serve()
        self.dir.chmod(0o755)
        (self.dir / "tenant").chmod(0o755)
        self.tenant.key.chmod(0o644)
        become = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        code, err = self.raw("run", self.jobfile, *self.access(server), **become)
        self.assertEqual(code, 2, err)
        self.assertIn("job.csv.journal", err)
        self.assertIn("Permission denied", err)
        self.nothing_was_sent()
        self.all_done(self.run_job(self.jobfile, server, "--max-rate", "1000"), len(self.rows))
        for command in ("resume", "status", "report", "verify"):
            code, err = self.raw(command, self.journal_of(self.jobfile), **become)
            self.assertEqual(code, 4, err)
            self.assertIn("Permission denied", err)


class Files(SystemCase):
    def test_a_journal_that_is_deleted_midway_is_written_anew_and_resume_finishes_the_job(self):
        run = self.running()
        journal = self.journal_of(self.jobfile)
        journal.unlink()
        done = self.exits(4, run.wait())
        self.assertIn(f"{journal}: was deleted while the run went on", done.err)
        self.assertEqual(journal.stat().st_mode & 0o777, 0o600)
        self.finishes()

    def test_a_journal_that_is_deleted_with_its_folder_stops_the_run_and_a_new_run_finds_out_what_is_done(self):
        folder = self.dir / "folder"
        folder.mkdir()
        self.rows = onboarding(self.tenant)
        self.jobfile, server = self.job(self.rows), self.serve()
        run = self.start_job(self.jobfile, server, "--journal", folder / "j", *SLOWLY)
        wait_until(lambda: self.tenant.handled() >= 25, "25 requests handled")
        shutil.rmtree(folder)
        done = self.exits(4, run.wait())
        self.assertIn("was deleted while the run went on", done.err)
        self.assertIn("a new run of the job", done.err)
        told = self.all_done(self.run_job(self.jobfile, server), len(self.rows))
        self.assertGreater(told["outcomes"]["already"], 0)
        for r in self.rows:
            serial = r["tokenSerialNumber"] or r["deviceSerialNumber"]
            self.assertEqual(self.tenant.changes()[r["operation"], r["userId"], serial], 1)

    def test_a_journal_that_is_moved_midway_goes_on_where_it_is(self):
        run = self.running()
        moved = self.dir / "moved.journal"
        self.journal_of(self.jobfile).rename(moved)
        self.all_done(run.wait(), len(self.rows))
        self.finishes(moved)

    def test_a_journal_of_a_newer_version_is_refused_and_left_alone(self):
        run = self.running()
        run.signal(signal.SIGINT)
        self.exits(130, run.wait())
        journal = self.journal_of(self.jobfile)
        good = journal.read_bytes()
        newer = good[:7] + b"\x02" + good[8:]  # behind the magic bytes
        self.assertNotEqual(newer, good)
        journal.write_bytes(newer)
        for command in ("resume", "status", "report", "verify"):
            done = self.exits(3, muster(command, journal))
            self.assertIn("version", done.err)
            self.assertEqual(journal.read_bytes(), newer)
        journal.write_bytes(good)
        self.finishes()

    def test_a_job_file_that_is_gone_or_changed_is_refused_until_it_is_put_back(self):
        run = self.running()
        run.signal(signal.SIGINT)
        self.exits(130, run.wait())
        good = self.jobfile.read_bytes()
        before = self.tenant.handled()
        for change in (None, b"", good[:-10], good + b"\r\n", good.replace(b"T-5", b"T-6", 1)):
            self.jobfile.unlink(missing_ok=True)
            if change is not None:
                self.jobfile.write_bytes(change)
            for command in ("resume", "report"):
                done = self.exits(3, muster(command, self.journal_of(self.jobfile)))
                self.assertIn("job.csv", done.err)
                self.assertIn("put it back", done.err)
        self.jobfile.unlink()
        self.jobfile.mkdir()
        self.exits(3, muster("resume", self.journal_of(self.jobfile)))
        self.jobfile.rmdir()
        self.assertEqual(self.tenant.handled(), before)
        self.jobfile.write_bytes(good)
        self.finishes()

    def test_a_job_file_that_is_deleted_or_replaced_midway_does_not_disturb_the_run(self):
        run = self.running()
        good = self.jobfile.read_bytes()
        self.jobfile.unlink()
        self.jobfile.write_bytes(b"operation,userId\n")
        self.all_done(run.wait(), len(self.rows))
        self.jobfile.write_bytes(good)
        self.finishes()

    def test_a_job_file_that_is_written_over_midway_stops_the_run(self):
        self.rows = [r | {"ticket": "x" * 20_000} for r in onboarding(self.tenant, tokens=50)]
        self.jobfile = self.job(self.rows)
        good = self.jobfile.read_bytes()
        run = self.start_job(self.jobfile, self.serve(), "--concurrency", "1", "--max-rate", "40/s")
        wait_until(lambda: self.tenant.handled() >= 5, "5 requests handled")
        with open(self.jobfile, "r+b") as file:
            file.seek(-30_000, os.SEEK_END)
            file.write(b"y")
        done = self.exits(3, run.wait())
        self.assertIn("job.csv", done.err)
        self.assertEqual(done.json["stopped"], "jobChanged")
        self.exits(3, muster("resume", self.journal_of(self.jobfile)))
        self.jobfile.write_bytes(good)
        self.finishes()

    def test_two_runs_of_one_job_at_the_same_moment_make_one_journal(self):
        self.rows = onboarding(self.tenant, tokens=20)
        self.jobfile, server = self.job(self.rows), self.serve()
        ended = [run.wait() for run in [self.start_job(self.jobfile, server) for _ in range(4)]]
        self.assertEqual(sorted(done.code for done in ended), [0, 2, 2, 2])
        self.onboarded(self.journal_of(self.jobfile), self.rows)


class Descriptors(SystemCase):
    def test_however_few_descriptors_there_are_the_run_ends_in_good_order_and_resume_finishes_it(self):
        self.rows = onboarding(self.tenant, tokens=4, devices=1)
        server = self.serve()
        codes = []
        fewest = 5 if "ASAN_OPTIONS" in os.environ else 4  # the sanitizer needs one to look at its own memory
        for most in (n for n in (4, 5, 6, 8, 10, 12, 15, 18, 20, 21, 22, 24, 30, 60) if n >= fewest):
            with self.subTest(most):
                name = f"job{most}.csv"
                self.jobfile = self.job(self.rows, name)
                journal = self.journal_of(self.jobfile)
                code, err = self.raw("run", self.jobfile, *self.access(server), "--max-attempts", "1", "--outage-timeout", "1s",
                                     preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most)))
                codes.append(code)
                self.assertIn(code, (0, 2, 4), err)
                self.assertNotIn("internal error", err)
                if code != 0:
                    self.assertIn("open files", err)
                self.assertEqual(journal.exists(), code != 2, err)
                if code == 4:
                    self.succeeds(muster("verify", journal))
                    self.all_done(muster("resume", journal, "--output", "json"), len(self.rows))
        self.assertIn(2, codes)
        self.assertEqual(codes[-1], 0)
        for r in self.rows:
            serial = r["tokenSerialNumber"] or r["deviceSerialNumber"]
            self.assertEqual(self.tenant.changes()[r["operation"], r["userId"], serial], 1)

    def closing(self, *streams):
        def close():
            for fd in streams:
                with contextlib.suppress(OSError):
                    os.close(fd)
        return close

    def test_closed_standard_streams_in_every_combination_never_touch_the_journal(self):
        server = self.serve()
        everything = onboarding(self.tenant)

        def work(closed, n):
            rows = everything[6 * n:6 * n + 6]
            job = self.job(rows, f"job{n}.csv")
            journal = self.journal_of(job)
            code, err = self.raw("run", job, *self.access(server), preexec_fn=self.closing(*closed))
            self.assertEqual(code, 1 if 1 in closed else 0, err)
            if 1 in closed and 2 not in closed:
                self.assertIn("standard output cannot be written", err)
            for command in ("resume", "status", "verify", "report", "plan"):
                code, err = self.raw(command, job if command == "plan" else journal, preexec_fn=self.closing(*closed))
                self.assertIn(code, (1, 4) if 1 in closed else (0,), f"{command}: {err}")
            self.finishes(journal, rows)
        self.side_by_side(work, *[([fd for fd in (0, 1, 2) if n & (1 << fd)], n) for n in range(8)])

    def test_streams_that_take_nothing_change_the_exit_code_and_nothing_else(self):
        server = self.serve()
        everything = onboarding(self.tenant)
        for n, (out, err) in enumerate(((True, False), (False, True), (True, True))):
            with self.subTest(out=out, err=err), open("/dev/full", "wb") as full:
                self.rows = everything[6 * n:6 * n + 6]
                self.jobfile = self.job(self.rows, f"job{n}.csv")
                streams = {"stdin": subprocess.DEVNULL, "stdout": full if out else subprocess.DEVNULL,
                           "stderr": full if err else subprocess.DEVNULL, "timeout": 30, "env": clean_environment()}
                done = subprocess.run([MUSTER, "run", self.jobfile, *self.access(server)], **streams)
                self.assertEqual(done.returncode, 1 if out else 0)
                for arguments in (["status", self.journal_of(self.jobfile)], ["plan", self.jobfile, "--list", "1000"],
                                  ["--help"], ["plan", self.jobfile, "--output", "json"]):
                    done = subprocess.run([MUSTER, *arguments], **streams)
                    self.assertEqual(done.returncode, 1 if out else 0, arguments)
                self.assertEqual(subprocess.run([MUSTER, "nonsense"], **streams).returncode, 2)
                self.finishes()

    def test_a_reader_that_goes_away_does_not_stop_the_run(self):
        self.rows = onboarding(self.tenant, tokens=40)
        self.jobfile, server = self.job(self.rows), self.serve()
        process = subprocess.Popen([MUSTER, "run", self.jobfile, *self.access(server), "--log-format", "json",
                                    *SLOWLY], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=clean_environment())
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(30), 1)
        self.finishes()


class Signals(SystemCase):
    def interrupted(self, number, code):
        run = self.running()
        run.signal(number)
        done = self.exits(code, run.wait())
        self.assertIn("muster resume", done.err)
        self.assertEqual(self.summed_up(done, len(self.rows))["outcomes"]["inDoubt"], 0)
        self.finishes()

    def test_sighup_ends_the_run_in_good_order(self):
        self.interrupted(signal.SIGHUP, 143)

    def test_sigterm_ends_the_run_in_good_order(self):
        self.interrupted(signal.SIGTERM, 143)

    def test_sigpipe_and_sigxfsz_are_nothing_to_the_run(self):
        run = self.running()
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCONT, signal.SIGWINCH, signal.SIGCHLD):
            run.signal(number)
        self.all_done(run.wait(), len(self.rows))
        self.finishes()

    def test_a_run_that_is_stopped_and_continued_goes_on(self):
        run = self.running()
        run.signal(signal.SIGSTOP)
        time.sleep(1.5)
        run.signal(signal.SIGCONT)
        self.all_done(run.wait(), len(self.rows))
        self.finishes()

    def with_ignored(self, ignored, sent):
        """The exit code of a run that was started with one signal ignored and is sent one, and what is left to do."""
        self.rows = onboarding(self.tenant)
        self.jobfile, server = self.job(self.rows), self.serve()
        process = subprocess.Popen([MUSTER, "run", self.jobfile, *self.access(server), *SLOWLY], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment(),
                                   preexec_fn=lambda: signal.signal(ignored, signal.SIG_IGN))
        try:
            wait_until(lambda: self.tenant.handled() >= 25 or process.poll() is not None, "25 requests handled")
            process.send_signal(sent)
            code = process.wait(30)
        finally:
            process.kill()
            process.wait(5)
        self.finishes()
        return code

    def test_a_hangup_that_the_caller_ignores_stays_ignored_as_nohup_wants_it(self):
        self.assertEqual(self.with_ignored(signal.SIGHUP, signal.SIGHUP), 0)

    def test_a_background_job_of_a_script_can_be_interrupted_though_shells_ignore_sigint_for_it(self):
        self.assertEqual(self.with_ignored(signal.SIGINT, signal.SIGINT), 130)

    def test_killed_while_it_reads_standard_input_it_leaves_no_file_behind(self):
        rows, server = onboarding(self.tenant, tokens=3), self.serve()
        journal = self.dir / "j"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
            with self.subTest(number):
                reader, writer = os.pipe()
                run = start("run", "-", *self.access(server), "--journal", journal, stdin=reader)
                os.close(reader)
                os.write(writer, csv_text(rows).encode()[:100])
                time.sleep(0.3)
                run.signal(number)
                self.assertEqual(run.wait(5).code, -number)
                os.close(writer)
                self.no_files_but()
        self.all_done(muster("run", "-", *self.access(server), "--journal", journal, "--output", "json",
                             stdin=csv_text(rows).encode()), len(rows))


class Surroundings(SystemCase):
    def locale(self):
        """Turkish, with its dotless i and its decimal comma, made here where that can be; else its name alone."""
        folder = self.dir / "locales"
        folder.mkdir()
        if shutil.which("localedef"):
            subprocess.run(["localedef", "-i", "tr_TR", "-f", "UTF-8", folder / "tr_TR.UTF-8"], capture_output=True,
                           stdin=subprocess.DEVNULL)
        return {"LOCPATH": str(folder)} if any(folder.iterdir()) else {}

    def test_no_locale_and_no_time_zone_changes_what_is_written(self):
        known, server = self.locale(), self.serve()
        everything = onboarding(self.tenant)

        def work(odd, n):
            rows = everything[6 * n:6 * n + 6]
            rows[0] = rows[0] | {"operation": "ASSIGN", "tokenName": "İıIi"}
            header = "operation,userId,tokenSerialNumber,tokenName"
            job = self.write(f"job{n}.csv", csv_text(rows).replace(header, header.upper()))
            environment = clean_environment(**known, **odd)
            began = time.time()
            told = self.all_done(muster("run", job, *self.access(server), "--output", "json", "--max-rate", "1234.5/s",
                                        environment=environment), len(rows))
            self.assertIsInstance(told["seconds"], float)
            report = muster("report", self.journal_of(job), "--format", "jsonl", environment=environment).out
            for line in report.splitlines():
                at = json.loads(line)["time"]
                self.assertRegex(at, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                self.assertLess(abs(calendar.timegm(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) - began), 60)
            self.assertEqual(self.tenant.token(rows[0]["tokenSerialNumber"])["name"], "İıIi")
            planned = [muster("plan", job, environment=e).out for e in (environment, clean_environment())]
            self.assertEqual(planned[0], planned[1])
            self.all_done(muster("resume", self.journal_of(job), "--output", "json", environment=environment), len(rows))
            self.changed_once(self.journal_of(job), rows)
        cases = [{"LC_ALL": "tr_TR.UTF-8"}, {"LC_NUMERIC": "tr_TR.UTF-8", "LC_ALL": ""}, {"TZ": "Asia/Kathmandu"},
                 {"TZ": "nonsense/zone", "LC_ALL": "nonsense"}, {"LC_ALL": "C", "TZ": ":/dev/zero"}]
        self.side_by_side(work, *[(odd, n) for n, odd in enumerate(cases)])

    def test_without_any_environment_it_works(self):
        rows, server = onboarding(self.tenant, tokens=3), self.serve()
        job = self.job(rows)
        self.all_done(muster("run", job, *self.access(server), "--output", "json", environment={"NOTHING": ""}), len(rows))

    def test_a_folder_that_is_gone_under_the_process_is_no_matter(self):
        rows, server = onboarding(self.tenant, tokens=3), self.serve()
        job, gone = self.job(rows), self.dir / "gone"
        gone.mkdir()
        process = subprocess.run(["/bin/sh", "-c", 'cd "$1" && rmdir "$1" && shift && exec "$@"', "sh", str(gone), str(MUSTER),
                                  "run", str(job), *map(str, self.access(server))], stdin=subprocess.DEVNULL,
                                 capture_output=True, timeout=30, env=clean_environment())
        self.assertEqual(process.returncode, 0, process.stderr)
        self.onboarded(self.journal_of(job), rows)

    def test_resume_without_the_service_says_so_and_finishes_later(self):
        rows, port = onboarding(self.tenant, tokens=3), unused_port()
        job = self.job(rows)
        self.exits(4, self.run_job(job, f"https://127.0.0.1:{port}", "--max-attempts", "1"))
        with self.tenant.serve(port=port):
            self.finishes(self.journal_of(job), rows)


if __name__ == "__main__":
    unittest.main()
