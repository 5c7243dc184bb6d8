"""What the end-to-end tests share: the real binaries, a sandbox tenant of their own, jobs, and the comparison of
what muster reports with what the tenant's database holds.

The binaries are those in MUSTER_BUILD, or in build/ at the top of the source tree. Everything is bounded in time,
and every process that is started here is ended here, by its own id.
"""
import atexit
import collections
import concurrent.futures
import contextlib
import csv
import io
import json
import os
import pathlib
import random
import re
import select
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import unittest
import uuid
from datetime import datetime, timezone

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("MUSTER_BUILD") or TOP / "build").resolve()
MUSTER = BUILD / "muster"
TENANT = BUILD / "muster-tenant"

COLUMNS = ["operation", "userId", "tokenSerialNumber", "tokenName", "deviceSerialNumber", "ticket"]
OUTCOMES = ["applied", "already", "rejected", "blocked", "exhausted", "inDoubt", "invalid", "pending"]
SUCCEEDED = ("applied", "already")
NOT_SENT = ("blocked", "invalid", "pending")

LOCAL = "https://127.0.0.1"


def seeded(name):
    """A generator of random numbers whose seed can be given again in MUSTER_SEED; it is told when a test fails."""
    seed = int(os.environ.get("MUSTER_SEED") or random.SystemRandom().randrange(1 << 32))
    return random.Random(f"{name}/{seed}"), seed


def clean_environment(**more):
    """Nothing of the caller's that could change what muster does."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS")
            if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", **more}


def wait_until(condition, what, timeout=30.0, pause=0.005):
    """Returns the condition's first true value."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(pause)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Result:
    """What a process that has ended left behind."""

    def __init__(self, arguments, code, out, err):
        self.arguments = [str(a) for a in arguments]
        self.code = code
        self.out_bytes, self.err_bytes = out, err
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")

    @property
    def json(self):
        """The object on the last line of standard output."""
        lines = self.out.splitlines()
        if not lines:
            raise AssertionError(f"nothing on standard output\n{self}")
        try:
            return json.loads(lines[-1])
        except ValueError:
            raise AssertionError(f"the last line of standard output is not JSON\n{self}") from None

    @property
    def outcomes(self):
        """Only those that occur."""
        return {name: n for name, n in self.json["outcomes"].items() if n > 0}

    def __str__(self):
        def part(text):
            return text if len(text) < 4000 else text[:2000] + "\n  …\n" + text[-2000:]
        return (f"$ {' '.join(self.arguments)}\nexit code {self.code}\n--- standard output\n{part(self.out)}"
                f"--- standard error\n{part(self.err)}")


class Running:
    """A muster that is under way."""

    def __init__(self, arguments, stdin=None, cwd=None, environment=None):
        self.arguments = arguments
        # Files, not pipes: no output can fill them up and stop the process.
        self._out, self._err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen([str(a) for a in arguments], stdin=stdin or subprocess.DEVNULL,
                                        stdout=self._out, stderr=self._err, cwd=cwd,
                                        env=environment or clean_environment())
        _started.add(self.process)

    @property
    def pid(self):
        return self.process.pid

    def runs(self):
        return self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def err_so_far(self):
        return os.pread(self._err.fileno(), 1 << 20, 0).decode("utf-8", "replace")

    def wait(self, timeout=40):
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(f"still running after {timeout} s\n{self._result(None)}") from None
        return self._result(code)

    def _result(self, code):
        _started.discard(self.process)
        texts = []
        for stream in (self._out, self._err):
            stream.seek(0)
            texts.append(stream.read())
            stream.close()
        return Result(self.arguments, code, *texts)

    def kill(self):
        """SIGKILL: the process gets no chance to finish anything."""
        self.process.kill()
        return self.wait(10)


_started = set()


@atexit.register
def _end_what_is_left():
    for process in _started:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def start(*arguments, **options):
    return Running([MUSTER, *arguments], **options)


def muster(*arguments, timeout=40, stdin=None, cwd=None, environment=None):
    """Runs muster to its end. `stdin` is bytes, or nothing."""
    if stdin is None:
        return start(*arguments, cwd=cwd, environment=environment).wait(timeout)
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        return start(*arguments, stdin=given, cwd=cwd, environment=environment).wait(timeout)


class Server:
    """muster-tenant at work on a directory."""

    def __init__(self, directory, arguments, port=0):
        self.directory = directory
        command = [str(TENANT), "serve", str(directory), "--listen", f"127.0.0.1:{port}", *map(str, arguments)]
        self._err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._err,
                                        env=clean_environment())
        _started.add(self.process)
        line = self._first_line(20)
        found = re.fullmatch(r"listening on (https://127\.0\.0\.1:(\d+))", line)
        if not found:
            self.stop()
            raise AssertionError(f"muster-tenant does not say where it listens: {line!r}\n{self.errors}")
        self.url, self.port = found[1], int(found[2])

    def _first_line(self, timeout):
        end, text = time.monotonic() + timeout, b""
        while not text.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            piece = os.read(self.process.stdout.fileno(), 1) if ready else b""
            if not piece:
                break
            text += piece
        return text.decode().strip()

    def stop(self, number=signal.SIGTERM):
        """Returns the exit code. What the tenant was asked to delay is applied before it ends."""
        if self._err.closed:
            return self.process.returncode
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError("muster-tenant does not end on SIGTERM") from None
        finally:
            _started.discard(self.process)
            self.process.stdout.close()
            self._err.seek(0)
            self.errors = self._err.read().decode("utf-8", "replace")
            self._err.close()
        return code


class Tenant:
    """A sandbox tenant in a directory."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.key, self.ca = self.directory / "help-desk.key", self.directory / "ca.pem"
        self.super_key = self.directory / "super-admin.key"

    @contextlib.contextmanager
    def serve(self, *arguments, port=0):
        server = Server(self.directory, arguments, port)
        try:
            yield server
        finally:
            server.stop()

    def table(self, name):
        with open(self.directory / f"{name}.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def query(self, sql, *parameters):
        with contextlib.closing(sqlite3.connect(self.directory / "tenant.db", timeout=10)) as db:
            db.execute("PRAGMA query_only = 1")
            return db.execute(sql, parameters).fetchall()

    # Who and what a job can name.

    def users(self, status="Enabled"):
        return [u["userId"] for u in self.table("users") if u["status"] == status]

    def tokens(self, expired=False):
        now = datetime.now(timezone.utc).strftime("%Y-%m-%d")
        return [t["tokenSerialNumber"] for t in self.table("tokens") if (t["expiryDate"] <= now) == expired]

    def devices(self):
        return [(d["deviceSerialNumber"], d["userId"]) for d in self.table("devices")]

    # What happened to it.

    def handled(self):
        """How many changes were asked for."""
        return self.query("SELECT count(*) FROM audit")[0][0]

    def changes(self):
        """(operation, user, serial) -> how often the state became another."""
        return collections.Counter({(o, u, s): n for o, u, s, n in self.query(
            "SELECT operation, user_id, serial, count(*) FROM audit WHERE changed = 1 GROUP BY 1, 2, 3")})

    def token(self, serial):
        row = self.query("SELECT user_id, state, status, name, assigned_at, assigned_by, status_changed_at, "
                         "status_changed_by FROM tokens WHERE serial = ?", serial)[0]
        return dict(zip(("user", "state", "status", "name", "assigned_at", "assigned_by", "changed_at",
                         "changed_by"), row))


_tenants = {}


def make_tenant(directory, users=100, tokens=100, devices=30, seed=1):
    """A tenant like others of the same size: made once, then copied, keys and all."""
    shape = (users, tokens, devices, seed)
    if shape not in _tenants:
        kept = tempfile.TemporaryDirectory(prefix="muster-e2e-")
        made = pathlib.Path(kept.name) / "tenant"
        subprocess.run([TENANT, "init", made, "--users", str(users), "--tokens", str(tokens), "--devices",
                        str(devices), "--seed", str(seed)], check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, timeout=120, env=clean_environment())
        _tenants[shape] = (kept, made)
    shutil.copytree(_tenants[shape][1], directory)
    return Tenant(directory)


# Jobs: lists of rows, each a dictionary of columns.

def row(operation, user, token="", name="", device="", ticket=""):
    return dict(zip(COLUMNS, (operation, user, token, name, device, ticket)))


def onboarding(tenant, tokens=None, devices=None):
    """Assigns and enables each good token, to a user of its own as far as they go, and enables each device."""
    users, rows = tenant.users(), []
    for n, serial in enumerate(tenant.tokens()[:tokens]):
        user = users[n % len(users)]
        rows.append(row("assign", user, serial, f"Token {n}", ticket=f"T-{n}"))
        rows.append(row("enable", user, serial, ticket=f"T-{n}"))
    for n, (serial, user) in enumerate(tenant.devices()[:devices]):
        rows.append(row("enable-ds100", user, device=serial, ticket=f"D-{n}"))
    return rows


def csv_text(rows, columns=None, **options):
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, columns or COLUMNS, **options)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def jsonl_text(rows):
    """Members that hold nothing are left out, as programs do."""
    return "".join(json.dumps({k: v for k, v in r.items() if v != ""}, ensure_ascii=False) + "\n" for r in rows)


class E2E(unittest.TestCase):
    """A tenant and a directory for each test."""

    tenant_size = {}
    maxDiff = 4000
    words_may_be_lost = False  # with a damaged part of the journal: the names that many records share

    def setUp(self):
        kept = tempfile.TemporaryDirectory(prefix="muster-e2e-")
        self.addCleanup(kept.cleanup)
        self.dir = pathlib.Path(kept.name)
        self.tenant = make_tenant(self.dir / "tenant", **self.tenant_size)

    def serve(self, *arguments, port=0):
        """Serves the tenant until the test is over."""
        server = Server(self.tenant.directory, arguments, port)
        self.addCleanup(server.stop)
        return server

    def write(self, name, content):
        path = self.dir / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
        return path

    def job(self, rows, name="job.csv"):
        return self.write(name, jsonl_text(rows) if name.endswith(".jsonl") else csv_text(rows))

    def access(self, server):
        """The flags that lead to this test's tenant."""
        url = server if isinstance(server, str) else server.url
        return ["--credentials", self.tenant.key, "--base-url", url, "--ca-file", self.tenant.ca]

    def run_job(self, job, server, *flags, **options):
        return muster("run", job, *self.access(server), "--output", "json", *flags, **options)

    def start_job(self, job, server, *flags, **options):
        return start("run", job, *self.access(server), "--output", "json", *flags, **options)

    def journal_of(self, job):
        return pathlib.Path(f"{job}.journal")

    def report(self, journal, *flags):
        """The report's rows, read as JSONL; as CSV it must say the same."""
        as_jsonl = self.succeeds(muster("report", journal, "--format", "jsonl", *flags))
        as_csv = self.succeeds(muster("report", journal, "--format", "csv", *flags))
        rows = [json.loads(line) for line in as_jsonl.out.split("\n") if line]
        in_csv = list(csv.DictReader(io.StringIO(as_csv.out_bytes.decode("utf-8"), newline="")))
        self.assertEqual(len(in_csv), len(rows), "CSV and JSONL reports have as many rows")
        for one, other in zip(rows, in_csv):
            for column, text in other.items():
                told = one.get(column, "")
                if column in ("httpStatus", "attempts") and told == 0:
                    told = ""
                self.assertEqual(text, str(told), f"{column} of line {one['line']} in the CSV and JSONL reports")
        return rows

    # What is to be so.

    def exits(self, code, result):
        self.assertEqual(result.code, code, str(result))
        return result

    def succeeds(self, result):
        return self.exits(0, result)

    def summed_up(self, result, rows):
        """The JSON summary has every outcome, and they add up to the rows of the job."""
        told = result.json
        self.assertEqual(list(told["outcomes"]), OUTCOMES, str(result))
        self.assertEqual(sum(told["outcomes"].values()), told["rows"], str(result))
        self.assertEqual(told["rows"], rows, str(result))
        for name in ("requests", "retries", "throttled", "seconds", "journal"):
            self.assertIn(name, told)
        return told

    def all_done(self, result, rows):
        """Exit code 0, and every row applied or already."""
        self.succeeds(result)
        told = self.summed_up(result, rows)
        self.assertEqual(told["outcomes"]["applied"] + told["outcomes"]["already"], rows, str(result))
        return told

    def nothing_was_sent(self):
        self.assertEqual(self.tenant.handled(), 0, "requests that the tenant handled")

    def agrees_with_tenant(self, journal, rows):
        """The report has the job's rows in order, and each row's outcome is what the tenant's database says.

        For jobs in which every row that succeeds changes something, once.
        """
        reported = self.report(journal)
        self.assertEqual([{c: r.get(c) or "" for c in COLUMNS} for r in reported],
                         [{c: r.get(c) or "" for c in COLUMNS} for r in rows])
        expected = collections.Counter()
        last_status = {}
        for told in reported:
            key = (told["operation"], told["userId"], told.get("tokenSerialNumber") or told["deviceSerialNumber"])
            if told["outcome"] in SUCCEEDED:
                expected[key] += 1
                if told["operation"] != "assign":
                    last_status[key[2]] = told
            self._agrees(told)
        for serial, told in last_status.items():
            table = "devices" if told["operation"] == "enable-ds100" else "tokens"
            status, at, by = self.tenant.query(f"SELECT status, status_changed_at, status_changed_by FROM {table} "
                                               "WHERE serial = ?", serial)[0]
            self.assertEqual(status, "Disabled" if told["operation"] == "disable" else "Enabled", told)
            if "changedAt" in told:
                self.assertEqual(told["changedAt"], at, told)
                if "changedBy" in told or not self.words_may_be_lost:
                    self.assertEqual(told["changedBy"], by, told)
        self.assertEqual(self.tenant.changes(), expected, "changes in the tenant, against the rows that succeeded")
        return reported

    def _agrees(self, told):
        if told["operation"] != "assign":
            return
        token = self.tenant.token(told["tokenSerialNumber"])
        if told["outcome"] in SUCCEEDED:
            self.assertEqual(token["user"], told["userId"], told)
            self.assertIn(token["state"], ("Activated", "Activation Pending"), told)
            self.assertEqual(token["name"], told.get("tokenName") or told["tokenSerialNumber"], told)
            self.assertEqual(told.get("state", token["state"]), token["state"], told)
            self.assertEqual(told.get("changedAt", token["assigned_at"]), token["assigned_at"], told)
        elif told["outcome"] in NOT_SENT + ("exhausted",):
            self.assertNotEqual(token["user"], told["userId"], told)

    def onboarded(self, journal, rows):
        """Everything that an onboarding job wants is so, by one change for each row."""
        for told in self.agrees_with_tenant(journal, rows):
            self.assertIn(told["outcome"], SUCCEEDED, told)
        self.assertEqual(self.tenant.query("SELECT count(*) FROM audit WHERE changed = 1")[0][0], len(rows))

    def changed_once(self, journal, rows):
        """For one job among several on a tenant: its journal is sound, each row succeeded, by one change."""
        self.succeeds(muster("verify", journal))
        changes = self.tenant.changes()
        for r in rows:
            serial = r["tokenSerialNumber"] or r["deviceSerialNumber"]
            self.assertEqual(changes[r["operation"].lower(), r["userId"], serial], 1, f"changes by {r}")
        for told in self.report(journal):
            self.assertIn(told["outcome"], SUCCEEDED, told)

    def side_by_side(self, work, *cases):
        """Does the work for each case, several at a time: most of it is waiting."""
        def attempt(case):
            try:
                work(*case)
            except BaseException as problem:
                return problem
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for case, problem in zip(cases, pool.map(attempt, cases), strict=True):
                with self.subTest(*[getattr(part, "__name__", part) for part in case[:1]], more=str(case[1:2])):
                    if problem:
                        raise problem

    def no_files_but(self, *names):
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()), sorted([*names, "tenant"]))


def some_uuid(random_numbers):
    return str(uuid.UUID(int=random_numbers.getrandbits(128), version=4))


if not MUSTER.exists() or not TENANT.exists():
    raise SystemExit(f"muster and muster-tenant are not in {BUILD}: build them, or name their folder in MUSTER_BUILD")
