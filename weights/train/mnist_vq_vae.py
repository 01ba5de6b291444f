#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train a VQ-VAE on MNIST, or on a set in the same format: 7 x 7 indices into a codebook of 256 entries.

Adam, one cycle; the loss is the mean squared error of normalised images and the commitment of the encoder. The
architecture is weights/mnist_vq_vae.yaml, and of the encoder weights/mnist_vq_vae_encoder.yaml.
"""
import argparse
import sys
from dataclasses import dataclass

import torch
from torch import nn

from training import idx, options, vq_vae, vq_vae_finish
from training.data import Images
from training.loop import Training
from training.recipe import Recipe, main
from training.schedule import Stage

EPILOG = """example:
  weights/train/mnist_vq_vae.py --data mnist --output results/mnist_vq_vae

files in --output: mnist_vq_vae.pt (for weights/import.py), error.json, reconstructions.png (test images, and below them
what is made of them), settings.json, curves.csv, curves.png, checkpoint.pt (for --resume),
checkpoints/epoch_*.safetensors (epoch_000: untrained, of the seed alone)
"""
DEFAULTS = {"epochs": 5, "seed": 49, "batch": 128, "learning_rate": 2e-3, "warm_up": 0.1, "weight_decay": 0.0,
            "device": torch.device("cpu"), "checkpoint_seconds": 60}


@dataclass
class Autoencoder(Recipe):
    """Its result is what it makes of test images."""

    def training(self, network: nn.Module, images: Images, given: argparse.Namespace) -> Training:
        return vq_vae.Reconstruction(network, self.schedule, images, given)

    def finish(self, network: nn.Module, training_images: Images, test_images: Images, given: argparse.Namespace) -> None:
        vq_vae_finish.finish(self.name, self.source, network, test_images, given)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = options.parser(__doc__, EPILOG, idx.MNIST, classifier=False, **DEFAULTS)
    parser.add_argument("--epochs", type=options.positive, metavar="N", help=f"(default: {DEFAULTS['epochs']})")
    return parser.parse_args(arguments)


def recipe(given: argparse.Namespace) -> Recipe:
    return Autoencoder("mnist_vq_vae", vq_vae.VqVae, [Stage(1, given.epochs)], idx.MNIST)


if __name__ == "__main__":
    sys.exit(main(parse(None), recipe, "mnist_vq_vae.py"))
