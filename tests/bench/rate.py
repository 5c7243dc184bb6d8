"""See rate.sh. Prints one table; goodput is what was let through, by what the limit allows in the time."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from servers import Bench

BUILD = os.environ.get("MUSTER_BUILD", "build")
SILENT = ",retry-after=none"


def interrupted(process, seconds):
    """Lets muster run for so long, then asks it to stop; its summary."""
    begun = time.monotonic()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
    took = min(time.monotonic() - begun, seconds)
    out, _ = process.communicate(timeout=60)
    summary = json.loads(out.strip().splitlines()[-1])
    return summary["requests"], summary["throttled"], took


def python_client(url, ca, connections, seconds):
    command = ["/usr/bin/python3", pathlib.Path(__file__).parent / "backoff_client.py", url, ca, str(connections), str(seconds)]
    out = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True).stdout
    figures = json.loads(out)
    return figures["requests"], figures["throttled"], seconds


class Table:
    def __init__(self):
        print(f"{'limit':40} {'client':22} {'seconds':>7} {'accepted':>8} {'goodput':>8} {'throttled':>9}  from second 10 on")

    def row(self, limit, client, seconds, requests, throttled, allowed, later=None):
        accepted = requests - throttled
        text = f"{limit:40} {client:22} {seconds:7.0f} {accepted:8} {100 * accepted / allowed:7.1f}% " \
               f"{100 * throttled / max(requests, 1):8.2f}%"
        if later:
            text += f"  {later[0]:5.1f}% {later[1]:5.2f}%"
        print(text, flush=True)


def later_figures(log, begin, rate, seconds):
    """Goodput and throttled share from second 10 on, out of nginx's log."""
    lines = [line.split() for line in log.read_text().splitlines()]
    chosen = [status for at, status in lines if begin + 10 <= float(at) < begin + seconds]
    accepted = sum(status == "200" for status in chosen)
    return 100 * accepted / (rate * (seconds - 10)), 100 * (len(chosen) - accepted) / max(len(chosen), 1)


def nginx_case(bench, table, rate, burst, seconds, connections, python):
    name = f"nginx limit_req {rate} r/s burst {burst}"
    for client in ["muster"] + (["python"] if python else []):
        log = bench.dir / f"log{time.monotonic_ns()}"
        server = bench.nginx(rate, burst, log=log)
        begin = time.time()
        if client == "muster":
            job = bench.job(int(rate * seconds * 1.2) + 1000)
            process = bench.muster(job, server.port, bench.dir / "cert.pem", "--concurrency", str(connections))
            figures = interrupted(process, seconds)
        else:
            figures = python_client(f"https://127.0.0.1:{server.port}", bench.dir / "cert.pem", connections, seconds)
        time.sleep(1.5)
        bench.stop(server)
        first = float(log.read_text().split(None, 1)[0])
        table.row(name, f"{client}, {connections}", figures[2], figures[0], figures[1], burst + rate * figures[2],
                  later_figures(log, first, rate, figures[2]))


def haproxy_case(bench, table, count, period, seconds):
    server = bench.haproxy(count, f"{period}s")
    job = bench.job(int(count / period * seconds * 1.5) + count)
    figures = interrupted(bench.muster(job, server.port, bench.dir / "cert.pem"), seconds)
    table.row(f"HAProxy http_req_rate({period}s) {count}", "muster", figures[2], *figures[:2], count / period * figures[2])
    bench.stop(server)


def tenant_case(bench, table, spec, seconds, allowed, *flags):
    server = bench.tenant_server("--limit", spec)
    job = bench.job(int(min(allowed, 900_000) * 1.3) + 1000)
    figures = interrupted(bench.muster(job, server.port, bench.tenant / "ca.pem", *flags), seconds)
    table.row(f"tenant {spec}", " ".join(["muster", *flags]), figures[2], *figures[:2], allowed)
    bench.stop(server)


def concurrency_case(bench, table, seconds):
    """The cap's allowance is what eight connections carry without any limit."""
    server = bench.tenant_server("--fault", "latency:20ms")
    job = bench.job(8 * 50 * seconds * 2)
    free = interrupted(bench.muster(job, server.port, bench.tenant / "ca.pem", "--concurrency", "8"), seconds)
    bench.stop(server)
    server = bench.tenant_server("--fault", "latency:20ms", "--limit", "concurrent:8")
    figures = interrupted(bench.muster(job, server.port, bench.tenant / "ca.pem", "--concurrency", "64"), seconds)
    table.row("tenant concurrent:8, 20 ms", "muster, 64", figures[2], *figures[:2], free[0])
    bench.stop(server)


def fair_case(bench, table, seconds, spec):
    server = bench.tenant_server("--limit", spec)
    jobs = [bench.job(200 * seconds, f"fair{n}.csv") for n in range(4)]
    running = [bench.muster(job, server.port, bench.tenant / "ca.pem") for job in jobs]
    begun = time.monotonic()
    time.sleep(seconds)
    for process in running:
        process.send_signal(signal.SIGINT)
    took = time.monotonic() - begun
    each = [interrupted(process, 1) for process in running]
    accepted = [requests - throttled for requests, throttled, _ in each]
    allowed = 20 + 200 * took
    table.row(f"tenant {spec}", "muster x 4", took, sum(e[0] for e in each), sum(e[1] for e in each),
              allowed)
    print("    shares: " + ", ".join(f"{100 * a / allowed:.1f}%" for a in accepted))
    bench.stop(server)


def main():
    quick = "--quick" in sys.argv
    only = [a for a in sys.argv[1:] if not a.startswith("--")]
    minute = 20 if quick else 60
    cases = [
        ("nginx500", nginx_case, 500, 50, minute, 16, True),
        ("nginx500", nginx_case, 500, 50, minute, 64, True),
        ("nginx20", nginx_case, 20, 5, 2 * minute, 64, False),
        ("nginx5000", nginx_case, 5000, 100, minute, 64, False),
        ("haproxy", haproxy_case, 2000, 10, minute),
        *(("window", tenant_case, "window:100/60s" + told, 300, 500) for told in ("", SILENT)),
        ("sliding", tenant_case, "sliding:300/10s", minute, 30 * minute),
        *(("bucket", tenant_case, "bucket:50/s:10" + told, minute, 10 + 50 * minute) for told in ("", SILENT)),
        ("concurrent", concurrency_case, minute),
        ("share", tenant_case, "bucket:200/s:20", minute, 20 + 200 * minute, "--max-share", "60"),
        *(("fair", fair_case, minute, "bucket:200/s:20" + told) for told in ("", SILENT)),
    ]
    names = sorted({name for name, *_ in cases})
    if unknown := [word for word in only if not any(word in name for name in names)]:
        sys.exit(f"no case has {', '.join(unknown)} in its name; there are {', '.join(names)}")
    bench, table = Bench(BUILD), Table()
    try:
        for name, run, *args in cases:
            if not only or any(word in name for word in only):
                run(bench, table, *args)
    finally:
        bench.close()


if __name__ == "__main__":
    main()
