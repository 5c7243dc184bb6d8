"""See scale.sh. Prints one table, a line for each size."""
import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from measure import measured
from servers import Bench

CONNECTIONS = 64
PATH = "/AdminInterface/restapi"
FEW = 100_000  # so few rows are measured five times, for the median


def ended(process):
    """Without reaping it."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


class Size:
    """A job of so many rows, and what each command takes for it."""

    def __init__(self, bench, rows):
        self.bench, self.rows = bench, rows
        self.muster = bench.build / "muster"
        self.ca = bench.dir / "cert.pem"
        self.job = bench.job(rows, f"job{rows}.csv")
        self.journal = bench.dir / f"job{rows}.journal"
        self.mib = {}
        os.sync()

    def seconds(self, name, command):
        took = measured(command)
        self.mib[name] = took.mib
        return took.seconds

    def plan(self):
        return self.seconds("plan", [self.muster, "plan", self.job])

    def report(self):
        return self.seconds("report", [self.muster, "report", self.journal, "--format", "csv", "-o", self.bench.dir / "report.csv"])

    def run(self):
        server = self.bench.nginx()
        self.journal.unlink(missing_ok=True)
        took = measured(self.bench.muster_command(self.job, server.port, self.ca, self.journal, "--concurrency", CONNECTIONS))
        self.bench.stop(server)
        summary = json.loads(took.out.strip().splitlines()[-1])
        if summary["outcomes"]["applied"] != self.rows or summary["requests"] != self.rows:
            raise RuntimeError(f"not every row was applied with one request: {summary}")
        self.mib["run"] = took.mib
        return took.seconds

    def resume(self):
        """Seconds until nginx has answered the first request, with a journal as a kill in the middle of the run leaves it."""
        half, log = self.bench.dir / "half.journal", self.bench.dir / "resumed.log"
        shutil.copy(self.journal, half)
        os.truncate(half, half.stat().st_size // 2)
        os.sync()
        server = self.bench.nginx(log=log)
        begun = time.time()

        def until_first_request(process):
            while time.time() < begun + 120 and not ended(process) and log.stat().st_size == 0:
                time.sleep(0.05)
            os.kill(process.pid, signal.SIGTERM)

        took = measured([self.muster, "resume", half, "--base-url", f"https://127.0.0.1:{server.port}{PATH}", "--no-progress"],
                        codes=(0, 143, -signal.SIGTERM), while_running=until_first_request)  # it may have just come to its end
        self.bench.stop(server)  # writes the rest of its log
        self.mib["resume"] = took.mib
        with log.open() as lines:
            first = float(next(lines).split()[0])
        log.unlink()
        half.unlink()
        return first - begun

    def line(self):
        several = 5 if self.rows <= FEW else 1
        plan = statistics.median(self.plan() for _ in range(several))
        run = statistics.median(self.run() for _ in range(several))
        report = statistics.median(self.report() for _ in range(several))
        resume = statistics.median(self.resume() for _ in range(several))
        size = self.job.stat().st_size
        done = (f"{self.rows:>11,} {plan:>8.3f} {size / plan / 1e6:>6.0f} {self.rows / run:>8.0f} {self.journal.stat().st_size / self.rows:>8.1f} "
                f"{self.mib['run']:>8.1f} {self.mib['run'] * 2**20 / self.rows:>9.1f} {resume:>9.2f} {report:>9.2f} {self.rows / report / 1e6:>7.2f}")
        self.job.unlink()
        self.journal.unlink()
        return done


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("rows", nargs="*", type=int, default=[10_000, 1_000_000, 10_000_000], metavar="ROWS")
    o = arguments.parse_args()
    bench = Bench(os.environ.get("MUSTER_BUILD", "build"))
    try:
        bench.needs_disk()
        print("                 plan                run  journal     peak           resume to    report\n"
              "       rows        s   MB/s   rows/s   B/row      MiB     B/row  1st req s         s  Mrows/s", flush=True)
        for rows in o.rows:
            print(Size(bench, rows).line(), flush=True)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
