#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Frechet distance between images of a generator and CIFAR-10's 10,000 test images.

The features are the 512 before the last layer of our ReLU ResNet18: such a distance is comparable only with others in
the same features, and is not the FID. The floor, that of 10,000 training images, is printed beside it. With --inception
the features are the 2,048 of pytorch-fid's Inception network, and the distance is the usual FID.

Source, a generator, from which --samples images of z ~ N(0, 1) are made:
  its architecture file (.yaml): by the C program, in the arithmetic of a census
  the state dict of an SN-GAN: by PyTorch; what weights/train/sn_gan.py writes, a safetensors file, the authors' file
or images, [N, 3, 32, 32] or [N, 32, 32, 3], uint8, or float in [0, 1]:
  a folder of PNG files, a .npz or .npy array, or an HDF5 file (--dataset); with --model, what `meicensus forward` wrote
"""
import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import torch

WEIGHTS = Path(__file__).resolve().parent
sys.path.append(str(WEIGHTS / "train"))
from training import forward, frechet, image_files, options  # noqa: E402
from training.data import read_test_images, read_training_images  # noqa: E402
from training.inception import inception_features  # noqa: E402
from training.sn_gan import ARCHITECTURE, read_generator  # noqa: E402
from importer import require_safe_torch  # noqa: E402
from importer.refusal import Refused  # noqa: E402

EPILOG = """examples:
  weights/frechet.py weights/sn_gan_light.yaml --data cifar-10-batches-bin
  weights/frechet.py results/sn_gan_light/sn_gan_light.pt --data cifar-10-batches-bin --grid
  weights/frechet.py images.h5 --model weights/sn_gan_light.yaml --data cifar-10-batches-bin
  weights/frechet.py folder_of_png --data cifar-10-batches-bin --inception pt_inception-2015-12-05-6726825d.pth

exit code: 0 measured, 2 wrong command line, 3 refused (the message names the file), 4 file system
"""


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="generator or images")
    add_images(parser.add_argument_group("images"))
    add_features(parser.add_argument_group("measurement"))
    given = parser.parse_args(arguments)
    if given.grid and (given.model or image_files.holds_images(given.source)):
        parser.error("--grid moves the z of a generator; the images are there already")
    return given


def add_images(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--samples", type=options.positive, metavar="N", default=10_000,
                       help="images to make, or how many of the given ones at most (default: 10000)")
    group.add_argument("--seed", type=options.natural, metavar="N", default=0, help="of z (default: 0)")
    group.add_argument("--grid", action="store_true",
                       help="move z to the grid of the architecture file, as a census does")
    group.add_argument("--program", type=Path, metavar="FILE", default=WEIGHTS.parent / "build" / "meicensus",
                       help="C program that runs an architecture file (default: build/meicensus)")
    group.add_argument("--dataset", metavar="NAME",
                       help="HDF5 dataset or array of an .npz file (default: images, with --model output)")
    group.add_argument("--model", type=Path, metavar="FILE",
                       help="architecture file with which `meicensus forward` made the HDF5 file")


def add_features(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of CIFAR-10's binary files")
    group.add_argument("--limit", type=options.positive, metavar="N", default=10_000,
                       help="only the first N test and N training images (default: 10000)")
    group.add_argument("--device", type=options.device, default=torch.device("cpu"),
                       help="cpu, cuda, ... (default: cpu)")
    features = group.add_mutually_exclusive_group()
    features.add_argument("--features", type=Path, metavar="FILE", default=WEIGHTS / "relu_resnet18.safetensors",
                          help="tensors of another ReLU ResNet18 (default: weights/relu_resnet18.safetensors)")
    features.add_argument("--inception", type=Path, metavar="FILE",
                          help="pytorch-fid's weights, pt_inception-2015-12-05-6726825d.pth (pip install pytorch-fid)")


def images_of(given: argparse.Namespace) -> Iterable[torch.Tensor]:
    """Batches in [0, 1]."""
    if given.source.suffix == ".yaml":
        model = forward.GeneratorModel(given.source)
        return frechet.as_batches(model.generate(given.program, latents_for(model, given)))
    if given.model:
        images = forward.GeneratorModel(given.model).read_output(given.source, given.dataset or forward.OUTPUT)
        return frechet.as_batches(images[:given.samples])
    if image_files.holds_images(given.source):
        return frechet.as_batches(image_files.read_images(given.source, given.dataset or "images")[:given.samples])
    generator = read_generator(given.source).eval().to(given.device, memory_format=torch.channels_last)
    return frechet.sampled(generator, latents_for(forward.GeneratorModel(ARCHITECTURE), given))


def latents_for(model: forward.GeneratorModel, given: argparse.Namespace) -> torch.Tensor:
    latents = frechet.latents_of(given.seed, given.samples, model.dimensions)
    return model.on_grid(latents) if given.grid else latents


def measure(given: argparse.Namespace) -> None:
    pixels = [read(given.data, given.limit).pixels for read in (read_test_images, read_training_images)]
    features = inception_features(given.inception, given.device) if given.inception \
        else frechet.resnet_features(given.features, given.device)
    found = frechet.statistics_of(images_of(given), features)
    test, training = (frechet.statistics_of(frechet.as_batches(part), features) for part in pixels)
    name = "FID" if given.inception else f"Frechet distance in the {len(test.mean)} features of {given.features.name}"
    print(f"{name}: {frechet.distance(found, test):.4f}  ({found.n:,} images against {test.n:,} test images)")
    print(f"floor: {frechet.distance(training, test):.4f}  ({training.n:,} training images against the same)")


def main(arguments: list[str] | None = None) -> int:
    given = parse(arguments)
    try:
        require_safe_torch()
        measure(given)
    except Refused as refusal:
        print(f"frechet.py: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"frechet.py: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
