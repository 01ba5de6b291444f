#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A census on a device, which is the host's memory here: the program with the CUDA kernels compiled for the host
# (tests/kernels/on_host/), which has two of them. Results do not depend on ranks, as its products do not on batches.
set -u
cd "$(dirname "$0")/../.." || exit 1
MEICENSUS=${MEICENSUS_ON_HOST:-build/tests/meicensus_on_host}
. tests/end_to_end/common/census.sh

cat >"$folder/job.yaml" <<END
results: $folder/none
seed: 5
batch: 3
trace: true
isa: cuda
subjects:
  spiking: {model: weights/mnist_cnn.yaml, timesteps: 4}
generators:
  vq_vae: {model: weights/mnist_vq_vae.yaml}
methods:
  tt_b: {}
  random: {}
  neurons: {method: random}
  classes: {method: tt_b}
  low: {method: random}
searches:
  - {methods: [tt_b, random], layers: all, sample: 1, budget: 40, replicates: 2}
  - {methods: [neurons], unit: neuron, sample: 2, budget: 20}
  - {methods: [classes], unit: class, select: [3, 7], budget: 40, distinct: 0.5, replicates: 2}
  - {methods: [low], layers: all, select: [0], budget: 20, minimise: true}
trials: {count: 3, noise: membrane}
END

for ranks in 1 4; do
    run_and_gather "ranks$ranks" "$ranks"
    report "$ranks ranks search" $?
done
same "$folder/ranks1/results.h5" "$folder/ranks4/results.h5"
report "1 and 4 ranks find the same" $?

# MiB that hold the networks and half a batch, but not a whole one; and not even half.
MEICENSUS_ON_HOST_MIB=8 run_job short 2 && cp "$log" "$folder/said" && census 1 gather "$folder/short" &&
    same "$folder/ranks1/results.h5" "$folder/short/results.h5"
report "short of memory, on one rank of two, it finds the same" $?
cp "$folder/said" "$log" && says 'meicensus: rank 1, device 0 (host): CUDA: no room for .* it goes on with 6 images a call, not 12' &&
    h5dump -g /provenance/incarnations "$folder/short/results.h5" >"$log" 2>&1 && says '(0): 6$'
report "half a batch is told of, and is in the identity" $?

MEICENSUS_ON_HOST_MIB=4 run_job shorter 2
[ $? -eq 1 ] && says 'rank 1, device 0 (host): CUDA: no room for .* even for 6 images a call'
report "too little for half a batch is an error" $?
! compgen -G "$folder/shorter/journal/*" >"$log" && run_and_gather shorter 1 &&
    same "$folder/ranks1/results.h5" "$folder/shorter/results.h5"
report "and the folder is as good as new" $?

"$program" verify "$folder/ranks1/results.h5" --recompute 20 >"$log" 2>&1 && says 'largest difference of an activation .*, 0.00 spikes'
report "the reference kernels find the same activations" $?

h5dump -g /provenance/incarnations "$folder/ranks4/results.h5" >"$log" 2>&1
says '(0): "0.0", "0.1", "0.0"' && says '(0): "cuda", "cuda", "cuda"' && says '(0): "host", ' && says '(0): 12, 12, 12'
report "the workers' devices take turns, and are told" $?

run_job noisy 1 --set 'searches=[{methods: [random], layers: all, select: [1], budget: 12, noise: {kind: membrane, scale: 0.1}, recheck: {candidates: 2, presentations: 3}}]'
report "noise is that of single images" $?

run_job resumed 1 --set 'searches.0.budget=30' && census 1 run "$folder/job.yaml" --set "results=$folder/resumed" --extend &&
    census 1 gather "$folder/resumed" && same "$folder/ranks1/results.h5" "$folder/resumed/results.h5"
report "extended is as searched at once" $?

shared='searches=[{mode: shared, methods: [tt_b], layers: all, sample: 3, budget: 150, shared: {random: 40, round: 50}}]'
run_and_gather shared1 1 --set "$shared" && run_and_gather shared2 2 --set "$shared" &&
    same "$folder/shared1/results.h5" "$folder/shared2/results.h5" &&
    "$program" verify "$folder/shared1/results.h5" --recompute 20 >"$log" 2>&1 && says ', 0.00 spikes'
report "units that share images find on a device what the reference kernels see" $?
run_job shared3 3 --set "$shared"
[ $? -eq 5 ] && says 'rank 1 computes with 0.0 float32 host, rank 2 with 0.1 float32 host'
report "workers that compute otherwise share no images" $?

# idx TYPE N ...   a header of MNIST's files: dimensions, then so many random bytes
idx() {
    perl -e 'binmode STDOUT; srand 1; my $n = 1; $n *= $_ for @ARGV;
             print pack("CCCC", 0, 0, 8, scalar @ARGV), pack("N*", @ARGV), map { chr int rand 10 * @ARGV ** 2 } 1 .. $n' "$@"
}

mkdir "$folder/images" && idx 30 28 28 >"$folder/images/t10k-images-idx3-ubyte" && idx 30 >"$folder/images/t10k-labels-idx1-ubyte"
natural() {
    census 1 natural --model weights/mnist_cnn.yaml --timesteps 4 --isa cuda --data "$folder/images" --output "$folder/$1.h5"
}
natural whole && ! says 'it goes on with' && MEICENSUS_ON_HOST_MIB=5 natural half && says 'it goes on with 6 images a call, not 12'
report "natural goes on with half a batch where memory is short" $?
for dataset in top_activation top_image quantile; do
    h5diff -v "$folder/whole.h5" "$folder/half.h5" "/$dataset" >"$log" 2>&1 && says '^0 differences found'
    report "natural finds the same $dataset with half a batch" $?
done

"$program" plan "$folder/job.yaml" >"$log" 2>&1 && says 'of each group on its processor, not on a GPU'
report "a plan says whose times it tells" $?

BENCH_DEVICE=false tests/gpu/gpu_check.sh >"$log" 2>&1
[ $? -eq 1 ] && says '^gpu-check: there is no GPU' && says '^FAIL gpu-check: nothing was checked'
report "gpu-check fails where there is no GPU" $?

exit $failed
