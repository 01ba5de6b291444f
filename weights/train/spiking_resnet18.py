#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train the spiking ResNet18 (SpikingJelly's, LIF neurons) on CIFAR-10, starting from its ReLU twin.

The gain of each batch norm of the twin is rescaled to a root mean square of 1, without which the deep layers stay
silent. Then surrogate gradient: most epochs at few time steps, the last ones at more; the unchanged twin sees the same
images, and its outputs are part of the loss. The architecture is weights/spiking_resnet18.yaml.
"""
import argparse
import sys
from pathlib import Path

import torch

from training import losses, networks, options
from training.recipe import Classifier, Recipe, main
from training.schedule import Stage, stage

EPILOG = """example:
  weights/train/spiking_resnet18.py --data cifar-10-batches-bin --output results/spiking_resnet18 \\
      --twin results/relu_resnet18/relu_resnet18.pt

files in --output: spiking_resnet18.pt (for weights/import.py), accuracy.json, settings.json, curves.csv, curves.png,
checkpoint.pt (for --resume), checkpoints/epoch_*.safetensors (epoch_000: untrained, of the seed alone),
checkpoints/start.safetensors (the rescaled twin)
"""
TWIN = Path(__file__).resolve().parents[1] / "relu_resnet18.safetensors"
DEFAULTS = {"schedule": [Stage(4, 24), Stage(8, 4)], "distillation": 0.5, "temperature": 2.0, "seed": 18, "batch": 128,
            "learning_rate": 0.05, "warm_up": 0.1, "weight_decay": 5e-4, "label_smoothing": 0.1, "average_decay": 0.999,
            "batch_norm_images": 10_000, "test_timesteps": 20, "affine": 0.5, "colour": 0.2, "cutout": 0, "cutmix": 0.25,
            "device": torch.device("cpu"), "checkpoint_seconds": 60}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = options.parser(__doc__, EPILOG, **DEFAULTS)
    group = parser.add_argument_group("spiking network")
    group.add_argument("--twin", type=Path, default=TWIN, metavar="FILE",
                       help="trained ReLU twin: .pt or .safetensors (default: weights/relu_resnet18.safetensors)")
    group.add_argument("--schedule", type=stage, nargs="+", metavar="T:EPOCHS",
                       help=f"time steps, and epochs at them (default: {' '.join(map(str, DEFAULTS['schedule']))})")
    group.add_argument("--distillation", type=options.share, metavar="P",
                       help=f"weight of the twin's outputs in the loss (default: {DEFAULTS['distillation']})")
    group.add_argument("--temperature", type=options.positive_real, metavar="R",
                       help=f"by which outputs are divided in that part (default: {DEFAULTS['temperature']})")
    group.add_argument("--test-timesteps", type=options.positive, metavar="T",
                       help="presentations of each image in the estimate of batch norm statistics and in the final "
                            f"measurement (default: {DEFAULTS['test_timesteps']})")
    return parser.parse_args(arguments)


def recipe(given: argparse.Namespace) -> Recipe:
    twin = networks.read_network(given.twin, networks.relu_resnet18)
    start = networks.read_network(given.twin, networks.spiking_resnet18)
    networks.rescale_gains(start)
    loss = losses.cross_entropy(given.label_smoothing)
    if given.distillation:
        twin = twin.eval().requires_grad_(False).to(given.device, memory_format=torch.channels_last)
        loss = losses.distillation(twin, given.distillation, given.temperature, loss, not given.float32)
    return Classifier("spiking_resnet18", networks.spiking_resnet18, given.schedule, start=start, inputs=[given.twin], loss=loss)


if __name__ == "__main__":
    sys.exit(main(parse(None), recipe, "spiking_resnet18.py"))
