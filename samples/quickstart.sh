#!/bin/bash
# Muster from nothing to a finished run in a few minutes: installs what it needs, builds, starts a sandbox tenant that
# limits the rate and fails now and then, and provisions a few thousand tokens against it - with the process
# killed in the middle, and resumed. Leaves nothing behind but build/.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
work=$(mktemp -d "${TMPDIR:-/tmp}/muster-quickstart.XXXXXX")
server=
run=

clean_up() {
    for process in $run $server; do
        kill "$process" 2>/dev/null || continue
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { printf '\n== %s\n' "$*"; }
show() {
    printf '$ %s\n' "$*"
    timeout 300 "$@"
}

# wait_for SECONDS WHAT COMMAND…: until the command succeeds.
wait_for() {
    local seconds=$1 what=$2
    shift 2
    for ((i = 0; i < seconds * 20; ++i)); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    echo "quickstart.sh: $what: not within $seconds s" >&2
    exit 1
}

# quietly LOG COMMAND…: tells what the command printed only if it fails.
quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1 </dev/null; then
        tail -n 40 "$log" >&2
        echo "quickstart.sh: failed: $*" >&2
        exit 1
    fi
}

step "1. Install what is needed"
bash "$top/samples/packages.sh"

step "2. Build"
generator=()
if [[ ! -f $build/CMakeCache.txt ]] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
quietly "$work/configure.log" cmake -S "$top" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release
quietly "$work/build.log" cmake --build "$build" --target muster muster-tenant --parallel "$(nproc)"
PATH=$build:$PATH
cd "$work"
muster --version

step "3. Make a sandbox tenant, and a job from its users, tokens and devices"
show muster-tenant init acme --users 2000 --tokens 1500 --devices 400 --seed 7

# Good tokens go to enabled users, one each; every tenth is disabled again until its owner comes to fetch it.
today=$(date -u +%F)
awk -F, -v OFS=, -v today="$today" '
    FNR == 1       { file += 1; next }
    file == 1      { if ($3 == "Enabled") user[++users] = $1; next }
    file == 2      { if ($2 > today && tokens < users) token[++tokens] = $1; next }
    file == 3      { device[++devices] = $1; owner[devices] = $2 }
    END {
        print "operation", "userId", "tokenSerialNumber", "tokenName", "deviceSerialNumber", "ticket"
        for (i = 1; i <= tokens; ++i) {
            ticket = sprintf("CHG-%05d", i)
            print "assign", user[i], token[i], "SecurID " i, "", ticket
            print "enable", user[i], token[i], "", "", ticket
            if (i % 10 == 0) print "disable", user[i], token[i], "", "", ticket
        }
        for (i = 1; i <= devices; ++i) print "enable-ds100", owner[i], "", "", device[i], "CHG-DS100"
    }' acme/users.csv acme/tokens.csv acme/devices.csv >onboarding.csv
echo
head -n 4 onboarding.csv

step "4. Start the tenant: 100 requests a second, errors and lost connections now and then"
muster-tenant serve acme --listen 127.0.0.1:0 --limit bucket:100/s:50 --fault 500:1% --fault reset-before:0.5% \
    --fault reset-after:0.5% >server.out 2>server.err </dev/null &
server=$!
wait_for 20 "the tenant's start" grep -q '^listening on ' server.out
url=$(sed -n 's/^listening on //p' server.out)
cat server.out

step "5. Plan: what would happen? Nothing is sent"
show muster plan onboarding.csv --max-rate 100/s --list 3

step "6. Run - and kill it on the way"
echo "\$ muster run onboarding.csv --credentials acme/help-desk.key --base-url $url --ca-file acme/ca.pem"
muster run onboarding.csv --credentials acme/help-desk.key --base-url "$url" --ca-file acme/ca.pem </dev/null &
run=$!

applied() {
    [[ -f onboarding.csv.journal ]] || return 1
    local status count
    status=$(muster status onboarding.csv.journal --output json 2>/dev/null) || true
    count=$(sed -n 's/.*"applied":\([0-9]*\).*/\1/p' <<<"$status")
    ((${count:-0} >= 1000))
}
wait_for 60 "1,000 rows" applied
echo "\$ kill -9 $run"
kill -9 "$run"
wait "$run" 2>/dev/null || true
run=
show muster status onboarding.csv.journal || true

step "7. Resume: the journal is all it takes"
show muster resume onboarding.csv.journal </dev/null

step "8. Report"
show muster report onboarding.csv.journal --format csv -o report.csv
head -n 3 report.csv
show muster verify onboarding.csv.journal

step "9. Stop the tenant, and compare: each row changed the tenant once"
kill "$server"
wait "$server" || true
server=
python3 - <<'END'
import csv, sqlite3
with open("onboarding.csv", newline="") as job:
    rows = sum(1 for _ in csv.DictReader(job))
changes, = sqlite3.connect("acme/tenant.db").execute("SELECT count(*) FROM audit WHERE changed = 1").fetchone()
print(f"{rows} rows in the job, {changes} changes in the tenant")
raise SystemExit(rows != changes)
END

step "Done"
muster status onboarding.csv.journal
