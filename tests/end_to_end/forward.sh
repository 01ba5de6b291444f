#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `forward` on files: what it writes against what the packages computed (tests/golden/golden.h5), and what it
# refuses; with ISA=cuda in the environment, on a GPU. Every bit of it is compared by tests/modules/test_model.c; here the files are.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

golden=tests/golden/golden.h5

# input DATASET   $folder/input.h5 with this dataset of the golden file
input() {
    rm -f "$folder/input.h5"
    h5copy -i "$golden" -o "$folder/input.h5" -s "/$1" -d /input
}

# forward MODEL OUTPUT ARGUMENT...   runs $folder/input.h5 through a network
forward() {
    local isa=()
    [ -z "${ISA:-}" ] || [[ " $* " == *' --isa '* ]] || isa=(--isa "$ISA")
    "$program" forward --model "weights/$1.yaml" --input "$folder/input.h5" --output "$folder/$2.h5" "${isa[@]}" "${@:3}" >"$log" 2>&1
}

# near DIFFERENCE FILE DATASET GOLDEN_DATASET   no value differs by more; on a GPU, which adds in another order, a spike
# may flip, and one image of the 8 go another way. The status of h5diff counts attributes, too.
near() {
    local n
    h5diff -v -d "$1" "$folder/$2.h5" "$golden" "$3" "$4" >"$log" 2>&1
    n=$(sed -n 's/^\([0-9]*\) differences found.*/\1/p' "$log")
    [ -n "$n" ] && [ "$n" -le "$([ -n "${ISA:-}" ] && echo 10 || echo 0)" ]
}

# raw FILE DATASET OUTPUT   the bytes of a dataset, little-endian
raw() {
    h5dump -d "$2" -b LE -o "$3" "$1" >/dev/null 2>>"$log"
}

# few_bytes_differ A B   files of one size, of whose bytes less than one in a hundred differs
few_bytes_differ() {
    local size
    size=$(stat -c %s "$1")
    [ "$size" -gt 0 ] && [ "$size" = "$(stat -c %s "$2")" ] &&
        [ "$(cmp -l "$1" "$2" | wc -l)" -le $((size / 100)) ]
}

# rates_near FILE CASE T LAYER:SIDE...   spike counts differ by two at most
rates_near() {
    local item layer side
    for item in "${@:4}"; do
        layer=${item%:*} side=${item#*:}
        near "$(awk -v n=$(($3 * side * side)) 'BEGIN { print 2.1 / n }')" "$1" "/rate/$layer" "/$2/rate/$layer" ||
            return 1
    done
}

layers='sn1:16 layer1.0.sn2:8 layer2.1.sn1:4 layer3.0.sn2:2 layer4.1.sn2:1'

# refused NAME STATUS PATTERN MODEL ARGUMENT...
refused() {
    local status
    forward "$4" refused "${@:5}"
    status=$?
    [ $status -eq "$2" ] && says "$3" && [ ! -e "$folder/refused.h5" ] && [ ! -e "$folder/refused.h5.part" ]
    report "refused: $1" $?
}

input vq_vae/input
forward vq_vae vq && near 1e-4 vq /output /vq_vae/output
report "images of a codebook generator" $?
forward vq_vae vq_reference --isa reference && near 1e-4 vq_reference /output /vq_vae/output
report "the same with the reference kernels" $?
refused "latent codes of another length" 3 "input.h5: dataset 'input' has shape \[8, 64\], expected \[N, 128\]" sn_gan_light
refused "codes where images are needed" 3 "has shape \[8, 64\], expected \[N, 3, 32, 32\]" spiking_resnet18
refused "spikes of a network without any" 2 '\--spikes: no layer of vq_vae spikes' vq_vae --spikes
refused "an isa that is not there" 3 "isa: there is no 'fast'" vq_vae --isa fast
program=build/tests/meicensus_without_cuda refused "a GPU where nvcc was not" 3 'built without CUDA' vq_vae --isa cuda
if [ ! -e /dev/nvidia0 ] && [ -z "${ISA:-}" ]; then
    refused "a GPU that is not there" 3 'CUDA: device 0 of 0 cannot be used: ' vq_vae --isa cuda
fi
refused "time steps of a network without spikes" 3 '4 time steps, but no layer spikes' vq_vae --timesteps 4

input sngan_trained/input
forward sn_gan_light gan && near 1e-4 gan /output /sngan_trained/output
report "images of a generator on a grid" $?

input resnet18/input
forward spiking_resnet18 spiking --spikes && near 0.05 spiking /output /resnet18/output
report "class outputs of a subject" $?
# shellcheck disable=SC2086
rates_near spiking resnet18 20 $layers
report "rates of its layers" $?
raw "$golden" /resnet18/spikes/layer2.0.sn1 "$folder/expected.raw"
raw "$folder/spiking.h5" /spikes/layer2.0.sn1 "$folder/all.raw"
head -c $((20 * 128 * 4)) "$folder/all.raw" >"$folder/first.raw"
few_bytes_differ "$folder/expected.raw" "$folder/first.raw"
report "packed spikes of the first image" $?
h5dump -a /spikes/layer2.0.sn1/shape "$folder/spiking.h5" >"$log" 2>&1
says '\[8, 20, 128, 4, 4\]'
report "shape of the spikes before packing" $?
forward spiking_resnet18 again --spikes && h5diff "$folder/spiking.h5" "$folder/again.h5" >"$log" 2>&1 && [ ! -s "$log" ]
report "the same bits again" $?
refused "images where codes are needed" 3 "has shape \[8, 3, 32, 32\], expected \[N, 64\]" vq_vae
refused "a constant that no neuron has" 3 "\--neuron:1: unknown key 'taus' in 'neuron'; did you mean 'tau'" spiking_resnet18 --neuron '{taus: 3.0}'

input resnet18_soft_reset/input
forward spiking_resnet18 soft --timesteps 7 --neuron '{tau: 10.0, decay_input: false, reset: soft}' &&
    near 0.1 soft /output /resnet18_soft_reset/output
report "other time steps and neurons" $?
# shellcheck disable=SC2086
rates_near soft resnet18_soft_reset 7 $layers
report "rates of its layers" $?

input resnet18/rate/sn1
refused "indices that are not whole" 3 "value [0-9]* is 0[.0-9e-]*, expected a whole number from 0 to 511" vq_vae
cp "$golden" "$folder/input.h5"
refused "no dataset 'input'" 3 "input.h5: .*input" vq_vae
cp weights/README.md "$folder/input.h5"
refused "no HDF5 file" 3 'input.h5: is no HDF5 file' vq_vae
rm "$folder/input.h5"
refused "no file" 4 'input.h5: ' vq_vae
refused "no model" 4 'weights/absent.yaml: ' absent
input vq_vae/input
"$program" forward --model weights/vq_vae.yaml --input "$folder/input.h5" --output "$folder/none/output.h5" >"$log" 2>&1
[ $? -eq 4 ] && says 'none/output.h5'
report "refused: a folder that is not there" $?

exit $failed
