#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Subjects that are programs: a whole census with them, over ranks and interruptions, and what becomes of bad ones.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

toy=$folder/toy_subject
moody=$folder/moody_subject
compiler=${CC:-cc}
command -v "$compiler" >/dev/null || compiler=gcc
if ! "$compiler" -std=c11 -D_GNU_SOURCE -O2 -Iinclude jobs/external/toy_subject.c -o "$toy" -lm ||
    ! "$compiler" -std=c11 -D_GNU_SOURCE -O2 -Iinclude tests/external/moody_subject.c -o "$moody" -lm; then
    echo "FAIL $test_name: the example programs do not compile"
    exit 1
fi

cat >"$folder/toy.yaml" <<END
results: $folder/none
seed: 3
batch: 2
trace: true
subjects:
  toy: {command: $toy}
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2}
generators:
  light: {model: weights/sn_gan_light.yaml}
methods:
  tt_b: {}
  random: {batch: 7}
searches:
  - {subjects: [toy], layers: [waves], select: [0, 2], budget: 30}
  - {subjects: [toy], methods: [tt_b], layers: [waves], unit: neuron, select: [[1, 0, 1], [3, 1, 1]], budget: 30}
  - {subjects: [toy], methods: [random], layers: [contrast], sample: 1, budget: 30}
  - {subjects: [toy], methods: [random], unit: class, select: [1], budget: 30}
  - {subjects: [spiking], methods: [random], layers: [layer4.1.sn2], sample: 1, budget: 10}
trials: {count: 3, noise: membrane}
END
cat >"$folder/moody.yaml" <<END
results: $folder/none
trace: true
subjects: {moody: {command: $moody calm, timeout: 20, restarts: 3}}
generators: {light: {model: weights/sn_gan_light.yaml}}
methods: {random: {batch: 10}}
searches: [{budget: 20, replicates: 2}]
trials: {count: 2}
END
n_toy=$((2 * 2 + 2 + 1 + 1 + 1))

# does NAME RANKS JOB ARGUMENT...   the job, into the folder NAME, gathered
does() {
    census "$2" run "$folder/$3.yaml" --set "results=$folder/$1" "${@:4}" && census 1 gather "$folder/$1"
}

# shellcheck disable=SC2317
# none_left   the programs have all ended
none_left() {
    ! grep -lzs -e "^$toy" -e "^$moody" /proc/[0-9]*/cmdline >>"$log"
}

# same_numbers FILE A B   two datasets have the same values, whatever their attributes say
same_numbers() {
    diff <(h5dump -A 0 -y -w 0 -d "$2" "$1" | grep '^ *[0-9n]') <(h5dump -A 0 -y -w 0 -d "$3" "$1" | grep '^ *[0-9n]') >"$log"
}

# ---- a calm program ----

census 1 plan "$folder/toy.yaml" && says 'toy/light/random: 4 units' && says "^in all  *$n_toy runs"
report "plan" $?
for ranks in 1 2 3; do
    does "toy$ranks" "$ranks" toy
    report "a census on $ranks ranks" $?
done
for ranks in 2 3; do
    same "$folder/toy1/results.h5" "$folder/toy$ranks/results.h5"
    report "1 and $ranks ranks find the same" $?
done
does batched 1 toy --set batch=1 && same "$folder/toy1/results.h5" "$folder/batched/results.h5"
report "the same one by one" $?
smaller=(--set trials.count=2)
for i in 0 1 2 3; do smaller+=(--set "searches.$i.budget=25"); done
does grown 2 toy "${smaller[@]}" && does grown 2 toy --extend &&
    h5diff "$folder/toy1/results.h5" "$folder/grown/results.h5" /census/toy/light/tt_b/trace >>"$log"
report "the same with a budget that grew" $?
[ "$(n_finished "$folder/toy1")" = $n_toy ] && census 1 verify "$folder/toy1/results.h5"
report "status and verify" $?
build/meicensus-analyze "$folder/toy1/results.h5" --out "$folder/analysis" >"$log" 2>&1 &&
    [ -s "$folder/analysis/atlas/index.html" ] && ! grep -rql -i -w nan "$folder/analysis" --include='*.csv'
report "the analysis takes it" $?
h5dump -n "$folder/toy1/results.h5" >"$log" && says '/toy/light/random/trials/entropy' &&
    says '/spiking/light/random/trials/probability' && ! says '/toy/light/random/trials/probability'
report "no class probabilities" $?
h5dump -a /census/toy/light/random/noise "$folder/toy1/results.h5" >"$log" && says '"external"'
report "the noise is the program's" $?
same_numbers "$folder/toy1/results.h5" /census/toy/light/random/activation /census/toy/light/random/activation_searched
report "a deterministic program answers again as before" $?

census 1 verify "$folder/toy1/results.h5" --recompute 3
[ $? -eq 3 ] && says "subject 'toy' is the program .*toy_subject.*cannot be computed again"
report "refused: recomputing" $?

# ---- interruptions ----

does calm 1 moody
report "a small census" $?
sed "s/$(basename "$moody") calm/$(basename "$moody") slow/" "$folder/moody.yaml" >"$folder/slow.yaml"
does slow 1 slow
report "a slow one" $?
for signal in KILL USR1; do
    launch 2 run "$folder/slow.yaml" --set "results=$folder/slow$signal"
    wait_until 30 test -s "$folder/slow$signal/run.json" && sleep 1.5 && kill "-$signal" "$(rank_pid 1)"
    ended 60
    wait_until 10 none_left && does "slow$signal" 2 slow && same "$folder/slow/results.h5" "$folder/slow$signal/results.h5"
    report "stopped by $signal and continued" $?
done

sed "s|$(basename "$moody") calm|$(basename "$moody") dies $folder/count 5|" "$folder/moody.yaml" >"$folder/dies.yaml"
does dies 1 dies && h5diff "$folder/calm/results.h5" "$folder/dies/results.h5" /census/moody/light/random/trace >>"$log"
report "a program that dies at every fifth question" $?
census 1 run "$folder/dies.yaml" --set "results=$folder/dies2" && says 'dies .* died by signal 9 (Killed); starting it again (1 of 3)'
report "restarts are told" $?

# ---- bad answers: the run fails, the campaign goes on ----

# fails NAME MOOD MESSAGE ARGUMENT...   the runs of the second layer fail with the message, those of the first do not
fails() {
    sed "s/$(basename "$moody") calm/$(basename "$moody") $2/" "$folder/moody.yaml" >"$folder/bad.yaml"
    does "$2" 1 bad "${@:4}" && "$program" status "$folder/$2" >"$log" && says '^in all: 4 of 4 runs finished, 2 failed' &&
        h5dump -d /census/moody/light/random/message "$folder/$2/results.h5" >"$log" &&
        [ "$(grep -c -e "$3" "$log")" -eq 2 ]
    report "$1" $?
}
fails "activations that cannot be" mad "answered with 2 for a unit of layer .second."
fails "a program that hangs" hangs 'did not answer within 0.5 s; it was started again 1 time' \
    --set subjects.moody.timeout=0.5 --set subjects.moody.restarts=1

# Without mutations, and with one parent a child, a search asks the same codes again and again.
sed "s/random: {batch: 10}/xdream_ga: {population: 5, mutation_rate: 0, heritability: 1}/; s/{budget/{layers: [first], budget/" "$folder/moody.yaml" \
    >"$folder/small.yaml"
census=/census/moody/light/xdream_ga
does small 1 small && ! same_numbers "$folder/small/results.h5" $census/queries $census/evaluations
report "a deterministic program is asked everything once" $?
sed "s/$(basename "$moody") calm/$(basename "$moody") noisy/" "$folder/small.yaml" >"$folder/noisy.yaml"
does noisy 1 noisy && same_numbers "$folder/noisy/results.h5" $census/queries $census/evaluations
report "a program that varies is asked at every query" $?
! same_numbers "$folder/noisy/results.h5" $census/activation $census/activation_searched
report "and answers otherwise the second time" $?

does rechecked 1 noisy --set searches.0.recheck.candidates=2 && h5dump -n "$folder/rechecked/results.h5" >"$log" &&
    says "$census/recheck/mean"
report "its best codes are shown again" $?

# ---- refused ----

# refused NAME STATUS PATTERN COMMAND...
refused() {
    local status
    timeout --kill-after=2 30 "${@:4}" >"$log" 2>&1 </dev/null
    status=$?
    [ $status -eq "$2" ] && [ "$(grep -c '^meicensus: error' "$log")" -eq 1 ] && says "^meicensus: error.*$3"
    report "refused: $1" $?
    [ $status -eq "$2" ] || echo "    status $status, expected $2: $3"
}
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec %s ${MOOD:-calm}\n' "$moody" >"$folder/changes"
chmod +x "$folder/changes"
sed "s|command: [^,]*|command: $folder/changes|" "$folder/moody.yaml" >"$folder/changes.yaml"
census 1 run "$folder/changes.yaml" --set "results=$folder/changed"
refused "a program that describes itself otherwise" 5 'a subject that described itself otherwise: there .*moody: what the program says of itself' \
    env MOOD=other "$program" run "$folder/changes.yaml" --set "results=$folder/changed"
refused "a program without layers" 3 "description of .*moody_subject empty. by itself:1: 'layers' must list" \
    "$program" plan "$folder/moody.yaml" --set "subjects.moody.command=$moody empty"
refused "a program that is not there" 3 'could not be started' "$program" plan "$folder/moody.yaml" \
    --set subjects.moody.command=no-such-program
refused "a program that says nothing" 4 'cat >.dev.null. did not answer within 0.5 s' "$program" plan \
    "$folder/moody.yaml" --set 'subjects.moody.command=cat >/dev/null' --set subjects.moody.timeout=0.5 --set subjects.moody.restarts=0
refused "an echo" 3 'cat. answered with a frame of type 5, expected 6' mpirun -n 3 "$program" run "$folder/moody.yaml" \
    --set subjects.moody.command=cat
refused "a program for all units at once" 3 "'mode: shared' cannot be had for subject 'moody': a program answers for one unit" \
    "$program" plan "$folder/moody.yaml" --set searches.0.mode=shared
refused "a program and a model file" 3 "subject 'moody': 'model' is for model files, 'command' for programs" \
    "$program" plan "$folder/moody.yaml" --set subjects.moody.model=weights/spiking_resnet18.yaml
refused "natural references of a program" 3 "'natural' is for model files" "$program" plan "$folder/moody.yaml" \
    --set subjects.moody.natural=natural.h5
refused "noise in a program" 3 "'moody' is a program, whose noise is its own" "$program" plan "$folder/moody.yaml" \
    --set searches.0.noise.kind=input
refused "class outputs that a program has not" 3 "moody. has no class outputs" "$program" plan "$folder/moody.yaml" \
    --set searches.0.unit=class
refused "a layer that a program has not" 3 "no layer 'sn1'.*from 'first' to 'second'" "$program" plan "$folder/moody.yaml" \
    --set 'searches.0.layers=[sn1]'

wait_until 10 none_left
report "no program is left behind" $?
exit $failed
