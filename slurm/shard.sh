# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What an array task does: its shard of a census, JOB and further arguments of `run` being its own. USR1 makes it save
# and queue itself again. OFFSET=N in the environment: array index 0 is shard N.
. .setup/mpi_environment.sh

mpirun build/meicensus run "$@" --shard $((SLURM_ARRAY_TASK_ID + ${OFFSET:-0})) &
pid=$!
trap 'kill -USR1 "$pid"' USR1
while wait "$pid"; status=$?; kill -0 "$pid" 2>/dev/null; do
    : # USR1 ends `wait` early
done

# 75: saved and stopped; 138: stopped by USR1 before it had begun.
case $status in
75 | 138) scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" ;;
esac
exit "$status"
