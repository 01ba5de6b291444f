#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `natural` on random images: whatever the number of ranks, killed or not, rows or PNG, the file is the same; what
# is in it is what `forward` says; a job that names it takes it into the results and their analysis; wrong inputs and
# their messages.
# TEST_SEED=N repeats the choices of an earlier test.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh
. tests/end_to_end/common/launch.sh

choose_seed

n_images=520
model=weights/spiking_resnet18.yaml
timesteps=2

# images N SEED   so many random rows of a label and 3 x 32 x 32 bytes, of unlike brightness and colour
images() {
    perl -e '
        binmode STDOUT;
        srand $ARGV[1];
        for my $n (1 .. $ARGV[0]) {
            my @level = map { rand 256 } 1 .. 48;
            print chr int rand 9;
            print pack "C*", map { my ($c, $y, $x) = (int $_ / 1024, int($_ / 32) % 32, $_ % 32);
                                   $level[16 * $c + 4 * int($y / 8) + int($x / 8)] } 0 .. 3071;
        }' "$1" "$2"
}

# natural RANKS OUTPUT ARGUMENT...   of few time steps; the data comes with the arguments
natural() {
    census "$1" natural --model $model --timesteps $timesteps --output "$folder/$2" "${@:3}"
}

# refused NAME STATUS PATTERN OUTPUT ARGUMENT...
refused() {
    local status
    natural 1 "${@:4}"
    status=$?
    [ $status -eq "$2" ] && says "$3" && [ "$(grep -c 'meicensus: error: ' "$log")" -eq 1 ]
    report "refused: $1" $?
}

# raw FILE DATASET   its numbers, little-endian
raw() {
    h5dump -d "$2" -b LE -o "$folder/raw" "$1" >"$log" 2>&1 && cat "$folder/raw"
}

# images_shown FILE   by the last start
images_shown() {
    h5dump -a /provenance/images_shown "$1" | sed -n 's/.*(0): //p'
}

# ---- one, two and three ranks ----

mkdir "$folder/data" "$folder/png" "$folder/flat" "$folder/empty"
images $n_images 1 >"$folder/data/a.bin"
whole=(--data "$folder/data" --top 1)
for ranks in 1 2 3; do
    natural $ranks "ranks$ranks.h5" "${whole[@]}" && says "3914 units, 1 best of $n_images images each"
    report "$ranks ranks" $?
    [ ! -e "$folder/ranks$ranks.h5.parts" ] && [ "$(images_shown "$folder/ranks$ranks.h5")" = $n_images ] &&
        same "$folder/ranks1.h5" "$folder/ranks$ranks.h5"
    report "$ranks ranks give what one gives, and leave nothing behind" $?
done
undisturbed=$folder/ranks1.h5

# agrees_with_forward   the first images, more than one chunk: of every unit of the first and the last layer and every class the
# activations of `forward`, ranked here
agrees_with_forward() {
    local n_few=270
    head -c $((n_few * 3073)) "$folder/data/a.bin" >"$folder/few.bin"
    perl -e '
        sub single { unpack "f", pack "f", $_[0] }
        my @mean = map { single($_) } 0.4914, 0.4822, 0.4465;
        my @std = map { single($_) } 0.2023, 0.1994, 0.2010;
        binmode STDIN;
        binmode STDOUT;
        while (read STDIN, my $row, 3073) {
            my @byte = unpack "C*", substr $row, 1;
            print pack "f<*", map { my $c = int $_ / 1024; single(single($byte[$_] / 255) - $mean[$c]) / $std[$c] }
                0 .. $#byte;
        }' <"$folder/few.bin" >"$folder/normalised.raw"
    printf '%s\n' 'PATH input' 'INPUT-CLASS FP' 'INPUT-SIZE 32' 'INPUT-BYTE-ORDER LE' 'RANK 4' \
        "DIMENSION-SIZES $n_few 3 32 32" 'OUTPUT-CLASS FP' 'OUTPUT-SIZE 32' >"$folder/layout"
    h5import "$folder/normalised.raw" -c "$folder/layout" -o "$folder/input.h5" >"$log" 2>&1 || return 1
    census 1 forward --model $model --timesteps $timesteps --input "$folder/input.h5" --output "$folder/forward.h5" || return 1
    natural 1 few.h5 --data "$folder/few.bin" --top 5 || return 1
    {
        raw "$folder/forward.h5" /rate/sn1
        raw "$folder/forward.h5" /rate/layer4.1.sn2
        raw "$folder/forward.h5" /output
    } >"$folder/rates"
    raw "$folder/few.h5" /top_image >"$folder/top_image"
    raw "$folder/few.h5" /top_activation >"$folder/top_activation"
    perl -e '
        my ($rates, $images, $activations) =
            map { open my $file, "<:raw", $_ or die; local $/; <$file> } @ARGV[0 .. 2];
        my $n = $ARGV[3];
        my @rate = unpack "f<*", $rates;
        my @image = unpack "q<*", $images;
        my @activation = unpack "f<*", $activations;
        my ($at, $n_checked) = (0, 0);
        for my $part ([64, 0], [512, 3392], [10, 3904]) {
            my ($channels, $first) = @$part;
            for my $c (0 .. $channels - 1) {
                my @value = map { $rate[$at + $_ * $channels + $c] } 0 .. $n - 1;
                my @order = sort { $value[$b] <=> $value[$a] || $a <=> $b } 0 .. $n - 1;
                for my $k (0 .. 4) {
                    my $row = 5 * ($first + $c) + $k;
                    abs($activation[$row] - $value[$order[$k]]) < 1e-5 or die "unit $first + $c, place $k";
                    $channels == 10 or $image[$row] == $order[$k] or die "unit $first + $c, place $k: image";
                    $n_checked++;
                }
            }
            $at += $n * $channels;
        }
        $n_checked == 2930 or die "only $n_checked";' "$folder/rates" "$folder/top_image" "$folder/top_activation" $n_few \
        >"$log" 2>&1
}

agrees_with_forward
report "the activations are those of forward, ranked" $?

# labelled_like_the_rows   the label of every unit's best image is that of the row it names, and the pixels of the
# images are those of the rows; each stands there once
labelled_like_the_rows() {
    local name
    for name in top_image top_label image rgb8; do
        raw "$undisturbed" /$name >"$folder/$name" || return 1
    done
    perl -e '
        my ($rows, $tops, $labels, $images, $pixels) =
            map { open my $file, "<:raw", $_ or die; local $/; <$file> } @ARGV;
        my @top = unpack "q<*", $tops;
        my @label = unpack "l<*", $labels;
        my @image = unpack "q<*", $images;
        my %unlike = map { $_ => 1 } @top;
        @top == 3914 or die "number of best images";
        "@image" eq join " ", sort { $a <=> $b } keys %unlike or die "list of images";
        length $pixels == 3072 * @image or die "number of pixels";
        for my $i (0 .. $#top) {
            ord(substr $rows, 3073 * $top[$i], 1) == $label[$i] or die "label of $i";
        }
        for my $i (0 .. $#image) {
            my $row = substr $rows, 3073 * $image[$i], 3073;
            for my $p (0, 5, 1023) {
                for my $c (0 .. 2) {
                    substr($row, 1 + 1024 * $c + $p, 1) eq substr($pixels, 3072 * $i + 3 * $p + $c, 1) or die "pixel of $i";
                }
            }
        }' "$folder/data/a.bin" "$folder/top_image" "$folder/top_label" "$folder/image" "$folder/rgb8" >"$log" 2>&1
}

labelled_like_the_rows
report "labels and pixels are those of the images" $?

# batches_are_forward   images shown together, by kernels that can, have the bits of those shown one by one
batches_are_forward() {
    local n_few=23
    printf '%s\n' 'PATH input' 'INPUT-CLASS FP' 'INPUT-SIZE 32' 'INPUT-BYTE-ORDER LE' 'RANK 4' \
        "DIMENSION-SIZES $n_few 3 32 32" 'OUTPUT-CLASS FP' 'OUTPUT-SIZE 32' >"$folder/layout"
    head -c $((n_few * 12288)) "$folder/normalised.raw" >"$folder/normalised_few.raw"
    rm -f "$folder/input.h5"
    h5import "$folder/normalised_few.raw" -c "$folder/layout" -o "$folder/input.h5" >"$log" 2>&1 || return 1
    census 1 forward --model weights/relu_resnet18.yaml --input "$folder/input.h5" --output "$folder/forward.h5" || return 1
    census 1 natural --model weights/relu_resnet18.yaml --data "$folder/few.bin" --limit $n_few --top $n_few \
        --no-images --output "$folder/relu.h5" || return 1
    {
        raw "$folder/forward.h5" /rate/sn1
        raw "$folder/forward.h5" /rate/layer4.1.sn2
    } >"$folder/rates"
    raw "$folder/relu.h5" /top_image >"$folder/top_image"
    raw "$folder/relu.h5" /top_activation >"$folder/top_activation"
    perl -e '
        my ($rates, $images, $activations) =
            map { open my $file, "<:raw", $_ or die; local $/; <$file> } @ARGV[0 .. 2];
        my $n = $ARGV[3];
        my @image = unpack "q<*", $images;
        my ($at, $n_checked) = (0, 0);
        for my $part ([64, 0], [512, 3392]) {
            my ($channels, $first) = @$part;
            for my $c (0 .. $channels - 1) {
                for my $k (0 .. $n - 1) {
                    my $place = ($first + $c) * $n + $k;
                    my $rate = substr $rates, 4 * ($at + $image[$place] * $channels + $c), 4;
                    $rate eq substr $activations, 4 * $place, 4 or die "unit $first + $c, place $k";
                    $n_checked++;
                }
            }
            $at += $n * $channels;
        }
        $n_checked == 13248 or die "only $n_checked";' "$folder/rates" "$folder/top_image" "$folder/top_activation" $n_few \
        >"$log" 2>&1
}

batches_are_forward
report "images in batches have the bits of images one by one" $?
natural 1 best.h5 --data "$folder/few.bin" --limit 40 --top 3 --images 1 && natural 1 bare.h5 --data "$folder/few.bin" \
    --limit 40 --top 3 --no-images &&
    ! h5ls "$folder/bare.h5/rgb8" >/dev/null 2>&1 && ! h5ls "$folder/bare.h5/image" >/dev/null 2>&1 &&
    raw "$folder/best.h5" /top_image >"$folder/top_image" && raw "$folder/best.h5" /image >"$folder/image" &&
    [ "$(od -An -v -t d8 -w24 "$folder/top_image" | awk '{ print $1 }' | sort -un)" = \
        "$(od -An -v -t d8 -w8 "$folder/image" | awk '{ print $1 }')" ]
report "pixels of the best only, and none at all" $?

# ---- in a census ----

# job TEXT   of the subject; the searches are few
job() {
    cat >"$folder/job.yaml" <<EOF
results: $folder/results
subjects: {spiking: {model: $model, timesteps: $timesteps$1}}
generators: {vq_vae: {model: weights/vq_vae.yaml}}
methods: {random: {}}
searches:
  - {layers: [sn1, layer4.1.sn2], select: [2, 5, 63], budget: 5}
  - {unit: class, select: [4], budget: 5}
  - {unit: neuron, layers: [sn1], select: [[1, 2, 3]], budget: 5}
trials: {count: 2}
EOF
}

# refuses NAME STATUS PATTERN   the job
refuses() {
    local status
    census 1 plan "$folder/job.yaml"
    status=$?
    [ $status -eq "$2" ] && says "$3" && says 'meicensus natural --model weights/spiking_resnet18.yaml'
    report "a job refuses: $1" $?
}

natural 1 natural.h5 --data "$folder/few.bin" --limit 60 --top 3 --neuron '{tau: 2.0}'
job ", natural: $folder/natural.h5, neuron: {tau: 2}"
census 1 plan "$folder/job.yaml" && says '^spiking: natural references of 7 units, 3 best of 60 images each' &&
    says '1 single neurons have none$'
report "plan says what references there are; constants are compared as numbers" $?
census 1 run "$folder/job.yaml" && census 2 gather "$folder/results" --output "$folder/two.h5" &&
    census 1 gather "$folder/results" && same "$folder/results/results.h5" "$folder/two.h5"
report "gathered by one and by two ranks" $?
census 1 verify "$folder/two.h5" && says undamaged
report "verify" $?

# taken_over   channels 2, 5, 63 of sn1 and of layer4.1.sn2 and class 4: rows of natural.h5
taken_over() {
    local field bytes row
    for field in top_image:24 top_label:12 top_activation:12 quantile:36 mean:4 class_mean:40; do
        bytes=${field#*:}
        raw "$folder/natural.h5" "/${field%:*}" >"$folder/whole"
        for row in 2 5 63 3394 3397 3455 3908; do
            tail -c +$((row * bytes + 1)) "$folder/whole" | head -c "$bytes"
        done >"$folder/expected"
        raw "$folder/two.h5" "/natural/spiking/${field%:*}" | cmp - "$folder/expected" >>"$log" 2>&1 || return 1
    done
    # rows of /units/spiking: the single neuron stands behind the channels of its layer
    [ "$(raw "$folder/two.h5" /natural/spiking/unit | od -An -v -t d4 -w28 | xargs)" = '0 1 2 4 5 6 7' ]
}
taken_over
report "the results hold what the references say of these units" $?
build/meicensus-analyze "$folder/two.h5" --out "$folder/analysis" >"$log" 2>&1 &&
    [ "$(awk -F, 'NR > 1 { n += $7 } END { print n }' "$folder/analysis/spiking/relative.csv")" -gt 0 ] &&
    ! grep -q -i -E '(^|,)-?(nan|inf)(,|$)' "$folder"/analysis/spiking/*.csv &&
    grep -q 'most exciting image of a dataset' "$folder/analysis/README.txt"
report "the analysis compares with them" $?

job ", natural: $folder/none.h5"
refuses "no such file" 3 'none.h5: cannot be read: No such file'
job ", natural: $folder/data/a.bin"
census 1 plan "$folder/job.yaml"
[ $? -eq 3 ] && says 'a.bin: not natural references'
report "a job refuses: something else" $?
job ", natural: $folder/natural.h5, neuron: {tau: 3}"
refuses "other constants" 3 "made with other neuron constants: found {kind: lif, tau: 2,.*has {kind: lif, tau: 3,.*--neuron '{tau: 3}'"
job ", natural: $folder/relu.h5"
refuses "another network" 3 'made for other weights'
census 1 run "$folder/job.yaml" --set "results=$folder/other"
[ $? -eq 3 ] && says 'made for other weights' && [ ! -e "$folder/other" ]
report "run refuses it before anything is done" $?
job ", natural: $folder/natural.h5"
census 1 plan "$folder/job.yaml" --set subjects.spiking.timesteps=3
[ $? -eq 3 ] && says 'found T = 2, but subject .* has T = 3;.*--timesteps 3'
report "a job refuses: another T" $?

# ---- killed ----

# bytes_done OUTPUT   of all its journals
bytes_done() {
    cat "$folder/$1".parts/*.journal 2>/dev/null | wc -c
}

# shellcheck disable=SC2317
has_done_one() { [ "$(bytes_done half.h5)" -gt 1000000 ] || has_ended; }

# launch_natural RANKS OUTPUT
launch_natural() {
    launch "$1" natural --model $model --timesteps $timesteps --output "$folder/$2" "${whole[@]}"
}

# shellcheck disable=SC2317
has_begun() { compgen -G "$folder/half.h5.parts/*.journal" >/dev/null || has_ended; }

# stopped_at_work   by the signal that Slurm sends before a time limit
stopped_at_work() {
    launch_natural 1 half.h5
    wait_until 60 has_begun
    kill -USR1 "$launched"
    ended 10
    [ "$ended_status" -eq 75 ] && says 'stopped by a signal; start the same command again to continue'
}

# killed_at_work   kill -9 of one process alone when its first chunk is on disk
killed_at_work() {
    launch_natural 1 half.h5
    wait_until 60 has_done_one
    kill -KILL "$launched"
    ended 10
    [ "$ended_status" -eq 137 ] && [ "$(bytes_done half.h5)" -gt 1000000 ] && [ ! -e "$folder/half.h5" ]
} 2>/dev/null

# struck TARGET   kill -9 of one of three ranks, of mpirun, or of everything, some time after the start
struck() {
    launch_natural 3 struck.h5
    sleep "$((RANDOM % 3)).$((RANDOM % 10))"
    kill_target "$1"
    ended 30
    wait_until 20 none_left_over && { [ ! -e "$folder/struck.h5" ] || same "$undisturbed" "$folder/struck.h5"; }
} 2>/dev/null

stopped_at_work
report "stopped by a signal (status $ended_status)" $?
killed_at_work
report "kill -9 after the first chunk" $?
cp -r "$folder/half.h5.parts" "$folder/killed.h5.parts"
cp -r "$folder/half.h5.parts" "$folder/struck.h5.parts"
natural 2 killed.h5 "${whole[@]}" && same "$undisturbed" "$folder/killed.h5"
report "killed and resumed is the undisturbed one" $?
shown=$(images_shown "$folder/killed.h5")
[ "${shown:-$n_images}" -le $((n_images - 250)) ]
report "what was done before is not done again ($shown images shown)" $?
targets=(0 1 2 mpirun everything)
target=${targets[RANDOM % 5]}
struck "$target"
report "kill -9 of $target (status $ended_status)" $?
natural 1 struck.h5 "${whole[@]}" && same "$undisturbed" "$folder/struck.h5"
report "killed twice and resumed is the undisturbed one" $?

# ---- parts of something else ----

sed 's/\x01/\x02/' "$folder/data/a.bin" >"$folder/other.bin"
refused "parts for other images" 5 "there 'dataset sha256: [0-9a-f]*', here 'dataset sha256:" half.h5 \
    --data "$folder/other.bin"
timesteps=3
refused "parts for another number of time steps" 5 "there 'timesteps: 2', here 'timesteps: 3'" half.h5 --data "$folder/data"
timesteps=2
refused "parts for other neurons" 5 "there 'neuron: {kind: lif, tau: 2, .*', here 'neuron: {kind: lif, tau: 3, " half.h5 \
    --data "$folder/data" --neuron '{tau: 3.0}'
refused "parts for other kernels" 5 "there 'kernels: .*here 'kernels: cpu reference" half.h5 \
    --data "$folder/data" --isa reference
mkdir "$folder/weights"
cp weights/spiking_resnet18.* "$folder/weights"
echo '# another file' >>"$folder/weights/spiking_resnet18.yaml"
model=$folder/weights/spiking_resnet18.yaml
refused "parts for another model" 5 "there 'model sha256: .*here 'model sha256:" half.h5 --data "$folder/data"
model=weights/spiking_resnet18.yaml
largest=$(find "$folder/half.h5.parts" -name '*.journal' -size +900k -print -quit)
printf '\377\377' | dd of="$largest" bs=1 seek=100000 conv=notrunc status=none
refused "damaged parts" 7 'journal: damaged at byte ' half.h5 --data "$folder/data"

# ---- PNG ----

# pngs FILE WIDTH COLOUR   the first 60 rows of a file as PNG images class N/IMAGE.png and, without classes,
# IMAGE.png; COLOUR as PNG has it: 2 RGB, 6 RGB and alpha
pngs() {
    perl -e '
        sub crc { my $crc = 0xffffffff;
                  for my $byte (unpack "C*", $_[0]) {
                      $crc ^= $byte;
                      $crc = $crc & 1 ? ($crc >> 1) ^ 0xedb88320 : $crc >> 1 for 1 .. 8;
                  }
                  $crc ^ 0xffffffff }
        sub adler { my ($a, $b) = (1, 0);
                    for my $byte (unpack "C*", $_[0]) { $a = ($a + $byte) % 65521; $b = ($b + $a) % 65521 }
                    $b << 16 | $a }
        sub chunk { my ($kind, $data) = @_; pack "Na4a*N", length $data, $kind, $data, crc($kind . $data) }
        my ($file, $folder, $width, $colour, $n, @names) = @ARGV;
        open my $rows, "<:raw", $file or die;
        for my $i (0 .. $n - 1) {
            read $rows, my $row, 3073 or die;
            my ($label, @byte) = unpack "C*", $row;
            my $data = "";
            for my $y (0 .. 31) {
                $data .= "\0";
                for my $x (0 .. $width - 1) {
                    $data .= pack "C*", map { $byte[1024 * $_ + 32 * $y + $x % 32] } 0 .. 2;
                    $data .= "\377" if $colour == 6;
                }
            }
            my $zlib = "\x78\x01\x01" . (pack "vv", length $data, ~length($data) & 0xffff) . $data . pack "N", adler($data);
            my $place = @names ? "$folder/$names[$label]" : $folder;
            mkdir $place;
            open my $png, ">:raw", sprintf "%s/%03d.png", $place, $i or die;
            print $png "\x89PNG\r\n\x1a\n", chunk("IHDR", pack "NNC5", $width, 32, 8, $colour, 0, 0, 0),
                chunk("IDAT", $zlib), chunk("IEND", "");
        }' "$@"
}

# Sorted by path, the images come by label, then by number: so do the rows that they are compared with.
perl -e '
    binmode STDIN;
    binmode STDOUT;
    my @row;
    while (@row < 30 && read STDIN, my $row, 3073) { push @row, $row }
    print sort { ord $a <=> ord $b } @row;' <"$folder/data/a.bin" >"$folder/sorted.bin"
classes='airplane automobile bird cat deer dog frog horse ship truck'
# shellcheck disable=SC2086
pngs "$folder/sorted.bin" "$folder/png" 32 2 30 $classes
natural 1 rows.h5 --data "$folder/sorted.bin" --top 2 && natural 2 png.h5 --data "$folder/png" --top 2 &&
    same "$folder/rows.h5" "$folder/png.h5"
report "PNG images in folders named after classes" $?
mv "$folder/png/bird" "$folder/png/2"
mv "$folder/png/2" "$folder/png/airplane" "$folder/flat" 2>/dev/null
natural 1 number.h5 --data "$folder/flat" --top 1 && raw "$folder/number.h5" /top_label >"$folder/labels" &&
    [ "$(od -An -v -t d4 -w4 "$folder/labels" | sort -un | tr -d ' \n')" = 02 ]
report "a folder with the number of a class" $?
pngs "$folder/sorted.bin" "$folder/empty" 32 2 12
natural 1 flat.h5 --data "$folder/empty" --limit 11 && raw "$folder/flat.h5" /top_label >"$folder/labels" &&
    [ "$(od -An -v -t d4 -w4 "$folder/labels" | sort -un | tr -d ' \n')" = -1 ]
report "PNG images without labels, --limit" $?

# ---- wrong inputs ----

mkdir "$folder/nothing" "$folder/wide" "$folder/alpha" "$folder/named" "$folder/cut"
pngs "$folder/sorted.bin" "$folder/wide" 40 2 1
refused "a PNG of another size" 3 'wide/000.png: the image is 40 x 32 pixels (width x height); .* takes 32 x 32' a.h5 \
    --data "$folder/wide" --top 1
pngs "$folder/sorted.bin" "$folder/alpha" 32 6 1
refused "a PNG with transparency" 3 'alpha/000.png: the image is RGB with transparency; expected RGB of 8 bits' a.h5 \
    --data "$folder/alpha" --top 1
pngs "$folder/sorted.bin" "$folder/named" 32 2 1 unicorn unicorn unicorn unicorn unicorn unicorn unicorn unicorn unicorn
refused "a folder that is no class" 3 "named/unicorn: 'unicorn' is no class of spiking_resnet18; expected .* 0 to 9" a.h5 \
    --data "$folder/named" --top 1
head -c 1000 "$folder/empty/000.png" >"$folder/cut/000.png"
refused "a PNG that is cut" 3 'cut/000.png: cannot be read as PNG' a.h5 --data "$folder/cut" --top 1
refused "a folder without images" 3 'nothing: no file \*.bin (binary CIFAR-10), .* or \*.png' a.h5 --data "$folder/nothing"
refused "no such folder" 4 'absent: cannot be opened: No such file' a.h5 --data "$folder/absent"
refused "more best images than images" 3 '\--top 9, but there are only 4 images' a.h5 --data "$folder/data" --limit 4
refused "both --images and --no-images" 2 'exclude each other' a.h5 --data "$folder/data" --images 1 --no-images
refused "an output in no folder" 4 'sorted.bin/a.h5.parts' sorted.bin/a.h5 --data "$folder/data"
printf 'x' >>"$folder/other.bin"
refused "rows that are cut" 3 'other.bin: 1597961 bytes are not whole rows of 3073 bytes' a.h5 --data "$folder/other.bin"
model=weights/vq_vae.yaml timesteps=1
refused "a generator" 3 'a generator has no classes; expected a subject' a.h5 --data "$folder/data"
! compgen -G "$folder/a.h5*" >/dev/null
report "what is refused leaves nothing behind" $?

exit $failed
