# SPDX-License-Identifier: MIT
"""How long a training is, and at how many time steps."""
import argparse
from dataclasses import dataclass

from .options import positive


@dataclass
class Stage:
    """Epochs with the same number of time steps (1 for a network without spikes)."""

    timesteps: int
    epochs: int

    def __str__(self) -> str:
        return f"{self.timesteps}:{self.epochs}"


def stage(text: str) -> Stage:
    """A stage as it stands on the command line."""
    try:
        timesteps, epochs = (positive(part) for part in text.split(":"))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not TIMESTEPS:EPOCHS, e.g. 4:24") from error
    return Stage(timesteps, epochs)
