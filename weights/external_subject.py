#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Serve a PyTorch network as an external subject of meicensus.

The network is any torch.nn.Module, SpikingJelly's included. A unit is a channel of the output of a module: its mean
over time, height and width, or a single value of it, averaged over time.
"""
import argparse
import contextlib
import importlib
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor, nn

EXAMPLES = """examples; in a job file, between quotes (subjects: {NAME: {command: "..."}}), for YAML takes a comma for an end:
  python weights/external_subject.py --model mymodule:make_network --layers conv1,layer1.0
  python weights/external_subject.py --model torchvision:resnet18 --layers layer1,layer4 --input 3,224,224
  python weights/external_subject.py --model snn:make --layers sn1 --spiking --timesteps 20 --deterministic

exit code: 0 the end of its input, 2 wrong command line, 3 refused (the message names what)
"""
HEADER = struct.Struct("<4sHHIIQ")
UNIT = struct.Struct("<5i")
MAGIC, VERSION = b"MEIX", 1
SCORES, SUBJECT, DESCRIPTION, IMAGES, REFUSAL = 4, 5, 6, 7, 8
CHANNEL, NEURON, CLASS = 0, 1, 2


class Refused(Exception):
    """Something that cannot be used as it is."""


def load_network(name: str) -> nn.Module:
    """The network that `module:function` makes, or torchvision's of that name with its default weights."""
    module_name, _, function_name = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        if module_name == "torchvision":
            network = importlib.import_module("torchvision.models").get_model(function_name, weights="DEFAULT")
        else:
            network = getattr(importlib.import_module(module_name), function_name)()
    except (ImportError, AttributeError, ValueError) as error:
        raise Refused(f"--model {name}: {error}") from error
    if not isinstance(network, nn.Module):
        raise Refused(f"--model {name}: it made a {type(network).__name__}, expected a torch.nn.Module")
    return network.eval()


class Subject:
    """A network whose modules are listened to."""

    def __init__(self, network: nn.Module, options: argparse.Namespace):
        self.network, self.options = network.to(options.device), options
        self.outputs: dict[str, list[Tensor]] = {}
        modules = dict(network.named_modules())
        missing = [name for name in options.layers if name not in modules]
        if missing:
            raise Refused(f"--layers {missing[0]}: no such module; the network has {', '.join(filter(None, modules))}")
        for name in options.layers:
            modules[name].register_forward_hook(self._keeper(name))
        self.shapes = self._shapes()

    def _keeper(self, name: str) -> Callable:
        def keep(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            self.outputs.setdefault(name, []).append(output)
        return keep

    @torch.no_grad()
    def run(self, images: Tensor) -> Tensor:
        """Show images [N][C][H][W] from a fresh state; the class outputs [N][classes], mean over time."""
        self.outputs.clear()
        timesteps = self.options.timesteps
        reset_state(self.network)
        images = images.to(self.options.device)
        if timesteps == 1:
            classes = self.network(images)[None]
        elif self.options.steps == "multi":
            classes = self.network(images.expand(timesteps, *images.shape))
        else:
            classes = torch.stack([self.network(images) for _ in range(timesteps)])
        return classes.mean(0)

    def output(self, name: str) -> Tensor:
        """What a module gave at each step: [T][N][channels][height][width]."""
        kept = self.outputs[name]
        steps = kept[0] if self.options.steps == "multi" and self.options.timesteps > 1 else torch.stack(kept)
        return steps.reshape(*steps.shape, *[1] * (5 - steps.dim()))

    def _shapes(self) -> dict[str, list[int]]:
        """Channels, height and width of every layer, learnt from one image."""
        classes = self.run(torch.zeros(1, *self.options.input))
        if self.options.classes not in (0, classes.shape[-1]):
            raise Refused(f"--classes {self.options.classes}: the network has {classes.shape[-1]} outputs")
        for name in self.options.layers:
            if name not in self.outputs:
                raise Refused(f"--layers {name}: the network does not use this module")
            if not 3 <= self.output(name).dim() <= 5:
                raise Refused(f"--layers {name}: its output is no map of channels")
        return {name: list(self.output(name).shape[2:]) for name in self.options.layers}

    def description(self) -> dict:
        options = self.options
        size = dict(zip(("channels", "height", "width"), options.input))
        layers = [{"name": name, "channels": channels, "height": height, "width": width, "spiking": options.spiking}
                  for name, (channels, height, width) in self.shapes.items()]
        return {"format": "meicensus subject 1", "name": options.name, "input": size,
                "image": {"mean": options.mean, "std": options.std}, "timesteps": options.timesteps,
                "deterministic": options.deterministic, "classes": options.classes, "layers": layers}

    def activations(self, unit: tuple[int, ...], images: Tensor) -> Tensor:
        """Activation of one unit for images [N][C][H][W]: [N] float32; sums are in double precision."""
        layer, kind, channel, y, x = unit
        parts = []
        for part in images.split(self.options.batch):
            classes = self.run(part)
            if kind == CLASS:
                parts.append(classes[:, channel].double())
                continue
            output = self.output(self.options.layers[layer])[:, :, channel].double()
            parts.append(output[:, :, y, x].mean(0) if kind == NEURON else output.mean((0, 2, 3)))
        return torch.cat(parts).float().cpu()


def reset_state(network: nn.Module) -> None:
    """Membranes as before the first image: SpikingJelly's modules and snnTorch's have a method for it."""
    for module in network.modules():
        if hasattr(module, "reset_mem"):
            module.reset_mem()
        elif hasattr(module, "_memories"):
            module.reset()


def read_exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) != n_bytes:
        raise EOFError
    return data


def answer(stream: BinaryIO, kind: int, n_items: int, payload: bytes) -> None:
    stream.write(HEADER.pack(MAGIC, VERSION, kind, n_items, 1, len(payload)) + payload)
    stream.flush()


def answer_images(subject: Subject, n_images: int, payload: bytes) -> bytes:
    unit = UNIT.unpack_from(payload)
    values = torch.frombuffer(bytearray(payload[UNIT.size:]), dtype=torch.float32)
    return subject.activations(unit, values.view(n_images, *subject.options.input)).numpy().tobytes()


def serve(subject: Subject, source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the input ends."""
    with contextlib.suppress(EOFError):
        while True:
            magic, version, kind, n_items, _n_values, n_bytes = HEADER.unpack(read_exactly(source, HEADER.size))
            payload = read_exactly(source, n_bytes)
            if (magic, version) != (MAGIC, VERSION) or kind not in (SUBJECT, IMAGES):
                answer(sink, REFUSAL, 1, f"a frame {magic!r} of version {version}, type {kind}".encode())
            elif kind == SUBJECT:
                answer(sink, DESCRIPTION, 1, json.dumps(subject.description()).encode())
            else:
                answer(sink, SCORES, n_items, answer_images(subject, n_items, payload))


def numbers(kind: type) -> Callable[[str], list]:
    return lambda text: [kind(part) for part in text.split(",")]


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, metavar="MODULE:FUNCTION",
                        help="Python function without arguments that makes the network; torchvision:NAME")
    parser.add_argument("--layers", required=True, type=lambda text: text.split(","), metavar="NAMES",
                        help="modules, as named_modules() calls them")
    parser.add_argument("--name", default="torch", help="short name (default: torch)")
    parser.add_argument("--input", type=numbers(int), default=[3, 32, 32], metavar="C,H,W",
                        help="size of the images (default: 3,32,32)")
    parser.add_argument("--mean", type=numbers(float), metavar="NUMBERS", help="RGB = value * std + mean; default 0")
    parser.add_argument("--std", type=numbers(float), metavar="NUMBERS", help="default 1")
    parser.add_argument("--classes", type=int, default=0, metavar="N", help="class outputs that may be units")
    parser.add_argument("--spiking", action="store_true", help="the layers' outputs are 0 or 1")
    parser.add_argument("--timesteps", type=int, default=1, metavar="T", help="presentations of an image in a query")
    parser.add_argument("--steps", choices=("multi", "single"), default="multi",
                        help="multi: the network takes [T][N]... at once (SpikingJelly's step_mode m); single: T calls")
    parser.add_argument("--deterministic", action="store_true", help="the same image gives the same activation")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="images shown together, at most")
    parser.add_argument("--device", default="cpu", help="as torch names it")
    options = parser.parse_args(arguments)
    options.mean = options.mean or [0.0] * options.input[0]
    options.std = options.std or [1.0] * options.input[0]
    if len(options.input) != 3 or len(options.mean) != options.input[0] or len(options.std) != options.input[0]:
        parser.error("--input takes C,H,W, --mean and --std a number a channel")
    if options.timesteps < 1 or options.batch < 1:
        parser.error("--timesteps and --batch must be 1 or more")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse_arguments(arguments)
    sink = sys.stdout.buffer
    try:
        with contextlib.redirect_stdout(sys.stderr):  # whatever the network prints is no frame
            serve(Subject(load_network(options.model), options), sys.stdin.buffer, sink)
    except Refused as refusal:
        print(f"external_subject.py: {refusal}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
