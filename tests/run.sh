#!/bin/bash
# The whole test suite: installs what is needed, builds build/ (Release, warnings are errors), runs the unit tests, the
# end-to-end tests and the quickstart, and Muster's unit tests once more under address and undefined-behaviour
# sanitizers (build/sanitized), without the longest sweeps; tests/sanitize.sh runs all of it under them.
# The last line is "N passed, N failed"; exit code 0 only if nothing failed. Logs are in build/logs/; a log's end is
# printed where something fails.
set -euo pipefail
exec </dev/null

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
logs=$build/logs
passed=0
failed=0

began=$SECONDS
tell() { printf '[%4d s] %s\n' "$((SECONDS - began))" "$*"; }
show_end() {
    echo "----- the end of $1"
    tail -n "${2:-60}" "$1"
    echo "-----"
}
finish() {
    echo "$passed passed, $failed failed"
    [[ $failed -eq 0 && $passed -gt 0 ]]
    exit
}

# step NAME SECONDS COMMAND…: what the whole suite cannot do without.
step() {
    local name=$1 seconds=$2 log=$logs/$1.log
    shift 2
    tell "$name"
    if timeout --kill-after=10 "$seconds" "$@" >"$log" 2>&1; then return 0; fi
    show_end "$log"
    failed=$((failed + 1))
    finish
}

# count_ctest LOG WHAT: adds up doctest's cases, and each ctest that is no doctest program. A program that ends without
# its summary counts as one failure.
count_ctest() {
    local sums
    sums=$(awk '
        /^[0-9]+: \[doctest\] test cases:/ {
            split($0, part, "|")
            good = part[2]; gsub(/[^0-9]/, "", good)
            bad = part[3]; gsub(/[^0-9]/, "", bad)
            p += good; f += bad
            summed[$1] = 1; broken[$1] = bad + 0
        }
        / Test +#[0-9]+: / {
            match($0, /#[0-9]+:/); id = substr($0, RSTART + 1, RLENGTH - 1)
            ok = $0 ~ / Passed +[0-9.]+ sec/
            if (!summed[id]) { if (ok) p += 1; else f += 1 }
            else if (!ok && broken[id] == 0) f += 1
        }
        END { print p + 0, f + 0 }' "$1")
    passed=$((passed + ${sums% *}))
    failed=$((failed + ${sums#* }))
    tell "$2: ${sums% *} passed, ${sums#* } failed"
}

# count_unittest LOG: "Ran N tests", and "FAILED (failures=F, errors=E, …)".
count_unittest() {
    local ran bad
    ran=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$1" | tail -n 1)
    if [[ -z $ran ]]; then
        failed=$((failed + 1))
        tell "end-to-end tests: they did not come to an end"
        return
    fi
    # A test with several failing parts counts once.
    bad=$(sed -n 's/^\(FAIL\|ERROR\): \([^ ]*\) (\([^)]*\)).*/\3/p' "$1" | sort -u | wc -l)
    passed=$((passed + ran - bad))
    failed=$((failed + bad))
    tell "end-to-end tests: $((ran - bad)) passed, $bad failed"
}

mkdir -p "$logs"
tell "packages"
if ! bash "$top/samples/packages.sh"; then
    failed=1
    finish
fi

# configure NAME DIRECTORY OPTION…
configure() {
    local name=$1 directory=$2 generator=()
    shift 2
    if [[ ! -f $directory/CMakeCache.txt ]] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
    step "$name" 120 cmake -S "$top" -B "$directory" "${generator[@]}" -DMUSTER_TESTS=ON "$@"
}

# unit_tests WHAT DIRECTORY [FLAG…]: ctest, and what it amounts to.
unit_tests() {
    local what=$1 directory=$2 log=$logs/${1// /-}.log
    shift 2
    tell "$what"
    if ! timeout --kill-after=10 420 ctest --test-dir "$directory" --verbose --timeout 180 "$@" >"$log" 2>&1; then
        grep -E 'ERROR:|TEST CASE:|\*\*\*|Failed|runtime error|Sanitizer' "$log" | head -n 60 || true
        show_end "$log" 30
    fi
    count_ctest "$log" "$what"
}

configure configure "$build" -DCMAKE_BUILD_TYPE=Release -DMUSTER_WERROR=ON
step build 900 cmake --build "$build" --parallel "$(nproc)"
unit_tests "unit tests" "$build"

tell "end-to-end tests"
if ! MUSTER_BUILD=$build PYTHONDONTWRITEBYTECODE=1 timeout --kill-after=10 840 \
    python3 -m unittest discover --verbose --start-directory "$top/tests/e2e" >"$logs/e2e.log" 2>&1; then
    grep -E '^(FAIL|ERROR): ' "$logs/e2e.log" || true
    show_end "$logs/e2e.log" 100
fi
count_unittest "$logs/e2e.log"

tell "quickstart"
if timeout --kill-after=10 400 bash "$top/samples/quickstart.sh" >"$logs/quickstart.log" 2>&1; then
    passed=$((passed + 1))
else
    failed=$((failed + 1))
    show_end "$logs/quickstart.log"
fi

configure configure-sanitized "$build/sanitized" -DCMAKE_BUILD_TYPE=Sanitized -DMUSTER_SANITIZE=address,undefined
step build-sanitized 900 cmake --build "$build/sanitized" --parallel "$(nproc)" --target engine_tests io_tests cli_tests
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 UBSAN_OPTIONS=print_stacktrace=1
export MUSTER_TESTS_EXCLUDE=long
unit_tests "sanitized unit tests" "$build/sanitized" --tests-regex '^(engine_tests|io_tests|cli_tests)$'
finish
