# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Censuses in the background, to be disturbed. Source it after census.sh.

# choose_seed   begins $RANDOM's numbers anew, with those of an earlier test where TEST_SEED says so
choose_seed() {
    local seed=${TEST_SEED:-$RANDOM}
    RANDOM=$seed
    echo "     TEST_SEED=$seed"
}

# stat_of PID   sets `stat` to what /proc/PID/stat says behind the name: state, parent, ...
stat_of() {
    local line
    stat=()
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return
    read -r -a stat <<<"${line##*) }"
}

# ranks_of PID   "RANK PID" of every rank that this mpirun started
ranks_of() {
    local process rank
    for process in /proc/[0-9]*; do
        process=${process#/proc/}
        stat_of "$process"
        [ "${stat[1]:-}" = "$1" ] || continue
        rank=$(tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | sed -n 's/^OMPI_COMM_WORLD_RANK=//p')
        [ -z "$rank" ] || echo "$rank $process"
    done
}

# rank_pid RANK   of the census that `launch` started
rank_pid() {
    ranks_of "$launched" | sed -n "s/^$1 //p"
}

# launch RANKS ARGUMENT...   starts the program in the background; `launched` is the process of mpirun
launch() {
    local ranks=$1
    shift
    : >"$log"
    if [ "$ranks" -eq 1 ]; then
        "$program" "$@" >>"$log" 2>&1 </dev/null &
    else
        mpirun -n "$ranks" "$program" "$@" >>"$log" 2>&1 </dev/null &
    fi
    launched=$!
}

# wait_until SECONDS COMMAND...   until it succeeds
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

has_ended() {
    ! kill -0 "$launched" 2>/dev/null
}

# ended SECONDS   waits for what was launched; `ended_status` is its exit status, 124 if it had to be killed
ended() {
    local ranks
    if wait_until "$1" has_ended; then
        wait "$launched"
        ended_status=$?
    else
        ranks=$(ranks_of "$launched" | cut -d ' ' -f 2)
        # shellcheck disable=SC2086
        kill -KILL $ranks "$launched" 2>/dev/null
        wait "$launched"
        ended_status=124
    fi
    [ "$ended_status" -ne 124 ]
} 2>/dev/null

# kill_target TARGET   kill -9: a rank by its number, "mpirun", or "everything". A rank that is not there yet: mpirun.
kill_target() {
    local pids
    case $1 in
    mpirun) pids=$launched ;;
    everything) pids="$launched $(ranks_of "$launched" | cut -d ' ' -f 2 | tr '\n' ' ')" ;;
    *) pids=$(rank_pid "$1") ;;
    esac
    # shellcheck disable=SC2086
    kill -KILL ${pids:-$launched}
} 2>/dev/null

# left_over   processes that still work in this test's folder
left_over() {
    grep -l -a -s -F -f <(echo "$folder/") /proc/[0-9]*/cmdline
}

none_left_over() {
    [ -z "$(left_over)" ]
}
