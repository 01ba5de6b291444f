#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A census with `isa: amx`: what it finds does not depend on ranks, and the reference kernels see nearly the same.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

if ! grep -q -w amx_bf16 /proc/cpuinfo; then
    echo "SKIP amx: this processor has no AMX"
    exit 0
fi

cat >"$folder/job.yaml" <<END
results: $folder/none
seed: 5
batch: 3
isa: amx
subjects:
  spiking: {model: weights/spiking_resnet18.yaml, timesteps: 4}
generators:
  gan: {model: weights/sn_gan_light.yaml}
methods:
  tt: {}
searches:
  - {methods: [tt], layers: [layer1.0.sn2, layer3.0.sn2], sample: 4, budget: 60}
trials: {count: 2, noise: carry_over}
END

for ranks in 1 3; do
    run_and_gather "ranks$ranks" "$ranks"
    report "$ranks ranks search" $?
done
same "$folder/ranks1/results.h5" "$folder/ranks3/results.h5"
report "1 and 3 ranks find the same" $?

h5dump -g /provenance/incarnations "$folder/ranks1/results.h5" >"$log" 2>&1
says '(0): "amx"' && says '(0): "bf16x3"'
report "set and precision are told" $?

# Images are off by millionths: a spike of many may change.
"$program" verify "$folder/ranks1/results.h5" --recompute 8 >"$log" 2>&1 && says 'largest difference of an activation .*, [0-9][.][0-9]* spikes'
report "the reference kernels find nearly the same activations" $?

exit $failed
