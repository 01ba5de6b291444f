#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make gpu-check`: every check and measurement that needs a GPU. Leaves build/gpu/report.md, in which each figure stands
# below the command that printed it, and whole outputs beside it. Without a GPU it says so and fails.
#
# The environment may name other programs (MEICENSUS, CHECK_KERNELS, BENCH_DEVICE), networks (GENERATOR, SUBJECT,
# CENSUS_GENERATOR) and sizes (UNITS a layer, BUDGET, TIMESTEPS, BATCHES, PRODUCT, SECONDS_EACH); PYTHON that has torch.
set -u
cd "$(dirname "$0")/../.." || exit 1
. .setup/mpi_environment.sh
MEICENSUS=${MEICENSUS:-build/meicensus} CHECK_KERNELS=${CHECK_KERNELS:-build/tests/check_kernels_on_gpu}
BENCH_DEVICE=${BENCH_DEVICE:-build/tests/bench_device} PYTHON=${PYTHON:-build/venv/bin/python}
GENERATOR=${GENERATOR:-build/bench/sn_gan.yaml} SUBJECT=${SUBJECT:-weights/spiking_resnet18.yaml}
CENSUS_GENERATOR=${CENSUS_GENERATOR:-weights/vq_vae.yaml}
UNITS=${UNITS:-12} BUDGET=${BUDGET:-500} TIMESTEPS=${TIMESTEPS:-20} PRODUCT=${PRODUCT:-8192}
BATCHES=${BATCHES:-1 2 4 8 16 32 64 128 256 512 1024} SECONDS_EACH=${SECONDS_EACH:-3}
folder=build/gpu report=build/gpu/report.md
failed=0

# say TEXT...   to the report
say() { printf '%s\n' "$@" >>"$report"; }

# section TITLE
section() {
    echo "== $1"
    say '' "## $1" ''
}

# show COMMAND   the command that printed what follows
show() { say '```sh' "$1" '```' ''; }

# verdict NAME STATUS [LOG]   PASS for 0, else FAIL and the end of the log
verdict() {
    if [ "$2" -eq 0 ]; then
        echo "PASS gpu-check: $1"
        say "PASS: $1" ''
        return
    fi
    echo "FAIL gpu-check: $1"
    say "**FAIL**: $1" ''
    failed=1
    [ $# -lt 3 ] || { tail -n 20 "$3"; say '```' "$(tail -n 20 "$3")" '```' ''; }
}

if ! device=$("$BENCH_DEVICE" 2>&1); then
    echo "gpu-check: there is no GPU that can be used here: $device"
    echo "FAIL gpu-check: nothing was checked"
    exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"

say "# meicensus on $device" '' '| | |' '|---|---|' "| date | $(date -u +%Y-%m-%dT%H:%M:%SZ) |" \
    "| revision | $(git describe --always --dirty --tags 2>/dev/null || echo unknown) |" \
    "| device | $device |" \
    "| driver, memory | $(nvidia-smi --query-gpu=driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1) |" \
    "| nvcc | $(nvcc --version 2>/dev/null | sed -n 's/.*release //p') |" \
    "| compiler | $(${CC:-gcc} --version | head -n 1) |" \
    "| processor | $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores |" '' \
    "Of \`make gpu-check\`; every table stands below the command that printed its numbers. Programs: \`$MEICENSUS\`," \
    "\`$CHECK_KERNELS\`, \`$BENCH_DEVICE\`."
[[ $device != host,* ]] || say '' '**This is no GPU**, but the processor in its place, with small networks: the check itself was tried, and no figure here means anything.'

# ---- kernels --------------------------------------------------------------------------------------------------
section 'Kernels against the reference'
command="$CHECK_KERNELS --cuda --seed 1"
show "$command"
$command >"$folder/kernels.log" 2>&1
status=$?
verdict "$(grep -c ^PASS "$folder/kernels.log") checks of kernels passed, $(grep -c ^FAIL "$folder/kernels.log") failed" $status \
    "$folder/kernels.log"

section 'Memory accesses'
if command -v compute-sanitizer >/dev/null; then
    command="compute-sanitizer --error-exitcode 9 $CHECK_KERNELS --cuda --seed 2"
    show "$command"
    # shellcheck disable=SC2086
    timeout 3600 $command >"$folder/memcheck.log" 2>&1
    status=$?
    verdict "compute-sanitizer: $(grep 'ERROR SUMMARY' "$folder/memcheck.log" | tail -n 1)" $status "$folder/memcheck.log"
else
    say 'Not checked: compute-sanitizer is not installed.'
fi

# ---- networks -------------------------------------------------------------------------------------------------
section 'Networks against what the packages computed (tests/golden)'
command="ISA=cuda MEICENSUS=$MEICENSUS tests/end_to_end/forward.sh"
show "$command"
ISA=cuda MEICENSUS=$MEICENSUS tests/end_to_end/forward.sh >"$folder/golden.log" 2>&1
status=$?
verdict "$(grep -c ^PASS "$folder/golden.log") cases passed, $(grep -c ^FAIL "$folder/golden.log") failed" $status "$folder/golden.log"

# ---- censuses -------------------------------------------------------------------------------------------------
section 'A census on the processor and on the GPU'
cat >"$folder/census.yaml" <<END
results: $folder/none
seed: 3
batch: 64
subjects:
  subject: {model: $SUBJECT, timesteps: $TIMESTEPS}
generators:
  generator: {model: $CENSUS_GENERATOR}
methods:
  tt_b: {}
searches:
  - {methods: [tt_b], layers: all, sample: $UNITS, budget: $BUDGET}
trials: {count: 1}
END
say 'The same units, seeds and queries; the MEIs of both are shown again in float32 on the processor. The program' \
    'that compares them fails where it cannot, not where one of them is better.' ''

# census NAME RANKS ARGUMENT...   a whole one, its results in one file
census() {
    local name=$1 command="mpirun -n $2 $MEICENSUS run $folder/census.yaml --set results=$folder/$1 ${*:3}"
    show "${command% }"
    $command >"$folder/$name.log" 2>&1 && "$MEICENSUS" gather "$folder/$name" >>"$folder/$name.log" 2>&1 &&
        "$MEICENSUS" verify "$folder/$name/results.h5" >>"$folder/$name.log" 2>&1
}
census processor $(($(nproc) + 1))
verdict 'census on the processor' $? "$folder/processor.log"
for isa in cuda cuda-tf32 cuda-bf16; do
    census $isa 2 --set isa=$isa
    verdict "census with $isa" $? "$folder/$isa.log"
    command="build/tests/compare_censuses $folder/processor/results.h5 $folder/$isa/results.h5"
    show "$command"
    $command >"$folder/$isa.compared" 2>&1
    verdict "MEIs of the processor (first) and of $isa (second) compared" $? "$folder/$isa.compared"
    say "$(cat "$folder/$isa.compared")" ''
done

# ---- speed ----------------------------------------------------------------------------------------------------
section 'Queries a second'
say 'Images made and shown to the last layer, without a search; peak: a large product of matrices, in the same precision,' \
    'through the same library (cuda-bf16: with the rounding of one of them).' ''
for isa in cuda cuda-tf32 cuda-bf16; do
    command="$BENCH_DEVICE $isa $GENERATOR $SUBJECT $SECONDS_EACH $PRODUCT $BATCHES"
    show "$command"
    $command >"$folder/bench.$isa" 2>"$folder/bench.$isa.log"
    verdict "speed of $isa" $? "$folder/bench.$isa.log"
    awk -v isa=$isa '
        BEGIN { print "| " isa ", batch | queries/s | TFLOP/s | of the peak |\n|---|---|---|---|" }
        $1 == "product" { peak = $3 }
        $1 == "queries" { printf "| %d | %.1f | %.4g | %.1f %% |\n", $2, $3, $4, 100 * $4 / peak }
        $1 == "refused" { $1 = ""; print "|" $0 " | | | |" }
        END { printf "\nPeak: %.4g TFLOP/s.\n", peak }' "$folder/bench.$isa" >>"$report"
    say ''
done

section 'Time of each layer'
say 'Milliseconds a query at the largest batch, each layer waited for; a layer that is computed with its reader is not' \
    'there.' ''
awk '
    FNR == 1 { n_files++ }
    $1 == "layer" { name = $2 " | " $3; if (!(name in seen)) { seen[name] = 1; names[++n] = name } ms[name, n_files] = $4 }
    END {
        print "| network | layer | cuda | cuda-tf32 | cuda-bf16 |\n|---|---|---|---|---|"
        for (i = 1; i <= n; i++)
            printf "| %s | %.5f | %.5f | %.5f |\n", names[i], ms[names[i], 1], ms[names[i], 2], ms[names[i], 3]
    }' "$folder"/bench.cuda "$folder"/bench.cuda-tf32 "$folder"/bench.cuda-bf16 >>"$report"

section 'Ranks on one GPU'
say 'Whole censuses, search and all, by 1, 2 and 4 workers and a master; queries/s as the census tells at its end.' ''
: >"$folder/ranks.md"
for workers in 1 2 4; do
    CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0} census "ranks$workers" $((workers + 1)) --set isa=cuda
    verdict "census by $workers workers" $? "$folder/ranks$workers.log"
    echo "| $workers | $(sed -n 's/.* \([0-9.]*\) queries\/s.*/\1/p' "$folder/ranks$workers.log" | tail -n 1) |" >>"$folder/ranks.md"
done
command="h5diff --exclude-path /provenance $folder/cuda/results.h5 $folder/ranks1/results.h5"
show "$command"
$command >"$folder/again.log" 2>&1 && [ ! -s "$folder/again.log" ]
verdict 'the same job on the same GPU, by one worker, gives the same bits again' $? "$folder/again.log"
say '' '| workers | queries/s |' '|---|---|' "$(cat "$folder/ranks.md")"

section 'PyTorch and SpikingJelly'
if "$PYTHON" -c 'import torch, spikingjelly, protes, safetensors, sys; sys.exit(not torch.cuda.is_available())' 2>/dev/null ||
    [ -n "${PYTORCH_DEVICE:-}" ]; then
    command="$PYTHON -W ignore tests/gpu/bench_pytorch_gpu.py --device ${PYTORCH_DEVICE:-cuda} --seconds $SECONDS_EACH --batches $BATCHES"
    show "$command"
    $command >"$folder/pytorch" 2>"$folder/pytorch.log"
    verdict 'the same pipeline in the packages' $? "$folder/pytorch.log"
    cat "$folder"/bench.cuda "$folder"/bench.cuda-tf32 "$folder"/bench.cuda-bf16 >"$folder/ours"
    awk -v isas='cuda cuda-tf32 cuda-bf16' '
        function ratio(a, b) { return b > 0 ? sprintf("%.2f", a / b) : "-" }
        BEGIN {
            split(isas, isa, " ")
            print "| precision | ours, queries/s | packages at their best batch | ratio | packages as their users run them | ratio |"
            print "|---|---|---|---|---|---|"
        }
        $1 == "product" { n++ }
        $1 == "queries" && NF == 4 { if ($3 > ours[isa[n]]) ours[isa[n]] = $3 }
        $1 == "packages" { if ($4 > best[$2]) { best[$2] = $4; batch[$2] = $3 } }
        $1 == "users" { users = $2 }
        END {
            for (i = 1; i in isa; i++) {
                p = isa[i]
                printf "| %s | %.1f | %.1f (batch %d) | %s | %.1f | %s |\n", p, ours[p], best[p], batch[p],
                       ratio(ours[p], best[p]), users, ratio(ours[p], users)
            }
        }' "$folder/ours" "$folder/pytorch" >>"$report"
else
    say "Not measured: $PYTHON has no torch with a GPU, spikingjelly, protes and safetensors (\`make check-python\`)."
fi

echo "== $report"
[ $failed -eq 0 ]
