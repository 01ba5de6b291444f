# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests of whole censuses share. Source it with the repository root as working directory.
# MEICENSUS names the program under test, TEST_SEED repeats the random choices of an earlier test.
. .setup/mpi_environment.sh

program=${MEICENSUS:-build/meicensus}
test_name=$(basename "$0" .sh)
folder=$(mktemp -d) || exit 1
log=$folder/log
failed=0
trap 'rm -rf "$folder"' EXIT

[ -x "$program" ] || {
    echo "FAIL $test_name: $program is not built"
    exit 1
}

# report NAME STATUS   prints PASS for 0, else FAIL and the log
report() {
    if [ "$2" -eq 0 ]; then
        echo "PASS $test_name: $1"
    else
        echo "FAIL $test_name: $1"
        sed 's/^/    /' "$log"
        failed=1
    fi
}

# says PATTERN   the log has a matching line
says() {
    grep -q -e "$1" "$log"
}

# census RANKS ARGUMENT...   the program on so many ranks; its output goes to the log
census() {
    local ranks=$1
    shift
    if [ "$ranks" -eq 1 ]; then
        timeout --kill-after=5 120 "$program" "$@" >"$log" 2>&1 </dev/null
    else
        timeout --kill-after=5 120 mpirun -n "$ranks" "$program" "$@" >"$log" 2>&1 </dev/null
    fi
}

# write_job   the job of a small census to job.yaml: on standard input is what follows on subject and generator
write_job() {
    {
        cat <<END
results: $folder/none
batch: 2
trace: true
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2}
generators:
  vq_vae: {model: weights/vq_vae.yaml}
END
        cat
    } >"$folder/job.yaml"
}

# run_job NAME RANKS ARGUMENT...   that job into the folder NAME
run_job() {
    census "$2" run "$folder/job.yaml" --set "results=$folder/$1" "${@:3}"
}

# run_and_gather NAME RANKS ARGUMENT...   the same, its results in one file
run_and_gather() {
    run_job "$@" && census 1 gather "$folder/$1"
}

# same A B   two results files are equal outside /provenance. h5diff says "not comparable" with status 0: so
# nothing at all may be said.
same() {
    h5diff --exclude-path /provenance "$1" "$2" >"$log" 2>&1 && [ ! -s "$log" ]
}

# n_finished FOLDER   runs that `status` calls finished; nothing if it fails
n_finished() {
    "$program" status "$1" 2>"$log" | sed -n 's/^in all: \([0-9]*\) of .*/\1/p'
}

# progress FOLDER KEY   a number of progress.0.json
progress() {
    sed -n "s/^ *\"$2\": \"\?\([a-z0-9.-]*\)\"\?,\?$/\1/p" "$1/progress.0.json"
}
