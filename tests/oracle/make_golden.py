#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Make tests/golden/golden.h5: what the packages themselves compute, for comparing the C program with.

Every case is one HDF5 group:
  input          what goes in: images [N][3][32][32] float32 (normalised), latent z [N][128] float32, or indices [N][64] int64
  output         what the package returned; of a subject the mean over T
  rate/<layer>   spikes averaged over T, height and width, [N][channels] float32, one per spiking layer; attribute order
  spikes/<layer> resnet18*: spike trains of image 0, [T][channels][height][width], bits packed along the last axis
                 (numpy.packbits, big-endian); attribute shape
  state/<name>   sngan_random: the weights, which are random and stand nowhere else
  attributes     T, constants of the neurons
"""
import argparse
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shipped
from gan_reference import Generator
from snn_reference import DEFAULT_LIF, channel_rates, run_resnet

SOFT_RESET = {"tau": 10.0, "decay_input": False, "v_threshold": 1.0, "v_reset": None}


def draw_inputs(seed: int) -> dict[str, Tensor]:
    """The inputs of all cases, drawn in one fixed order, so that a case made alone has the same input."""
    generator = torch.Generator().manual_seed(seed)
    blobs = torch.randn(8, 3, 8, 8, generator=generator)
    images = F.interpolate(blobs, size=32, mode="bicubic") * 1.2
    grid_points = [torch.randint(0, 64, (8, 128), generator=generator) for _ in range(2)]
    indices = torch.randint(0, 512, (8, 64), generator=generator)
    z_random, z_trained = (points.float() / 63 * 8 - 4 for points in grid_points)
    return {"resnet18": images, "resnet18_soft_reset": images[:3], "snntorch_cnn": images,
            "sngan_random": z_random, "sngan_trained": z_trained, "vq_vae": indices}


def put(group: h5py.Group, name: str, values: Tensor | np.ndarray) -> None:
    array = values.detach().numpy() if isinstance(values, Tensor) else values
    filters = {"compression": "gzip", "shuffle": True} if array.ndim else {}
    group.create_dataset(name, data=array, **filters)


def put_rates(group: h5py.Group, outputs: dict[str, Tensor]) -> None:
    for order, (name, values) in enumerate(outputs.items()):
        put(group, f"rate/{name}", channel_rates(values))
        group[f"rate/{name}"].attrs["order"] = order


def resnet_case(group: h5py.Group, images: Tensor, timesteps: int, lif: dict) -> None:
    classes, outputs = run_resnet(shipped.shipped_spiking_resnet18(lif=lif), images, timesteps)
    put(group, "output", classes)
    put_rates(group, outputs)
    for name, spikes in outputs.items():
        first_image = spikes[:, 0].numpy().astype(np.uint8)
        put(group, f"spikes/{name}", np.packbits(first_image, axis=-1))
        group[f"spikes/{name}"].attrs["shape"] = first_image.shape
    group.attrs["T"] = timesteps
    for key, value in lif.items():
        group.attrs[key] = "none (soft reset)" if value is None else value


def snntorch_case(group: h5py.Group, images: Tensor) -> None:
    classes, outputs = shipped.shipped_snntorch_cnn()(images, 50)
    put(group, "output", classes)
    put_rates(group, outputs)
    group.attrs.update({"T": 50, "beta": 0.9, "threshold": 1.0})


def random_generator(seed: int, width: int = 32) -> Generator:
    """A generator of random weights whose matrices float16 holds exactly."""
    torch.manual_seed(seed)
    generator = Generator(width)
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.normal_(module.running_mean, 0, 0.2)
    with torch.no_grad():
        for parameter in generator.parameters():
            if parameter.dim() > 1:
                parameter.copy_(parameter.half().float())
    return generator.eval()


@torch.no_grad()
def gan_case(group: h5py.Group, z: Tensor, generator: Generator) -> None:
    put(group, "output", generator(z))
    group.attrs.update({"ngf": generator.width, "output": "tanh, in [-1, 1]"})


def random_gan_case(group: h5py.Group, z: Tensor, seed: int) -> None:
    generator = random_generator(seed)
    gan_case(group, z, generator)
    for name, values in generator.state_dict().items():
        put(group, f"state/{name}", values.half() if values.is_floating_point() and values.dim() > 1 else values)


@torch.no_grad()
def vq_case(group: h5py.Group, indices: Tensor) -> None:
    put(group, "output", shipped.shipped_vq_vae()(indices))
    group.attrs["output"] = "image in the network's normalised space, as the weights' authors use it"


CASES = {
    "resnet18": lambda group, values, seed: resnet_case(group, values, 20, DEFAULT_LIF),
    "resnet18_soft_reset": lambda group, values, seed: resnet_case(group, values, 7, SOFT_RESET),
    "snntorch_cnn": lambda group, values, seed: snntorch_case(group, values),
    "sngan_random": random_gan_case,
    "sngan_trained": lambda group, values, seed: gan_case(group, values, shipped.shipped_sn_gan_light()),
    "vq_vae": lambda group, values, seed: vq_case(group, values),
}


def make(output: Path, seed: int, cases: list[str]) -> None:
    inputs = draw_inputs(seed)
    with h5py.File(output, "w") as file:
        file.attrs["seed"] = seed
        for package in ("torch", "snntorch", "spikingjelly"):
            file.attrs[package] = version(package)
        for name in cases:
            group = file.create_group(name)
            put(group, "input", inputs[name])
            CASES[name](group, inputs[name], seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path, help="HDF5 file to write")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--case", action="append", choices=list(CASES), help="only this case (repeatable)")
    options = parser.parse_args()
    make(options.output, options.seed, options.case or list(CASES))


if __name__ == "__main__":
    main()
