#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train the generator of an SN-GAN on CIFAR-10.

Hinge loss, a discriminator with spectral normalisation, Adam with falling rates; the result is the moving average of
the generator's weights. The architecture is weights/sn_gan_light.yaml, or with --width 256 weights/sn_gan.yaml.
"""
import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from training import adversarial_finish, frechet, options
from training.adversarial import AdversarialTraining, Measure
from training.data import Images
from training.networks import untrained
from training.recipe import Recipe, main
from training.sn_gan import PUBLISHED_WIDTH, Discriminator, Generator

EPILOG = """example:
  weights/train/sn_gan.py --data cifar-10-batches-bin --output results/sn_gan_light

files in --output: sn_gan_light.pt or sn_gan.pt (for weights/import.py), quality.json, settings.json, curves.csv,
curves.png, checkpoint.pt (for --resume), samples/step_*.png, checkpoints/step_*.safetensors (step_000000: untrained)
"""
DEFAULTS = {"width": 128, "discriminator_width": 96, "steps": 20_000, "batch": 64, "seed": 18, "learning_rate": 2e-4,
            "discriminator_learning_rate": 4e-4, "discriminator_steps": 1, "average_decay": 0.999,
            "measure_steps": 1000, "samples": 2000, "final_samples": 10_000, "device": torch.device("cpu"),
            "checkpoint_seconds": 60, "features": Path(__file__).resolve().parents[1] / "relu_resnet18.safetensors"}


@dataclass
class Adversarial(Recipe):
    """Its result is the generator."""

    measure: Measure | None = None

    def training(self, network: Generator, images: Images, given: argparse.Namespace) -> AdversarialTraining:
        discriminator = untrained(lambda: Discriminator(given.discriminator_width), given.seed + 1)
        training = AdversarialTraining(network, discriminator, images, given, self.measure)
        if given.start:
            training.begin_with(given.start)
        return training

    def finish(self, network: Generator, training_images: Images, test_images: Images,
               given: argparse.Namespace) -> None:
        adversarial_finish.finish(self.name, network, training_images, self.measure, given)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = options.common(__doc__, EPILOG)
    add_recipe(parser.add_argument_group("recipe"))
    add_measurement(parser.add_argument_group("measurement"))
    options.set_defaults(parser, **DEFAULTS)
    return parser.parse_args(arguments)


def add_recipe(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--width", type=options.positive, metavar="N",
                       help="channels of the generator; 256 as published")
    group.add_argument("--discriminator-width", type=options.positive, metavar="N",
                       help="channels of the discriminator")
    group.add_argument("--start", type=Path, metavar="FILE",
                       help="checkpoint.pt of an earlier training whose networks this one begins with")
    group.add_argument("--steps", type=options.positive, metavar="N", help="steps of the generator")
    group.add_argument("--discriminator-steps", type=options.positive, metavar="N",
                       help="steps of the discriminator for each of the generator's")
    group.add_argument("--batch", type=options.positive, metavar="N", help="real and generated images a step")
    group.add_argument("--seed", type=options.natural, metavar="N",
                       help="of the untrained networks and of all that is random")
    group.add_argument("--learning-rate", type=options.positive_real, metavar="R",
                       help="of the generator; both rates fall in a line to 0")
    group.add_argument("--discriminator-learning-rate", type=options.positive_real, metavar="R",
                       help="of the discriminator")
    group.add_argument("--average-decay", type=options.share, metavar="P",
                       help="a step of the moving average of the weights, which is what is measured and written")


def add_measurement(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--measure-steps", type=options.positive, metavar="N",
                       help="steps from one measurement and sheet of samples to the next")
    group.add_argument("--samples", type=options.positive, metavar="N",
                       help="images of which a distance in curves.csv is made")
    group.add_argument("--final-samples", type=options.positive, metavar="N", help="the same for the result")
    group.add_argument("--features", type=Path, metavar="FILE",
                       help="tensors of the ReLU ResNet18 in whose features is measured")


def recipe(given: argparse.Namespace) -> Recipe:
    name = "sn_gan" if given.width == PUBLISHED_WIDTH else "sn_gan_light"
    measure = Measure(frechet.resnet_features(given.features, given.device))
    inputs = [given.features, *([given.start] if given.start else [])]
    return Adversarial(name, lambda: Generator(given.width), inputs=inputs, measure=measure)


if __name__ == "__main__":
    sys.exit(main(parse(None), recipe, "sn_gan.py"))
