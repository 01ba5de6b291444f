#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A census that is told to stop: exit status, time to the end, and that the next start goes on where it was.
# All in one folder, one disturbance after the other; at the end the results are those of an undisturbed census.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

runs=4 budget=4000 ask=25
cat >"$folder/job.yaml" <<END
results: $folder/none
batch: 2
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2}
generators:
  vq_vae: {model: weights/vq_vae.yaml}
methods:
  tt_b: {}
searches:
  - {layers: [layer1.0.sn1, layer3.1.sn2], sample: 2, budget: $budget}
trials: {count: 2}
stop: {at_bound: false}
END
mkdir "$folder/plain" "$folder/disturbed"
run=(run "$folder/job.yaml" --set "results=$folder/disturbed")
n_starts=0 n_queries=0 finished=0

# cpu_ticks PID   sets `ticks` to the hundredths of a second that it has computed
cpu_ticks() {
    stat_of "$1"
    ticks=$((${stat[11]:-0} + ${stat[12]:-0}))
}

# has_worked   the first worker has computed a little since the census began; or all is over
# shellcheck disable=SC2317
has_worked() {
    cpu_ticks "$worker"
    [ "$ticks" -ge "$enough" ] || has_ended
}

# shellcheck disable=SC2317
is_running() { says 'running)$' || has_ended; }

# shellcheck disable=SC2317
has_rank_1() { [ -n "$(rank_pid 1)" ]; }

# begin RANKS   starts, and lets it work a little
begin() {
    launch "$1" "${run[@]}"
    wait_until 60 is_running
    worker=$launched
    [ "$1" -eq 1 ] || worker=$(rank_pid 1)
    cpu_ticks "$worker"
    enough=$((ticks + 30))
    wait_until 60 has_worked
    began=$EPOCHREALTIME
}

# seconds_since TIME
seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }'; }

# saved   unfinished runs that `status` knows scores of
saved() { "$program" status "$folder/disturbed" 2>&1 | sed -n 's/^shard 0: .* \([0-9]*\) saved on the way$/\1/p'; }

# not_fewer   no run that was finished is lost
not_fewer() {
    local now
    now=$(n_finished "$folder/disturbed")
    [ "${now:--1}" -ge "$finished" ] && finished=$now
}

# stopped_well NAME   what was begun ends by itself with status 75 and keeps its searches
stopped_well() {
    local seconds
    ended 25
    seconds=$(seconds_since "$began")
    n_starts=$((n_starts + 1))
    [ "$ended_status" -eq 75 ] && [ "$(progress "$folder/disturbed" state)" = stopped ] &&
        [ "$(saved)" -gt 0 ] && not_fewer && none_left_over
    report "$1: status $ended_status after $seconds s" $?
    n_queries=$((n_queries + $(progress "$folder/disturbed" queries_this_start)))
}

census 3 run "$folder/job.yaml" --set "results=$folder/plain" && census 1 gather "$folder/plain"
report "undisturbed" $?

begin 3
kill -USR1 "$launched"
stopped_well "USR1 to mpirun"

begin 3
kill -USR1 "$(rank_pid 0)"
stopped_well "USR1 to the master"

begin 3
kill -USR1 "$(rank_pid 2)"
stopped_well "USR1 to a worker"

begin 3
kill -TERM "$(rank_pid 1)"
stopped_well "TERM to a worker"

begin 1
kill -INT "$launched"
stopped_well "INT to a process alone"

launch 3 "${run[@]}"
wait_until 60 has_rank_1
began=$EPOCHREALTIME
kill -USR1 "$launched"
ended 25
[ "$ended_status" -eq 75 ] || [ "$ended_status" -eq 138 ]
report "USR1 in the first moment: status $ended_status after $(seconds_since "$began") s" $?

# The first is held still, so that it cannot end before the second gives up waiting for it.
begin 3
holder=$(rank_pid 0)
others=$(ranks_of "$launched" | cut -d ' ' -f 2)
# shellcheck disable=SC2086
kill -STOP $others
census 1 "${run[@]}"
[ $? -eq 6 ] && says "process $holder on $(hostname)"
report "a second start is refused and told who works there" $?
# shellcheck disable=SC2086
kill -CONT $others
kill -TERM "$launched"
ended 25
wait_until 10 none_left_over && not_fewer
report "TERM to mpirun: nothing is lost (status $ended_status)" $?

census 3 "${run[@]}"
status=$?
last=$(progress "$folder/disturbed" queries_this_start)
most=$((runs * budget - n_queries + 2 * ask * n_starts))
[ $status -eq 0 ] && [ "$last" -le $most ] && [ "$n_queries" -gt 0 ]
report "queries before a stop are not done again: $n_queries before, $last last, of $((runs * budget))" $?

census 2 gather "$folder/disturbed" && same "$folder/plain/results.h5" "$folder/disturbed/results.h5"
report "the results are those of the undisturbed census" $?

census 3 "${run[@]}" && [ "$(progress "$folder/disturbed" queries_this_start)" -eq 0 ]
report "a finished census has nothing left to do" $?
exit $failed
