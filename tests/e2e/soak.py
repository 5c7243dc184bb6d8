"""The soak of soak.sh: a long job, a failing service, and a muster that is killed again and again."""
import argparse
import collections
import json
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

from support import COLUMNS, SUCCEEDED, Server, csv_text, make_tenant, muster, row, start

FAULTS = ["500:3%", "reset-before:2%", "reset-after:3%", "stall:0.2%:3s"]
REQUEST_TIMEOUT = "1s"
RESTARTS = 3
SERIAL = {"enable-ds100": "deviceSerialNumber"}
TABLE = {"enable-ds100": "devices"}

# A request that stalls is applied up to three seconds after muster has given it up and sent another. For assign and
# enable that changes nothing; but a stalled enable that comes after the token's disable enables it again, and no
# client can prevent it. So a token is disabled, and enabled again, this many tokens behind: many seconds later.
TOKENS_BEHIND = 300
SETTLED_AFTER = 6.0  # seconds in which all that was stalled has been applied


def serial_of(r):
    return r[SERIAL.get(r["operation"], "tokenSerialNumber")]


def key_of(r):
    return r["operation"], r["userId"].lower(), serial_of(r)


def make_job(tenant, size):
    """Assigns and enables tokens, enables devices, disables two tokens in three and enables some of these again."""
    users, tokens, devices = tenant.users(), tenant.tokens(), tenant.devices()
    behind = min(TOKENS_BEHIND, size // 20)
    rows = []
    for n in range(len(tokens)):
        def token(m):
            return users[m % len(users)], tokens[m]
        rows.append(row("assign", *token(n), f"Jürgen's, \"{n}\"" if n % 3 else "", ticket=f"T-{n}"))
        rows.append(row("enable", *token(n), ticket=f"T-{n}"))
        if n < len(devices):
            serial, user = devices[n]
            rows.append(row("enable-ds100", user, device=serial, ticket=f"D-{n}"))
        disabled, again = n - behind, n - 2 * behind
        if disabled >= 0 and disabled % 3:
            rows.append(row("disable", *token(disabled), ticket=f"T-{disabled}"))
        if again >= 0 and again % 9 == 4:
            rows.append(row("enable", *token(again), ticket=f"again {again}"))
        if len(rows) >= size:
            return rows[:size]
    raise AssertionError("too few tokens for such a job")


class Soak:
    def __init__(self, options, directory):
        self.options = options
        self.random = random.Random(f"soak/{options.seed}")
        self.began = time.monotonic()
        self.figures = {}
        self.wrong = []
        self.kills = self.doubts = self.restarts = 0
        rows = options.rows
        self.tenant = make_tenant(directory / "tenant", users=rows // 6 + 20, tokens=rows // 2 + 20,
                                  devices=rows // 5, seed=options.seed)
        self.rows = make_job(self.tenant, rows)
        self.job = directory / "job.csv"
        self.job.write_text(csv_text(self.rows), encoding="utf-8", newline="")
        self.journal = pathlib.Path(f"{self.job}.journal")
        self.server = self.serve()
        self.run = start("run", self.job, "--credentials", self.tenant.key, "--base-url", self.server.url, "--ca-file",
                         self.tenant.ca, "--output", "json", "--request-timeout", REQUEST_TIMEOUT, "--no-progress")

    # ---- what happens

    def serve(self, port=0):
        faults = [word for f in FAULTS for word in ("--fault", f)]
        seed = self.options.seed * 1000 + self.restarts
        limit = f"bucket:{self.options.rate}/s:{self.options.rate // 2}"
        return Server(self.tenant.directory, ["--limit", limit, "--seed", seed, *faults], port)

    def left(self):
        return self.options.timeout - (time.monotonic() - self.began)

    def reaches(self, handled):
        """Waits until the tenant has handled so many changes. False when the run is over, or the time."""
        while self.tenant.handled() < handled:
            if not self.run.runs() or self.left() < 0:
                return False
            time.sleep(0.02)
        return self.run.runs()

    def kill(self):
        """Kills muster, looks at what it left, and resumes. False when there is nothing to kill any more."""
        ended = self.run.kill()
        if ended.code != -signal.SIGKILL:
            self.ended = ended
            return False
        self.kills += 1
        checked = muster("verify", self.journal)
        if checked.code != 0:
            self.wrong.append(f"the journal after kill {self.kills}: {checked}")
        status = muster("status", self.journal, "--output", "json")
        self.doubts += status.json["outcomes"]["inDoubt"]
        self.run = start("resume", self.journal)
        return True

    def restart(self):
        """Another tenant on the same port and folder; in the meantime muster may be killed."""
        number = (signal.SIGTERM, signal.SIGKILL)[(self.options.seed + self.restarts) % 2]
        self.server.stop(number)
        self.restarts += 1
        time.sleep(self.random.uniform(0.2, 2.5))
        alive = self.random.random() < 0.5 or self.kills == self.options.kills or self.kill()
        time.sleep(self.random.uniform(0.0, 1.0))
        self.server = self.serve(self.server.port)
        return alive

    def happen(self):
        """Everything that is to happen, in its order, while the job goes on; then the job's end."""
        self.ended = None
        span = len(self.rows) * 49 // 50
        moments = [(self.random.randrange(1, span), self.kill) for _ in range(self.options.kills)]
        moments += [(self.random.randrange(span // 20, span), self.restart) for _ in range(RESTARTS)]
        for at, what in sorted(moments, key=lambda m: m[0]):
            if what == self.kill and self.kills >= self.options.kills:
                continue  # one came with a restart
            if not self.reaches(at):
                break
            time.sleep(self.random.choice([0.0, 0.02, 0.1, 0.5]) * self.random.random())
            if not what():
                break
        while self.ended is None and self.kills < self.options.kills and self.reaches(0):
            time.sleep(self.random.random() * 0.1)
            self.kill()
        while self.ended is None and self.run.runs() and self.left() > 0:
            time.sleep(0.02)
        if self.left() <= 0:
            self.wrong.append(f"not done within {self.options.timeout:.0f} s")
        if self.ended is None:
            self.ended = self.run.kill()
        self.figures["seconds"] = round(time.monotonic() - self.began)
        time.sleep(SETTLED_AFTER)
        self.server.stop()
        if self.ended.code == 0:
            self.sent_nothing_more()

    def sent_nothing_more(self):
        again = muster("resume", self.journal)
        if again.code != 0 or again.json["requests"] != 0:
            self.wrong.append(f"resume of the finished journal: {again}")

    # ---- what is to be so

    def expect(self, name, value, wanted):
        self.figures[name] = value
        if value != wanted:
            self.wrong.append(f"{name}: {value}, not {wanted}")

    def judge(self):
        size = len(self.rows)
        if self.ended.code != 0:
            self.wrong.append(f"the last muster: {self.ended}")
        told = muster("report", self.journal, "--format", "jsonl", timeout=120)
        reported = [json.loads(line) for line in told.out.split("\n") if line]
        outcomes = collections.Counter(r["outcome"] for r in reported)
        self.figures["rows"] = size
        self.figures["applied"] = outcomes.pop("applied", 0)
        self.figures["already"] = outcomes.pop("already", 0)
        self.expect("in doubt", outcomes.pop("inDoubt", 0), 0)
        self.expect("of any other outcome", sum(outcomes.values()), 0)
        self.expect("reported", len(reported), size)
        self.expect("kills", self.kills, self.options.kills)
        self.figures["in doubt after kills"] = self.doubts
        self.expect("restarts of the tenant", self.restarts, RESTARTS)
        self.audited(reported)

    def audited(self, reported):
        changes = collections.defaultdict(list)
        for number, at, admin, *key in self.tenant.query(
                "SELECT id, at, admin, operation, user_id, serial FROM audit WHERE changed = 1 ORDER BY id"):
            changes[tuple(key)].append((number, at, f"{admin}@securid.com"))
        self.figures["requests handled"] = self.tenant.handled()
        self.expect("changes", sum(map(len, changes.values())), len(self.rows))

        wanted = collections.Counter(map(key_of, self.rows))
        miscounted = [f"{' '.join(key)}: {wanted[key]} wanted, {len(changes.get(key, []))} made"
                      for key in wanted.keys() | changes.keys() if wanted[key] != len(changes.get(key, []))]
        self.differs("changed not exactly once", miscounted)

        changed = {key: iter(made) for key, made in changes.items()}
        change_of = [next(changed.get(key_of(r), iter(())), None) for r in self.rows]
        latest = {}  # a token's or device's last change of status
        disordered, before = [], {}
        for r, change in zip(self.rows, change_of):
            if change is None:
                continue
            if before.setdefault(serial_of(r), 0) > change[0]:
                disordered.append(f"{r}: audit {change[0]} before {before[serial_of(r)]}")
            before[serial_of(r)] = change[0]
            if r["operation"] != "assign":
                latest[TABLE.get(r["operation"], "tokens"), serial_of(r)] = (r, change)
        self.differs("out of order", disordered)
        self.differs("journal against audit", [d for d in map(self.disagreement, self.rows, reported, change_of) if d])
        self.differs("journal against the tenant's tables", self.states(reported, latest))

    def differs(self, name, what):
        self.figures[name] = len(what)
        if what:
            self.wrong.append(f"{name}: {len(what)}\n" + "\n".join(f"    {w}" for w in what[:10]))

    @staticmethod
    def disagreement(r, told, change):
        if {c: told.get(c) or "" for c in COLUMNS} != r:
            return f"reported is {told}, the job's row {r}"
        if told["outcome"] in SUCCEEDED and change is None:
            return f"never changed: {told}"
        if told["outcome"] not in SUCCEEDED:
            return f"{told}, changed {change}"
        if "changedAt" in told and (told["changedAt"], told["changedBy"]) != change[1:]:
            return f"{told}, changed {change}"
        return None

    def states(self, reported, latest):
        """Where the tenant's tables are not as the job leaves them and the journal says."""
        out = []
        tokens = {serial: rest for serial, *rest in self.tenant.query(
            "SELECT serial, user_id, state, name, assigned_at FROM tokens")}
        assigned = {r["tokenSerialNumber"]: r for r in reported if r["operation"] == "assign"}
        for serial, (user, state, name, at) in tokens.items():
            told = assigned.get(serial)
            if told is None:
                if user or state != "Unassigned":
                    out.append(f"token {serial} is assigned to {user}, and no row is about it")
            elif ((user, name) != (told["userId"], told.get("tokenName") or serial) or
                  state not in ("Activated", "Activation Pending") or told.get("state", state) != state or
                  told.get("changedAt", at) != at):
                out.append(f"{(user, state, name, at)}, told is {told}")
        for table in ("tokens", "devices"):
            for serial, status, *by in self.tenant.query(
                    f"SELECT serial, status, status_changed_at, status_changed_by FROM {table}"):
                r, change = latest.get((table, serial), (None, None))
                should = "Enabled" if r and r["operation"].startswith("enable") else "Disabled"
                if status != should or (change and tuple(by) != change[1:]):
                    out.append(f"{table} {serial} is {status} {by}, last row {r}, changed {change}")
        return out

    def tell(self):
        print(f"soak, seed {self.options.seed}: {', '.join(FAULTS)}; {self.options.rate} requests/s")
        for name, value in self.figures.items():
            print(f"  {name:<40}{value:>8}")
        for what in self.wrong:
            print(f"WRONG: {what}")
        print("failed" if self.wrong else "all as it is to be", flush=True)

    def close(self):
        if self.run.runs():
            self.run.kill()
        self.server.stop()


def main():
    parser = argparse.ArgumentParser(prog="soak.sh")
    parser.add_argument("seed", nargs="?", type=int, default=1)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rate", type=int, default=75, help="requests a second that the tenant lets through")
    parser.add_argument("--timeout", type=float, default=850, help="seconds")
    options = parser.parse_args()

    directory = pathlib.Path(tempfile.mkdtemp(prefix="muster-soak-"))
    soak, kept = None, True
    try:
        soak = Soak(options, directory)
        soak.happen()
        soak.judge()
        soak.tell()
        kept = bool(soak.wrong)
    finally:
        if soak is not None:
            soak.close()
        if kept:
            print(f"kept: {directory}")
        else:
            shutil.rmtree(directory)
    return 1 if soak.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
