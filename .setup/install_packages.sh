#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs the Debian packages of the named groups (packages.txt beside this file) that are missing.
#
#   install_packages.sh [GROUP...]      default: build; others: browser, develop, python, slurm
set -eu

list=$(dirname "$0")/packages.txt
[ $# -gt 0 ] || set -- build

# packages_of GROUP   names of the group's packages, one a line
packages_of() {
    local found
    found=$(awk -v group="$1" '$1 == group { print $2 }' "$list")
    [ -n "$found" ] || { echo "install_packages: no group '$1' in $list" >&2; return 1; }
    echo "$found"
}

# installed NAME...   those of the packages that are installed, one a line
installed() {
    dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null | awk '$2 == "installed" { print $1 }'
}

# install [PREFIX...]   installs the missing packages; PREFIX is the command that makes us root
install() {
    "$@" apt-get update -q
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 "${missing[@]}"
}

wanted=()
for group; do
    names=$(packages_of "$group")
    mapfile -t -O ${#wanted[@]} wanted <<<"$names"
done

if ! command -v dpkg-query >/dev/null; then
    echo "install_packages: not a Debian system; nothing is installed. Debian's names of what is needed:" "${wanted[@]}"
    exit 0
fi

mapfile -t missing < <(printf '%s\n' "${wanted[@]}" | grep -v -x -F -f <(installed "${wanted[@]}"))
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
    install
elif sudo -n true 2>/dev/null; then
    install sudo -n
else
    echo "install_packages: missing packages. Install them with:" >&2
    echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
