#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `accuracy` on small files in the layout of CIFAR-10, made of the images of tests/golden/golden.h5.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

golden=tests/golden/golden.h5
mkdir "$folder/data" "$folder/empty"

# cifar_bytes   images of the golden file as bytes, [8][3072]
cifar_bytes() {
    h5dump -d /resnet18/input -b LE -o "$folder/images.raw" "$golden" >"$log" 2>&1
    perl -e '
        my @mean = (0.4914, 0.4822, 0.4465), my @std = (0.2023, 0.1994, 0.2010);
        binmode STDIN;
        binmode STDOUT;
        my @value = unpack "f<*", do { local $/; <STDIN> };
        my @byte = map { my $c = $_ / 1024 % 3; 255 * ($value[$_] * $std[$c] + $mean[$c]) + 0.5 } 0 .. $#value;
        print pack "C*", map { $_ < 0 ? 0 : $_ > 255 ? 255 : int } @byte;' <"$folder/images.raw"
}

# normalised   bytes of images (input) as the float32 values that a network gets
normalised() {
    perl -e '
        my @mean = (0.4914, 0.4822, 0.4465), my @std = (0.2023, 0.1994, 0.2010);
        binmode STDIN;
        binmode STDOUT;
        my @byte = unpack "C*", do { local $/; <STDIN> };
        print pack "f<*", map { my $c = $_ / 1024 % 3; ($byte[$_] / 255 - $mean[$c]) / $std[$c] } 0 .. $#byte;'
}

# found_classes   what `forward` makes of the images, as eight bytes
found_classes() {
    cat >"$folder/layout" <<END
PATH input
INPUT-CLASS FP
INPUT-SIZE 32
INPUT-BYTE-ORDER LE
RANK 4
DIMENSION-SIZES 8 3 32 32
OUTPUT-CLASS FP
OUTPUT-SIZE 32
END
    normalised <"$folder/bytes" >"$folder/normalised.raw"
    h5import "$folder/normalised.raw" -c "$folder/layout" -o "$folder/input.h5" >"$log" 2>&1
    "$program" forward --model weights/spiking_resnet18.yaml --input "$folder/input.h5" --output "$folder/output.h5" >"$log" 2>&1
    h5dump -d /output -b LE -o "$folder/classes.raw" "$folder/output.h5" >"$log" 2>&1
    perl -e '
        binmode STDIN;
        my @output = unpack "f<*", do { local $/; <STDIN> };
        for my $n (0 .. 7) {
            my ($best) = sort { $output[10 * $n + $b] <=> $output[10 * $n + $a] } 0 .. 9;
            print chr $best;
        }' <"$folder/classes.raw"
}

# cifar SHIFT   eight rows: the class that `forward` found (plus SHIFT) and the image
cifar() {
    perl -e '
        binmode STDOUT;
        my ($bytes, $classes) = map { open my $file, "<:raw", $_ or die; local $/; <$file> } @ARGV[0, 1];
        for my $n (0 .. 7) {
            print chr((ord(substr $classes, $n, 1) + $ARGV[2]) % 10), substr $bytes, 3072 * $n, 3072;
        }' "$folder/bytes" "$folder/classes" "$1"
}

# accuracy MODEL DATA ARGUMENT...
accuracy() {
    "$program" accuracy --model "weights/$1.yaml" --data "$2" "${@:3}" >"$log" 2>&1
}

# refused NAME STATUS PATTERN MODEL DATA ARGUMENT...
refused() {
    local status
    accuracy "${@:4}"
    status=$?
    [ $status -eq "$2" ] && says "$3"
    report "refused: $1" $?
}

cifar_bytes >"$folder/bytes"
found_classes >"$folder/classes"
[ "$(stat -c %s "$folder/bytes")" -eq $((8 * 3072)) ] && [ "$(stat -c %s "$folder/classes")" -eq 8 ]
report "images and their classes are made" $?
cifar 0 >"$folder/data/a.bin"
cifar 1 >"$folder/wrong.bin"
accuracy spiking_resnet18 "$folder/data/a.bin" --isa openblas
says '^accuracy 1.0000 (8 of 8 images, T = 20, kernels openblas)$'
report "images labelled with the classes that forward finds" $?
accuracy spiking_resnet18 "$folder/wrong.bin"
says '^accuracy 0.0000 (0 of 8 images'
report "the same images with other labels" $?
accuracy spiking_resnet18 "$folder/data/a.bin" --limit 3 --timesteps 20 --neuron '{threshold: 1.0}'
says '^accuracy 1.0000 (3 of 3 images, T = 20'
report "--limit" $?
accuracy spiking_resnet18 "$folder/data/a.bin" --timesteps 1 --neuron '{threshold: 1000.0}'
says '^accuracy 0[.0-9]* ([0-7] of 8 images, T = 1,'
report "--timesteps and --neuron change what is run" $?

cp "$folder/wrong.bin" "$folder/data/b.bin"
accuracy spiking_resnet18 "$folder/data"
says '^accuracy 0.5000 (8 of 16 images'
report "a folder: all its files" $?
accuracy spiking_resnet18 "$folder/data" --limit 10
says '^accuracy 0.8000 (8 of 10 images'
report "a folder: in the order of names" $?

refused "a folder without data" 3 'empty: no file \*.bin' relu_resnet18 "$folder/empty"
refused "no such file" 4 'absent: cannot be opened: No such file' relu_resnet18 "$folder/absent"
refused "a generator" 3 'a generator has no classes' vq_vae "$folder/data"
refused "no images at all" 2 '\--limit 0: expected a whole number from 1' relu_resnet18 "$folder/data" --limit 0
printf 'x' >>"$folder/data/b.bin"
refused "a file that is cut" 3 'b.bin: 24585 bytes are not whole rows of 3073 bytes' relu_resnet18 "$folder/data"
printf '\012' | dd of="$folder/wrong.bin" bs=1 seek=3073 conv=notrunc status=none
refused "a label that the model has no class for" 3 'wrong.bin: image 1 has label 10, but relu_resnet18 has 10 classes' \
    relu_resnet18 "$folder/wrong.bin"
refused "an empty file" 3 'null: .*not whole rows' relu_resnet18 /dev/null

exit $failed
