#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Import the weights of a network into the safetensors file that an architecture file names.

Sources: a PyTorch state dict (.pt, .pth, .pkl), a training checkpoint of SpikingJelly (its entry 'model') or
mimicry ('model_state_dict'), a group of tensors in an HDF5 file, a safetensors file. Names stay those of the
source, without 'module.'. Every tensor is checked against the architecture file: missing, unexpected, wrong
shape, not finite. Nothing of a source file is ever run.

Matrices are stored as float16 where that loses nothing, else as float32; vectors always as float32.
"""
import argparse
import sys
from collections import Counter
from pathlib import Path

import torch

from importer import Refused, require_safe_torch
from importer.architecture import Architecture
from importer.conversion import Conversion, convert, sha256, write
from importer.sources import read_state
from importer.untrained import NETWORKS, untrained

EXAMPLES = """examples:
  weights/import.py gan_sn_cifar10.pkl --model weights/sn_gan.yaml
  weights/import.py logs/checkpoint_max_test_acc1.pth --model weights/spiking_resnet18.yaml --output mine.safetensors
  weights/import.py golden.h5 --group sngan_random/state --model weights/sn_gan.yaml --output random.safetensors
  weights/import.py --untrained 18 --model weights/spiking_resnet18.yaml --output results/untrained.safetensors

exit code: 0 imported, 2 wrong command line, 3 refused (the message names the file or key)
"""


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, nargs="?", help="file to import")
    parser.add_argument("--untrained", type=_seed, metavar="SEED",
                        help=f"instead of a file: the network as this seed makes it, before training ({', '.join(NETWORKS)})")
    parser.add_argument("--model", type=Path, required=True, metavar="YAML", help="architecture file")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="safetensors file to write (default: the one that the architecture file names)")
    parser.add_argument("--group", help="HDF5 source: group that holds one dataset a tensor")
    parser.add_argument("--entry", help="checkpoint: key that holds the state dict (default: model, state_dict or model_state_dict)")
    parser.add_argument("--strip-prefix", default="", metavar="TEXT", help="remove TEXT from the front of names, e.g. features.")
    parser.add_argument("--round-to-half", action="store_true",
                        help="store every matrix as float16, rounding it (noted in the file's metadata and in the model card)")
    parser.add_argument("--fold-spectral-norm", action="store_true",
                        help="divide weights by their spectral norm (mimicry's sn_u), for generators built of spectrally "
                             "normalised layers; without it the sn_u and sn_sigma tensors are only dropped")
    options = parser.parse_args(arguments)
    if (options.source is None) == (options.untrained is None):
        parser.error("name either a file to import or --untrained SEED")
    if options.untrained is not None and options.output is None:
        parser.error("--untrained needs --output FILE: the architecture file names the trained network's tensors")
    return options


def _seed(text: str) -> int:
    if not text.isdecimal() or int(text) >= 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def print_card(source: Path | None, output: Path, architecture: Architecture, result: Conversion) -> None:
    """What was done, and the lines of a model card (Markdown)."""
    for reason, count in Counter(result.dropped.values()).items():
        print(f"dropped {count}: {reason} ({', '.join(n for n, r in result.dropped.items() if r == reason)})")
    n_values = sum(tensor.numel() for tensor in result.tensors.values())
    print(f"""
## {architecture.name}

| | |
|---|---|
| tensors | `{output.name}`, {output.stat().st_size:,} bytes, {len(result.tensors)} tensors, {n_values:,} values |
| SHA-256 | `{sha256(output)}` |
| imported from | {f"`{source.name}`, SHA-256 `{sha256(source)}`" if source else "its seed, before training"} |
| precision | {result.count(torch.float16)} float16, {result.count(torch.float32)} float32; {f"rounded to float16: {', '.join(result.rounded)}" if result.rounded else "equal to the source"} |""")
    if result.divided:
        print(f"| divided by spectral norm | {', '.join(result.divided)} |")


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        require_safe_torch()
        architecture = Architecture(options.model)
        output = options.output or architecture.tensors_path
        if options.source is None:
            state = untrained(architecture.name, options.untrained)
        else:
            state = read_state(options.source, options.group, options.entry, options.strip_prefix)
        result = convert(state, architecture, options.round_to_half, options.fold_spectral_norm)
        write(result, output, options.source, options.group, options.untrained)
    except Refused as refusal:
        print(f"import.py: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"import.py: {error}", file=sys.stderr)
        return 4
    print_card(options.source, output, architecture, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
