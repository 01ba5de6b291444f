#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The results file does not depend on the number of ranks that write it, nor on which execution of the job is
# gathered; and a fault of one rank is everybody's.
set -u
cd "$(dirname "$0")/../.." || exit 1
. .setup/mpi_environment.sh

program=${1:-build/tests/test_results_file}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
failed=0

# report NAME STATUS   0 is a pass
report() {
    if [ "$2" -eq 0 ]; then
        echo "PASS results_ranks: $1"
    else
        echo "FAIL results_ranks: $1"
        cat "$folder/log"
        failed=1
    fi
}

# write RANKS NAME [VARIANT]
write() {
    timeout 60 mpirun --oversubscribe -np "$1" "$program" write "$folder/$2.h5" "${@:3}" >"$folder/log" 2>&1
}

# same A B   equal outside /provenance; what h5diff cannot compare counts as a difference
same() {
    h5diff -c --exclude-path /provenance "$folder/$1.h5" "$folder/$2.h5" >"$folder/log" 2>&1 &&
        ! grep -qi 'not comparable' "$folder/log"
}

for ranks in 1 2 3; do
    write "$ranks" "ranks$ranks"
    report "$ranks ranks write" $?
done
for ranks in 2 3; do
    same ranks1 "ranks$ranks"
    report "1 and $ranks ranks write equal files" $?
done

write 2 other other && same ranks1 other
report "another execution differs in /provenance only" $?
! h5diff -q "$folder/ranks1.h5" "$folder/other.h5" >"$folder/log" 2>&1
report "and there it does" $?

write 2 change change && ! same ranks1 change && grep -q 'tt/activation>' "$folder/log"
report "one changed value shows" $?

write 3 fail fail
status=$?
[ $status -eq 7 ] && [ "$(grep -c 'rank [012]: a record of unit 40 cannot be found' "$folder/log")" -ge 1 ] &&
    [ ! -e "$folder/fail.h5" ] && [ ! -e "$folder/fail.h5.part" ]
report "a fault of rank 1 ends all ranks (status $status), no file is left" $?

if timeout 60 mpirun --mca io romio321 --oversubscribe -np 3 \
    "$program" write "$folder/romio.h5" >"$folder/log" 2>&1; then
    same ranks1 romio
    report "OMPIO and ROMIO write equal files" $?
else
    echo "SKIP results_ranks: no ROMIO here"
fi
exit $failed
