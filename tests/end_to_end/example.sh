#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# jobs/example.yaml is what the key tables say, and is a job once its required keys are filled in; so are the others.
set -u
cd "$(dirname "$0")/../.." || exit 1
. .setup/mpi_environment.sh
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
status=0

# check NAME COMMAND...   one test
check() {
    local name=$1
    shift
    if "$@" >"$scratch/out" 2>&1; then
        echo "PASS $name"
    else
        echo "FAIL $name"
        cat "$scratch/out"
        status=1
    fi
}

# shellcheck disable=SC2317
example_is_current() { build/meicensus list keys | diff - jobs/example.yaml; }
check 'jobs/example.yaml is printed from the key tables' example_is_current
check 'jobs/example.yaml is a job' build/meicensus plan jobs/example.yaml --set "results=$scratch/r" \
    --set subjects.spiking_resnet18.model=weights/spiking_resnet18.yaml \
    --set generators.vq_vae.model=weights/vq_vae.yaml --set searches.0.budget=1000

# shellcheck disable=SC2317
census_has() { build/meicensus plan "$1" | grep -q "$2"; }
check 'jobs/demo.yaml has two units in each of 17 layers' census_has jobs/demo.yaml 'vq_vae/tt_b: 34 units'
check 'jobs/census-channels.yaml has 3,904 channels' census_has jobs/census-channels.yaml 'vq_vae/tt_b: 3904 units'
check 'jobs/census-neurons.yaml has 47,104 neurons' census_has jobs/census-neurons.yaml 'vq_vae/tt_b: 47104 units'
check 'jobs/census-shared.yaml shows 240 images a channel' census_has jobs/census-shared.yaml 'budget 936960 of all units'
exit $status
