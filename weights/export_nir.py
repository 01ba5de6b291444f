#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Export a network to a NIR file.

What NIR has no node for is refused by the name of the layer: max_pool, relu, concatenate, batch norms that no weights
precede, neurons of kind leaky or with a soft reset. Batch norms are folded.
"""
import argparse
import sys
from pathlib import Path

from importer import Refused, require_safe_torch
from importer.architecture import Architecture
from importer.conversion import sha256
from importer.nir_export import Exporter
from importer.sources import read_state

EXAMPLES = """example:
  weights/export_nir.py my.yaml --output my.nir

exit code: 0 exported, 2 wrong command line, 3 refused (the message names the file and layer), 4 file cannot be written
"""


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, metavar="YAML", help="architecture file; its tensors are beside it")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="NIR file to write")
    parser.add_argument("--dt", type=float, default=1e-4, metavar="SECONDS",
                        help="time step that tau is counted in (default: 1e-4, as snnTorch and SpikingJelly import it)")
    options = parser.parse_args(arguments)
    if not 0 < options.dt < float("inf"):
        parser.error("--dt must be above 0")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        require_safe_torch()
        architecture = Architecture(options.model)
        exporter = Exporter(architecture, read_state(architecture.tensors_path), options.dt)
        exporter.write(options.output)
    except Refused as refusal:
        print(f"export_nir.py: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"export_nir.py: {error}", file=sys.stderr)
        return 4
    print(f"{options.output}: {len(exporter.nodes)} nodes, time steps of {options.dt:g} s, "
          f"SHA-256 {sha256(options.output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
