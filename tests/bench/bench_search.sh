#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench`: milliseconds a query that each search method takes for itself (128 dimensions of 64 points, the
# sphere), on one core: ours and, where they are installed, those of the package that it has to equal. XDREAM=,
# ACTMAX=: checkouts of willwx/XDream and Animadversio/ActMax-Optimizer-Dev, which have no packages.
set -eu
cd "$(dirname "$0")/../.."
python=${PYTHON:-build/venv/bin/python} log=build/bench
mkdir -p "$log"

echo "== search methods, ms a query"
build/tests/bench_search ${QUERIES:+"$QUERIES"} >"$log/search_ours.csv"
echo method,milliseconds >"$log/search_packages.csv"
if "$python" -c 'import nevergrad, protes, ttopt' 2>/dev/null; then
    "$python" -W ignore tests/bench/bench_search.py >"$log/search_packages.csv"
else
    echo "bench: $python has no nevergrad, protes, ttopt: ours only"
fi
awk -F, '
    FNR == 1 { next }
    FILENAME ~ /packages/ { theirs[$1] = $2; next }
    { line = sprintf("%-13s ours %8.4f", $1, $2) }
    $1 in theirs { line = line sprintf("   package %9.4f (%.0f x)", theirs[$1], theirs[$1] / $2) }
    { print line }' "$log/search_packages.csv" "$log/search_ours.csv"
