#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The checkers are checked: tests/run_all.sh must see every kind of failure, tests/check_dependencies.sh
# every kind of break.
set -u
cd "$(dirname "$0")/../.." || exit 1

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
status=0

# expect NAME TEXT PATTERN   one test: some line of TEXT matches PATTERN
expect() {
    if grep -q -e "$3" <<<"$2"; then
        echo "PASS $1"
    else
        printf '%s\n' "$2" "FAIL $1: no line matches '$3'"
        status=1
    fi
}

# program NAME LINE...   a stand-in for a test program
program() {
    printf '%s\n' '#!/bin/sh' "${@:2}" >"$dir/$1"
    chmod +x "$dir/$1"
}

# ran NAME...   output of run_all.sh for these programs, and its exit status
ran() {
    tests/run_all.sh "${@/#/$dir/}"
    echo "status $?"
}

program good    'echo "[ RUN      ] a"; echo "[       OK ] a"; echo "PASS b"'
program bad     'echo "[ RUN      ] a"; echo "[  FAILED  ] a"; echo "[  FAILED  ] a"; exit 1'
program crashed 'echo "[ RUN      ] a"; kill -SEGV $$'
program left    'echo "PASS a"; exit 3'
program silent  'exit 0'
program skipped 'echo "PASS a"; echo "SKIP b: no device"'

out=$(ran good skipped)
expect "runner: passed tests are counted" "$out" '^3 passed, 0 failed$'
expect "runner: skipped tests are counted" "$out" '^1 skipped'
expect "runner: success is status 0" "$out" '^status 0$'
out=$(ran good bad crashed left silent absent)
expect "runner: failed, crashed, silent and absent programs are counted" "$out" '^3 passed, 5 failed$'
expect "runner: failure is status 1" "$out" '^status 1$'

# A tree with one break of each kind.
mkdir -p "$dir"/tree/{include,analysis,src/base,src/model/layers,src/store}
cd "$dir/tree" || exit 1
echo '#include "search.h"' >src/base/up.c
printf '#include "../model.h"\n#include "../../store/private.h"\n' >src/model/layers/down.c
touch src/model/model.h src/store/private.h include/search.h include/stray.h include/model.h
printf '\n#include <mpi.h>\n' >src/model/mpi.c
printf '#include "absent.h"\n#include "stray.h"\n' >src/store/lost.c
echo '#include "search.h"' >analysis/greedy.c
{ printf 'int long_function(int a,\n                  int b)\n{\n'; yes '    a += b;' | head -n 78; printf '}\n'; } >src/base/long.c
{ printf 'int fitting_function(int a)\n{\n'; yes '    a += 1;' | head -n 77; printf '}\n'; } >src/base/fitting.c
cd "$OLDPWD" || exit 1
out=$(tests/check_dependencies.sh "$dir/tree")
expect "dependencies: upward include" "$out" '^src/base/up.c:1: base must not use search'
expect "dependencies: mpi.h" "$out" '^src/model/mpi.c:2: .*mpi.h'
expect "dependencies: absent header" "$out" '^src/store/lost.c:1: "absent.h"'
expect "dependencies: header of no folder" "$out" '^src/store/lost.c:2: include/stray.h'
expect "dependencies: analysis" "$out" '^analysis/greedy.c:1: '
expect "dependencies: long function" "$out" '^src/base/long.c:1: 82 lines'
expect "dependencies: nothing else is a break" "$(grep -c '^[^ ]*:[0-9]*: ' <<<"$out")" '^6$'
exit $status
