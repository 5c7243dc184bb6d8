#!/usr/bin/env bash
# How well Muster uses a limit and how seldom it overruns it, against real limiters over TLS on loopback: nginx
# limit_req, HAProxy stick tables, muster-tenant's models; and beside it a Python client with exponential backoff.
#
#   tests/bench/rate.sh [--quick] [NAME...]     --quick: a third of the time; NAME: only cases with that in their name
#
# Takes about half an hour in full. MUSTER_BUILD names a build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")/../.."
bash samples/packages.sh nginx-light libnginx-mod-http-lua haproxy python3-aiohttp openssl
exec python3 tests/bench/rate.py "$@"
