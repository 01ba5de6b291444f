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

# points PREFIX KIND   "FLOP/BYTE GFLOP/S NAME SIDE KIND" of the layers below it; the first of two alike has its name on
# the right
points() {
    awk -v prefix="$1.layers." -v kind="$2" '
        index($1, prefix) != 1 { next }
        $1 ~ /\.name$/ { name = $2; sub(/^layer/, "", name); sub(/^block/, "", name) }
        $1 ~ /\.gflop_per_s$/ { speed = $2 }
        $1 ~ /\.flop_per_byte$/ && speed > 0 { print $2, speed, name, name ~ /2$/ ? "left" : "right", kind }' "$folder/values"
}

# spread   adds to every point how high its name stands: above the names below it that would be under it
spread() {
    sort -k2,2g | awk '{
        begin[NR] = $4 == "left" ? $1 / 1.6 : $1
        end[NR] = $4 == "left" ? $1 : $1 * 1.6
        height[NR] = $2
        for (i = 1; i < NR; i++)
            if (begin[NR] < end[i] && begin[i] < end[NR] && height[NR] < 1.14 * height[i])
                height[NR] = 1.14 * height[i]
        print $0, height[NR] }'
}

last=$(($(grep -c '^targets\.[0-9]*\.layer ' "$folder/values") - 1))
{
    points generator generator
    points "targets.$last.subject" subject | sed '$d'    # of the target layer only one channel is computed
} | spread >"$folder/points"
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
of(kind) = sprintf("<awk '\$5 == \"%s\"' $folder/points", kind)
beside(side, kind) = sprintf("<awk '\$4 == \"%s\" && \$5 == \"%s\"' $folder/points", side, kind)
plot (bandwidth * x < peak ? bandwidth * x : peak) with lines linewidth 2 linecolor "black" title sprintf("roof: %.0f GFLOP/s, memory %.1f GB/s", peak, bandwidth), \
     of("generator") using 1:2 with points pointtype 5 pointsize 1.1 linecolor "#1f77b4" title "generator", \
     of("subject") using 1:2 with points pointtype 7 pointsize 1.1 linecolor "#d62728" title "subject", \
     beside("right", "generator") using 1:6:3 with labels font ",9" left offset 0.8,0 textcolor "#1f77b4" notitle, \
     beside("left", "generator") using 1:6:3 with labels font ",9" right offset -0.8,0 textcolor "#1f77b4" notitle, \
     beside("right", "subject") using 1:6:3 with labels font ",9" left offset 0.8,0 textcolor "#d62728" notitle, \
     beside("left", "subject") using 1:6:3 with labels font ",9" right offset -0.8,0 textcolor "#d62728" notitle
PLOT
echo "$2: made of $1"
