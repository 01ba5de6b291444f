#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# roofline.sh JSON PNG   a picture of what `meicensus bench --json JSON` measured: a point for every layer that multiplies.
set -eu
cd "$(dirname "$0")/../.."
[ $# -eq 2 ] || { echo "usage: tests/bench/roofline.sh JSON PNG" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
awk -f tests/bench/flatten.awk "$1" >"$folder/values"

# value PATH   one of them
value() { awk -v path="$1" '$1 == path { sub(/^[^ ]* /, ""); print }' "$folder/values"; }

# points PREFIX   "FLOP/BYTE GFLOP/S NAME SIDE" of the layers below it; the first of two alike has its name on the right
points() {
    awk -v prefix="$1.layers." '
        index($1, prefix) != 1 { next }
        $1 ~ /\.name$/ { name = $2; sub(/^layer/, "", name); sub(/^block/, "", name) }
        $1 ~ /\.gflop_per_s$/ { speed = $2 }
        $1 ~ /\.flop_per_byte$/ && speed > 0 { print $2, speed, name, name ~ /2$/ ? "left" : "right" }' "$folder/values"
}

last=$(($(grep -c '^targets\.[0-9]*\.layer ' "$folder/values") - 1))
points generator >"$folder/generator"
points "targets.$last.subject" | sed '$d' >"$folder/subject"    # of the target layer only one channel is computed
gnuplot <<PLOT
set terminal pngcairo noenhanced size 1100,720 font "sans,11"
set output "$2"
set logscale xy
set xlabel "operations a byte moved at least (inputs, output, weights, each once)"
set ylabel "GFLOP/s, as the layers are defined"
set title "$(value job.generator) and $(value job.subject) to $(value "targets.$last.layer"), T = $(value job.timesteps): \
$(value machine.processor), processes: $(value machine.processes), $(value machine.kernels)"
set key left top Left reverse
set grid
set xrange [2:2000]
peak = $(value machine.peak_gflop_per_s)
bandwidth = $(value machine.bandwidth_gb_per_s)
side(wanted) = sprintf("<awk '\$4 == \"%s\"' ", wanted)
plot (bandwidth * x < peak ? bandwidth * x : peak) with lines linewidth 2 linecolor "black" title sprintf("roof: %.0f GFLOP/s, memory %.1f GB/s", peak, bandwidth), \
     "$folder/generator" using 1:2 with points pointtype 5 pointsize 1.1 linecolor "#1f77b4" title "generator", \
     "$folder/subject" using 1:2 with points pointtype 7 pointsize 1.1 linecolor "#d62728" title "subject", \
     side("right") . "$folder/generator" using 1:2:3 with labels font ",9" left offset 0.8,0 textcolor "#1f77b4" notitle, \
     side("left") . "$folder/generator" using 1:2:3 with labels font ",9" right offset -0.8,0 textcolor "#1f77b4" notitle, \
     side("right") . "$folder/subject" using 1:2:3 with labels font ",9" left offset 0.8,0 textcolor "#d62728" notitle, \
     side("left") . "$folder/subject" using 1:2:3 with labels font ",9" right offset -0.8,0 textcolor "#d62728" notitle
PLOT
echo "$2: made of $1"
