#!/usr/bin/env bash
# Twenty thousand rows of every operation against a tenant that limits, answers 500, drops connections before and after
# the change, stalls, and is restarted three times, by a muster that is killed a hundred times (kill -9) and resumed: at
# the end each row is done, once, and journal and tenant agree about it. Prints the figures; exit code 1 when any is
# wrong, with what differs.
#
#   tests/e2e/soak.sh [SEED] [--rows N] [--kills N] [--rate N/s]       seed 1 unless given; the same seed, the same job,
#                                                                      dice and moments, as far as timing allows
# Takes about seven minutes, fifteen at most. MUSTER_BUILD names a build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")"
PYTHONDONTWRITEBYTECODE=1 exec python3 soak.py "$@"
