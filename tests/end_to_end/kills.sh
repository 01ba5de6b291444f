#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# kill -9 of a rank, of mpirun, of everything, at random moments of `run` and `gather`: what was finished stays
# finished, no process is left, and the same command in the end gives what an undisturbed census gives.
# TEST_SEED=N repeats the choices of an earlier test.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

choose_seed

cat >"$folder/job.yaml" <<'END'
results: none
batch: 1
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2}
generators:
  vq_vae: {model: weights/vq_vae.yaml}
methods:
  tt_b: {}
searches:
  - {layers: [layer1.0.sn1, layer3.1.sn2], sample: 12, budget: 300}
trials: {count: 2}
END
n_runs=24 n_kills=20
n_killed=0 n_censuses=0

# random_moment LONGEST   sleeps up to so many hundredths of a second
random_moment() {
    moment=$((RANDOM % $1))
    sleep "$(printf '%d.%02d' $((moment / 100)) $((moment % 100)))"
}

# shellcheck disable=SC2317
is_running() { says '[0-9] runs, ' || has_ended; }

# strike FROM LONGEST TARGET RANKS ARGUMENT...   starts the program and kills the target in a random moment, counted
# from the start or from when it says that it is running
strike() {
    local from=$1 longest=$2 target=$3
    launch "${@:4}"
    [ "$from" = start ] || wait_until 60 is_running
    random_moment "$longest"
    kill_target "$target"
    ended 30
    n_killed=$((n_killed + (ended_status == 137)))
    wait_until 20 none_left_over || return 1
} 2>/dev/null

# keeps_runs   `status` knows at least the runs of before, and all that the progress file ever told of
keeps_runs() {
    local now told
    [ -e "$killed/run.json" ] || return 0
    now=$(n_finished "$killed")
    told=$(progress "$killed" finished 2>/dev/null)
    [ "${now:--1}" -ge "$finished" ] && [ "$now" -ge "${told:-0}" ] && finished=$now
}

# strike_run FROM TARGET
strike_run() {
    strike "$1" 60 "$2" 3 "${run[@]}" && keeps_runs
    report "kill -9 of $2, $moment hundredths of a second after $1 (status $ended_status, $finished finished)" $?
}

# next_census   in a folder of its own
next_census() {
    n_censuses=$((n_censuses + 1))
    killed=$folder/killed.$n_censuses
    run=(run "$folder/job.yaml" --set "results=$killed")
    finished=0
}

# like_undisturbed   the census is done, at the latest by the same command once more, and gives what the undisturbed
# one gave
like_undisturbed() {
    census 3 "${run[@]}" && keeps_runs && [ "$finished" -eq $n_runs ] &&
        census 2 gather "$killed" --output "$killed.h5" && same "$folder/plain/results.h5" "$killed.h5"
    report "census $n_censuses, killed and completed ($finished runs), is the undisturbed one" $?
}

# strike_gather TARGET   what stands under the final name is whole
strike_gather() {
    strike start $((gather_time * 7 / 10)) "$1" 2 gather "$killed" --output "$folder/killed.h5" &&
        { [ ! -e "$folder/killed.h5" ] || census 1 verify "$folder/killed.h5"; }
    report "kill -9 of $1 in a gather after $moment of $gather_time hundredths of a second (status $ended_status)" $?
}

census 3 run "$folder/job.yaml" --set "results=$folder/plain"
report "undisturbed" $?
start=$EPOCHREALTIME
census 2 gather "$folder/plain"
report "undisturbed gather" $?
gather_time=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%d", 100 * (b - a) }')

# A fast machine may finish a census between two kills: then another one is begun, until enough were hit.
targets=(1 2 0 mpirun everything)
next_census
for ((strikes = 0; n_killed < n_kills && strikes < 4 * n_kills; strikes++)); do
    if [ "$finished" -eq $n_runs ]; then
        like_undisturbed
        next_census
    fi
    strike_run "$([ $strikes -lt 5 ] && echo start || echo running)" "${targets[strikes % 5]}"
done
like_undisturbed
[ $n_killed -eq $n_kills ]
report "$n_killed of $strikes kills met a census at work" $?

for target in 1 0 mpirun everything; do
    strike_gather $target
done
census 2 gather "$killed" --output "$folder/killed.h5" && same "$folder/plain/results.h5" "$folder/killed.h5"
report "the results are those of the undisturbed census" $?
exit $failed
