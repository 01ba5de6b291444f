#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Puts what the last `make bench` measured into README.md and .github/: the table and the roofline picture.
set -eu
cd "$(dirname "$0")/../.."
log=build/bench table=build/bench/table.md
[ -s "$table" ] || { echo "$table is missing: make bench" >&2; exit 1; }
grep -q '^<!-- make bench: end -->$' README.md || { echo "README.md: no lines '<!-- make bench: .. -->'" >&2; exit 1; }
tests/bench/roofline.sh "$log/whole.1.json" .github/roofline.png
awk -v table="$table" '
    /^<!-- make bench: end -->$/ { within = 0 }
    !within
    /^<!-- make bench: begin -->$/ { within = 1; while ((getline line <table) > 0) print line }' README.md >"$log/README.md"
cat "$log/README.md" >README.md
echo "README.md: the table of $table"
