#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A census from start to figures: one master and two workers, then the analysis. Called by `make demo`.
# The same command again goes on where it stopped; DEMO=DIR puts it into another folder.
set -eu
cd "$(dirname "$0")/.."
. .setup/mpi_environment.sh
folder=${DEMO:-results/demo}

echo "== the census: jobs/demo.yaml, one master and two workers"
mpirun -n 3 build/meicensus run jobs/demo.yaml --set "results=$folder"
echo "== one results file from the workers' journals"
mpirun -n 2 build/meicensus gather "$folder"
echo "== statistics, plots and image sheets"
build/meicensus-analyze "$folder/results.h5" --out "$folder/analysis"

cat <<END

Done. Open these:
  $folder/analysis/            plots (PDF, SVG, PNG), image sheets, tables; README.txt there says what is what
  $folder/results.h5           everything, for h5py, xarray or h5dump
Next: jobs/mnist.yaml takes minutes; jobs/census-channels.yaml, every channel of every layer, about a day of a core (what
a job takes: 'build/meicensus plan JOB'; see README.md).
END
