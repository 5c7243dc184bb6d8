"""See slow_disk.sh."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from measure import measured
from servers import Bench

CONNECTIONS = 64


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--rows", type=int, default=100_000)
    o = arguments.parse_args()
    bench = Bench(os.environ.get("MUSTER_BUILD", "build"))
    try:
        bench.needs_disk()
        shim = bench.dir / "slow_disk.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", shim, pathlib.Path(__file__).with_name("slow_disk.c"), "-ldl"], check=True)
        server, job = bench.nginx(latency=0.005), bench.job(o.rows)

        def rate(*before):
            journal = bench.dir / "job.journal"
            journal.unlink(missing_ok=True)
            took = measured([*before, *bench.muster_command(job, server.port, bench.dir / "cert.pem", journal, "--concurrency", CONNECTIONS)])
            summary = json.loads(took.out.strip().splitlines()[-1])
            if summary["outcomes"]["applied"] != o.rows:
                raise RuntimeError(f"not every row was applied: {summary}")
            return o.rows / took.seconds

        pairs = []
        for n in range(o.rounds):  # each is first in turn
            found = {slow: rate("env", f"LD_PRELOAD={shim}") if slow else rate() for slow in (n % 2 == 1, n % 2 == 0)}
            pairs.append((found[False], found[True]))
        for quick, slow in pairs:
            print(f"{quick:8.0f} rows/s; with 20 ms more a sync {slow:8.0f} rows/s, {100 * (slow / quick - 1):+.1f} %")
        print(f"median: {100 * (statistics.median(slow / quick for quick, slow in pairs) - 1):+.1f} %")
    finally:
        bench.close()


if __name__ == "__main__":
    main()
