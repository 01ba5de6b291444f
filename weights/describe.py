#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the architecture file of a network of a well-known family from its state dict.

Families: alexnet, densenet, resnet, vgg, with torchvision's tensor names, ReLU or spiking. The file goes to standard
output; then weights/import.py makes the tensors.
"""
import argparse
import sys
from pathlib import Path

import yaml

from importer import Refused, require_safe_torch
from importer.architecture import FORMAT
from importer.families import FAMILIES, Builder
from importer.sources import read_state

CIFAR_10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
EXAMPLES = """example:
  weights/describe.py vgg11.pt --family vgg --name my_vgg --input 3 224 224 --spiking '{kind: lif, tau: 2.0}' --timesteps 10 > my_vgg.yaml
  weights/import.py vgg11.pt --model my_vgg.yaml

exit code: 0 written, 2 wrong command line, 3 refused (the message names the file or key)
"""


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="state dict (.pt, .pth, .pkl), checkpoint or safetensors file")
    parser.add_argument("--family", required=True, choices=sorted(FAMILIES))
    parser.add_argument("--name", required=True, help="of the network; also of its files")
    parser.add_argument("--input", type=int, nargs=3, default=(3, 32, 32), metavar=("CHANNELS", "HEIGHT", "WIDTH"))
    parser.add_argument("--mean", type=float, nargs="+", default=[0.4914, 0.4822, 0.4465], help="of RGB in [0, 1] (default: CIFAR-10's)")
    parser.add_argument("--std", type=float, nargs="+", default=[0.2023, 0.1994, 0.2010])
    parser.add_argument("--spiking", type=yaml.safe_load, metavar="NEURON",
                        help="constants of the neurons in the place of ReLU, e.g. '{kind: lif, tau: 2.0}' (keys: weights/spiking_resnet18.yaml)")
    parser.add_argument("--timesteps", type=int, default=20, help="of a spiking network (default: 20)")
    parser.add_argument("--classes", nargs="+", help="their names (default: CIFAR-10's for ten classes, else numbers)")
    parser.add_argument("--entry", help="checkpoint: key that holds the state dict")
    parser.add_argument("--strip-prefix", default="", metavar="TEXT", help="remove TEXT from the front of names")
    options = parser.parse_args(arguments)
    if len(options.mean) != options.input[0] or len(options.std) != options.input[0]:
        parser.error(f"--mean and --std need {options.input[0]} numbers each")
    return options


def class_names(n_classes: int, given: list[str] | None) -> list[str]:
    names = given or (CIFAR_10 if n_classes == len(CIFAR_10) else [str(c) for c in range(n_classes)])
    if len(names) != n_classes:
        raise Refused(f"--classes: {len(names)} names for the {n_classes} outputs of the last layer")
    return names


def in_one_line(value: object) -> str:
    """A value as YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10000)
    return text.removesuffix("...\n").rstrip()


def describe(options: argparse.Namespace) -> str:
    """The architecture file."""
    state = read_state(options.source, None, options.entry, options.strip_prefix)
    builder = Builder(state, "spiking" if options.spiking else "relu", tuple(options.input[1:]))
    FAMILIES[options.family](builder)
    n_classes = builder.shape(f"{builder.layers[-1]['name']}.weight")[0]
    channels, height, width = options.input
    head = {"format": FORMAT, "name": options.name, "role": "subject",
            "description": f"{options.family} with {'spiking neurons' if options.spiking else 'ReLU'}, described from {options.source.name}",
            "tensors": f"{options.name}.safetensors",
            "input": {"channels": channels, "height": height, "width": width},
            "image": {"mean": list(options.mean), "std": list(options.std)}}
    if options.spiking:
        head |= {"timesteps": options.timesteps, "neuron": options.spiking}
    head["classes"] = class_names(n_classes, options.classes)
    lines = [f"{key}: {in_one_line(value)}" for key, value in head.items()]
    lines += ["layers:"] + [f"  - {in_one_line(layer)}" for layer in builder.layers]
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        require_safe_torch()
        print(describe(options), end="")
    except Refused as refusal:
        print(f"describe.py: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"describe.py: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
