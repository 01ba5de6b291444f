#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Train the generator of an SN-GAN on CIFAR-10.

Hinge loss, a discriminator with spectral normalisation, Adam with falling rates; the result is the moving average of the
generator's weights. The architecture is weights/sn_gan_light.yaml, or with --width 256 weights/sn_gan.yaml.
"""
import argparse
import sys
from pathlib import Path

import torch

from training import options
from training.adversarial_recipe import run
from training.loop import CHECKPOINT, Diverged, Interrupted
from training.recipe import set_up_machine
from importer import require_safe_torch
from importer.refusal import Refused

EPILOG = """example:
  weights/train/sn_gan.py --data cifar-10-batches-bin --output results/sn_gan_light

files in --output: sn_gan_light.pt or sn_gan.pt (for weights/import.py), quality.json, settings.json, curves.csv,
curves.png, checkpoint.pt (for --resume), samples/step_*.png, checkpoints/step_*.safetensors (step_000000: untrained)
"""
DEFAULTS = {"width": 128, "discriminator_width": 96, "steps": 20_000, "batch": 64, "seed": 18, "learning_rate": 2e-4,
            "discriminator_learning_rate": 4e-4, "discriminator_steps": 1, "average_decay": 0.999, "measure_steps": 1000,
            "samples": 2000, "final_samples": 10_000, "device": torch.device("cpu"), "checkpoint_seconds": 60,
            "features": Path(__file__).resolve().parents[1] / "relu_resnet18.safetensors"}


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, epilog=f"{EPILOG}\n{options.EXIT_CODES}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add_files(parser.add_argument_group("files"))
    add_machine(parser.add_argument_group("machine"))
    add_recipe(parser.add_argument_group("recipe"))
    add_measurement(parser.add_argument_group("measurement"))
    parser.set_defaults(**DEFAULTS)
    for action in parser._actions:  # pylint: disable=protected-access
        if action.help and action.dest in DEFAULTS:
            action.help = f"{action.help} (default: {DEFAULTS[action.dest]})"
    return parser.parse_args(arguments)


def add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of CIFAR-10's binary files")
    group.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder for everything the training writes")
    group.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output, if there is one")
    group.add_argument("--limit", type=options.positive, metavar="N", help="only the first N training and N test images")


def add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", type=options.device, help="cpu, cuda, cuda:1, ...")
    group.add_argument("--threads", type=options.positive, metavar="N", help="CPU threads (default: as PyTorch chooses)")
    group.add_argument("--float32", action="store_true", help="no bfloat16 autocast")
    group.add_argument("--checkpoint-seconds", type=options.not_negative, metavar="S", help="work that a kill can cost")


def add_recipe(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--width", type=options.positive, metavar="N", help="channels of the generator; 256 as published")
    group.add_argument("--discriminator-width", type=options.positive, metavar="N", help="channels of the discriminator")
    group.add_argument("--steps", type=options.positive, metavar="N", help="steps of the generator")
    group.add_argument("--discriminator-steps", type=options.positive, metavar="N",
                       help="steps of the discriminator for each of the generator's")
    group.add_argument("--batch", type=options.positive, metavar="N", help="real and generated images a step")
    group.add_argument("--seed", type=options.natural, metavar="N", help="of the untrained networks and of all that is random")
    group.add_argument("--learning-rate", type=options.positive_real, metavar="R",
                       help="of the generator; both rates fall in a line to 0")
    group.add_argument("--discriminator-learning-rate", type=options.positive_real, metavar="R", help="of the discriminator")
    group.add_argument("--average-decay", type=options.share, metavar="P",
                       help="a step of the moving average of the weights, which is what is measured and written")


def add_measurement(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--measure-steps", type=options.positive, metavar="N",
                       help="steps from one measurement and sheet of samples to the next")
    group.add_argument("--samples", type=options.positive, metavar="N", help="images of which a distance in curves.csv is made")
    group.add_argument("--final-samples", type=options.positive, metavar="N", help="the same for the result")
    group.add_argument("--features", type=Path, metavar="FILE", help="tensors of the ReLU ResNet18 in whose features is measured")


def main(given: argparse.Namespace, program: str = "sn_gan.py") -> int:
    """Run the recipe; every expected failure becomes one line and an exit code."""
    try:
        require_safe_torch()
        set_up_machine(given)
        run(given)
    except Refused as refusal:
        print(f"{program}: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 4
    except Diverged as error:
        print(f"\n{program}: stopped: {error}; {given.output / CHECKPOINT}, where written, is the last good one; start "
              "again with a lower --learning-rate and another --output", file=sys.stderr)
        return 5
    except (Interrupted, KeyboardInterrupt):
        print(f"\n{program}: interrupted; the same command with --resume goes on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(parse(None)))
