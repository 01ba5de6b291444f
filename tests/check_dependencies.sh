#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The order of the code: who may include what, and how long a function may be.
#
#   check_dependencies.sh [ROOT]     default: the repository this file is in
#
# A folder of src/ includes its own headers and those of folders further down the list `layers`. The headers
# in include/ belong to the folder that implements them (table `owners`). A break is shown as FILE:LINE.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 1
export LC_ALL=C

# From the top down.
layers='main commands campaign search model backend kernels store job base'

# HEADER=FOLDER, for every header in include/.
owners='campaign=campaign search=search functions=search model=model backend=backend machine=backend kernels=kernels cuda_device=kernels
        record=store results=store journal=store results_file=store hdf5_arrays=store dataset=store
        natural_file=store safetensors=model natural=campaign network=model encoder=model external=model
        document=job keys=job
        build_info=base child_process=base external_frame=base clock=base counter=base hash=base log=base memory=base random=base status=base'

mpi_folders='campaign store'
analysis_headers='results.h record.h status.h memory.h clock.h hash.h build_info.h'
longest_function=80

# includes FILE...   prints "FILE:LINE QUOTE NAME" for each #include; QUOTE is " or <
includes() {
    awk 'match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*/) {
             name = substr($0, RSTART, RLENGTH)
             sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
             print FILENAME ":" FNR, substr(name, 1, 1), substr(name, 2)
         }' "$@"
}

# folder_of FILE   its place in the list of layers: src/FOLDER/.., src/main.c, include/HEADER
folder_of() {
    local path=$1 pair
    case $path in
    src/main.c) echo main ;;
    src/*/*)    path=${path#src/}; echo "${path%%/*}" ;;
    include/*)  for pair in $owners; do
                    [ "include/${pair%%=*}.h" != "$path" ] || echo "${pair#*=}"
                done ;;
    esac
}

# depth_of FOLDER   its position in the list of layers, 1 = top; 0 if it is not there
depth_of() {
    local layer depth=0
    for layer in $layers; do
        depth=$((depth + 1))
        [ "$layer" != "$1" ] || { echo $depth; return; }
    done
    echo 0
}

contains() { [[ " $1 " == *" $2 "* ]]; }

# included_file FILE NAME   the file that #include "NAME" in FILE means, as a path from the root; empty if none
included_file() {
    local path=${1%/*}/$2
    [ -e "$path" ] || path=include/$2
    [ -e "$path" ] || path=${1%/*}/../vector/$2 # what all sets of instructions share
    [ -e "$path" ] || path=${1%/*}/../avx512/$2 # each set of instructions has its own of the same name
    [ -e "$path" ] || path=${1%/*}/device/$2 # or each way to run kernels
    [ -e "$path" ] || return
    while [[ $path =~ ^(.*/)?[^/.]+/\.\./(.*)$ ]]; do
        path=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
    done
    echo "$path"
}

# check_quoted PLACE NAME   one #include "NAME" of src/ or include/
check_quoted() {
    local place=$1 name=$2 target from to from_depth to_depth
    target=$(included_file "${place%%:*}" "$name")
    from=$(folder_of "${place%%:*}")
    to=$(folder_of "$target")
    from_depth=$(depth_of "$from")
    to_depth=$(depth_of "$to")
    if [ -z "$target" ]; then
        echo "$place: \"$name\" is neither beside the file nor in include/"
    elif [ "$from_depth" = 0 ]; then
        echo "$place: this file belongs to none of: $layers (tables in tests/check_dependencies.sh)"
    elif [ "$to_depth" = 0 ]; then
        echo "$place: $target belongs to none of: $layers (tables in tests/check_dependencies.sh)"
    elif [ "$to_depth" -lt "$from_depth" ]; then
        echo "$place: $from must not use $to, which is above it ($target)"
    fi
}

# check_layers   breaks of the order of folders
check_layers() {
    local place quote name folder
    includes "${code[@]}" | while read -r place quote name; do
        if [ "$quote" = '"' ]; then
            check_quoted "$place" "$name"
        elif [ "$name" = mpi.h ]; then
            folder=$(folder_of "${place%%:*}")
            contains "$mpi_folders" "$folder" || echo "$place: only campaign and store may include mpi.h"
        fi
    done
}

# check_analysis   what analysis/ takes from the rest
check_analysis() {
    local place quote name
    [ ${#analysis[@]} -gt 0 ] || return
    includes "${analysis[@]}" | while read -r place quote name; do
        [ "$quote" = '"' ] || continue
        [ -e "analysis/$name" ] || contains "$analysis_headers" "$name" ||
            echo "$place: analysis must not use \"$name\" (only: $analysis_headers)"
    done
}

# check_lengths   functions that are too long. Relies on the layout that `make format` makes: the braces
# around a function stand alone in the first column, the line that names it starts in the first column.
check_lengths() {
    awk -v longest="$longest_function" '
    FNR == 1        { if (open) broken(); open = 0; file = FILENAME }
    /^[A-Za-z_]/    { if (!open && !head) { head = FNR; name = $0 } }
    /[;}][ \t]*$/ && !open { head = 0 }
    /^\{[ \t]*$/    { if (open) broken(); open = FNR; if (!head) head = FNR }
    /^\}/           { if (open && FNR - head + 1 > longest)
                          printf "%s:%d: %d lines, at most %d: %s\n", FILENAME, head, FNR - head + 1, longest, name
                      open = head = 0 }
    END             { if (open) broken() }
    function broken() { printf "%s:%d: a function without an end in the first column\n", file, open }' "$@"
}

# report NAME BREAKS   one test: passed if there are no breaks
report() {
    if [ -z "$2" ]; then
        echo "PASS $1"
    else
        echo "$2"
        echo "FAIL $1: $(wc -l <<<"$2") breaks"
        status=1
    fi
}

status=0
shopt -s nullglob
code=(src/*.[ch] src/*/*.[ch] src/*/*/*.[ch] include/*.h)
analysis=(analysis/*.[ch])
mapfile -t counted < <(printf '%s\n' "${code[@]}" "${analysis[@]}" | grep -v '^src/kernels/')

report "dependencies of src and include point down (${#code[@]} files)" "$(check_layers)"
report "analysis uses the results file only (${#analysis[@]} files)" "$(check_analysis)"
report "no function is longer than $longest_function lines (${#counted[@]} files)" "$(check_lengths "${counted[@]}")"
exit $status
