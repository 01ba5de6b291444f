# SPDX-License-Identifier: MIT
"""Command line shared by the recipes."""
import argparse
from pathlib import Path

import torch

from importer.refusal import Refused

from .data import CIFAR10, Source

EXIT_CODES = """exit code: 0 trained, 2 wrong command line, 3 refused (the message names the file), 4 file system,
5 diverged (the last good checkpoint is kept), 130 interrupted (--resume goes on)
"""

# Arguments that a resumed training may change: where and how it runs and is measured, not what it computes.
# settings.json holds the SHA-256 of the features.
FREE_ON_RESUME = ("data", "output", "resume", "device", "threads", "checkpoint_seconds", "compile",
                  "batch_norm_images", "test_timesteps", "final_samples", "features")


def parser(description: str, epilog: str, source: Source = CIFAR10, classifier: bool = True,
           **defaults: object) -> argparse.ArgumentParser:
    """Options of the recipes whose training is one of epochs, some only where it trains a classifier."""
    result = common(description, epilog, source)
    recipe = result.add_argument_group("recipe")
    _add_schedule(recipe)
    if classifier:
        _add_classifier(recipe)
        _add_augmentation(result.add_argument_group("augmentation"))
    set_defaults(result, **defaults)
    return result


def common(description: str, epilog: str, source: Source = CIFAR10) -> argparse.ArgumentParser:
    """Options that all recipes share."""
    result = argparse.ArgumentParser(description=description, epilog=f"{epilog}\n{EXIT_CODES}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    _add_files(result.add_argument_group("files"), source.description)
    _add_machine(result.add_argument_group("machine"))
    return result


def set_defaults(result: argparse.ArgumentParser, **defaults: object) -> None:
    """The recipe's own, also in the help of the options added so far."""
    result.set_defaults(**defaults)
    for action in result._actions:  # pylint: disable=protected-access
        if action.help and action.dest in defaults:
            action.help = f"{action.help} (default: {_text(defaults[action.dest])})"


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _add_files(group: argparse._ArgumentGroup, data: str) -> None:
    group.add_argument("--data", type=Path, required=True, metavar="DIR", help=data)
    group.add_argument("--output", type=Path, required=True, metavar="DIR",
                       help="folder for everything the training writes")
    group.add_argument("--resume", action="store_true", help="go on from the checkpoint in --output, if there is one")
    group.add_argument("--limit", type=positive, metavar="N", help="only the first N training and N test images")


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", type=device, help="cpu, cuda, cuda:1, ...")
    group.add_argument("--threads", type=positive, metavar="N", help="CPU threads (default: as PyTorch chooses)")
    group.add_argument("--float32", action="store_true", help="no bfloat16 autocast")
    group.add_argument("--checkpoint-seconds", type=not_negative, metavar="S", help="work that a kill can cost")


def _add_schedule(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--seed", type=natural, metavar="N", help="of the untrained network and of all that is random")
    group.add_argument("--batch", type=positive, metavar="N", help="images a step")
    group.add_argument("--learning-rate", type=positive_real, metavar="R", help="peak of the one-cycle schedule")
    group.add_argument("--warm-up", type=share, metavar="P", help="share of the schedule that leads to the peak")
    group.add_argument("--weight-decay", type=not_negative, metavar="R", help="of convolutions and the linear layer")
    group.add_argument("--compile", action="store_true",
                       help="torch.compile the network; needs a C++ compiler on a CPU")


def _add_classifier(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--label-smoothing", type=share, metavar="P", help="share of the target given to all classes")
    group.add_argument("--average-decay", type=share, metavar="P",
                       help="a step of the moving average of the weights, which is what is measured and written")
    group.add_argument("--batch-norm-images", type=positive, metavar="N",
                       help="training images by which the batch norm statistics are estimated in the end")


def _add_augmentation(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--affine", type=share, metavar="P", help="share of images turned and scaled")
    group.add_argument("--colour", type=share, metavar="P",
                       help="largest change of brightness, contrast and saturation")
    group.add_argument("--cutout", type=natural, metavar="N", help="edge of the square taken out, in pixels")
    group.add_argument("--cutmix", type=share, metavar="P", help="share of images that get a rectangle of another one")


def _number(kind: type, accepts: object, wanted: str, text: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not accepts(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value


def positive(text: str) -> int:
    return _number(int, lambda value: 0 < value < 2**31, "a whole number above 0", text)


def natural(text: str) -> int:
    return _number(int, lambda value: 0 <= value < 2**31, "a whole number from 0 on", text)


def positive_real(text: str) -> float:
    return _number(float, lambda value: 0 < value < float("inf"), "a number above 0", text)


def not_negative(text: str) -> float:
    return _number(float, lambda value: 0 <= value < float("inf"), "a number from 0 on", text)


def share(text: str) -> float:
    return _number(float, lambda value: 0 <= value <= 1, "a number from 0 to 1", text)


def device(text: str) -> torch.device:
    try:
        return torch.device(text)
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no device of PyTorch") from error


def require_same_arguments(path: Path, saved: dict[str, object], options: argparse.Namespace) -> None:
    """saved: those of the checkpoint `path`, as `as_plain` gave them."""
    changed = [f"--{name.replace('_', '-')} was {saved.get(name)}, now {value}"
               for name, value in as_plain(options).items()
               if name not in FREE_ON_RESUME and saved.get(name) != value]
    if changed:
        raise Refused(f"{path}: made with other arguments: {'; '.join(changed)}; give the same ones, or another "
                      "--output")


def as_plain(options: argparse.Namespace) -> dict[str, object]:
    """All arguments as JSON and a checkpoint can hold them."""
    return {name: _plain(value) for name, value in sorted(vars(options).items())}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if isinstance(value, (int, float, str, type(None))) else str(value)
