#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command line: help, lists, and what is refused, with its exit code.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/end_to_end/common/census.sh

commands='run plan status gather verify list forward accuracy natural encode optimize bench'

# prints NAME PATTERN ARGUMENT...   succeeds, and a line of the output matches
prints() {
    "$program" "${@:3}" >"$log" 2>"$folder/errors" && [ ! -s "$folder/errors" ] && says "$2"
    report "$1" $?
}

# refused STATUS PATTERN ARGUMENT...   ends with this status and one line on standard error, nothing on output
refused() {
    local status
    "$program" "${@:3}" >"$folder/output" 2>"$log"
    status=$?
    [ $status -eq "$1" ] && [ ! -s "$folder/output" ] && [ "$(wc -l <"$log")" -eq 1 ] &&
        says "^meicensus: error: .*$2"
    report "refused with status $1: '${*:3}'" $?
}

# documents COMMAND OPTION...   its help has a usage line and one line for each option
documents() {
    local option missing=0
    "$program" "$1" --help >"$log" 2>&1 && says "^Usage: meicensus $1" || missing=1
    for option in "${@:2}" help; do
        says "^  --$option .*[a-z]" || { echo "no line for --$option" >>"$log"; missing=1; }
    done
    report "help of $1" $missing
}

prints "help" '^Usage: meicensus COMMAND' --help
for command in $commands; do
    says "^  $command  *[a-z]" || { echo "no line for $command" >>"$log"; missing=1; }
done
report "help lists all commands" "${missing:-0}"
missing=0
for code in 0 1 2 3 4 5 6 7 75; do
    says "^  $code  *[a-z]" || { echo "no line for exit code $code" >>"$log"; missing=1; }
done
report "help lists all exit codes" $missing
prints "version" '^meicensus [0-9]*\.[0-9]*\.[0-9]* (.*)$' --version
documents run shard extend set
documents plan set
documents status
documents gather output partial
documents verify
documents list model folder
documents forward model input output timesteps neuron isa spikes tensors
documents encode model data output limit isa images
documents optimize function command timeout restarts name method settings dim points grid budget seeds
documents bench set subject generator method seconds cores json
documents accuracy model data limit timesteps neuron isa tensors
documents natural model data output limit top images no-images timesteps neuron isa tensors
prints "help, after other options" '^Usage: meicensus run' run --shard 3 --help

refused 2 'a command is missing'
refused 2 "unknown command 'lst'; did you mean 'list'?" lst
refused 2 "unknown command 'qqqqqqqq' (see" qqqqqqqq
refused 2 "'surplus' is one argument too many" --version surplus
refused 2 "unknown option '--shrd'; did you mean '--shard'?" run job.yaml --shrd 1
refused 2 "unknown option '--shrd'; did you mean '--shard'?" run job.yaml --shrd=1
refused 2 "unknown option '-k'" run job.yaml -k 1
refused 2 'needs JOB' run
refused 2 "'b' is one argument too many" run a b
refused 2 'option --shard needs a value: --shard K' run job.yaml --shard
refused 2 "option --model needs a value (--model FILE), found '--input'" forward --model --input
refused 2 'option --set needs a value' run job.yaml --set=
refused 2 'option --shard is given twice' run job.yaml --shard 1 --shard 2
refused 2 'option --partial takes no value' gather dir --partial=yes
refused 2 'option --help takes no value' gather dir --help=yes
refused 2 '\--shard 1x: expected a whole number from 0 to' run job.yaml --shard 1x
refused 2 '\--shard -1: expected a whole number from 0 to' run job.yaml --shard -1
refused 2 '\--shard 99999999999999999999: expected' run job.yaml --shard 99999999999999999999
refused 2 '\--timesteps 0: expected a whole number from 1 to 100000' \
    forward --model weights/vq_vae.yaml --input a --output b --timesteps 0
refused 2 'meicensus forward needs --output FILE' forward --model weights/vq_vae.yaml --input a
refused 2 '\--seconds 0: expected a whole number from 1 to' bench jobs/mnist.yaml --seconds 0
refused 2 '\--cores 0: expected a whole number from 1 to' bench jobs/mnist.yaml --cores 0
refused 3 '\--subject brain: not in jobs/mnist.yaml (valid: mnist_cnn)' bench jobs/mnist.yaml --subject brain
refused 3 '\--generator x: not in jobs/mnist.yaml (valid: mnist_vq_vae)' bench jobs/mnist.yaml --generator x
refused 3 '\--method x: not in jobs/mnist.yaml (valid: tt_b, random)' bench jobs/mnist.yaml --method x
refused 4 'absent.yaml: ' bench "$folder/absent.yaml"
refused 2 "list 'mthods': expected one of methods" list mthods
refused 2 'list layers needs --model FILE' list layers
refused 3 'only a subject has layers to select' list layers --model weights/vq_vae.yaml
refused 4 'no architecture file' list models --folder "$folder"
refused 4 'absent.yaml: ' plan "$folder/absent.yaml"
refused 4 'absent.h5: ' verify "$folder/absent.h5"
refused 3 'README.md' verify README.md

prints "list methods: a setting with its default" '^  learning_rate: 0.05$' list methods
prints "list noises" '^initial_membrane  *0.2 ' list noises
prints "list models: a subject" 'subject: images 3 x 32 x 32, T = 20, 17 selectable layers with 3904 channels' list models
prints "list models: a generator" 'generator: codes of 64 indices, 0 to 511 (rows of a codebook)' list models
prints "list models: an encoder" 'encoder: images 3 x 32 x 32, codes of 64 indices' list models
prints "list models: a file that cannot be used" 'not usable: ' list models
prints "list layers" '^layer4.1.sn2  *512 x 1 x 1  *512  *512  *[0-9]*$' list layers --model weights/spiking_resnet18.yaml
[ "$(grep -c '^layer\|^sn1' "$log")" -eq 18 ]
report "list layers: heading and 17 layers" $?
prints "list keys" '^subjects:$' list keys

"$program" list keys >/dev/full 2>"$log"
[ $? -eq 4 ] && says 'the output cannot be written: No space left'
report "a full disk is a fault" $?

exit $failed
