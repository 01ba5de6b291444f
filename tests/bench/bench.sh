#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench`: milliseconds a query, ours and, where PyTorch, SpikingJelly and protes are installed, theirs, in turn,
# so that a change of the machine's speed meets both; medians of ROUNDS rounds (3) of SECONDS (4).
set -eu
cd "$(dirname "$0")/../.."
. .setup/mpi_environment.sh
python=${PYTHON:-build/venv/bin/python}
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-4} log=build/bench
mkdir -p "$log"
rm -f "$log"/*.txt

peer=yes
if ! "$python" -c 'import torch, spikingjelly, protes, safetensors' 2>/dev/null; then
    peer=no
    echo "bench: $python has no torch, spikingjelly, protes, safetensors: ours only (make check-python makes one)"
fi
for ((round = 1; round <= rounds; round++)); do
    echo "== round $round of $rounds: ours, the fastest kernels of this processor"
    build/tests/bench_query "$seconds" | tee -a "$log/ours.txt"
    echo "== round $round of $rounds: ours, OpenBLAS"
    build/tests/bench_query "$seconds" "$(nproc)" openblas | tee -a "$log/openblas.txt"
    [ $peer = yes ] || continue
    for kind in plain tuned; do
        echo "== round $round of $rounds: the packages, $kind"
        OPENBLAS_NUM_THREADS='' "$python" tests/bench/bench_pytorch.py "$seconds" --$kind | tee -a "$log/$kind.txt"
    done
done

# median FILE NAME   of the third word of the lines that begin with NAME
median() { awk -v name="$2" '$1 == name { print $2 }' "$log/$1.txt" | sort -g | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

echo "== medians, ms a query"
for what in generator subject search whole; do
    line=$(printf '%-10s ours %8.3f   ours, OpenBLAS %8.3f' "$what" "$(median ours $what)" "$(median openblas $what)")
    for kind in plain tuned; do
        [ $peer = no ] || line+=$(awk -v k="$kind" -v p="$(median $kind $what)" -v o="$(median ours $what)" \
            'BEGIN { printf "   packages, %s %8.3f (%.1f x)", k, p, p / o }')
    done
    echo "$line"
done
[ $peer = no ] || awk -v p="$(median plain whole)" -v o="$(median ours whole)" 'BEGIN { printf "whole query: %.1f x\n", p / o }'
