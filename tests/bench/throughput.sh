#!/usr/bin/env bash
# How much Muster adds to the TLS and HTTP themselves: the same PATCH requests to nginx, which answers each with its own
# token, by wrk, curl --parallel, a Python aiohttp script, and muster run from the CSV file to the durable journal. (wrk
# does not verify the certificate, which costs a handshake's time only.) Then muster run against muster-tenant.
#
#   tests/bench/throughput.sh [--rounds N] [--rows N] [NAME...]   NAME: only beside these (wrk curl python unpaced)
#
# The last is muster with its rate controller bypassed. Each client runs right before or after a run of muster, the first
# and the last three times a round, so that both of a pair meet the same machine. Five rounds of 150,000 rows take about
# fourteen minutes. The job and the journal lie in TMPDIR, which must be on a disk. MUSTER_BUILD names a build directory
# (default: build).
set -euo pipefail
cd "$(dirname "$0")/../.."
bash samples/packages.sh nginx-light libnginx-mod-http-lua wrk curl python3-aiohttp openssl
exec /usr/bin/python3 tests/bench/throughput.py "$@"
