#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Replicates that look for something else than those before them: whatever the ranks, stops and extensions, the same.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

cat >"$folder/job.yaml" <<END
results: $folder/none
batch: 2
trace: true
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2}
generators:
  vq_vae: {model: weights/vq_vae.yaml}
methods:
  tt_b: {}
searches:
  - {layers: [sn1], select: [0-2], budget: 30, replicates: 3, distinct: 0.5}
trials: {count: 2}
END

# search NAME RANKS ARGUMENT...
search() {
    census "$2" run "$folder/job.yaml" --set "results=$folder/$1" "${@:3}" && census 1 gather "$folder/$1"
}

search one 1 && search three 3 && same "$folder/one/results.h5" "$folder/three/results.h5"
report "one and three ranks find the same" $?
search free 1 --set searches.0.distinct=0 && ! same "$folder/free/results.h5" "$folder/one/results.h5"
report "they find something else than independent ones" $?

# Killed in the middle of a chain, again and again.
for moment in 0.6 0.9 1.2 1.5; do
    launch 1 run "$folder/job.yaml" --set "results=$folder/killed"
    sleep "$moment"
    kill_target everything
    ended 20
done
search killed 2 && same "$folder/one/results.h5" "$folder/killed/results.h5"
report "killed and gone on with, it is the same" $?

search one 1 --extend --set searches.0.budget=40 && search long 2 --set searches.0.budget=40 &&
    same "$folder/one/results.h5" "$folder/long/results.h5"
report "extended, it is the census with the larger budget" $?
search one 2 --extend --set searches.0.budget=40 --set searches.0.replicates=4 &&
    search more 1 --set searches.0.budget=40 --set searches.0.replicates=4 &&
    same "$folder/one/results.h5" "$folder/more/results.h5"
report "extended by a replicate, it is the census with so many" $?

census 1 plan "$folder/job.yaml" --set searches.0.distinct=-1
[ $? -eq 3 ] && says "'searches\[0\].distinct': -1 is out of range; expected 0 to 1000000"
report "a negative weight is refused" $?
exit $failed
