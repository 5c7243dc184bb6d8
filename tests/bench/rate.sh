#!/usr/bin/env bash
# How well Muster uses a limit and how seldom it overruns it, against real limiters over TLS on loopback: nginx
# limit_req, HAProxy stick tables, muster-tenant's models; and beside it a Python client with exponential backoff.
#
#   tests/bench/rate.sh [--quick] [NAME...]     --quick: a third of the time; NAME: only cases with that in their name
#
# Takes about 25 minutes in full. MUSTER_BUILD names a build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$([ "$(id -u)" = 0 ] || echo sudo)
need=()
for package in nginx-light libnginx-mod-http-lua haproxy python3-aiohttp openssl; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || need+=("$package")
done
if [ ${#need[@]} -gt 0 ]; then
    $root apt-get update -qq
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" > /dev/null
fi
exec python3 tests/bench/rate.py "$@"
