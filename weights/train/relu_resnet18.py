#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train the ReLU twin of the spiking ResNet18 on CIFAR-10.

SGD, one cycle; images cropped, mirrored, turned, scaled, of changed colour, and mixed (CutMix); label smoothing; the
result is the moving average of the weights. The architecture is weights/relu_resnet18.yaml.
"""
import argparse
import sys

import torch

from training import losses, networks, options
from training.recipe import Classifier, Recipe, main
from training.schedule import Stage

EPILOG = """example:
  weights/train/relu_resnet18.py --data cifar-10-batches-bin --output results/relu_resnet18

files in --output: relu_resnet18.pt (for weights/import.py), accuracy.json, settings.json, curves.csv, curves.png,
checkpoint.pt (for --resume), checkpoints/epoch_*.safetensors (epoch_000: untrained, of the seed alone)
"""
DEFAULTS = {"epochs": 50, "seed": 18, "batch": 128, "learning_rate": 0.1, "warm_up": 0.2, "weight_decay": 5e-4,
            "label_smoothing": 0.1, "average_decay": 0.999, "batch_norm_images": 10_000, "test_timesteps": 1, "affine": 0.5,
            "colour": 0.2, "cutout": 0, "cutmix": 0.5, "device": torch.device("cpu"), "checkpoint_seconds": 60}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = options.parser(__doc__, EPILOG, **DEFAULTS)
    parser.add_argument("--epochs", type=options.positive, metavar="N", help=f"(default: {DEFAULTS['epochs']})")
    return parser.parse_args(arguments)


def recipe(given: argparse.Namespace) -> Recipe:
    return Classifier("relu_resnet18", networks.relu_resnet18, [Stage(1, given.epochs)],
                      loss=losses.cross_entropy(given.label_smoothing))


if __name__ == "__main__":
    sys.exit(main(parse(None), recipe, "relu_resnet18.py"))
