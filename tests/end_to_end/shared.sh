#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Units that share their images: whatever the ranks, kills, stops and extensions, the same census; what it tells of
# each unit is true; what cannot be shared is refused. TEST_SEED=N repeats the choices of an earlier test.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

choose_seed

cat >"$folder/job.yaml" <<END
results: $folder/none
seed: 5
batch: 3
subjects:
  early: {model: weights/mnist_cnn.yaml, timesteps: 2}
  late: {model: weights/mnist_cnn.yaml, timesteps: 4}
generators:
  vq_vae: {model: weights/mnist_vq_vae.yaml}
methods:
  elite_ga: {}
  tt_s: {}
  neurons: {method: elite_ga}
  classes: {method: elite_ga, batch: 3}
  low: {method: elite_ga}
  alone: {method: random}
searches:
  - {mode: shared, methods: [elite_ga], sample: 6, budget: 300, replicates: 2, shared: {random: 50, round: 30}}
  - {mode: shared, methods: [tt_s], sample: 3, budget: 150, shared: {random: 40, round: 25, elite: 3, spending: turns}}
  - {mode: shared, methods: [neurons], unit: neuron, sample: 20, budget: 150, shared: {random: 40, round: 25, spending: bandit}}
  - {mode: shared, methods: [classes], unit: class, budget: 150, shared: {random: 40, round: 25}}
  - {mode: shared, methods: [low], subjects: [late], sample: 4, minimise: true, budget: 150, shared: {random: 40, round: 25}}
  - {methods: [alone], subjects: [late], sample: 2, budget: 20}
trials: {count: 3, noise: membrane}
END
larger=(--set searches.0.budget=400 --set searches.4.budget=200)

for ranks in 1 2 3; do
    run_and_gather "ranks$ranks" "$ranks"
    report "$ranks ranks search" $?
done
for ranks in 2 3; do
    same "$folder/ranks1/results.h5" "$folder/ranks$ranks/results.h5"
    report "1 and $ranks ranks find the same" $?
done
census 1 verify "$folder/ranks1/results.h5" --recompute 40 && says 'largest difference of an activation 0, 0.00 spikes .*; 0 differ, mean activation \([0-9.]*\) instead of \1$'
report "the reference kernels find the same activations" $?

# values FIELD [FOLDER]   the numbers or texts of a field of early/vq_vae/elite_ga, a line each
values() {
    h5dump -y -A 0 -w 1 -d "/census/early/vq_vae/elite_ga/$1" "$folder/${2:-ranks1}/results.h5" |
        sed -n '/^   DATA {/,/^   }/p' | sed -e 1d -e '$d' -e 's/[ ,]//g' -e 's/\\000//g' -e '/^$/d'
}

# 50 random images, then as many rounds of 7 asks of 4 as 300 have room for
[ "$(values queries | sort -u)" = 274 ]
report "every unit has seen all images" $?
values bred_for | grep -q '"early/' && values bred_for | grep -q '"late/'
report "winners were bred for units of both subjects" $?
h5dump -a /census/early/vq_vae/elite_ga/mode "$folder/ranks1/results.h5" | grep -q '"shared"' &&
    h5dump -a /census/late/vq_vae/alone/mode "$folder/ranks1/results.h5" | grep -q '"independent"'
report "the results tell the mode" $?

# Killed and stopped at random moments, with one, two and three ranks.
for strike in 1 2 3 4 5 6; do
    launch $((1 + RANDOM % 3)) run "$folder/job.yaml" --set "results=$folder/killed"
    sleep "0.$((RANDOM % 90 + 10))"
    if [ $((strike % 2)) -eq 0 ]; then kill_target everything; else kill -USR1 "$launched" 2>/dev/null; fi
    ended 25
    wait_until 20 none_left_over
done
run_and_gather killed 2 && same "$folder/ranks1/results.h5" "$folder/killed/results.h5"
report "killed, stopped and gone on with, it is the same" $?
[ "$(progress "$folder/killed" queries_this_start)" -lt 1100 ] && run_job killed 1 &&
    [ "$(progress "$folder/killed" queries_this_start)" -eq 0 ]
report "no image is shown again once all is done" $?

run_and_gather ranks2 1 --extend "${larger[@]}" && run_and_gather large 3 "${larger[@]}" &&
    same "$folder/ranks2/results.h5" "$folder/large/results.h5"
report "extended, it is the census with the larger budget" $?

run_and_gather array 1 --set shards=4 --shard 0
for shard in 1 2 3; do run_job array 1 --set shards=4 --shard "$shard" || break; done
census 1 gather "$folder/array" && same "$folder/ranks3/results.h5" "$folder/array/results.h5"
report "four shards do the same" $?

# The best of both replicates is where it begins, so no unit ends below that.
run_and_gather started 2 --set "searches=[{mode: shared, methods: [elite_ga], sample: 6, budget: 200, \
shared: {random: 50, round: 30}, start: {results: $folder/array/results.h5}}]" &&
    [ "$(values start_queries started | sort -u | wc -l)" -eq 1 ] && [ "$(values start_queries started | head -1)" -gt 1 ] &&
    values bred_for started | grep -q '"start"'
report "it can start from an earlier census" $?
paste <(values activation array | paste -sd ' \n') <(values activation started) >"$log"
awk '$3 < ($1 > $2 ? $1 : $2) { worse++ } END { exit NR != 24 || worse > 0 }' "$log"
report "and loses nothing of it" $?

# A process that did the same rounds and was not heard of
cp -r "$folder/ranks3" "$folder/doubled"
for journal in "$folder/doubled/journal/"*.journal; do cp "$journal" "${journal%.journal}0.journal"; done
census 1 status "$folder/doubled" && says '^in all: .* torn, [1-9][0-9]* duplicate records' && census 1 gather "$folder/doubled" &&
    same "$folder/doubled/results.h5" "$folder/ranks3/results.h5"
report "rounds that are there twice count once" $?

# refused NAME PATTERN ARGUMENT...   by `plan`
refused() {
    census 1 plan "$folder/job.yaml" "${@:3}"
    [ $? -eq 3 ] && says "$2"
    report "$1" $?
}
refused "a method that cannot learn from others" "method 'alone' (random) cannot learn from codes that it did not ask" \
    --set searches.5.mode=shared
refused "a budget without room for a round" "a budget of 79 images in all is less than 50 random ones and a round of 30; expected 80" \
    --set searches.0.budget=79
refused "noise" "'mode: shared' cannot be had for subject 'early': it knows no 'noise'" \
    --set 'searches.0.noise={kind: membrane}'
refused "distinct replicates" "its replicates are independent" --set searches.0.distinct=1
refused "a time" "give a budget instead of 'stop.seconds'" --set stop.seconds=5
refused "settings without the mode" "'searches\[5\].shared' means nothing without 'mode: shared'" \
    --set 'searches.5.shared={round: 5}'
refused "an unknown rule" "unknown value 'greedy' in 'searches\[0\].shared.spending' (valid: turns, pauses, bandit)" --set searches.0.shared.spending=greedy
refused "entries of one pool that do not agree" "need one budget and one 'shared'" \
    --set 'searches=[{mode: shared, subjects: [early], methods: [low], budget: 2000}, {mode: shared, subjects: [late], methods: [low], budget: 2000, shared: {random: 90}}]'
exit $failed
