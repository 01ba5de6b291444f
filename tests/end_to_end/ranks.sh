#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Results do not depend on the number of ranks that search, nor on the number that gather.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

cat >"$folder/job.yaml" <<END
results: $folder/none
seed: 5
batch: 3
trace: true
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 2}
  plain: {model: weights/relu_resnet18.yaml}
generators:
  vq_vae: {model: weights/vq_vae.yaml}
  light: {model: weights/sn_gan_light.yaml}
methods:
  tt_b: {}
  random: {}
  low: {method: random}
searches:
  - {subjects: [spiking], generators: [vq_vae], methods: [tt_b, random], layers: [sn1, layer4.1.sn2], sample: 1, budget: 30, replicates: 2}
  - {subjects: [spiking], generators: [light], methods: [tt_b], unit: neuron, layers: [layer2.0.sn1], select: [[0, 1, 2], [5, 3, 3]], budget: 30}
  - {subjects: [spiking], generators: [light], methods: [random], unit: class, select: [3], budget: 12}
  - {subjects: [spiking], generators: [vq_vae], methods: [low], layers: [layer1.0.sn1], select: [7], budget: 12, minimise: true}
  - {subjects: [plain], generators: [vq_vae], methods: [random], sample: 1, layers: [layer3.0.sn1], budget: 12, replicates: 2}
trials: {count: 2, noise: membrane}
END
{
    sed '/^searches:/,$d' "$folder/job.yaml"
    echo 'searches: [{subjects: [spiking], generators: [vq_vae], methods: [tt_b], layers: [sn1], select: [3, 9], budget: 30}]'
} >"$folder/two.yaml"

# search NAME RANKS JOB   does the job into the folder NAME and gathers it on one rank
search() {
    census "$2" run "$folder/$3.yaml" --set "results=$folder/$1" && census 1 gather "$folder/$1"
}

for ranks in 1 2 3; do
    search "ranks$ranks" "$ranks" job
    report "$ranks ranks search" $?
done
for ranks in 2 3; do
    same "$folder/ranks1/results.h5" "$folder/ranks$ranks/results.h5"
    report "1 and $ranks ranks find the same" $?
    census "$ranks" gather "$folder/ranks1" --output "$folder/by$ranks.h5" &&
        same "$folder/ranks1/results.h5" "$folder/by$ranks.h5"
    report "1 and $ranks ranks gather the same" $?
done

search two 1 two && search two_crowded 4 two && same "$folder/two/results.h5" "$folder/two_crowded/results.h5"
report "more ranks than runs" $?

# tensors NAME FILE   the small job with other tensors for its subject
tensors() {
    sed "s|resnet18.yaml, timesteps|resnet18.yaml, tensors: $2, timesteps|" "$folder/two.yaml" >"$folder/tensors.yaml"
    grep -q "tensors: $2" "$folder/tensors.yaml" && search "$1" 1 tensors
}

cp weights/spiking_resnet18.safetensors "$folder/copy.safetensors"
tensors copy "$folder/copy.safetensors" && same "$folder/two/results.h5" "$folder/copy/results.h5"
report "the same tensors under another name" $?
tensors twin weights/relu_resnet18.safetensors && ! same "$folder/two/results.h5" "$folder/twin/results.h5"
report "other tensors show" $?
sed 's/^seed: 5/seed: 6/' "$folder/two.yaml" >"$folder/other.yaml"
search other 1 other && ! same "$folder/two/results.h5" "$folder/other/results.h5"
report "another seed shows" $?
exit $failed
