#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The census on a real Slurm, started on this machine: an array job of four shards, two at a time, of which one
# task is told to stop and queues itself again, and one is cancelled and submitted again alone; then the
# gathering as a dependent job. The results must equal those of one mpirun, bit for bit.
set -u
cd "$(dirname "$0")/../.." || exit 1
. .setup/mpi_environment.sh
[ -x build/meicensus ] || { echo "check_slurm: no build/meicensus: run make"; exit 1; }

limit_s=150
passed=0 failed=0
dir=$(mktemp -d /tmp/census.XXXXXX) || exit 1
export TMPDIR=$dir/tmp SLURM_CONF=$dir/cluster/slurm.conf
mkdir "$TMPDIR"
chmod 755 "$dir" # munged wants it

cleanup() {
    tests/slurm/testbed.sh stop "$dir/cluster"
    rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...   one test: the command succeeds
check() {
    local name=$1
    shift
    if "$@" >"$dir/check.log" 2>&1; then
        echo "PASS $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: $*"
        tail -n 20 "$dir/check.log"
        failed=$((failed + 1))
    fi
}

# counts   the closing line; succeeds if nothing failed
counts() {
    echo "$passed passed, $failed failed"
    [ $failed -eq 0 ]
}

# wait_for COMMAND...   until it succeeds; fails when the time is over
wait_for() {
    local end=$((SECONDS + limit_s))
    until "$@"; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# job_file FOLDER SHARDS   a small census of 32 runs
job_file() {
    cat <<END
results: $1
shards: $2
batch: 1
subjects:
  spiking_resnet18: {model: weights/spiking_resnet18.yaml, timesteps: 4}
generators:
  vq_vae: {model: weights/vq_vae.yaml}
methods:
  tt: {}
searches:
  - {layers: [sn1], select: [0-31], budget: 1200}
trials: {count: 2}
END
}

submit() { sbatch --parsable --ntasks=2 --time=10 --output="$dir/output.%a" "$@"; }

# field JOB NAME   what scontrol tells of a job, e.g. field 1_0 JobState
field() { scontrol --oneliner show job "$1" | grep -o -w "$2=[^ ]*" | cut -d= -f2; }

has_field()    { [ "$(field "$1" "$2")" = "$3" ]; }
has_results()  { grep -q '"finished": [1-9]' "$dir/array/progress.$1.json" 2>/dev/null; }
is_at_work()   { has_field "${array}_$1" JobState RUNNING && has_results "$1"; }
queue_empty()  { squeue --noheader >"$dir/queue" && [ ! -s "$dir/queue" ]; }
stopped_once() { has_field "${array}_0" Restarts 1; }
# Slurm lets a requeued job rest a while; not here.
at_once()      { scontrol update jobid="${array}_0" StartTime=now 2>/dev/null; queue_empty; }
refused()      { ! "$@" 2>"$dir/refusal" && grep -q missing "$dir/refusal"; }

job_file "$dir/array" 4 >"$dir/array.yaml"
job_file "$dir/single" 1 >"$dir/single.yaml"

check "cluster: the nodes start" tests/slurm/testbed.sh start "$dir/cluster"
[ $failed -eq 0 ] || { counts; exit 1; }

array=$(submit --array=0-3%2 slurm/census.sbatch "$dir/array.yaml")
check "array: the first two tasks are at work" wait_for eval 'is_at_work 0 && is_at_work 1'
scancel "${array}_1"
# scancel repeats a signal while the job changes its state; once is enough.
timeout 3 scancel --batch --signal=USR1 "${array}_0"
check "USR1: the task queues itself again" wait_for stopped_once
check "cancel: the task is gone" wait_for has_field "${array}_1" JobState CANCELLED
check "gather: refuses a census with missing runs" refused mpirun -n 2 build/meicensus gather "$dir/array"

again=$(submit --array=1 slurm/census.sbatch "$dir/array.yaml")
gather=$(sbatch --parsable --ntasks=3 --time=10 --output="$dir/output.gather" \
    --dependency="afterany:$array,afterok:$again" --kill-on-invalid-dep=yes slurm/gather.sbatch "$dir/array")
check "queue: all jobs end" wait_for at_once
for task in "${array}_0" "${array}_2" "${array}_3" "${again}_1" "$gather"; do
    check "job $task: completed" has_field "$task" JobState COMPLETED
done
check "gather job: the analysis is there" test -s "$dir/array/analysis/spiking_resnet18/summary.csv"

check "one mpirun: the same census" mpirun -n 3 build/meicensus run "$dir/single.yaml"
check "one mpirun: gather" mpirun -n 3 build/meicensus gather "$dir/single"
check "both results are equal bit for bit" \
    h5diff --exclude-path /provenance "$dir/array/results.h5" "$dir/single/results.h5"

# The script for GPUs, with two on a node that are the host's (tests/kernels/on_host/): a tree with that program.
mkdir -p "$dir/tree/build"
ln -s "$PWD"/{slurm,.setup,weights} "$dir/tree/"
ln -s "$PWD/build/tests/meicensus_on_host" "$dir/tree/build/meicensus"
sed -e "s|^results: .*|results: $dir/gpu|" -e 's/select: .*}/select: [0-3], budget: 40}/' "$dir/single.yaml" >"$dir/gpu.yaml"
gpu=$(cd "$dir/tree" && submit --ntasks=3 --gpus-per-node=2 --array=0 slurm/census-gpu.sbatch "$dir/gpu.yaml")
check "GPUs: the queue ends" wait_for queue_empty
check "GPUs: completed" has_field "${gpu}_0" JobState COMPLETED
check "GPUs: gather" build/meicensus gather "$dir/gpu"
on_devices() { h5dump -g /provenance/incarnations "$1" >"$dir/incarnations" && grep -q '"0.0", "0.1"' "$dir/incarnations"; }
check "GPUs: a worker on each" on_devices "$dir/gpu/results.h5"

[ $failed -eq 0 ] || tail -n 30 "$dir"/output.*
counts
