#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Replicates that look for something else than those before them: whatever the ranks, stops and extensions, the same.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

write_job <<'END'
methods:
  tt_b: {}
searches:
  - {layers: [sn1], select: [0-2], budget: 30, replicates: 3, distinct: 0.5}
trials: {count: 2}
END

run_and_gather one 1 && run_and_gather three 3 && same "$folder/one/results.h5" "$folder/three/results.h5"
report "one and three ranks find the same" $?
run_and_gather free 1 --set searches.0.distinct=0 && ! same "$folder/free/results.h5" "$folder/one/results.h5"
report "they find something else than independent ones" $?

# Killed in the middle of a chain, again and again.
for moment in 0.6 0.9 1.2 1.5; do
    launch 1 run "$folder/job.yaml" --set "results=$folder/killed"
    sleep "$moment"
    kill_target everything
    ended 20
done
run_and_gather killed 2 && same "$folder/one/results.h5" "$folder/killed/results.h5"
report "killed and gone on with, it is the same" $?

run_and_gather one 1 --extend --set searches.0.budget=40 && run_and_gather long 2 --set searches.0.budget=40 &&
    same "$folder/one/results.h5" "$folder/long/results.h5"
report "extended, it is the census with the larger budget" $?
run_and_gather one 2 --extend --set searches.0.budget=40 --set searches.0.replicates=4 &&
    run_and_gather more 1 --set searches.0.budget=40 --set searches.0.replicates=4 &&
    same "$folder/one/results.h5" "$folder/more/results.h5"
report "extended by a replicate, it is the census with so many" $?

census 1 plan "$folder/job.yaml" --set searches.0.distinct=-1
[ $? -eq 3 ] && says "'searches\[0\].distinct': -1 is out of range; expected 0 to 1000000"
report "a negative weight is refused" $?
exit $failed
