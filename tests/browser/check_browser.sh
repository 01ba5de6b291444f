#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The atlas as a browser shows it from disk: a unit's page tells what the tables tell, keys and filters work, names
# from the file stay text, and nothing complains.
#
#   check_browser.sh [SCREENSHOTS]     keeps pictures of two pages in that folder
set -u
cd "$(dirname "$0")/../.." || exit 1
. .setup/mpi_environment.sh

screenshots=${1:+$(realpath -m "$1")}
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
passed=0 failed=0
hostile='<img src=x onerror=alert(1)>'

# report NAME STATUS   0 is a pass
report() {
    if [ "$2" -eq 0 ]; then
        echo "PASS browser: $1"
        passed=$((passed + 1))
    else
        echo "FAIL browser: $1"
        sed 's/^/    /' "$folder/console" | cut -c 1-300 | head -n 20
        failed=$((failed + 1))
    fi
}

# browse PAGE ADDRESS OPTION...   what Chromium makes of it; what the page complains of goes to $folder/console
browse() {
    local page=$1 address=$2
    shift 2
    # As root Chromium has no sandbox; the pages are our own.
    timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars \
        --user-data-dir="$folder/profile" --window-size=1366,820 --virtual-time-budget=5000 --enable-logging=stderr "$@" \
        "file://$page#$address" 2>"$folder/messages"
    grep -E 'CONSOLE|Uncaught' "$folder/messages" >"$folder/console"
}

# open NAME ADDRESS   the page of $folder/NAME becomes $folder/dom, without a complaint
open() {
    browse "$folder/$1/atlas/${page:-index.html}" "$2" --dump-dom >"$folder/dom"
    grep -q '</html>' "$folder/dom" && [ ! -s "$folder/console" ]
}

# shows PATTERN...   each is in the page
shows() {
    local pattern
    for pattern; do
        grep -q -F -e "$pattern" "$folder/dom" || { echo "not shown: $pattern" >>"$folder/console"; return 1; }
    done
}

# analyse SHAPE [ARGUMENT...]   without gnuplot, whose plots are tested elsewhere
analyse() {
    local shape=$1
    shift
    mkdir -p "$folder/no-programs"
    build/tests/test_analysis write "$shape" "$folder/$shape.h5" "$@" >"$folder/console" 2>&1 &&
        PATH=$folder/no-programs build/meicensus-analyze "$folder/$shape.h5" --out "$folder/$shape" >"$folder/console" 2>&1
}

if ! command -v chromium >/dev/null; then
    echo "SKIP browser: chromium is not installed"
    exit 0
fi

analyse usual subject "$hostile" && analyse silent && analyse gaps && analyse chained
report 'the atlas is written' $?

# ---- A unit ----
unit='subject=spiking_resnet18&generator=vq_vae&method=tt_b&layer=layer1.0.sn1&unit=7'
value=$(awk -F, '$1 == "vq_vae" && $2 == "tt_b" && $3 == "layer1.0.sn1" && $5 == 7 { printf "%.3g", $9 }' \
    "$folder/usual/spiking_resnet18/units.csv")
open usual "$unit" && [ -n "$value" ] && shows 'layer1.0.sn1, channel 7' "(mean of 2: $value)" 'Most exciting dataset images' \
    'budget used' 'mean over 10 presentations' 'Latent code (16 indices of 32)' 'In every subject' '8 of 24'
report "the page of a unit has its activation ($value)" $?
cp "$folder/dom" "$folder/unit"
[ "$(grep -o 'class="cell' "$folder/dom" | wc -l)" = 24 ] && [ "$(grep -o 'class="card' "$folder/dom" | wc -l)" = 14 ]
report 'it stands beside all units of the layer and all searches of the unit' $?
grep -q -F '&lt;img src=x' "$folder/dom" && ! grep -q -F '<img' "$folder/dom"
report 'names of the file stay text' $?
grep -o 'images/[^&"]*png' "$folder/dom" | sort -u >"$folder/images"
grep -q 'images/0-natural-0.png' "$folder/images" && grep -q 'images/0-5-1-0.png' "$folder/images" &&
    (cd "$folder/usual/atlas" && xargs ls <"$folder/images" >/dev/null)
report 'its images are there' $?

# ---- Choosing ----
open usual 'layer=layer1.0.sn1&generator=vq_vae&method=tt_b&sort=activation'
grep -o '<span class="number">[0-9.]*</span>' "$folder/dom" | tr -dc '0-9.\n' >"$folder/sorted"
[ "$(wc -l <"$folder/sorted")" = 24 ] && sort -g -r -c "$folder/sorted"
report 'units are sorted by activation' $?
open silent 'show=silent' && shows '8 units: 8 silent'
report 'silent units are found' $?
open silent 'unit=0' && shows 'are not part of this file' 'without --no-images' && ! grep -q 'no pixels' "$folder/dom"
report 'references without pixels say how to get them' $?
open chained 'unit=0&replicate=1' && shows 'best activation less closeness so far' &&
    open chained 'unit=0&replicate=0' && shows 'best activation so far' && ! grep -q 'less closeness' "$folder/dom"
report 'the history of unlike replicates is not one of activations' $?
open gaps 'show=failed' && shows 'failed' 'shown' && ! grep -q 'NaN\|undefined' "$folder/dom"
report 'failed units are found' $?
open usual 'subject=nobody&layer=none&sort=toString&unit=12345&replicate=x' && shows 'was not searched'
report 'an address of nothing is answered' $?

# ---- Keys ----
# keys KEY...   the unit's page after these keys
keys() {
    local script="'$*'.split(' ').forEach((key, i) => setTimeout(() => \
document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})), 600 * (i + 1)))"
    sed "s|</body>|<script>$script</script></body>|" "$folder/usual/atlas/index.html" >"$folder/usual/atlas/keys.html"
    page=keys.html open usual "$unit"
}
keys ArrowRight ArrowRight ArrowLeft ArrowRight && shows 'layer1.0.sn1, channel 9' '10 of 24'
report 'arrow keys go through the units' $?
keys Escape && grep -q '<aside[^>]* hidden' "$folder/dom" && ! grep -q '<aside[^>]* hidden' "$folder/unit"
report 'escape closes the unit' $?

# ---- What is missing ----
mv "$folder/silent/atlas/data/0-0.js" "$folder/silent/atlas/data/away.js"
! open silent '' && shows 'data/0-0.js cannot be read: this page needs the whole folder'
report 'a missing file is named' $?
mv "$folder/silent/atlas/data/away.js" "$folder/silent/atlas/data/0-0.js"
sed -i 's/"units":/"unit":/' "$folder/silent/atlas/data/0-0.js"
! open silent '' && grep -q 'CONSOLE.*TypeError' "$folder/console"
report 'a complaint is noticed' $?

if [ -n "$screenshots" ]; then
    mkdir -p "$screenshots"
    browse "$folder/usual/atlas/index.html" "$unit" --screenshot="$screenshots/unit.png"
    browse "$folder/gaps/atlas/index.html" 'sort=activation' --screenshot="$screenshots/grid.png"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
