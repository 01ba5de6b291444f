#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Prints the commands that submit a census and, when all of it is done, its gathering. Nothing is submitted:
# read them, add partition or account, then run them:
#   slurm/submit.sh JOB DIR SHARDS      JOB: job file, DIR: its output folder, SHARDS: its number of shards
set -eu
if [ $# -ne 3 ]; then
    echo 'usage: slurm/submit.sh JOB DIR SHARDS' >&2
    exit 2
fi
job=$1 dir=$2 shards=$3
# Slurm refuses array indices of MaxArraySize and above: more shards are several arrays with an offset.
largest=$(scontrol show config 2>/dev/null | awk '$1 == "MaxArraySize" { print $3 }')
largest=${largest:-1001}

ids=''
for ((offset = 0; offset < shards; offset += largest)); do
    last=$((shards - offset < largest ? shards - offset - 1 : largest - 1))
    echo "array_$offset=\$(OFFSET=$offset sbatch --parsable --array=0-$last slurm/census.sbatch $job)"
    ids+=":\$array_$offset"
done
echo "sbatch --dependency=afterok$ids --kill-on-invalid-dep=yes slurm/gather.sbatch $dir"
