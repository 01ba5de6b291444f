#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Searches that start from codes: MEIs of an earlier census, of the unit or of its neighbours, natural images, a file.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

# Six pictures in the layout of CIFAR-10.
perl -e 'srand(4); binmode STDOUT;
    for my $image (0 .. 5) {
        print chr($image);
        for my $i (0 .. 3071) { print chr(int(128 + 100 * sin($i / (3 + 5 * $image)) + rand(20))) }
    }' >"$folder/images.bin"

# job NAME START SEARCH   a job file NAME.yaml; START: of its search, SEARCH: what else it has
job() {
    cat >"$folder/$1.yaml" <<END
results: $folder/$1
batch: 2
trace: true
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2${natural:+, natural: $natural}}
generators:
  vq_vae: {model: ${generator:-weights/vq_vae.yaml}}
methods:
  ${method:-tt_b}: {}
searches:
  - {layers: [sn1], select: [${select:-0-3}], budget: ${budget:-40}, start: $2$3}
trials: {count: 2}
END
}

# values FILE DATASET TYPE   one value a line; TYPE as perl's unpack takes it
values() {
    local raw=$folder/raw.$BASHPID
    h5dump -d "$2" -b LE -o "$raw" "$1" >"$raw.log" 2>&1
    perl -e 'binmode STDIN; print "$_\n" for unpack "$ARGV[0]*", do { local $/; <STDIN> }' "$3" <"$raw"
}

# field NAME FIELD TYPE   of the runs of a census
field() { values "$folder/$1/results.h5" "/census/spiking/vq_vae/${method:-tt_b}/$2" "$3"; }

# first_scores NAME N   of the traces of all units, the first N, each unit in a line
first_scores() { field "$1" trace 'f<' | awk -v n="$2" '{ q = NR % 40; if (q >= 1 && q <= n) printf "%s%s", $1, q == n ? "\n" : " " }'; }

# search NAME RANKS
search() { census "$2" run "$folder/$1.yaml" "${@:3}" && census 1 gather "$folder/$1"; }

# refused NAME STATUS PATTERN   the job `wrong`
refused() {
    local status
    census 1 plan "$folder/wrong.yaml"
    status=$?
    [ $status -eq "$2" ] && says "^meicensus: error.*$3"
    report "refused: $1" $?
}

job first '{}' ''
search first 1
report "an earlier census" $?

# ---- its MEIs ----

job own "{results: $folder/first/results.h5}" ''
sed -i 's/^batch/seed: 9\nbatch/' "$folder/own.yaml"
search own 1 && [ "$(first_scores own 1)" = "$(field first activation 'f<')" ]
report "the first query is the unit's MEI" $?
[ "$(field own start_queries 'q<' | sort -u)" = 1 ] &&
    paste <(field own activation 'f<') <(field first activation 'f<') | awk '$1 < $2 { exit 1 }'
report "the search ends with no less than that" $?
census 1 plan "$folder/own.yaml" && says "tt_b: 4 units.*starts from results: .*first/results.h5 (spiking/vq_vae/tt_b), 1 codes a unit"
report "plan says so" $?
cp -r "$folder/own" "$folder/one"
rm -r "$folder/own"
search own 3 && same "$folder/one/results.h5" "$folder/own/results.h5"
report "three ranks find the same" $?
digest=$(sha256sum "$folder/first/results.h5" | cut -d ' ' -f 1)
h5dump -d /provenance/weights/sha256 "$folder/own/results.h5" >"$log" && says "$digest" &&
    h5dump -d /provenance/weights/name "$folder/own/results.h5" >"$log" && says 'start of spiking/vq_vae/tt_b: results'
report "the results tell the file and its SHA-256" $?
sed -i 's/budget: 40/budget: 70/' "$folder/own.yaml"
search own 1 --extend && sed "s,/own,/whole," "$folder/own.yaml" >"$folder/whole.yaml" && search whole 1 &&
    same "$folder/own/results.h5" "$folder/whole/results.h5"
report "extended, it is the census with the larger budget" $?

job neighbours "{results: $folder/first/results.h5, neighbours: 2}" ''
search neighbours 2 && [ "$(field neighbours start_queries 'q<' | sort -u)" = 2 ]
report "neighbours" $?
# Stopped at the first query, the MEI is the first start code: that of the most active other unit.
sed "s,/neighbours$,/neighbour," "$folder/neighbours.yaml" >"$folder/neighbour.yaml"
search neighbour 1 --set stop.target=-1
field first activation 'f<' | awk '{ print NR - 1, $1 }' | sort -s -k 2,2gr | cut -d ' ' -f 1 >"$folder/order"
field first latent 'l<' | paste -s -d "$(printf ' %.0s' {1..63})\n" >"$folder/latents"
best=$(sed -n 1p "$folder/order") second=$(sed -n 2p "$folder/order")
awk -v best="$best" -v second="$second" '{ line[NR - 1] = $0 }
    END { for (unit = 0; unit < 4; unit++) print line[unit == best ? second : best] }' "$folder/latents" >"$folder/expected"
[ "$(field neighbour latent 'l<' | paste -s -d "$(printf ' %.0s' {1..63})\n")" = "$(cat "$folder/expected")" ]
report "the most active first, never one's own: unit $best, then $second" $?

# ---- natural images ----

"$program" natural --model weights/spiking_resnet18.yaml --timesteps 2 --data "$folder/images.bin" --top 3 \
    --output "$folder/natural.h5" >"$log" 2>&1 &&
    "$program" encode --model weights/vq_vae.yaml --data "$folder/images.bin" --output "$folder/codes.h5" >"$log" 2>&1
report "natural references and codes of the same images" $?
job codes "{codes: $folder/codes.h5}" ''
search codes 2 && [ "$(field codes start_queries 'q<' | sort -u)" = 6 ]
report "a file of codes" $?
natural=$folder/natural.h5
job nature '{natural: 2}' ''
search nature 2 && [ "$(field nature start_queries 'q<' | sort -u)" = 2 ]
report "natural images" $?
# The score of the natural image k is that of code k of the file.
values "$folder/natural.h5" /top_image 'q<' | head -n 12 | paste -d ' ' - - - | cut -d ' ' -f 1,2 >"$folder/top"
[ "$(first_scores nature 2)" = "$(first_scores codes 6 | paste -d ' ' "$folder/top" - | awk '{ print $($1 + 3), $($2 + 3) }')" ]
report "each unit's own, best first" $?

job low '{}' ', minimise: true'
sed -i 's/, start: {}//' "$folder/low.yaml"
census 1 plan "$folder/low.yaml" && says 'minimised.*starts from natural: 1, 1 codes a unit'
report "who minimises starts from the best natural image" $?
natural=
job low '{}' ', minimise: true'
sed -i 's/, start: {}//' "$folder/low.yaml"
census 1 plan "$folder/low.yaml" && says 'minimised.*starts from nothing'
report "and from nothing where there is none, which plan says" $?

# ---- refusals ----

start="{results: $folder/first/results.h5}"
method=random job wrong "$start" ''
refused "a method that has no use for codes" 3 "wrong.yaml:11: method 'random' (random) has no use for start codes"
method=tt job wrong "$start" ''
refused "a method that the file has not" 3 'first/results.h5: holds no searches of spiking/vq_vae/tt; say whose'
method=tt job wrong "{results: $folder/first/results.h5, method: tt_b}" ''
census 1 plan "$folder/wrong.yaml"
report "another method's MEIs, by name" $?
select=3-5 job wrong "$start" ''
refused "a unit that the file has not" 3 "has no MEI of unit 4 of layer 'sn1'"
budget=25 job wrong "$start" ''
refused "a budget without room for the start" 3 'expected 26 to 1000000000 queries'
sed 's/^name: vq_vae/name: other/; s,: vq_vae,: '"$PWD/weights/vq_vae," weights/vq_vae.yaml >"$folder/other.yaml"
generator=$folder/other.yaml job wrong "$start" ''
refused "MEIs of another generator" 3 "first/results.h5: its 'vq_vae' is another generator"
generator=$folder/other.yaml job wrong "{codes: $folder/codes.h5}" ''
refused "codes of another generator" 3 "codes.h5: its codes are of another generator"
job wrong "{results: $folder/first/results.h5, neighbours: 4}" ''
refused "too many neighbours" 3 "has MEIs of 3 other units of layer 'sn1'; 'start.neighbours' is 4"
job wrong "{results: $folder/first.yaml}" ''
refused "something else than results" 3 'first.yaml: is no HDF5 file'
job wrong "{results: $folder/codes.h5}" ''
refused "another HDF5 file" 3 'codes.h5: attribute format'
build/tests/test_analysis write one "$folder/newer.h5" newer >"$log" 2>&1
job wrong "{results: $folder/newer.h5}" ''
refused "results of a newer version" 3 'newer.h5: format_version is 3, this program reads version 2'
job wrong "{codes: $folder/absent.h5}" ''
refused "no such file" 4 'absent.h5: .*No such file'
job wrong '{natural: 1}' ''
refused "natural images without any" 3 "subject 'spiking' has no key 'natural'"
natural=$folder/natural.h5 job wrong '{natural: 4}' ''
refused "more natural images than there are" 3 "'start.natural' is 4, expected 1 to 3"
generator=weights/sn_gan_light.yaml natural=$folder/natural.h5 job wrong '{natural: 1}' ''
refused "natural images without an encoder" 3 'sn_gan_light has no encoder'
natural=$folder/natural.h5 job wrong '{natural: 1}' ', unit: neuron'
sed -i 's/select: .0-3./select: [[1, 2, 3]]/' "$folder/wrong.yaml"
refused "natural images of single neurons" 3 'natural'
job wrong '{neighbours: 2}' ''
refused "neighbours of no file" 3 "'results' is missing"
job wrong "{result: $folder/first/results.h5}" ''
refused "unknown key" 3 "'result'.*did you mean 'results'"

cp "$folder/codes.h5" "$folder/kept.h5"
"$program" encode --model weights/vq_vae.yaml --data "$folder/images.bin" --limit 5 --output "$folder/codes.h5" >"$log" 2>&1
census 1 run "$folder/codes.yaml"
[ $? -eq 5 ] && says "there '[0-9a-f]* *start of spiking/vq_vae/tt_b: codes: .*', here"
report "refused: other start codes when a campaign is gone on with" $?
exit $failed
