"""See throughput.sh. Prints one table: medians over the rounds, and the ratios pair by pair within each round."""
import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from servers import Bench

HERE = pathlib.Path(__file__).parent
CONNECTIONS = 64
USER = "eb2e12ae-1112-451b-98e1-dfe4e6afd60d"
BEARER = "x" * 560  # as long as a signed one
PATH = "/AdminInterface/restapi"


def measured(command):
    """Runs it; seconds, CPU seconds, peak MiB and what it printed."""
    begun = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        out = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            process.kill()
    took = time.monotonic() - begun
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {out[-1000:]}")
    return {"seconds": took, "cpu": used.ru_utime + used.ru_stime, "mib": used.ru_maxrss / 1024, "out": out}


class Clients:
    def __init__(self, bench, rows, journals):
        self.bench, self.rows, self.journals = bench, rows, journals
        self.job = bench.job(rows)
        self.ca = bench.dir / "cert.pem"

    def wrk(self, server):
        seconds = max(1, round(self.rows / 80_000))  # about as many; wrk is told a time, not a number
        took = measured(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", HERE / "throughput.lua",
                         f"https://127.0.0.1:{server.port}", "--", PATH, BEARER])
        if "Non-2xx" in took["out"] or "Socket errors" in took["out"]:
            raise RuntimeError(took["out"])
        took["rows"] = int(re.search(r"(\d+) requests in", took["out"])[1])
        took["seconds"] = took["rows"] / float(re.search(r"Requests/sec:\s+([\d.]+)", took["out"])[1])  # without its init
        return took

    def curl(self, server):
        config = self.bench.dir / f"curl{server.port}"
        if not config.exists():
            with config.open("w") as out:
                for n in range(self.rows):
                    out.write(f'{"next" if n else ""}\nurl = "https://127.0.0.1:{server.port}{PATH}/v1/users/{USER}/sidTokens/enable"\n'
                              f'request = "PATCH"\nheader = "Authorization: Bearer {BEARER}"\nheader = "Content-Type: application/json"\n'
                              f'data = "{{\\"tokenSerialNumber\\":\\"{n:012}\\"}}"\noutput = "/dev/null"\ncacert = "{self.ca}"\n'
                              'silent\nfail\n')
        return measured(["curl", "--parallel", "--parallel-max", CONNECTIONS, "--parallel-immediate", "-K", config])

    def python(self, server):
        return measured(["/usr/bin/python3", HERE / "batch_client.py", f"https://127.0.0.1:{server.port}{PATH}", self.ca, CONNECTIONS,
                         self.job, self.bench.dir / "results.jsonl", BEARER])

    def muster(self, server):
        journal = self.journals / f"j{time.monotonic_ns()}"
        command = self.bench.muster_command(self.job, server.port, self.ca, journal, "--concurrency", CONNECTIONS)
        took = measured(command)
        summary = json.loads(took["out"].strip().splitlines()[-1])
        if summary["outcomes"]["applied"] != self.rows or summary["requests"] != self.rows:
            raise RuntimeError(f"not every row was applied with one request: {summary}")
        took["journal"] = journal
        return took


def verify(clients, bench):
    """One run more, with nginx's log: as many requests as rows, and every row of the journal is durable and applied."""
    log = bench.dir / "requests.log"
    server = bench.nginx(log=log)
    journal = clients.muster(server)["journal"]
    time.sleep(1.5)
    bench.stop(server)
    statuses = [line.split()[1] for line in log.read_text().splitlines()]
    said = subprocess.run([bench.build / "muster", "verify", journal], capture_output=True, text=True)
    report = subprocess.run([bench.build / "muster", "report", journal, "--format", "jsonl"], capture_output=True, text=True, check=True)
    rows = [json.loads(line) for line in report.stdout.splitlines()]
    applied = sum(row["outcome"] == "applied" for row in rows)
    good = said.returncode == 0 and statuses.count("200") == len(statuses) == clients.rows == applied
    print(f"verified: {len(statuses)} requests in nginx's log, {applied} rows applied in the journal, "
          f"{journal.stat().st_size / clients.rows:.1f} bytes a row, muster verify: exit code {said.returncode}")
    return good


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--rows", type=int, default=200_000)
    clients = ("wrk", "curl", "python", "muster")
    arguments.add_argument("names", nargs="*", metavar="NAME", help=", ".join(clients))
    o = arguments.parse_args()
    if set(o.names) - set(clients):
        arguments.error(f"there are only the clients {', '.join(clients)}")
    names = [n for n in clients if not o.names or n in o.names]
    if os.getloadavg()[0] > 0.7:
        print(f"warning: other work is done on this machine (load {os.getloadavg()[0]:.1f})")
    bench = Bench(os.environ.get("MUSTER_BUILD", "build"))
    try:
        clients = Clients(bench, o.rows, bench.dir)
        server = bench.nginx()
        found = {name: [] for name in names}
        for _ in range(o.rounds):
            for name in names:
                took = getattr(clients, name)(server)
                rows = took.get("rows", o.rows)
                found[name].append((rows / took["seconds"], 1e6 * took["cpu"] / rows, took["mib"]))
        bench.stop(server)
        print(f"{o.rows} requests, {CONNECTIONS} connections, {o.rounds} rounds; medians")
        print(f"{'client':10} {'rows/s':>9} {'spread':>7} {'CPU us/row':>11} {'peak MiB':>9}" +
              ("   muster's rows/s and CPU to it, pair by pair" if "muster" in names else ""))
        noisy = False
        for name in names:
            rates, cpus, mibs = zip(*found[name])
            spread = (max(rates) - min(rates)) / statistics.median(rates)
            noisy = noisy or spread > 0.2
            ratios = ""
            if "muster" in names and name != "muster":
                pairs = list(zip(found["muster"], found[name]))
                ratios = f"   {statistics.median(m[0] / c[0] for m, c in pairs):6.2f} x {statistics.median(m[1] / c[1] for m, c in pairs):8.2f} x"
            print(f"{name:10} {statistics.median(rates):9.0f} {100 * spread:6.0f}% {statistics.median(cpus):11.1f} "
                  f"{statistics.median(mibs):9.1f}{ratios}")
        if noisy:
            print("warning: rounds differ by more than 20 %; the machine was too noisy for more than the ratios")
        if "muster" in names and not verify(clients, bench):
            raise SystemExit("the journal, nginx's log and the job do not agree")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
