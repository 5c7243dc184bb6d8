"""See throughput.sh. Prints one table: medians, and the ratios pair by pair."""
import argparse
import csv
import datetime
import json
import os
import pathlib
import re
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from measure import measured
from servers import Bench

HERE = pathlib.Path(__file__).parent
CONNECTIONS = 64
USER = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d"
BEARER = "x" * 560  # as long as a signed one
PATH = "/AdminInterface/restapi"
OTHERS = {"wrk": 3, "curl": 1, "python": 1, "unpaced": 3}  # how often in a round, each time with muster right before or after it


class Clients:
    """Each method runs one client once and returns what it took and how many requests it says it made."""

    def __init__(self, bench, rows):
        self.bench, self.rows = bench, rows
        self.server = bench.nginx(status=True)
        self.url = f"https://127.0.0.1:{self.server.port}"
        self.ca = bench.dir / "cert.pem"
        self.job = bench.job(rows)
        self.config = bench.dir / "curl.config"
        self.wrk_seconds = 2
        self.trust = ssl.create_default_context(cafile=self.ca)

    def write_curl_config(self):
        with self.config.open("w") as out:
            for n in range(self.rows):
                out.write(f'{"next" if n else ""}\nurl = "{self.url}{PATH}/v1/users/{USER}/sidTokens/enable"\n'
                          f'request = "PATCH"\nheader = "Authorization: Bearer {BEARER}"\nheader = "Content-Type: application/json"\n'
                          f'data = "{{\\"tokenSerialNumber\\":\\"{n:012}\\"}}"\noutput = "/dev/null"\ncacert = "{self.ca}"\n'
                          'silent\nfail\n')

    def requests_served(self):
        with urllib.request.urlopen(f"{self.url}/requests", context=self.trust) as reply:
            return int(re.search(r"\n +\d+ \d+ (\d+)", reply.read().decode())[1])

    def run(self, name):
        before = self.requests_served()
        took, rows = getattr(self, name)()
        served = self.requests_served() - before - 1
        if served < rows or (name != "wrk" and served > rows):  # wrk leaves with requests on their way
            raise RuntimeError(f"{name} says that it made {rows} requests, nginx counted {served}")
        return took, rows

    def wrk(self):
        """It is told a time, not a number: as long as the number takes it."""
        took = measured(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{self.wrk_seconds}s", "-s", HERE / "throughput.lua", self.url, "--",
                         PATH, USER, BEARER])
        if "Non-2xx" in took.out or "Socket errors" in took.out:
            raise RuntimeError(took.out)
        rows = int(re.search(r"(\d+) requests in", took.out)[1])
        took.seconds = rows / float(re.search(r"Requests/sec:\s+([\d.]+)", took.out)[1])  # without its start
        self.wrk_seconds = max(1, round(self.rows * took.seconds / rows))
        return took, rows

    def curl(self):
        took = measured(["curl", "--parallel", "--parallel-max", CONNECTIONS, "--parallel-immediate", "-K", self.config])
        return took, self.rows

    def python(self):
        took = measured(["/usr/bin/python3", HERE / "batch_client.py", self.url + PATH, self.ca, CONNECTIONS, self.job,
                         self.bench.dir / "results.jsonl", BEARER])
        return took, self.rows

    def muster(self, program="muster"):
        journal = self.bench.dir / "job.journal"
        journal.unlink(missing_ok=True)
        command = self.bench.muster_command(self.job, self.server.port, self.ca, journal, "--concurrency", CONNECTIONS)
        took = measured([self.bench.build / program, *command[1:]])
        summary = json.loads(took.out.strip().splitlines()[-1])
        if summary["outcomes"]["applied"] != self.rows or summary["requests"] != self.rows:
            raise RuntimeError(f"not every row was applied with one request: {summary}")
        return took, self.rows

    def unpaced(self):
        """muster without its rate controller: what that costs where nothing limits the rate."""
        return self.muster("tests/bench/muster-unpaced")


def verify(bench, clients):
    """One run more, with nginx's log: as many requests as rows, and every row of the journal is durable and applied."""
    log, journal = bench.dir / "requests.log", bench.dir / "verified.journal"
    server = bench.nginx(log=log)
    measured(bench.muster_command(clients.job, server.port, clients.ca, journal, "--concurrency", CONNECTIONS))
    bench.stop(server)  # writes the rest of its log
    with log.open() as lines:
        statuses = [line.split()[1] for line in lines]
    said = subprocess.run([bench.build / "muster", "verify", journal], capture_output=True, text=True)
    report = subprocess.run([bench.build / "muster", "report", journal, "--format", "jsonl"], capture_output=True, text=True, check=True)
    applied = sum(json.loads(line)["outcome"] == "applied" for line in report.stdout.splitlines())
    print(f"verified: {len(statuses)} requests in nginx's log, {applied} rows applied in the journal, "
          f"{journal.stat().st_size / clients.rows:.1f} bytes a row, muster verify: exit code {said.returncode}")
    return said.returncode == 0 and statuses.count("200") == len(statuses) == clients.rows == applied


def tenant_job(bench, rows):
    """Rows that each change something: assign, then enable and disable in turn, all tokens side by side."""
    today = datetime.date.today().isoformat()
    users = [row["userId"] for row in csv.DictReader((bench.tenant / "users.csv").open()) if row["status"] == "Enabled"]
    tokens = [row["tokenSerialNumber"] for row in csv.DictReader((bench.tenant / "tokens.csv").open()) if row["expiryDate"] > today]
    owner = {token: users[n // 3] for n, token in enumerate(tokens) if n // 3 < len(users)}  # at most three each
    job = bench.dir / "tenant-job.csv"
    count = 0
    with job.open("w") as out:
        out.write("operation,userId,tokenSerialNumber\n")
        for operation in ["assign"] + ["enable", "disable"] * rows:
            for token, user in owner.items():
                if count < rows:
                    out.write(f"{operation},{user},{token}\n")
                    count += 1
            if count == rows:
                return job


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def tenant(bench, rows):
    """muster run against muster-tenant, which commits every change: how many it keeps up with."""
    job, journal = tenant_job(bench, rows), bench.dir / "tenant.journal"
    server = bench.tenant_server()
    before = cpu_of(server.pid)
    took = measured(bench.muster_command(job, server.port, bench.tenant / "ca.pem", journal, "--concurrency", CONNECTIONS))
    summary = json.loads(took.out.strip().splitlines()[-1])
    if summary["outcomes"]["applied"] != rows:
        raise RuntimeError(f"not every row was applied: {summary}")
    print(f"muster-tenant, every change committed: {rows / took.seconds:.0f} rows/s of muster run, "
          f"{1e6 * (cpu_of(server.pid) - before) / rows:.0f} us of the tenant's CPU a row")
    bench.stop(server)


def figures(runs):
    """Medians of rows/s, CPU a row and memory, and how far the rates lie apart."""
    rates, cpus, mibs = zip(*runs)
    spread = (max(rates) - min(rates)) / statistics.median(rates)
    return statistics.median(rates), spread, statistics.median(cpus), statistics.median(mibs)


def table(pairs, rows):
    """`pairs`: of each client its runs, each with the run of muster right before or after it."""
    print(f"{rows} requests, {CONNECTIONS} connections; medians")
    print(f"{'client':10} {'rows/s':>9} {'spread':>7} {'CPU us/row':>11} {'peak MiB':>9}   muster's rows/s and CPU to it, pair by pair")
    noisy = False
    runs = {name: [p[0] for p in of] for name, of in pairs.items()}
    runs["muster"] = [p[1] for of in pairs.values() for p in of]
    for name, of in runs.items():
        rate, spread, cpu, mib = figures(of)
        noisy = noisy or spread > 0.2
        ratios = ""
        if name != "muster":
            ratios = f"   {statistics.median(m[0] / c[0] for c, m in pairs[name]):6.2f} x " \
                     f"{statistics.median(m[1] / c[1] for c, m in pairs[name]):8.2f} x  ({len(pairs[name])} pairs)"
        print(f"{name:10} {rate:9.0f} {100 * spread:6.0f}% {cpu:11.1f} {mib:9.1f}{ratios}")
    if noisy:
        print("warning: runs differ by more than 20 %; the machine was too noisy for more than the ratios")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--rows", type=int, default=150_000)
    arguments.add_argument("names", nargs="*", metavar="NAME", help="which muster is compared with: " + ", ".join(OTHERS))
    o = arguments.parse_args()
    if set(o.names) - set(OTHERS):
        arguments.error(f"there are only the clients {', '.join(OTHERS)}")
    names = [n for n in OTHERS if not o.names or n in o.names]
    if os.getloadavg()[0] > 0.7:
        print(f"warning: other work is done on this machine (load {os.getloadavg()[0]:.1f})")
    build = os.environ.get("MUSTER_BUILD", "build")
    if "unpaced" in names:  # of the same source as the one that it is compared with
        built = subprocess.run(["cmake", "--build", build, "--target", "muster", "muster-unpaced"], capture_output=True, text=True)
        if built.returncode:
            raise SystemExit(f"muster without its rate controller cannot be built:\n{built.stdout}{built.stderr}")
    bench = Bench(build)
    try:
        bench.needs_disk()
        clients = Clients(bench, o.rows)
        if "curl" in names:
            clients.write_curl_config()
        if "wrk" in names:
            clients.wrk()  # so that it knows how long

        def run(name):
            os.sync()  # what the one before wrote is not written while this one runs
            time.sleep(0.5)
            took, rows = clients.run(name)
            return rows / took.seconds, 1e6 * took.cpu / rows, took.mib

        pairs = {name: [] for name in names}
        for round_ in range(o.rounds):
            for n in range(len(names)):  # each is first, second … in turn
                name = names[(n + round_) % len(names)]
                for _ in range(OTHERS[name]):
                    if len(pairs[name]) % 2:
                        muster = run("muster")
                        pairs[name].append((run(name), muster))
                    else:
                        pairs[name].append((run(name), run("muster")))
        bench.stop(clients.server)
        table(pairs, o.rows)
        tenant(bench, o.rows)
        if not verify(bench, clients):
            raise SystemExit("the journal, nginx's log and the job do not agree")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
