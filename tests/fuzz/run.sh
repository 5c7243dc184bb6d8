#!/bin/bash
# Fuzzes the code that reads what comes from outside. Builds the targets with clang (installed if missing) and
# address and undefined-behaviour sanitizers, and runs each of them so many seconds:
#
#   tests/fuzz/run.sh SECONDS [-j] [--build DIR] [TARGET…]
#
# -j runs two at a time; the default DIR is build-fuzz/, the default are all targets. Inputs grow in DIR/corpus/ from
# those kept in tests/fuzz/corpus/; an input that breaks something stays in DIR/findings/. Exit code 1 on any finding.
# To run a finding again: DIR/fuzz_TARGET FILE. Mended ones belong into tests/fuzz/corpus/TARGET/.
set -euo pipefail
exec </dev/null

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
build=$top/build-fuzz
at_once=1
seconds=
wanted=()

usage() {
    sed -n '5s/^# *//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}
while [[ $# -gt 0 ]]; do
    case $1 in
        -j) at_once=2 ;;
        --build) shift && build=$(realpath -m "${1:?}") ;;
        -*) usage ;;
        *) if [[ -z $seconds ]]; then seconds=$1; else wanted+=("$1"); fi ;;
    esac
    shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || usage
if [[ ${#wanted[@]} -eq 0 ]]; then
    for folder in "$here"/corpus/*/; do wanted+=("$(basename "$folder")"); done
fi
for target in "${wanted[@]}"; do
    if [[ ! -f $here/$target.cpp ]]; then
        echo "run.sh: there is no target $target" >&2
        usage
    fi
done

bash "$top/samples/packages.sh" clang
mkdir -p "$build/logs" "$build/findings"
quietly() {
    if "$@" >"$build/logs/build.log" 2>&1; then return 0; fi
    tail -n 40 "$build/logs/build.log"
    echo "run.sh: failed: $*" >&2
    exit 1
}
generator=()
if [[ ! -f $build/CMakeCache.txt ]] && command -v ninja >/dev/null; then generator=(-G Ninja); fi
quietly cmake -S "$top" -B "$build" "${generator[@]}" -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=Sanitized -DMUSTER_FUZZ=ON
quietly cmake --build "$build" --parallel "${MUSTER_JOBS:-$(nproc)}" --target "${wanted[@]/#/fuzz_}"

# What a finding is told by: sanitizers end the program at their first report.
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1:quarantine_size_mb=16}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

fuzz() {
    local target=$1 options=()
    mkdir -p "$build/corpus/$target" "$build/findings/$target"
    [[ -f $here/$target.dict ]] && options+=("-dict=$here/$target.dict")
    nice timeout --kill-after=10 "$((seconds + 120))" "$build/fuzz_$target" -max_total_time="$seconds" -timeout=20 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$build/findings/$target/" "${options[@]}" \
        "$build/corpus/$target" "$here/corpus/$target" >"$build/logs/$target.log" 2>&1 || return 1
}

# tell TARGET CODE: one line of the table, and the end of the log where something was found.
tell() {
    local target=$1 log=$build/logs/$1.log status found
    status=$(grep -E '^#[0-9]+.*cov:' "$log" | tail -n 1 || true)
    found=$(find "$build/findings/$target" -type f | wc -l)
    figure() { sed -n "s|.*$1 *\([0-9]*\).*|\1|p" | tail -n 1; }
    printf '%-16s %12s %9s %8s %9s %7s %9s\n' "$target" \
        "$(figure number_of_executed_units: <"$log")" "$(figure average_exec_per_sec: <"$log")" \
        "$(figure cov: <<<"$status")" "$(figure ft: <<<"$status")" "$(figure corp: <<<"$status")" "$found"
    if [[ $2 -ne 0 ]]; then
        grep -m 1 -A 25 -E 'REQUIRED:|ERROR: |runtime error:|terminate called' "$log" || tail -n 25 "$log"
        bad=1
    elif [[ $found -ne 0 ]]; then
        bad=1
    fi
}

bad=0
running=()
printf '%-16s %12s %9s %8s %9s %7s %9s\n' target executions "a second" edges features inputs findings
for ((i = 0; i < ${#wanted[@]}; i += at_once)); do
    group=("${wanted[@]:i:at_once}")
    running=()
    for target in "${group[@]}"; do
        fuzz "$target" &
        running+=($!)
    done
    for ((k = 0; k < ${#group[@]}; ++k)); do
        code=0
        wait "${running[k]}" || code=$?
        tell "${group[k]}" "$code"
    done
done
if [[ $bad -ne 0 ]]; then echo "There are findings: $build/findings"; fi
exit "$bad"
