#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `encode`: images that the VQ-VAE made are encoded, and made again.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

golden=tests/golden/golden.h5
mkdir -p "$folder/data/some name" "$folder/models"

# values FILE DATASET TYPE   a dataset as text, one value a line; TYPE as perl's unpack takes it
values() {
    h5dump -d "$2" -b LE -o "$folder/values.raw" "$1" >"$log" 2>&1
    perl -e 'binmode STDIN; print "$_\n" for unpack "$ARGV[0]*", do { local $/; <STDIN> }' "$3" <"$folder/values.raw"
}

# rows   golden images of the decoder as rows of CIFAR-10's layout, with labels 200, 201, ..
rows() {
    values "$golden" /vq_vae/output 'f<' | perl -e '
        my @mean = (0.4914, 0.4822, 0.4465), my @std = (0.2023, 0.1994, 0.2010);
        binmode STDOUT;
        my @value = <STDIN>;
        for my $i (0 .. $#value) {
            my $c = $i / 1024 % 3;
            my $byte = int(255 * ($value[$i] * $std[$c] + $mean[$c]) + 0.5);
            print chr(200 + $i / 3072) if $i % 3072 == 0;
            print chr($byte < 0 ? 0 : $byte > 255 ? 255 : $byte);
        }'
}

# encode MODEL DATA ARGUMENT...   codes of the images in DATA go to codes.h5
encode() {
    "$program" encode --model "$1" --data "$2" --output "$folder/codes.h5" "${@:3}" >"$log" 2>&1
}

# refused NAME STATUS PATTERN MODEL DATA ARGUMENT...
refused() {
    local status
    rm -f "$folder/codes.h5"
    encode "${@:4}"
    status=$?
    [ $status -eq "$2" ] && says "$3" && [ ! -e "$folder/codes.h5" ] && [ ! -e "$folder/codes.h5.part" ]
    report "refused: $1" $?
}

# decoder NAME OLD NEW   a generator like vq_vae with a change, beside its encoder
decoder() {
    sed "s|$2|$3|" weights/vq_vae.yaml >"$folder/models/$1.yaml"
    ! cmp -s weights/vq_vae.yaml "$folder/models/$1.yaml"
    report "the file of $1 is changed" $?
}

# encoder NAME OLD NEW   a decoder of that name with an encoder like vq_vae_encoder with a change
encoder() {
    sed "s|$2|$3|" weights/vq_vae_encoder.yaml >"$folder/models/$1_encoder.yaml"
    ! cmp -s weights/vq_vae_encoder.yaml "$folder/models/$1_encoder.yaml"
    report "the encoder of $1 is changed" $?
    decoder "$1" 'vq_vae_encoder.yaml' "$1_encoder.yaml"
}

rows >"$folder/data/a.bin"
encode weights/vq_vae.yaml "$folder/data/a.bin" --images
says '^encoded 8 images by vq_vae: mean squared error 0.00[0-9]* of RGB from 0 to 1$'
report "images of the decoder" $?

values "$folder/codes.h5" /code 'l<' | perl -ne '$least = $_ if !defined $least || $_ < $least; $most = $_ if $_ > $most;
    END { exit !($. == 8 * 64 && $least >= 0 && $most > 255 && $most < 512) }'
report "codes are indices into the codebook" $?
[ "$(values "$folder/codes.h5" /label 'l<' | tr '\n' ' ')" = '200 201 202 203 204 205 206 207 ' ]
report "labels are kept as they are" $?

cat >"$folder/layout" <<END
PATH input
INPUT-CLASS TEXTIN
INPUT-SIZE 32
RANK 2
DIMENSION-SIZES 8 64
OUTPUT-CLASS IN
OUTPUT-SIZE 32
END
values "$folder/codes.h5" /code 'l<' >"$folder/codes.text"
h5import "$folder/codes.text" -c "$folder/layout" -o "$folder/again.h5" >"$log" 2>&1 &&
    "$program" forward --model weights/vq_vae.yaml --input "$folder/again.h5" --output "$folder/images.h5" >"$log" 2>&1 &&
    [ "$(values "$folder/images.h5" /output 'f<')" = "$(values "$folder/codes.h5" /output 'f<')" ]
report "--images: what forward makes of the codes" $?

encode weights/vq_vae.yaml "$folder/data" --limit 3 --isa reference
says '^encoded 3 images' && ! h5ls "$folder/codes.h5" | grep -q '^output '
report "--limit, a folder, other kernels, no images unless asked for" $?
[ "$(values "$folder/codes.h5" /code 'l<')" = "$(head -n 192 "$folder/codes.text")" ]
report "the reference kernels find the same codes" $?

ln -s "$PWD/weights/vq_vae.safetensors" "$folder/models/"
cp weights/vq_vae_encoder.yaml "$folder/models/"
refused "a generator without an encoder" 3 'sn_gan_light has no encoder; expected a generator' \
    weights/sn_gan_light.yaml "$folder/data"
refused "a subject" 3 'expected a generator' weights/spiking_resnet18.yaml "$folder/data"
refused "an encoder alone" 3 'expected a generator' weights/vq_vae_encoder.yaml "$folder/data"
refused "no such data" 4 'absent: cannot be opened' weights/vq_vae.yaml "$folder/absent"
refused "no images at all" 2 '\--limit 0: expected a whole number from 1' weights/vq_vae.yaml "$folder/data" --limit 0
decoder absent 'encoder: vq_vae_encoder' 'encoder: absent_encoder'
refused "an encoder that is not there" 4 'absent_encoder.yaml' "$folder/models/absent.yaml" "$folder/data"
decoder subject 'encoder: vq_vae_encoder.yaml' "encoder: $PWD/weights/relu_resnet18.yaml"
refused "an encoder that is a subject" 3 "is no 'role: encoder'" "$folder/models/subject.yaml" "$folder/data"
encoder small 'height: 32, width: 32' 'height: 16, width: 16'
refused "an encoder of smaller images" 3 \
    'takes images of 3 x 16 x 16, expected 3 x 32 x 32 as the generator makes them' "$folder/models/small.yaml" "$folder/data"
encoder fine 'stride: 2, padding: 1, prefix: _encoder._conv_2' 'stride: 1, padding: 1, prefix: _encoder._conv_2'
refused "an encoder with more indices" 3 'gives 225 indices into a codebook of 512 rows, which are no codes' \
    "$folder/models/fine.yaml" "$folder/data"

exit $failed
