#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench`: milliseconds a query, ours (jobs/bench.yaml) and, where PyTorch, SpikingJelly and protes are installed,
# theirs, in turn, so that a change of the machine's speed meets both: medians of ROUNDS rounds (3), in which everything
# gets about SECONDS_EACH seconds (2). All that was measured lies in build/bench; README's table is build/bench/table.md.
set -eu
cd "$(dirname "$0")/../.."
. .setup/mpi_environment.sh
python=${PYTHON:-build/venv/bin/python}
rounds=${ROUNDS:-3} seconds=${SECONDS_EACH:-2} log=build/bench cores=$(nproc) deepest=layer4.1.sn2
mkdir -p "$log"
rm -f "$log"/*.txt "$log"/*.json "$log"/table.md

# ours NAME SECONDS ARGUMENT...   one measurement, kept as $log/NAME.txt (paths and values) and .json
ours() {
    build/meicensus bench jobs/bench.yaml --seconds "$2" --json "$log/$1.json" "${@:3}" >/dev/null 2>"$log/errors" ||
        { cat "$log/errors"; exit 1; }
    awk -f tests/bench/flatten.awk "$log/$1.json" >"$log/$1.txt"
    echo "ours, $1: $(value "$1" mean_over_units.whole_ms_per_query) ms"
}

# value NAME PATH   what one measurement found
value() { awk -v path="$2" '$1 == path { sub(/^[^ ]* /, ""); print }' "$log/$1.txt"; }

# middle   the median of the numbers on standard input; of an even number of them the smaller one in the middle
middle() { sort -g | awk '{ v[NR] = $1 } END { if (NR > 0) print v[int((NR + 1) / 2)] }'; }

# median NAME PATH   over the rounds of ours
median() { for ((round = 1; round <= rounds; round++)); do value "$1.$round" "$2"; done | middle; }

# theirs KIND NAME   median over the rounds of the packages; nothing where they were not measured
theirs() { cat "$log"/packages.*.txt 2>/dev/null | awk -v name="$1.$2" '$1 == name { print $2 }' | middle; }

peer=yes
if ! "$python" -c 'import torch, spikingjelly, protes, safetensors' 2>/dev/null; then
    peer=no
    echo "bench: $python has no torch, spikingjelly, protes, safetensors: ours only (make check-python makes one)"
fi
one_layer=(--set "searches.0.layers=[$deepest]")
amx=no
if grep -q -w amx_bf16 /proc/cpuinfo; then amx=yes; else echo "bench: this processor has no AMX: isa amx is left out"; fi
for ((round = 1; round <= rounds; round++)); do
    echo "== round $round of $rounds"
    ours "whole.$round" $((2 * seconds)) "${one_layer[@]}"
    ours "one_core.$round" "$seconds" "${one_layer[@]}" --cores 1
    ours "openblas.$round" "$seconds" "${one_layer[@]}" --set isa=openblas
    ours "census.$round" $((3 * seconds))
    if [ $amx = yes ]; then
        ours "amx.$round" $((2 * seconds)) "${one_layer[@]}" --set isa=amx
        ours "amx_census.$round" $((3 * seconds)) --set isa=amx
    fi
    [ $peer = yes ] || continue
    OPENBLAS_NUM_THREADS='' "$python" -W ignore tests/bench/bench_pytorch.py "$seconds" --census >"$log/packages.$round.txt"
    sed -n "s/\.whole /.$round: /; s/^\(plain\|tuned\)\(\.[0-9]\)/the packages, \1\2/p" "$log/packages.$round.txt"
done
# The reference kernels take seconds a query: one, on one core, as `plan` measures it.
reference=$(build/meicensus plan jobs/bench.yaml "${one_layer[@]}" --set isa=reference --set searches.0.budget=1000000 |
    awk -v cores="$cores" '/^in all/ { print 1000 * $7 / $5 / cores }')

# row TEXT OURS NAME   one line of the table: ours, and the packages' NAME with how many times as long it takes
row() {
    local line kind their
    line="| $1 | $(printf %.3f "$2") |"
    for kind in plain tuned; do
        their=$(theirs $kind "$3")
        line+=$(awk -v t="${their:-0}" -v o="$2" 'BEGIN { if (t > 0) printf " %.3f (%.1f x) |", t, t / o; else printf " - |" }')
    done
    echo "$line"
}

# other TEXT MS   one line of ours alone: ms, and how many times as long as the whole query
other() { awk -v text="$1" -v ms="$2" -v whole="$whole" 'BEGIN { printf "| %s | %.3f (%.2f x) | | |\n", text, ms, ms / whole }'; }

whole=$(median whole targets.0.whole_ms_per_query)
kernels=$(value whole.1 machine.kernels | cut -d" " -f2)
{
    echo "| ms a query, $cores cores | ours | packages, plain | packages, tuned |"
    echo "|---|---|---|---|"
    row "whole, to $deepest" "$whole" whole
    row "whole, mean over $(value census.1 mean_over_units.units) channels of 17 layers" \
        "$(median census mean_over_units.whole_ms_per_query)" census
    row "generator (SN-GAN, 256 wide)" "$(median whole generator.ms_per_query)" generator
    row "subject (spiking ResNet18, T = 20), to $deepest" "$(median whole targets.0.subject.ms_per_query)" subject
    row "search (tt: ask and tell)" "$(median whole search.ms_per_query)" search
    if [ $amx = yes ]; then
        row "with \`isa: amx\`: whole, to $deepest" "$(median amx targets.0.whole_ms_per_query)" whole
        row "with \`isa: amx\`: whole, mean over the channels" "$(median amx_census mean_over_units.whole_ms_per_query)" census
        row "with \`isa: amx\`: generator" "$(median amx generator.ms_per_query)" generator
    fi
    other "whole, one core" "$(median one_core targets.0.whole_ms_per_query)"
    other "whole, kernels openblas instead of $kernels" "$(median openblas targets.0.whole_ms_per_query)"
    other "whole, kernels reference (one query on one core, for $cores)" "$reference"
} >"$log/table.md"
tests/bench/bench_search.sh
echo "== $(value whole.1 machine.processor); medians of $rounds"
column -t -s '|' -o '|' "$log/table.md" 2>/dev/null || cat "$log/table.md"
[ $peer$amx != yesyes ] ||
    awk -v p="$(theirs plain whole)" -v o="$(median amx targets.0.whole_ms_per_query)" 'BEGIN { printf "whole query, isa amx: %.1f x\n", p / o }'
[ $peer = no ] || awk -v p="$(theirs plain whole)" -v o="$whole" 'BEGIN { printf "whole query: %.1f x\n", p / o }'
