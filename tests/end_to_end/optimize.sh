#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `meicensus optimize`: searches on functions, and on the scores of a program, which may die, hang or talk nonsense.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

sphere=$folder/sphere
faulty=$folder/faulty
sleeper="sleep 1000.$$"
compiler=${CC:-cc}
command -v "$compiler" >/dev/null || compiler=gcc
if ! "$compiler" -std=c11 -O2 -Iinclude jobs/external/sphere.c -o "$sphere" -lm ||
    ! "$compiler" -std=c11 -O2 -Iinclude tests/external/faulty.c -o "$faulty"; then
    echo "FAIL $test_name: the example programs do not compile"
    exit 1
fi

# optimize FILE ARGUMENT...   rows of a search to FILE, standard error to the log
optimize() {
    timeout --kill-after=5 120 "$program" optimize --dim "${dimensions:-6}" --points 16 "${@:2}" >"$1" 2>"$log" </dev/null
}

# equal A B   the same rows
equal() {
    diff "$1" "$2" >>"$log"
}

# ---- functions ----

optimize "$folder/a" --function sphere --method tt_b --budget 100 --seeds 2 && [ ! -s "$log" ] &&
    [ "$(head -n 1 "$folder/a")" = 'seed,queries,best,value' ]
report "a heading" $?
optimize "$folder/b" --function sphere --method tt_b --budget 100 --seeds 2 && equal "$folder/a" "$folder/b"
report "the same again" $?
[ "$(grep -c '^[01],100,' "$folder/a")" -ge 2 ] && ! grep -q '^[01],\(10[1-9]\|1[1-9][0-9]\),' "$folder/a"
report "every run ends at the budget" $?
! diff <(sed -n 's/^0,//p' "$folder/a") <(sed -n 's/^1,//p' "$folder/a") >"$log"
report "seeds differ" $?
awk -F, 'NR > 1 { if (NR > 2 && $1 == seed && $3 < best) exit 1; seed = $1; best = $3 }' "$folder/a"
report "the best never falls" $?
optimize "$folder/c" --function sphere --method tt_b --budget 1 && [ "$(grep -c '^0,1,' "$folder/c")" -eq 2 ]
report "a budget below a batch" $?

for method in $("$program" list methods | sed -n 's/^\([a-z][a-z0-9_]*\):\{0,1\} .*/\1/p'); do
    optimize "$folder/m" --function sphere --method "$method" --budget 90 --grid && grep -q '^0,90,' "$folder/m"
    report "method $method" $?
done

# ---- a program's scores ----

for method in tt_b xdream_ga random; do
    for budget in 90 101; do
        optimize "$folder/f" --function sphere --method "$method" --budget "$budget" --grid --seeds 2 &&
            optimize "$folder/p" --command "$sphere" --name sphere --method "$method" --budget "$budget" --grid --seeds 2 &&
            [ ! -s "$log" ] && [ -s "$folder/p" ] && equal "$folder/f" "$folder/p"
        report "a program that is the sphere: $method, budget $budget" $?
    done
done

# searches NAME COMMAND ARGUMENT...   the program, started again where it dies or hangs, leads to the rows of the function
searches() {
    rm -f "$folder/flag"
    optimize "$folder/p" --command "$2" --name sphere --method random --settings '{batch: 10}' --budget 60 "${@:3}" &&
        says 'starting it again (1 of ' && equal "$folder/right" "$folder/p"
    report "$1" $?
}

# refused NAME STATUS PATTERN COMMAND ARGUMENT...   one line of error, in time
refused() {
    local status
    optimize "$folder/p" --command "$4" --method random --settings '{batch: 10}' --budget 60 "${@:5}"
    status=$?
    [ $status -eq "$2" ] && [ "$(grep -c '^meicensus: error' "$log")" -eq 1 ] && says "^meicensus: error: .*$3"
    report "refused: $1" $?
    [ $status -eq "$2" ] || echo "    status $status, expected $2: $3"
}

first="if [ -e $folder/flag ]; then exec $sphere; fi; touch $folder/flag"
optimize "$folder/right" --function sphere --method random --settings '{batch: 10}' --budget 60
searches "a program that dies at its start, once" "$first; exit 1"
searches "a program that dies in an answer, once" "$first; $faulty half"
searches "a program that is killed" "$first; kill -9 \$\$"
searches "a program that hangs, once" "$first; $sleeper" --timeout 1

"$folder/sphere" </dev/null
report "the example ends with its input" $?

refused "a program that is not there" 3 'no-such-program. could not be started' no-such-program
refused "a file that is no program" 3 'README.md. could not be started' ./README.md
refused "a program that dies" 4 'exit 7. ended with exit status 7; it was started again 2 times' 'exit 7' --restarts 2
refused "a program that dies of a signal" 4 'died by signal 11' "kill -SEGV \$\$" --restarts 0
refused "a program that stops in the middle" 4 'ended with exit status 0: 36 of 40 bytes' \
    "$faulty half" --restarts 0
refused "a program that hangs" 4 "$sleeper. did not answer within 1 s; it was started again 1 time\$" "$sleeper" \
    --timeout 1 --restarts 1
refused "a short answer" 4 'short. did not answer within 1 s: 36 of 40 bytes of its answer came' "$faulty short" \
    --timeout 1 --restarts 0
refused "a program that closes its output" 4 'closed its standard output' "exec >&-; $sleeper" --restarts 0
refused "a score that is no number" 3 'nan. answered with -\{0,1\}nan as number 3 of 10' "$faulty nan"
refused "too many scores" 3 'many. answered with n_items 11 and n_values 1, expected 10 and 1' "$faulty many"
refused "a frame of another type" 3 'answered with a frame of type 2, expected 4' "$faulty type"
refused "another version" 3 'answered in version 9 of frames, expected 1' "$faulty version"
refused "words on standard output" 3 'text. answered with no frame: it begins with the bytes 65 76 61 6c' "$faulty text"
refused "an echo" 3 'cat. answered with a frame of type 1, expected 2' cat
refused "zeros" 3 'answered with no frame: .* 00 00 00 00' 'cat /dev/zero'
dimensions=100000
refused "an answer before the question is read" 3 'answered before it had read the whole question' "$faulty early"
dimensions=6
refused "a program that refuses" 3 'refuse. refused: no light in the chamber' "$faulty refuse"

! grep -lzs -e "^$folder/" -e "^1000[.]$$\$" /proc/[0-9]*/cmdline >"$log"
report "no program is left behind" $?

optimize "$folder/p" --command "echo its own words >&2; $sphere" --method random --budget 5 && says '^its own words$'
report "standard error passes through" $?

wrong_options='either --function NAME or --command PROGRAM'
timeout 20 "$program" optimize --method random >"$folder/p" 2>"$log"
[ $? -eq 2 ] && says "$wrong_options"
report "neither a function nor a program" $?
timeout 20 "$program" optimize --method random --function sphere --command "$sphere" >"$folder/p" 2>"$log"
[ $? -eq 2 ] && says "$wrong_options"
report "both a function and a program" $?
exit $failed
