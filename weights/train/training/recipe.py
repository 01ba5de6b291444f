# SPDX-License-Identifier: MIT
"""One recipe from its command line to its result."""
import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from importer import require_safe_torch
from importer.refusal import Refused

from .augmentation import Augmentation
from .checkpoint import save_network
from .classification import Classification
from .data import CIFAR10, Images, Source
from .finish import finish
from .losses import Loss
from .networks import untrained
from .record import write_settings
from .resumable import CHECKPOINT, Diverged, Interrupted, Resumable
from .schedule import Stage


@dataclass
class Recipe:
    """What differs between the networks.

    schedule: of a training in epochs; start: the network that training starts from (None: the untrained one).
    """

    name: str
    build: Callable[[], nn.Module]
    schedule: list[Stage] = field(default_factory=list)
    source: Source = CIFAR10
    start: nn.Module | None = None
    inputs: list[Path] = field(default_factory=list)

    def training(self, network: nn.Module, images: Images, options: argparse.Namespace) -> Resumable:
        raise NotImplementedError

    def finish(self, network: nn.Module, training_images: Images, test_images: Images,
               options: argparse.Namespace) -> None:
        """Measure the trained network and write it."""
        raise NotImplementedError


@dataclass
class Classifier(Recipe):
    """A network that names the class of an image. border, mirror: see Augmentation."""

    loss: Loss | None = None
    border: int = 4
    mirror: bool = True

    def augmentation(self, options: argparse.Namespace) -> Augmentation:
        return Augmentation(options.affine, options.colour, options.cutout, options.cutmix, self.border, self.mirror)

    def training(self, network: nn.Module, images: Images, options: argparse.Namespace) -> Resumable:
        return Classification(network, self.loss, self.schedule, images, options, self.augmentation(options))

    def finish(self, network: nn.Module, training_images: Images, test_images: Images,
               options: argparse.Namespace) -> None:
        finish(self.name, self.source, network, training_images, self.augmentation(options), test_images, options)


def main(options: argparse.Namespace, make_recipe: Callable[[argparse.Namespace], Recipe], program: str) -> int:
    """Run a recipe; every expected failure becomes one line and an exit code."""
    try:
        require_safe_torch()
        set_up_machine(options)
        run(make_recipe(options), options)
    except Refused as refusal:
        print(f"{program}: {refusal}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 4
    except Diverged as error:
        print(f"\n{program}: stopped: {error}; {options.output / CHECKPOINT}, where written, is the last good one; "
              "start again with a lower --learning-rate and another --output", file=sys.stderr)
        return 5
    except (Interrupted, KeyboardInterrupt):
        print(f"\n{program}: interrupted; the same command with --resume goes on", file=sys.stderr)
        return 130
    return 0


def set_up_machine(options: argparse.Namespace) -> None:
    """Threads, seed, and arithmetic that gives the same result each time on one machine."""
    if options.device.type == "cuda" and not torch.cuda.is_available():
        raise Refused("--device cuda: PyTorch finds no usable GPU")
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False


def run(recipe: Recipe, options: argparse.Namespace) -> None:
    output = options.output
    (output / "checkpoints").mkdir(parents=True, exist_ok=True)
    checkpoint = output / CHECKPOINT
    if checkpoint.exists() and not options.resume:
        raise Refused(f"{checkpoint}: there is a training already; add --resume to go on with it, or choose another "
                      "--output")
    training_images, test_images = (read(options.data, options.limit)
                                    for read in (recipe.source.read_training, recipe.source.read_test))
    first = untrained(recipe.build, options.seed)
    training = recipe.training(recipe.start or first, training_images, options)
    if not checkpoint.exists():
        save_network(training.network_file(0), training.tensors(first))
        if recipe.start is not None:
            save_network(output / "checkpoints" / "start.safetensors", training.tensors(recipe.start))
    if checkpoint.exists():
        training.restore(checkpoint)
        print(f"going on after {training.done}", flush=True)
    write_settings(output / "settings.json", recipe.name, options, recipe.inputs)
    training.train(test_images)
    recipe.finish(training.result(), training_images, test_images, options)
