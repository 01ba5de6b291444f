#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Searches whose every query has noise of its own, and the recheck that names their winner.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

write_job <<'END'
methods:
  tt_b: {}
searches:
  - {layers: [sn1], select: [0-3], budget: 30, noise: {kind: membrane, scale: 0.5}, recheck: {candidates: 4, presentations: 5}}
trials: {count: 2, noise: membrane}
END

# field NAME FIELD TYPE   one value a line; TYPE as perl's unpack takes it
field() {
    local raw=$folder/raw.$BASHPID
    h5dump -d "/census/spiking/vq_vae/tt_b/$2" -b LE -o "$raw" "$folder/$1/results.h5" >"$raw.log" 2>&1
    perl -e 'binmode STDIN; print "$_\n" for unpack "$ARGV[0]*", do { local $/; <STDIN> }' "$3" <"$raw"
}

# refused NAME PATTERN ARGUMENT...
refused() {
    local status
    census 1 plan "$folder/job.yaml" "${@:3}"
    status=$?
    [ $status -eq 3 ] && says "^meicensus: error.*$2"
    report "refused: $1" $?
}

run_and_gather one 1 && run_and_gather three 3 && same "$folder/one/results.h5" "$folder/three/results.h5"
report "one and three ranks find the same" $?
census 1 verify "$folder/one/results.h5" && says undamaged
report "verify" $?
[ "$(field one rechecks 'q<' | sort -u)" = 20 ] && [ "$(field one queries 'q<' | sort -u)" = 30 ]
report "presentations of the recheck are counted apart" $?
paste <(field one recommended 'l<') <(field one recheck/mean 'f<' | paste -d ' ' - - - -) <(field one recheck/query 'q<' | paste -d ' ' - - - -) \
    <(field one best_query 'q<') | awk '{ for (i = 2; i <= 5; i++) if ($i > $($1 + 2)) exit 1; if ($($1 + 6) != $NF) exit 1 }'
report "the winner is the candidate with the best mean" $?
paste <(field one recheck/score 'f<' | awk 'NR % 4 == 1') <(field one history 'f<' | awk 'NR % 30 == 0') | awk '$1 != $2 { exit 1 }'
report "candidate 0 is the best seen" $?
h5dump -a /census/spiking/vq_vae/tt_b/search_noise "$folder/one/results.h5" >"$log" && says '"membrane"'
report "the noise is named" $?
run_and_gather quiet 1 --set 'searches.0.noise={}' --set 'searches.0.recheck={}' && [ "$(field quiet trace 'f<')" != "$(field one trace 'f<')" ] &&
    ! h5ls "$folder/quiet/results.h5/census/spiking/vq_vae/tt_b" | grep -q recheck/ && [ "$(field quiet recommended 'l<' | sort -u)" = -1 ]
report "without noise and recheck" $?
run_and_gather one 2 --extend --set searches.0.budget=55 && run_and_gather long 1 --set searches.0.budget=55 &&
    same "$folder/one/results.h5" "$folder/long/results.h5"
report "extended, it is the census with the larger budget" $?

refused "noise that depends on the query before" "'carry_over'.*valid: .*initial_membrane" --set searches.0.noise.kind=carry_over
refused "a negative scale" "'searches\[0\].noise.scale' is -0.5" --set searches.0.noise.scale=-0.5
refused "too many candidates" 'expected 0 to 1000 codes' --set searches.0.recheck.candidates=1001
refused "no presentations" 'expected 1 to 100000 presentations' --set searches.0.recheck.presentations=0
exit $failed
