#!/usr/bin/env bash
# How much Muster adds to the TLS and HTTP themselves: the same PATCH requests to nginx, which answers each with its own
# token, by wrk, curl --parallel, a Python aiohttp script, and muster run from the CSV file to the durable journal.
#
#   tests/bench/throughput.sh [--rounds N] [--rows N] [NAME...]     NAME: only these clients (wrk curl python muster)
#
# Five rounds of 200,000 rows take about six minutes. MUSTER_BUILD names a build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")/../.."
bash samples/packages.sh nginx-light libnginx-mod-http-lua wrk curl python3-aiohttp openssl
exec /usr/bin/python3 tests/bench/throughput.py "$@"
