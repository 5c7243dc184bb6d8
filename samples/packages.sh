#!/bin/bash
# Installs what Muster is built and tested with (Debian 12), and the packages that are named as arguments; says nothing
# and does nothing where all is there.
set -euo pipefail

packages=(g++ cmake ninja-build libboost1.81-dev libboost-url1.81-dev libssl-dev libsimdjson-dev libfmt-dev doctest-dev
          libcli11-dev libsqlite3-dev libxxhash-dev python3 openssl "$@")

missing=()
for package in "${packages[@]}"; do
    status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [[ $status == 'install ok installed' ]] || missing+=("$package")
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

as_root=()
if [[ $EUID -ne 0 ]]; then as_root=(sudo); fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT

quietly() {
    if ! timeout 600 "$@" >"$log" 2>&1 </dev/null; then
        tail -n 30 "$log" >&2
        echo "packages.sh: failed: $*" >&2
        exit 1
    fi
}

echo "Installing ${missing[*]}"
quietly "${as_root[@]}" apt-get update
quietly "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
