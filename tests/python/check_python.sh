#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The tests against the published Python packages: importers, golden cases, and the program's forward pass.
# Last line: "N passed, N failed, N skipped". Arguments go to pytest, e.g. -k import
#
#   PYTHON=python3.11   interpreter that makes the virtual environment (default: python3)
#   VENV=DIR            virtual environment (default: build/venv; made and filled where it is missing)
#   PIP_INDEX_URL=...   as pip reads it, e.g. https://download.pytorch.org/whl/cpu beside PIP_EXTRA_INDEX_URL
set -eu
cd "$(dirname "$0")/../.."

venv=${VENV:-build/venv}
requirements=tests/python/requirements.txt
if ! cmp -s "$requirements" "$venv/installed-requirements.txt"; then
    [ -x "$venv/bin/python" ] || "${PYTHON:-python3}" -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
    cp "$requirements" "$venv/installed-requirements.txt"
fi

PYTHONPATH=weights "$venv/bin/python" - <<'PYTHON_CODE'
import sys
from importer import Refused, require_safe_torch
try:
    require_safe_torch()
except Refused as refusal:
    sys.exit(f"check_python: {refusal}")
PYTHON_CODE

# shellcheck source=/dev/null
. .setup/mpi_environment.sh
exec "$venv/bin/python" -W ignore::FutureWarning -m pytest --quiet -rs -p no:cacheprovider tests/python "$@"
