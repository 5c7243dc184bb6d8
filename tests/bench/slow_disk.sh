#!/usr/bin/env bash
# What a disk that takes 20 ms a sync costs a run: 64 connections to nginx, which takes 5 ms for each reply, in turn with
# the disk as it is and with every fdatasync() 20 ms longer.
#
#   tests/bench/slow_disk.sh [--rounds N] [--rows N]
#
# MUSTER_BUILD names a build directory (default: build).
set -euo pipefail
cd "$(dirname "$0")/../.."
bash samples/packages.sh nginx-light libnginx-mod-http-lua gcc libc6-dev openssl
exec python3 tests/bench/slow_disk.py "$@"
