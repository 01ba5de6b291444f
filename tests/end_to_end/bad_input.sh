#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Wrong job files, weights, folders, disks: each is refused with the exit status and the message it deserves, in
# 20 s at most, told once whatever the number of ranks.
# shellcheck disable=SC2016
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

cat >"$folder/job.yaml" <<END
results: $folder/none
subjects:
  spiking:
    model: weights/spiking_resnet18.yaml
    timesteps: 2
generators:
  vq_vae:
    model: weights/vq_vae.yaml
methods:
  tt_b: {}
  random: {}
searches:
  - layers: [sn1]
    select: [3]
    budget: 30
trials:
  count: 2
END

# refused NAME STATUS PATTERN COMMAND...   one test: the command ends with this status and one line of error that matches
refused() {
    local status
    timeout --kill-after=2 20 "${@:4}" >"$log" 2>&1 </dev/null
    status=$?
    [ $status -eq "$2" ] && [ "$(grep -c '^meicensus: error' "$log")" -eq 1 ] && says "^meicensus: error.*$3"
    report "$1" $?
    [ $status -eq "$2" ] || echo "    status $status, expected $2: $3"
}

# wrong_job NAME EDIT PATTERN ARGUMENT...   the job file edited by sed is refused as input
wrong_job() {
    sed "$2" "$folder/job.yaml" >"$folder/wrong.yaml"
    refused "$1" 3 "$3" "$program" plan "$folder/wrong.yaml" "${@:4}"
}

ranks3=(mpirun -n 3 "$program")

# ---- job files ----

wrong_job "unknown key" 's/budget/buget/' "wrong.yaml:15: .*'buget'.*did you mean 'budget'"
wrong_job "duplicate key" '$a\  count: 3' "wrong.yaml:18: .*'count'"
wrong_job "duplicate method" 's/random/tt_b/' "wrong.yaml:11: .*'tt_b'"
wrong_job "unknown method" 's/random/rondom/' "wrong.yaml:11: .*'rondom'.*did you mean 'random'"
wrong_job "method that is not in the section" 's/select/methods: [nix]\n    select/' "wrong.yaml:14: 'nix'"
wrong_job "unknown unit kind" 's/select/unit: chanel\n    select/' "wrong.yaml:14: .*did you mean 'channel'"
wrong_job "tensors that never end" 's|timesteps: 2|tensors: /dev/zero|' '/dev/zero: is no regular file'
wrong_job "unknown neuron constant" 's/timesteps: 2/neuron: {tua: 3}/' "wrong.yaml:5: .*'tua'.*did you mean 'tau'"
wrong_job "junk behind a number" 's/budget: 30/budget: 10x/' "wrong.yaml:15: .*'10x'"
wrong_job "number in another notation" 's/budget: 30/budget: 1e3/' "wrong.yaml:15: .*'1e3'"
wrong_job "negative budget" 's/budget: 30/budget: -5/' "wrong.yaml:15: .*-5 is out of range; expected 1 to"
wrong_job "budget 0" 's/budget: 30/budget: 0/' "wrong.yaml:15: .*0 is out of range; expected 1 to"
wrong_job "overflowing budget" 's/budget: 30/budget: 99999999999999999999/' 'wrong.yaml:15: .*out of range'
wrong_job "missing budget" '/budget/d' "wrong.yaml:13: .*'budget' is missing"
wrong_job "timesteps 0" 's/timesteps: 2/timesteps: 0/' 'wrong.yaml:5: .*expected 1 to'
wrong_job "trials 0" 's/count: 2/count: 0/' 'wrong.yaml:17: .*expected 1 to'
wrong_job "unknown key to set" '' "unknown key 'cuont'.*did you mean 'count'" --set trials.cuont=3
wrong_job "wrong value to set" '' "'batch'.*expected 1 to" --set batch=0
wrong_job "an unknown isa" '' "isa.*'fast'.*valid: .*reference" --set isa=fast
wrong_job "empty results" 's/^results.*/results: ""/' "wrong.yaml:1: 'results' is empty"
wrong_job "no results" '/^results/d' "'results' is missing"
wrong_job "no methods" '/^methods/,/random/d' "'methods' is missing"
wrong_job "no searches" '/^searches/,/budget/d' "'searches' is missing"
wrong_job "unknown layer" 's/sn1/sn2/' "wrong.yaml:13: .*'sn2'.*did you mean 'sn1'"
wrong_job "channel out of range" 's/\[3\]/[64]/' 'wrong.yaml:14: .*no unit 64; valid are 0 to 63'
wrong_job "range out of range" 's/\[3\]/[60-64]/' 'wrong.yaml:14: .*no unit 64; valid are 0 to 63'
wrong_job "negative channel" 's/\[3\]/[-1]/' "wrong.yaml:14: .*'-1'"
wrong_job "neuron out of range" 's/\[3\]/[[0, 16, 0]]/; s/select/unit: neuron\n    select/' \
    'wrong.yaml:15: .*no neuron \[0, 16, 0\]; valid are \[0-63, 0-15, 0-15\]'
wrong_job "negative neuron" 's/\[3\]/[[0, 0, -2]]/; s/select/unit: neuron\n    select/' \
    'wrong.yaml:15: .*no neuron \[0, 0, -2\]; valid are'
wrong_job "class out of range" 's/\[3\]/[10]/; s/layers.*/unit: class/' 'wrong.yaml:14: .*no unit 10; valid are 0 to 9'
wrong_job "one group with two budgets" '/^trials/i\  - {layers: [sn1], select: [4], budget: 31}' \
    "wrong.yaml:16: spiking/vq_vae/tt_b is searched above with another budget"
wrong_job "budget below a first population" 's/budget: 30/budget: 24/' \
    "wrong.yaml:13: .*24 queries is less than the first population of method 'tt_b'; expected 25 to 1000000000 queries"
wrong_job "unknown hyperparameter" 's/tt_b: {}/tt_b: {ranks: 5}/' "wrong.yaml:10: .*'ranks'.*did you mean 'rank'"
wrong_job "hyperparameter out of range" 's/tt_b: {}/tt_b: {rank: 257}/' \
    "wrong.yaml:10: .*'tt_b.rank': 257 is out of range; expected 1 to 256"
wrong_job "hyperparameters that contradict each other" 's/tt_b: {}/tt_b: {top: 26}/' "'tt_b': .*top is 26, but a batch has 25 codes"
wrong_job "empty file" 'd' 'wrong.yaml: empty'
refused "missing file" 4 'absent.yaml: .*No such file' "$program" plan "$folder/absent.yaml"
refused "one message from three ranks" 3 "'buget'" "${ranks3[@]}" run "$folder/job.yaml" --set searches.0.buget=3
refused "one message about the command line from three ranks" 2 "buget" "${ranks3[@]}" run "$folder/job.yaml" --buget 3

# ---- weights ----

# broken_weights   a copy of model and tensors of vq_vae, to be damaged
broken_weights() {
    cp weights/vq_vae.safetensors "$folder/broken.safetensors"
    sed 's/vq_vae.safetensors/broken.safetensors/' weights/vq_vae.yaml >"$folder/broken.yaml"
    sed "s,weights/vq_vae.yaml,$folder/broken.yaml," "$folder/job.yaml" >"$folder/wrong.yaml"
}

# put_bytes BYTES OFFSET   BYTES as printf understands them, into the copy of the tensors
put_bytes() {
    # shellcheck disable=SC2059
    printf "$1" | dd of="$folder/broken.safetensors" bs=1 seek="$2" conv=notrunc status=none
}

plan_wrong=("$program" plan "$folder/wrong.yaml")
refused "missing model" 4 'weights/absent.yaml: .*No such file' "$program" plan "$folder/job.yaml" \
    --set generators.vq_vae.model=weights/absent.yaml
broken_weights
rm "$folder/broken.safetensors"
refused "missing tensors" 4 'broken.safetensors: .*No such file' "${plan_wrong[@]}"
broken_weights
truncate -s -100 "$folder/broken.safetensors"
refused "truncated tensors" 3 'broken.safetensors: ' "${plan_wrong[@]}"
broken_weights
truncate -s 5 "$folder/broken.safetensors"
refused "almost no tensors" 3 'broken.safetensors: ' "${plan_wrong[@]}"
broken_weights
put_bytes '\377' 3
refused "flipped length of the header" 3 'broken.safetensors: ' "${plan_wrong[@]}"
broken_weights
put_bytes '\377\377\377\177' 2000000
refused "a weight that is not a number" 3 'broken.safetensors: .*\(not finite\|NaN\|finite\)' "${plan_wrong[@]}"
broken_weights
LC_ALL=C sed -i 's/\[128,64,3,3\]/[64,128,3,3]/' "$folder/broken.safetensors"
refused "wrong shape" 3 'broken.safetensors: .*has shape \[64, 128, 3, 3\], expected' "${plan_wrong[@]}"
refused "missing tensors of a subject" 4 'absent.safetensors: .*No such file' "$program" plan "$folder/job.yaml" \
    --set subjects.spiking.tensors=absent.safetensors
refused "tensors of another network" 3 "layer 'conv1' needs tensor 'conv1.weight', which weights/vq_vae.safetensors" \
    "$program" plan "$folder/job.yaml" --set subjects.spiking.tensors=weights/vq_vae.safetensors
refused "generator as subject" 3 "vq_vae.yaml is no 'role: subject'" "$program" plan "$folder/job.yaml" \
    --set 'subjects={spiking: {model: weights/vq_vae.yaml}}'
refused "subject as generator" 3 "resnet18.yaml is no 'role: generator'" "$program" plan "$folder/job.yaml" \
    --set generators.vq_vae.model=weights/spiking_resnet18.yaml
ln -s "$PWD/weights/spiking_resnet18.safetensors" "$PWD/weights/sn_gan_light.safetensors" "$folder/"
sed 's/points: 64/points: 60/' weights/sn_gan_light.yaml >"$folder/sixty.yaml"
refused "points that are no power of two" 3 "'tt_b' needs a power of two as number of points (such as 32 or 64), .*'vq_vae' has 60" \
    "$program" plan "$folder/job.yaml" --set "generators.vq_vae.model=$folder/sixty.yaml"
sed 's/^input: .*/input: {channels: 3, height: 16, width: 16}/' weights/spiking_resnet18.yaml >"$folder/small.yaml"
refused "images of another size" 3 "'vq_vae' makes images of 3 x 32 x 32 .*'spiking' takes 3 x 16 x 16" \
    "$program" plan "$folder/job.yaml" --set "subjects.spiking.model=$folder/small.yaml"

# ---- folders ----

# into FOLDER ARGUMENT...   sets `run` to a start of the job into that folder
into() { run=("$program" run "${job:-$folder/job.yaml}" --set "results=$folder/$1" "${@:2}"); }

# accepted NAME COMMAND...
accepted() {
    timeout --kill-after=2 60 "${@:2}" >"$log" 2>&1 </dev/null
    report "$1" $?
}

# flip FILE OFFSET   changes one byte
flip() {
    local byte
    byte=$(od -A n -t u1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 16)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

into whole
accepted "the job as it is" "${run[@]}"
accepted "its results" "$program" gather "$folder/whole"
into whole --set searches.0.budget=31
refused "folder of another job" 5 "another job: there 'budget: 30', here 'budget: 31'" "${run[@]}"
refused "folder of another job, three ranks" 5 "another job: there 'budget: 30', here 'budget: 31'" mpirun -n 3 "${run[@]}"
into whole --set trials.count=3
refused "folder of a job with other trials" 5 "there 'count: 2', here 'count: 3'" "${run[@]}"
into whole --set batch=3
accepted "the size of batches does not matter" "${run[@]}"

revision=$("$program" --version | sed 's/.*(\(.*\))/\1/')
LC_ALL=C sed "s/$revision/zzzz${revision:4}/g" "$program" >"$folder/other_version"
chmod +x "$folder/other_version"
into whole
refused "folder of another code version" 5 "another code revision.*there '$revision', here 'zzzz" \
    "$folder/other_version" "${run[@]:1}"

broken_weights
job=$folder/wrong.yaml
into weights
accepted "the job with a copy of the weights" "${run[@]}"
flip "$folder/broken.safetensors" 2000000
refused "folder of other weights" 5 "other weights: there '[0-9a-f]* *vq_vae: .*broken.safetensors', here" "${run[@]}"
refused "gather with other weights" 5 'model files, or files that searches start from, have changed' "$program" gather "$folder/weights"
job=

cp -r "$folder/whole" "$folder/edited"
sed -i 's/seed: 0/seed: 1/' "$folder/edited/run.json"
into edited
refused "edited run.json" 7 'run.json: .*damaged' "${run[@]}"
truncate -s 100 "$folder/edited/run.json"
refused "truncated run.json" 7 'run.json: .*damaged' "${run[@]}"
cp "$folder/job.yaml" "$folder/edited/run.json"
refused "something else as run.json" 7 'run.json: .*damaged' "$program" status "$folder/edited"

into shards
refused "shard out of range" 2 'has shards 0..0' "${run[@]}" --shard 1
refused "no shard named" 2 'say which with --shard 0..1' "${run[@]}" --set shards=2
refused "shard that is no number" 2 '--shard x: expected a whole number' "${run[@]}" --shard x
accepted "one of two shards" "${run[@]}" --set shards=2 --shard 1
refused "gather without the other shard" 6 '1 of 2 runs are missing (the first: spiking/vq_vae/tt_b/sn1/3, shard 0)' \
    "$program" gather "$folder/shards"
accepted "partial gather" mpirun -n 2 "$program" gather "$folder/shards" --partial
says '1 runs done, 0 failed, 1 missing'
report "a partial gather says what is missing" $?
accepted "status without the other shard" "$program" status "$folder/shards"
says '^shard 0: 0 of 1 runs finished' && says '^shard 1: 1 of 1 runs finished'
report "status tells shard from shard" $?

refused "gather into a file that another gathers into" 6 'other.h5.lock is held by ' \
    flock "$folder/other.h5.lock" "$program" gather "$folder/whole" --output "$folder/other.h5"
refused "gather while another gathers" 6 'gather.lock is held by ' \
    flock "$folder/whole/gather.lock" "$program" gather "$folder/whole"
into whole
refused "stopped while another start holds the shard" 75 'stopped by a signal, while others held .*whole/shard.0.lock' \
    flock "$folder/whole/shard.0.lock" timeout --preserve-status --signal=TERM 3 "${run[@]}"
refused "status of no folder" 3 'absent' "$program" status "$folder/absent"
refused "gather of no folder" 3 'absent' "$program" gather "$folder/absent"
refused "gather of no folder, three ranks" 3 'absent' "${ranks3[@]}" gather "$folder/absent"
[ ! -e "$folder/absent" ]
report "and none is made" $?
into job.yaml
refused "results path is a file" 4 'job.yaml/journal: .*Not a directory' "${run[@]}"
into foreign
refused "mpirun of another MPI" 2 'started 2 processes (OMPI_COMM_WORLD_SIZE).*use the mpirun of' \
    env OMPI_COMM_WORLD_SIZE=2 "${run[@]}"

mkdir -m 555 "$folder/locked"
chmod 755 "$folder"
into locked/here
user=()
[ "$(id -u)" -ne 0 ] || user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
if "${user[@]}" test -r weights/vq_vae.safetensors -a -x "$program" -a -r "$folder/job.yaml" 2>/dev/null; then
    refused "folder that cannot be written" 4 'locked/here: .*Permission denied' "${user[@]}" "${run[@]}"
else
    echo "SKIP bad_input: folder that cannot be written: root writes everywhere, and no other user can read this one"
fi

# ---- damage ----

cp -r "$folder/whole" "$folder/damaged"
journal=$(find "$folder/damaged/journal" -size +8 | head -n 1)
flip "$journal" 3000
into damaged
refused "damaged journal: run" 7 'journal: damaged at byte' "${run[@]}"
refused "damaged journal: run, three ranks" 7 'journal: damaged at byte' mpirun -n 3 "${run[@]}"
refused "damaged journal: status" 7 'journal: damaged at byte' "$program" status "$folder/damaged"
refused "damaged journal: gather" 7 'journal: damaged at byte' "${ranks3[@]}" gather "$folder/damaged"
flip "$journal" 3000
flip "$journal" 60
refused "damaged first frame" 7 'journal: damaged at byte' "${run[@]}"
rm "$journal"
accepted "without the damaged journal the runs are done again" "${run[@]}"
accepted "and gathered" "$program" gather "$folder/damaged"
same "$folder/whole/results.h5" "$folder/damaged/results.h5"
report "with the same results" $?
cp "$folder/weights/journal/"* "$folder/damaged/journal"
refused "journal of another job" 5 'journal of another job' "${run[@]}"

accepted "verify" "$program" verify "$folder/whole/results.h5"
cp "$folder/whole/results.h5" "$folder/flipped.h5"
flip "$folder/flipped.h5" $(($(stat -c %s "$folder/flipped.h5") / 2))
refused "verify of a flipped byte" 7 'flipped.h5' "$program" verify "$folder/flipped.h5"
cp "$folder/whole/results.h5" "$folder/cut.h5"
truncate -s -1000 "$folder/cut.h5"
refused "verify of a cut file" 7 'cut.h5' "$program" verify "$folder/cut.h5"
refused "verify of something else" 3 'job.yaml' "$program" verify "$folder/job.yaml"
refused "verify of nothing" 4 'absent.h5: .*No such file' "$program" verify "$folder/absent.h5"

# ---- disks ----

# shellcheck disable=SC2317
is_running() { says 'running)$' || has_ended; }

# The limit comes when MPI has made its own files.
into large --set 'searches.0.select=[0-30]' --set batch=1
launch 1 "${run[@]:1}"
wait_until 60 is_running
prlimit --pid "$launched" --fsize=4096
ended 20
[ "$ended_status" -eq 4 ] && says 'journal: .*File too large' && [ "$(progress "$folder/large" state)" = failed ]
report "a journal that cannot grow (status $ended_status)" $?
accepted "is gone on with later" "${run[@]}"
into small --set 'searches.0.select=[0-30]'
accepted "the same in one go" "${run[@]}"
"$program" gather "$folder/large" >"$log" 2>&1 && "$program" gather "$folder/small" >"$log" 2>&1 &&
    same "$folder/small/results.h5" "$folder/large/results.h5"
report "has the same results" $?

# disk KIB COMMAND...   with a disk of that size mounted at $folder/disk, which lives as long as the command
disk() { unshare --mount bash -c 'mount -t tmpfs -o "size=$1k" none "$2" && shift 2 && "$@"' disk "$1" "$folder/disk" "${@:2}"; }

mkdir "$folder/disk"
if disk 64 true 2>/dev/null; then
    into disk --set 'searches.0.select=[0-30]' --set batch=1
    export -f refused accepted report says
    export folder program log test_name failed
    disk 80 bash -c '
        refused "full disk, three ranks" 4 "journal: .*No space left on device" mpirun -n 3 "$@"
        mount -o remount,size=8m "$folder/disk"
        accepted "with more space it goes on" mpirun -n 3 "$@"
        accepted "and is gathered" "$program" gather "$folder/disk" --output "$folder/disk.h5"
        dd if=/dev/zero of="$folder/disk/rest" bs=1k status=none 2>/dev/null
        refused "full disk, gather" 4 "results.h5.*No space left" mpirun -n 2 "$program" gather "$folder/disk"
        [ -z "$(find "$folder/disk" -name "*.h5*")" ]
        report "leaves nothing behind" $?
        exit $failed' disk "${run[@]}" || failed=1
    same "$folder/small/results.h5" "$folder/disk.h5"
    report "a full disk changes no result" $?
else
    echo "SKIP bad_input: full disk: no disk can be mounted here"
fi

# ---- ranks that disagree ----

sed 's/^results/seed: 2\nresults/' "$folder/job.yaml" >"$folder/job1.yaml"
cp "$folder/job.yaml" "$folder/job0.yaml"
cp "$folder/job.yaml" "$folder/job2.yaml"
own_job='exec "$0" run "$1/job$OMPI_COMM_WORLD_RANK.yaml" --set "results=$1/ranks"'
refused "a rank with another job" 5 "rank 1 on $(hostname) has another job file" \
    mpirun -n 3 sh -c "$own_job" "$program" "$folder"
echo 'x: 1' >>"$folder/job1.yaml"
refused "a rank with a wrong job" 3 "job1.yaml:19: unknown key 'x'" mpirun -n 3 sh -c "$own_job" "$program" "$folder"
exit $failed
