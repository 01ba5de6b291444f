#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The analysis program on whole results files: everything is there, in numbers and pictures, the same every time;
# where there is too little it says so; what it cannot read or write it names.
# $1: the program under test.   $2: the program that writes results files of a given shape.
set -u
cd "$(dirname "$0")/../.." || exit 1
. .setup/mpi_environment.sh

analyze=${1:-build/meicensus-analyze}
writer=${2:-build/tests/test_analysis}
folder=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$folder"; rm -rf "$folder"' EXIT
failed=0

# report NAME STATUS   0 is a pass
report() {
    if [ "$2" -eq 0 ]; then
        echo "PASS analysis: $1"
    else
        echo "FAIL analysis: $1"
        sed 's/^/    /' "$folder/log"
        failed=1
    fi
}

# analyse SHAPE NAME   a file of that shape into $folder/NAME; `figures` is where its only subject's figures are
analyse() {
    [ -e "$folder/$1.h5" ] || "$writer" write "$1" "$folder/$1.h5" >"$folder/log" 2>&1 || return
    figures=$folder/$2/spiking_resnet18
    timeout 300 "$analyze" "$folder/$1.h5" --out "$folder/$2" >"$folder/log" 2>&1
}

# every_plot_is_whole   each script has its pictures, of a sensible size, and left no complaint
every_plot_is_whole() {
    local script name
    for script in "$figures"/*.gp; do
        name=${script%.gp}
        if [ ! -s "$name.svg" ] || [ "$(wc -c <"$name.png")" -lt 2000 ] || [ -e "$name.log" ] ||
            ! head -c 5 "$name.pdf" | grep -q '%PDF-' || grep -q -a CreationDate "$name.pdf"; then
            echo "$name has no picture" >>"$folder/log"
            return 1
        fi
    done
}

# every_table_is_there   with rows, and listed
every_table_is_there() {
    local name
    for name in summary units activation relative replicates entropy perplexity convergence distance comparison; do
        if [ "$(wc -l <"$figures/$name.csv")" -lt 2 ] || ! grep -q "^  $name.csv: " "$figures/../README.txt"; then
            echo "$name.csv is empty or not listed" >>"$folder/log"
            return 1
        fi
    done
}

# no_table_has_nan   in any case
no_table_has_nan() {
    ! grep -q -i -E '(^|,)-?(nan|inf)(,|$)' "$figures"/*.csv
}

# column NAME FILE CONDITION...   cells of a column where COLUMN=VALUE holds (no quoted cells in these tables)
column() {
    local name=$1 file=$2
    shift 2
    awk -F, -v name="$name" -v conditions="$*" '
        NR == 1 { for (i = 1; i <= NF; i++) place[$i] = i; n = split(conditions, condition, " "); next }
        {
            for (i = 1; i <= n; i++) {
                split(condition[i], sides, "=")
                if ($place[sides[1]] != sides[2]) next
            }
            print $place[name]
        }' "$figures/$file.csv"
}

# total NAME   sum over a column of the summary
total() {
    column "$1" summary | awk '{ n += $1 } END { print n + 0 }'
}

# refuses NAME STATUS PATTERN ARGUMENT...
refuses() {
    local name=$1 expected=$2 pattern=$3 status
    shift 3
    timeout 60 "$analyze" "$@" >"$folder/log" 2>&1
    status=$?
    [ "$status" -eq "$expected" ] && grep -q -e "$pattern" "$folder/log" && [ "$(wc -l <"$folder/log")" -le 2 ]
    report "$name (status $status)" $?
}

if ! command -v gnuplot >/dev/null; then
    echo "SKIP analysis: gnuplot is not installed"
    exit 0
fi

# ---- What a usual census gives ----
analyse usual first
report 'a census is analysed' $?
every_plot_is_whole
report 'every plot is drawn' $?
no_table_has_nan
report 'no table has a nan' $?
every_table_is_there
report 'every table has rows and is in README.txt' $?
h5ls -r "$folder/first/figures.h5" >"$folder/log" 2>&1 && grep -q '/spiking_resnet18/comparison/p_holm' "$folder/log"
report 'figures.h5 holds the columns' $?

# The file's methods differ by 0.05 whatever the unit: random is below tt_b, and tests of 24 units show it.
signs=$(column median_difference comparison compared=methods first_method=random second_method=tt_b layer=all)
[ "$(wc -w <<<"$signs")" -eq 2 ] && ! grep -q -v '^-0\.0[3-7]' <<<"$signs"
report 'a difference of methods is found' $?
! column p_holm comparison compared=methods layer=all | grep -q -v -E 'e-|^0\.0[0-4]'
report 'it is significant after correction' $?
column p comparison >"$folder/p"
column p_holm comparison | paste "$folder/p" - | awk '$2 < $1 || $2 > 1 { exit 1 }'
report 'correction makes no p smaller' $?
# Codes are random: their distance is that of random codes.
column mean distance series=0 layer=layer1.0.sn1 >"$folder/log"
column random distance series=0 layer=layer1.0.sn1 | paste "$folder/log" - |
    awk '{ n++; if ($1 / $2 < 0.9 || $1 / $2 > 1.1) bad = 1 } END { exit bad || n != 2 }'
report 'distances of random codes are those expected' $?

# Ratios to the best dataset image: as the columns say; of every five units one is excited by no image, and the
# single neurons have no reference.
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) place[$i] = i; next }
    {
        natural = $place["natural_activation"]
        ratio = $place["relative_activation"]
        none += ratio == ""
        wrong += ratio != "" && (natural <= 0 || (ratio * natural / $place["activation"] - 1) ^ 2 > 1e-12)
        silent += natural == "0" && ratio == ""
        neurons += $place["kind"] == "neuron" && natural == "" && $place["natural_image"] == -1
    }
    END { print none, wrong, silent, neurons; exit wrong > 0 || none != silent + neurons || silent != 6 * 19 || neurons != 6 * 24 }' \
    "$figures/units.csv" >"$folder/log"
report 'ratios to the best dataset image are those of the columns' $?
column note relative layer="layer1.0.sn1" >"$folder/log"
grep -q '5 of 24 units without a ratio (no image excites: 5; no natural reference: 0; no finished run: 0)' "$folder/log" &&
    grep -q '24 of 24 units without a ratio (no image excites: 0; no natural reference: 24;' "$figures/relative.csv" &&
    [ "$(column n_relative summary layer=layer1.0.sn1 | sort -u)" = 19 ]
report 'units without a ratio are counted' $?

analyse usual second
diff -r "$folder/first" "$folder/second" >"$folder/log" 2>&1
report 'a second analysis gives the same bytes in every file' $?

# ---- Several subjects ----
# The second one is called as a folder that is there anyway.
"$writer" write few "$folder/two.h5" subject atlas >"$folder/log" 2>&1 &&
    timeout 300 "$analyze" "$folder/two.h5" --out "$folder/two" >"$folder/log" 2>&1 &&
    [ -s "$folder/two/atlas/index.html" ] && [ -s "$folder/two/%61tlas/units.csv" ]
report 'a second subject is analysed' $?
figures=$folder/two/subjects
every_plot_is_whole && no_table_has_nan && grep -q '^  subjects.csv: ' "$folder/two/README.txt" &&
    [ "$(column subject subjects subject_position=1 | sort -u)" = atlas ] &&
    [ "$(column activation subjects subject_position=0)" = "$(column activation subjects subject_position=1)" ] &&
    [ "$(column shared subjects_layers layer=sn1 | sort -u)" = 1 ] && [ -s "$figures/sheets/sn_gan_light/tt_b/sn1_channels_1.png" ]
report 'the units that both have are followed' $?

# ---- Too little ----
# says SHAPE PATTERN...   it succeeds, and each pattern is in what it prints
says() {
    local shape=$1 pattern
    shift
    analyse "$shape" "$shape" && every_plot_is_whole && no_table_has_nan || return
    for pattern; do
        grep -q -e "$pattern" "$folder/log" || return
    done
}
says one 'comparison: one method and one generator only' 'distance: no unit with two finished' \
    'replicates: no unit with two finished replicates' 'relative: no natural references in the results file' \
    'all subjects: subjects: one subject only (n = 1)' &&
    [ "$(grep -c '^  .*: no plot: ' "$folder/one/README.txt")" = 5 ] && [ ! -e "$figures/replicates.png" ] &&
    [ ! -e "$folder/one/subjects/subjects.png" ] && [ -s "$figures/activation.png" ]
report 'one run says what cannot be compared' $?
says silent 'distance: no unit with two finished, not silent' 'relative: no unit .* that some image .* excites' &&
    [ "$(column note summary | sort -u)" = 'every finished run is silent' ]
report 'a silent census says so' $?
says bare 'entropy: no finished run with repeated presentations'
report 'a census without trials says so' $?
says few && grep -q 'few units' "$figures/activation.csv" && [ "$(column interval_low comparison n=2 | sort -u)" = '' ]
report 'few units have no intervals, and a note' $?
says gaps && [ "$(total missing)" -gt 0 ] && [ "$(total failed)" -gt 0 ] &&
    [ $(($(total "done") + $(total missing) + $(total failed))) -eq "$(total runs)" ]
report 'missing and failed runs are counted' $?
says minimise && grep -q 'activation minimised: no ratio' "$figures/relative.csv"
report 'minimised units are analysed' $?
mkdir "$folder/empty" && PATH=$folder/empty "$analyze" "$folder/one.h5" --out "$folder/plain" >"$folder/log" 2>&1 &&
    grep -q 'gnuplot is not installed' "$folder/log" && [ -s "$folder/plain/spiking_resnet18/activation.csv" ]
report 'without gnuplot the tables are written' $?

# ---- What cannot be read or written ----
echo 'subjects: {}' >"$folder/job.yaml"
head -c 150000 "$folder/one.h5" >"$folder/cut.h5"
refuses 'a text file is refused' 3 'is not an HDF5 file' "$folder/job.yaml" --out "$folder/x"
refuses 'a cut file is refused' 7 'cut off or damaged' "$folder/cut.h5" --out "$folder/x"
refuses 'no file is refused' 4 'cannot be opened: No such file' "$folder/none.h5" --out "$folder/x"
refuses 'a folder that cannot be made is refused' 4 'cannot be made' "$folder/one.h5" --out "$folder/none/x"
refuses 'a file in the place of the folder is refused' 4 'cannot be made' "$folder/one.h5" --out "$folder/job.yaml"
refuses 'no folder is refused' 2 'usage' "$folder/one.h5"
refuses 'two files are refused' 2 'one results file at a time' "$folder/one.h5" "$folder/few.h5" --out "$folder/x"
refuses 'an unknown option is refused' 2 'no such option' --fast
"$writer" write one "$folder/newer.h5" newer >/dev/null 2>&1
refuses 'a file of a newer version is refused' 3 'format_version is 3' "$folder/newer.h5" --out "$folder/x"
[ ! -e "$folder/x" ]
report 'nothing is made for a file that cannot be read' $?
mkdir -p "$folder/full/spiking_resnet18/units.csv"
refuses 'a table that cannot be written is named' 4 'units.csv: cannot be written' "$folder/one.h5" --out "$folder/full"
exit $failed
