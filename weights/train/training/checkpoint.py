# SPDX-License-Identifier: MIT
"""Files that are whole or absent: each is written beside its place and then renamed."""
import os
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch

from importer.refusal import Refused

FORMAT = "meicensus training 1"


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, and rename it once it is on the disk."""
    part = path.with_name(path.name + ".part")
    try:
        write(part)
    except RuntimeError as error:  # torch.save where the disk is full
        raise OSError(f"{part}: cannot be written ({str(error).splitlines()[0]})") from error
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)


def save_checkpoint(path: Path, state: dict) -> None:
    write_whole(path, lambda part: torch.save({"format": FORMAT, **state}, part))


def load_checkpoint(path: Path) -> dict:
    """What save_checkpoint wrote; tensors and plain containers only, no code of the file is run."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds for a bad file
        raise Refused(f"{path}: not a checkpoint of a training ({type(error).__name__})") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise Refused(f"{path}: not a checkpoint of a training")
    return state


def save_network(path: Path, state: dict[str, torch.Tensor]) -> None:
    """One state dict as safetensors, float32, equal bytes for equal tensors; the program takes it as it is (`tensors:`)."""
    tensors = {name: tensor.cpu().contiguous() for name, tensor in state.items() if tensor.is_floating_point()}
    write_whole(path, lambda part: part.write_bytes(safetensors.torch.save(tensors)))


def kept_epochs(epochs: int, wanted: int = 9) -> set[int]:
    """Epochs from 0 to the last whose networks are kept: about equal steps in the logarithm, at least min(wanted, all)."""
    for n_points in range(wanted - 2, 100 * wanted):
        kept = {0, epochs} | {round(epochs ** (point / n_points)) for point in range(n_points + 1)}
        if len(kept) >= min(wanted, epochs + 1):
            break
    return kept
