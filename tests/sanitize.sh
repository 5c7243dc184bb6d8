#!/bin/bash
# Runs Muster under checkers; exit code 1 if one of them reports anything. Reports are shown and kept in the build
# directory's logs/. Without an argument all three run, one after the other.
#
#   address    the whole suite, end-to-end tests too, with address and undefined-behaviour sanitizers (build/sanitized)
#   thread     what has threads (journal and append files, tenant, test servers) and real runs (build/thread)
#   valgrind   runs of the release binaries against a sandbox tenant under memcheck, with a leak check (build/, or
#              what is in the folder that MUSTER_BUILD names)
set -euo pipefail
exec </dev/null

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/.." && pwd)
jobs=${MUSTER_JOBS:-$(nproc)}
bad=0

began=$SECONDS
tell() { printf '[%4d s] %s\n' "$((SECONDS - began))" "$*"; }

# try NAME SECONDS COMMAND…: tells whether it succeeded; the end of its log where not.
try() {
    local name=$1 seconds=$2 log=$logs/$1.log
    shift 2
    tell "$name"
    if timeout --kill-after=10 "$seconds" "$@" >"$log" 2>&1; then return 0; fi
    echo "----- the end of $log"
    tail -n 40 "$log"
    echo "-----"
    bad=1
    return 1
}

# build DIRECTORY SANITIZERS TARGET…
build() {
    local build=$1 sanitizers=$2 generator=()
    shift 2
    logs=$build/logs
    mkdir -p "$logs"
    rm -f "$logs"/report.*
    if [[ ! -f $build/CMakeCache.txt ]] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
    local type=Sanitized
    if [[ -z $sanitizers ]]; then type=Release; fi
    try configure 120 cmake -S "$top" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=$type \
        -DMUSTER_SANITIZE="$sanitizers" -DMUSTER_TESTS=ON || exit 1
    try build 2400 cmake --build "$build" --parallel "$jobs" --target "$@" || exit 1
}

# Every process writes its report to a file of its own, so that none is lost, whoever started it.
show_reports() {
    local report
    for report in "$logs"/report.*; do
        [[ -e $report ]] || continue
        echo "----- $report"
        head -n 60 "$report"
        bad=1
    done
}

end_to_end() {
    local build=$1 pattern=$2
    MUSTER_BUILD=$build PYTHONDONTWRITEBYTECODE=1 try end-to-end 2400 \
        python3 -m unittest discover --verbose --start-directory "$here/e2e" --pattern "$pattern" || true
}

address() {
    local build=$top/build/sanitized
    build "$build" address,undefined all
    export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:exitcode=99:log_path=$logs/report
    export UBSAN_OPTIONS=print_stacktrace=1:exitcode=99:log_path=$logs/report
    try unit-tests 1800 ctest --test-dir "$build" --output-on-failure --timeout 900 || true
    end_to_end "$build" 'test_*.py'
    show_reports
}

thread() {
    local build=$top/build/thread
    build "$build" thread io_tests tenant_tests muster muster-tenant
    export TSAN_OPTIONS=exitcode=99:suppressions=$here/thread.supp:log_path=$logs/report
    # Without the longest sweeps, which have one thread.
    MUSTER_TESTS_EXCLUDE=long try unit-tests 1800 \
        ctest --test-dir "$build" --output-on-failure --timeout 900 -R '^(io_tests|tenant_tests)$' || true
    end_to_end "$build" 'test_run.py'
    show_reports
}

valgrind_run() {
    local build=${MUSTER_BUILD:-$top/build} work url
    if [[ -z ${MUSTER_BUILD:-} ]]; then build "$build" "" muster muster-tenant; fi
    logs=$build/logs
    mkdir -p "$logs"
    work=$(mktemp -d "${TMPDIR:-/tmp}/muster-valgrind.XXXXXX")
    "$build/muster-tenant" init "$work/tenant" --users 40 --tokens 40 --devices 20 --seed 7 >"$logs/tenant.log"
    awk -F, -v OFS=, -v today="$(date -u +%F)" '
        FNR == 1 { file += 1; next }
        file == 1 { if ($3 == "Enabled") user[++users] = $1; next }
        file == 2 { if ($2 > today && tokens < users) token[++tokens] = $1; next }
        file == 3 { device[++devices] = $1; owner[devices] = $2 }
        END {
            print "operation", "userId", "tokenSerialNumber", "tokenName", "deviceSerialNumber"
            for (i = 1; i <= tokens; ++i) {
                print "assign", user[i], token[i], "\"SecurID \"\"" i "\"\"\"", ""
                print "enable", user[i], token[i], "", ""
            }
            print "enable", user[1], "000999999999", "", ""
            for (i = 1; i <= devices; ++i) print "enable-ds100", owner[i], "", "", device[i]
        }' "$work"/tenant/{users,tokens,devices}.csv >"$work/job.csv"
    "$build/muster-tenant" serve "$work/tenant" --listen 127.0.0.1:0 --limit bucket:50/s:10 --fault 500:5% \
        --fault reset-after:5% --seed 3 >"$work/server.out" 2>>"$logs/tenant.log" &
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT
    for ((i = 0; i < 200; ++i)); do
        if grep -q '^listening on ' "$work/server.out"; then break; fi
        sleep 0.1
    done
    url=$(sed -n 's/^listening on //p' "$work/server.out")

    # checked NAME EXIT-CODE ARGUMENT…: the exit code is 99 where memcheck has something to say.
    checked() {
        local name=$1 expected=$2 code=0
        shift 2
        tell "muster $name"
        timeout --kill-after=10 600 valgrind --error-exitcode=99 --leak-check=full --num-callers=30 --track-fds=yes \
            --errors-for-leak-kinds=definite,indirect,possible --suppressions="$here/valgrind.supp" \
            --log-file="$logs/memcheck-$name.log" \
            "$build/muster" "$@" >"$logs/$name.out" 2>&1 || code=$?
        grep -hE 'ERROR SUMMARY|definitely lost|All heap blocks' "$logs/memcheck-$name.log" || true
        if [[ $code -eq $expected ]]; then return; fi
        echo "muster $name: exit code $code, not $expected"
        tail -n 5 "$logs/$name.out"
        head -n 80 "$logs/memcheck-$name.log"
        bad=1
    }
    checked plan 0 plan "$work/job.csv"
    checked run 1 run "$work/job.csv" --credentials "$work/tenant/help-desk.key" --base-url "$url" \
        --ca-file "$work/tenant/ca.pem" --request-timeout 120s
    checked status 1 status "$work/job.csv.journal"
    checked verify 0 verify "$work/job.csv.journal"
    checked report 0 report "$work/job.csv.journal" --format jsonl
    checked resume 1 resume "$work/job.csv.journal"
    kill "$server"
    wait "$server" || true
    trap - EXIT
    rm -rf "$work"
}

wanted=("$@")
if [[ $# -eq 0 ]]; then wanted=(address thread valgrind); fi
for checker in "${wanted[@]}"; do
    case $checker in
        address | thread) bash "$top/samples/packages.sh" ;;
        valgrind) bash "$top/samples/packages.sh" valgrind ;;
        *)
            echo "usage: tests/sanitize.sh [address|thread|valgrind]…" >&2
            exit 2
            ;;
    esac
    if [[ $checker == valgrind ]]; then valgrind_run; else "$checker"; fi
    tell "$checker: $([[ $bad -eq 0 ]] && echo nothing found || echo there are reports)"
done
exit "$bad"
