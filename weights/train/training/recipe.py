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

from .checkpoint import save_network
from .data import read_test_images, read_training_images
from .finish import finish
from .loop import CHECKPOINT, Diverged, Interrupted, Stage, Training, epoch_file, train
from .losses import Loss
from .networks import untrained
from .record import write_settings


@dataclass
class Recipe:
    """What differs between the networks.

    start: the network that training starts from (None: the untrained one), and the loss.
    """

    name: str
    build: Callable[[], nn.Module]
    schedule: list[Stage]
    loss: Loss
    start: nn.Module | None = None
    inputs: list[Path] = field(default_factory=list)


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
        print(f"\n{program}: stopped: {error}; {options.output / CHECKPOINT}, where written, is the last good one; start "
              "again with a lower --learning-rate and another --output", file=sys.stderr)
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
        raise Refused(f"{checkpoint}: there is a training already; add --resume to go on with it, or choose another --output")
    training_images, test_images = (read(options.data, options.limit) for read in (read_training_images, read_test_images))
    first = untrained(recipe.build, options.seed)
    if not checkpoint.exists():
        save_network(epoch_file(output, 0), first.state_dict())
        if recipe.start is not None:
            save_network(output / "checkpoints" / "start.safetensors", recipe.start.state_dict())
    training = Training(recipe.start or first, recipe.loss, recipe.schedule, training_images, options)
    if checkpoint.exists():
        training.restore(checkpoint)
        print(f"going on after epoch {training.epoch}, step {training.position}", flush=True)
    write_settings(output / "settings.json", recipe.name, options, recipe.inputs)
    train(training, test_images)
    finish(recipe.name, training.average.module, training_images, test_images, options)
