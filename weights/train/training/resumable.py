# SPDX-License-Identifier: MIT
"""What every training can do: be stopped, be kept in a checkpoint, go on from it."""
import argparse
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from importer.refusal import Refused

from .checkpoint import load_checkpoint, save_checkpoint
from .data import Images
from .options import as_plain, require_same_arguments

CHECKPOINT = "checkpoint.pt"


class Diverged(Exception):
    """The loss or a weight is no longer a finite number."""


class Interrupted(Exception):
    """SIGINT or SIGTERM; the checkpoint is written."""


class Signals:
    """Within it, SIGINT and SIGTERM only set `received`: the step that runs is finished first."""

    def __enter__(self) -> "Signals":
        self.received = False
        self.before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, *_: object) -> None:
        self.received = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


class Resumable:
    """A training; what is trained, and how, is said by a class that is made from this one."""

    # Attributes that a checkpoint holds: by their state dicts, random number generators, and as they are.
    modules: tuple[str, ...] = ()
    generators: tuple[str, ...] = ()
    place: tuple[str, ...] = ()
    options: argparse.Namespace
    tensors = staticmethod(nn.Module.state_dict)  # of a network, as the files of networks on the way hold them

    @property
    def finished(self) -> bool:
        raise NotImplementedError

    @property
    def done(self) -> str:
        """How far the training is, in words."""
        raise NotImplementedError

    def network_file(self, number: int) -> Path:
        """Where a network on the way is kept; number 0 is the untrained one."""
        raise NotImplementedError

    def train(self, test: Images) -> None:
        """From where the training is to its end."""
        raise NotImplementedError

    def result(self) -> nn.Module:
        """The network that is measured and kept."""
        raise NotImplementedError

    def follow_place(self) -> None:
        """Set what depends on `place`, after it was read from a checkpoint."""

    def keep_going(self, advance: Callable[[], bool]) -> None:
        """advance: one step, and whatever follows it; True where a checkpoint is due whatever the time."""
        saved = time.monotonic()
        with Signals() as signals:
            while not self.finished:
                due = advance()
                if due or signals.received or time.monotonic() - saved >= self.options.checkpoint_seconds:
                    save_checkpoint(self.options.output / CHECKPOINT, self.state())
                    saved = time.monotonic()
                if signals.received:
                    raise Interrupted

    def state(self) -> dict:
        """All of it, for the checkpoint; refused where a weight is not finite."""
        for module in (getattr(self, name) for name in self.modules):
            if isinstance(module, nn.Module):
                self._require_finite(module)
        return {"arguments": as_plain(self.options),
                **{name: getattr(self, name).get_state() for name in self.generators},
                **{name: getattr(self, name).state_dict() for name in self.modules},
                **{name: getattr(self, name) for name in self.place}}

    def _require_finite(self, network: nn.Module) -> None:
        for name, tensor in network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise Diverged(f"{name} holds values that are not finite after {self.done}")

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint that was made with the same arguments."""
        state = load_checkpoint(path)
        try:
            require_same_arguments(path, state["arguments"], self.options)
            for name in self.modules:
                getattr(self, name).load_state_dict(state[name])
            for name in self.generators:
                getattr(self, name).set_state(state[name])
            for name in self.place:
                setattr(self, name, state[name])
            self.follow_place()
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise Refused(f"{path}: does not fit this training ({type(error).__name__}: {reason})") from error
