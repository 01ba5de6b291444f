#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A campaign with a larger budget, more trials or more replicates than it was started with goes on from what is stored,
# and gives what it had given with those from the start. TEST_SEED=N repeats the choices of an earlier test.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

choose_seed

write_job <<'END'
methods:
  tt_b: {}
  random: {}
  low: {method: xdream_ga}
searches:
  - {methods: [tt_b, random], layers: [sn1, layer1.0.sn1], sample: 2, budget: 30}
  - {methods: [low], layers: [sn1], select: [7], budget: 25, minimise: true}
trials: {count: 2, noise: membrane}
END
larger=(--set searches.0.budget=60 --set searches.1.budget=45)

# refused NAME PATTERN ARGUMENT...   a start in the folder `grown`
refused() {
    run_job grown 1 "${@:3}"
    [ $? -eq 5 ] && says "^meicensus: error.*$2"
    report "$1" $?
}

# like FOLDER   the census `grown` is that of this folder
like() {
    census 1 gather "$folder/grown" && census 2 gather "$folder/$1" &&
        same "$folder/grown/results.h5" "$folder/$1/results.h5"
}

# queries FOLDER   that the last start did
queries() { progress "$folder/$1" queries_this_start; }

run_job small 1 && cp -r "$folder/small" "$folder/grown" && run_job large 2 "${larger[@]}"
report "a small and a large census" $?
before=$(queries small)

refused "a larger budget only with --extend" "there 'budget: 30', here 'budget: 60'.*--extend" "${larger[@]}"
refused "another seed" "there 'seed: 0', here 'seed: 1'" --extend --set seed=1 "${larger[@]}"
refused "another layer" "there '- layer1.0.sn1', here '- layer1.0.sn2'" --extend --set 'searches.0.layers=[sn1,layer1.0.sn2]'
refused "another stop" "there 'no_improvement: 0', here 'no_improvement: 9'" --extend --set stop.no_improvement=9
refused "a smaller budget" "a budget of 30, and an extension cannot make it less (25)" --extend --set searches.0.budget=25
refused "fewer trials" "trials.count 2, and an extension cannot make it less (1)" --extend --set trials.count=1
run_job grown 1 --extend && [ "$(queries grown)" -eq 0 ] && like small
report "nothing to extend: nothing is done" $?

run_job grown 1 --extend "${larger[@]}" && like large
report "extended, it is the large census" $?
[ $(($(queries grown) + before)) -eq "$(queries large)" ]
report "no query is done again: $before, then $(queries grown), in all $(queries large)" $?
census 1 verify "$folder/grown/results.h5" && h5dump -a /provenance/runs/spiking/vq_vae/tt_b/first_budget \
    "$folder/grown/results.h5" >"$log" && says '(0): 30'
report "the results tell the first budget" $?
refused "the small job afterwards" "there 'budget: 60', here 'budget: 30'"
run_job grown 1 "${larger[@]}" && [ "$(queries grown)" -eq 0 ]
report "goes on without --extend once extended" $?

more=(--set searches.0.budget=70 --set searches.1.budget=45 --set searches.0.replicates=2 --set trials.count=4)
run_job more 1 "${more[@]}" && run_job grown 3 --extend "${more[@]}" && like more
report "extended once more, with more replicates and trials, by three ranks" $?

# Every run of the first start stops at its target, and needs no query in an extension.
stop=(--set stop.target=0 --set searches.1.minimise=false)
run_job stopped 1 "${stop[@]}" && [ "$(queries stopped)" -eq 9 ] &&
    run_job stopped 1 "${stop[@]}" "${larger[@]}" --extend && [ "$(queries stopped)" -eq 0 ]
report "a run that had stopped stays finished" $?
[ "$(find "$folder/stopped/journal" -size -8 | wc -l)" -eq 1 ]
report "and is not written again" $?
run_job target 2 "${stop[@]}" "${larger[@]}" && census 1 gather "$folder/stopped" && census 1 gather "$folder/target" &&
    same "$folder/stopped/results.h5" "$folder/target/results.h5"
report "it is that of the large census" $?

# ---- kills ----

# strike TARGET   kills it at a random moment of an extension
strike() {
    local moment=$((RANDOM % 100))
    launch 3 run "$folder/job.yaml" --set "results=$folder/grown" --extend "${larger[@]}"
    sleep "0.$(printf %02d $moment)"
    kill_target "$1"
    ended 30
    wait_until 20 none_left_over && [ "$(n_finished "$folder/grown")" -ge "$finished" ] &&
        finished=$(n_finished "$folder/grown")
    report "kill -9 of $1 after $moment hundredths of a second ($finished finished)" $?
}

rm -r "$folder/grown"
cp -r "$folder/small" "$folder/grown"
finished=0
for target in 0 1 everything; do
    strike $target
done
run_job grown 2 --extend "${larger[@]}" && like large
report "killed and extended, it is the large census" $?
exit $failed
