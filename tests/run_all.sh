#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs test programs and counts their tests.
#
#   run_all.sh [PROGRAM...]     default: every test that `make check` builds, and the test scripts
#
# A program reports by the lines of cmocka or by lines "PASS name", "FAIL name" and "SKIP name". It fails as
# a whole when it crashes, hangs, ends with an error that no line tells of, or reports nothing.
# The last line is "N passed, N failed"; the exit status is 0 only if nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 1
. .setup/mpi_environment.sh

limit_s=600

# Every program that `make check` runs. From the sources: a program left over from an earlier build is not run.
all_programs() {
    local source
    for source in tests/modules/test_*.c; do
        [ -e "$source" ] && echo "build/tests/$(basename "$source" .c)"
    done
    compgen -G 'tests/kernels/*.c' >/dev/null && echo build/tests/check_kernels
    compgen -G 'tests/end_to_end/*.sh'
    echo tests/check_dependencies.sh
}

# count FILE   prints "passed failed skipped" of a program's output
count() {
    awk '
    /^\[ RUN /                    { running += 1 }
    /^\[ +OK \]/         && running { running = 0; passed += 1 }
    /^\[ +FAILED +\]/    && running { running = 0; failed += 1 }
    /^\[ +SKIPPED +\]/   && running { running = 0; skipped += 1 }
    /^PASS /                      { passed += 1 }
    /^FAIL /                      { failed += 1 }
    /^SKIP /                      { skipped += 1 }
    END { print passed + 0, failed + running, skipped + 0 }' "$1"
}

# run PROGRAM   runs it, shows its output, and adds its counts to the totals
run() {
    local program=$1 status start=$EPOCHREALTIME p f s
    echo "==== $program"
    timeout --kill-after=10 "$limit_s" "$program" >"$output" 2>&1 </dev/null
    status=$?
    cat "$output"
    read -r p f s <<<"$(count "$output")"
    if [ "$status" = 124 ]; then
        echo "FAIL $program: not done after $limit_s s"
        f=$((f + 1))
    elif [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then
        echo "FAIL $program: ended with status $status"
        f=1
    elif [ $((p + f + s)) -eq 0 ]; then
        echo "FAIL $program: reported no test"
        f=1
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ "$f" -eq 0 ] || failures+=("$program")
    awk -v from="$start" -v to="$EPOCHREALTIME" 'BEGIN { printf "     (%.1f s)\n", to - from }'
}

output=$(mktemp) || exit 1
trap 'rm -f "$output"' EXIT
passed=0 failed=0 skipped=0 failures=()

if [ $# -eq 0 ]; then
    mapfile -t programs < <(all_programs)
    set -- "${programs[@]}"
fi
for program; do
    run "$program"
done

echo
[ "$skipped" -eq 0 ] || echo "$skipped skipped (lines with SKIP or SKIPPED above)"
[ "$failed" -eq 0 ] || printf 'failed: %s\n' "${failures[@]}"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
