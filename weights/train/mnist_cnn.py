#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train a spiking CNN (SpikingJelly's LIF neurons) on MNIST, or on a set in the same format.

Surrogate gradient, SGD, one cycle; images moved by up to two pixels, turned and scaled; the result is the moving average
of the weights. The architecture is weights/mnist_cnn.yaml.
"""
import argparse
import sys

import torch

from training import idx, losses, networks, options
from training.recipe import Classifier, Recipe, main
from training.schedule import Stage, stage

EPILOG = """example:
  weights/train/mnist_cnn.py --data mnist --output results/mnist_cnn

files in --output: mnist_cnn.pt (for weights/import.py), accuracy.json, settings.json, curves.csv, curves.png,
checkpoint.pt (for --resume), checkpoints/epoch_*.safetensors (epoch_000: untrained, of the seed alone)
"""
DEFAULTS = {"schedule": [Stage(4, 4), Stage(8, 1)], "seed": 28, "batch": 128, "learning_rate": 0.1, "warm_up": 0.2,
            "weight_decay": 5e-4, "label_smoothing": 0.05, "average_decay": 0.998, "batch_norm_images": 10_000,
            "test_timesteps": 20, "affine": 0.5, "colour": 0.0, "cutout": 0, "cutmix": 0.0, "device": torch.device("cpu"),
            "checkpoint_seconds": 60}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = options.parser(__doc__, EPILOG, idx.MNIST, **DEFAULTS)
    group = parser.add_argument_group("spiking network")
    group.add_argument("--schedule", type=stage, nargs="+", metavar="T:EPOCHS",
                       help=f"time steps, and epochs at them (default: {' '.join(map(str, DEFAULTS['schedule']))})")
    group.add_argument("--test-timesteps", type=options.positive, metavar="T",
                       help="presentations of each image in the estimate of batch norm statistics and in the final "
                            f"measurement (default: {DEFAULTS['test_timesteps']})")
    return parser.parse_args(arguments)


def recipe(given: argparse.Namespace) -> Recipe:
    return Classifier("mnist_cnn", networks.mnist_cnn, given.schedule, idx.MNIST,
                      loss=losses.cross_entropy(given.label_smoothing), border=2, mirror=False)


if __name__ == "__main__":
    sys.exit(main(parse(None), recipe, "mnist_cnn.py"))
