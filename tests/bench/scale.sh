#!/usr/bin/env bash
# How a job's size shows: the time of plan, run, resume and report, the journal's size and the memory, for jobs of ten
# thousand, one million and ten million rows, against nginx on loopback, which answers each row with its own token.
#
#   tests/bench/scale.sh [ROWS...]     (default: 10000 1000000 10000000)
#
# The jobs and journals lie in TMPDIR, which must be on a disk and have 3 GB of room. Takes three to six minutes.
# MUSTER_BUILD names a build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")/../.."
bash samples/packages.sh nginx-light libnginx-mod-http-lua openssl
exec python3 tests/bench/scale.py "$@"
