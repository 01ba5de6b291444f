#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Import a network from a NIR file: writes the architecture file and the tensors beside it.

Nodes that have an exact counterpart: Input, Output, Conv2d, Linear, Affine, LIF, IF, AvgPool2d, SumPool2d, Flatten,
Scale, CubaLIF whose tau_syn is dt, nested graphs; several edges to one node are added. Everything else is refused by the
name of the node, and so is a file that is not what it says. Nothing of the file is ever run.

NIR's neurons are differential equations and say nothing of time steps. Here a step is
v' = v + dt / tau (v_leak - v + r i), a spike where v' > v_threshold, then v' = v_reset; membranes start at v_reset.
IF: v' = v + dt r i.
"""
import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from describe import class_names, in_one_line
from importer import Refused, require_safe_torch
from importer.architecture import FORMAT, Architecture
from importer.conversion import Conversion, convert, sha256, write
from importer.nir_file import read_graph
from importer.nir_import import Importer

EXAMPLES = """examples:
  weights/import_nir.py network.nir --output my.yaml
  weights/import_nir.py norse.nir --output my.yaml --dt 1e-3 --mean 0.5 0.5 0.5 --std 0.5 0.5 0.5
  weights/import_nir.py mnist.nir --output mnist.yaml --input 1 28 28 --reset-by-subtraction --timesteps 25

exit code: 0 imported, 2 wrong command line, 3 refused (the message names the file and node), 4 files cannot be written
"""


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="NIR file")
    parser.add_argument("--output", type=Path, required=True, metavar="YAML",
                        help="architecture file to write; its tensors go to NAME.safetensors")
    parser.add_argument("--dt", type=float, default=1e-4, metavar="SECONDS",
                        help="time step: that of the package that wrote the file "
                             "(default: 1e-4, as snnTorch and SpikingJelly; Norse: 1e-3)")
    parser.add_argument("--timesteps", type=int, default=20, help="presentations of an image (default: 20)")
    parser.add_argument("--reset-by-subtraction", action="store_true",
                        help="the neurons are snnTorch's Leaky with its default reset, which its NIR files do not state")
    parser.add_argument("--input", type=int, nargs=3, metavar=("CHANNELS", "HEIGHT", "WIDTH"),
                        help="image of a network that takes a vector")
    parser.add_argument("--mean", type=float, nargs="+", help="of the image in [0, 1], a number a channel (default: 0)")
    parser.add_argument("--std", type=float, nargs="+", help="(default: 1: the network takes values in [0, 1])")
    parser.add_argument("--classes", nargs="+", help="names of the outputs (default: numbers)")
    options = parser.parse_args(arguments)
    if options.output.suffix != ".yaml":
        parser.error(f"--output: {options.output} does not end in .yaml")
    above_0 = [options.dt, options.timesteps, *(options.input or []), *(options.std or [])]
    if not all(0 < number < float("inf") for number in above_0):
        parser.error("--dt, --timesteps, --input and --std must be above 0")
    return options


def architecture_text(options: argparse.Namespace, network: Importer) -> str:
    """The architecture file."""
    channels, height, width = network.input
    image = {"mean": options.mean or [0.0] * channels, "std": options.std or [1.0] * channels}
    for key, values in image.items():
        if len(values) != channels:
            raise Refused(f"--{key}: {len(values)} numbers for an image of {channels} channels")
    head = {"format": FORMAT, "name": options.output.stem, "role": "subject",
            "description": f"imported from {options.source.name} (NIR) with time steps of {options.dt:g} s",
            "tensors": f"{options.output.stem}.safetensors",
            "input": {"channels": channels, "height": height, "width": width}, "image": image}
    neurons = [layer["neuron"] for layer in network.layers if layer["kind"] == "spiking"]
    if neurons:
        head["timesteps"] = options.timesteps
    if neurons and all(neuron == neurons[0] for neuron in neurons):
        head["neuron"] = neurons[0]
    numbers = [str(number) for number in range(network.n_classes)]
    head["classes"] = class_names(network.n_classes, options.classes or numbers)
    lines = [f"{key}: {in_one_line(value)}" for key, value in head.items()]
    lines += ["layers:"] + [f"  - {in_one_line(_without_common(layer, head))}" for layer in network.layers]
    return "\n".join(lines) + "\n"


def _without_common(layer: dict, head: dict) -> dict:
    return {key: value for key, value in layer.items() if key != "neuron" or "neuron" not in head}


def single_precision(network: Importer) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, values in network.tensors.items():
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
        if not np.isfinite(single).all():
            raise Refused(f"{network.graph.path}: {name} holds values that are beyond float32, "
                          "once scaled by the node behind it")
        tensors[name] = torch.from_numpy(np.ascontiguousarray(single))
    return tensors


def import_network(options: argparse.Namespace) -> tuple[Architecture, Conversion]:
    image = tuple(options.input) if options.input else None
    network = Importer(read_graph(options.source), options.dt, options.reset_by_subtraction, image)
    network.run()
    part = options.output.with_name(options.output.name + ".part")
    part.write_text(architecture_text(options, network))
    try:
        architecture = Architecture(part)
        result = convert(single_precision(network), architecture)
        write(result, architecture.tensors_path, options.source, None)
        part.replace(options.output)
    finally:
        part.unlink(missing_ok=True)
    return architecture, result


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    try:
        require_safe_torch()
        architecture, result = import_network(options)
    except Refused as refusal:
        print(f"import_nir.py: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"import_nir.py: {error}", file=sys.stderr)
        return 4
    n_spiking, tensors = len(list(architecture.spiking_layers())), architecture.tensors_path
    print(f"{options.output}: {len(architecture.layers)} layers, {n_spiking} of them spiking")
    print(f"{tensors}: {len(result.tensors)} tensors, SHA-256 {sha256(tensors)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
