# SPDX-License-Identifier: MIT
"""The training: everything that its checkpoint holds, one step, and the loop around it."""
import argparse
import math
import signal
import time
from pathlib import Path

import torch
from torch import nn

from importer.refusal import Refused

from .checkpoint import kept_epochs, load_checkpoint, save_checkpoint, save_network
from .data import Images
from .neurons import set_timesteps
from .options import FREE_ON_RESUME, as_plain
from .progress import Progress
from .record import Panel, write_curves
from .schedule import Stage

CHECKPOINT = "checkpoint.pt"


class Diverged(Exception):
    """The loss or a weight is no longer a finite number."""


class Interrupted(Exception):
    """SIGINT or SIGTERM; the checkpoint is written."""


class Training:
    """A network being trained. epoch, position: epochs done, and steps done in the next one.

    What is trained for, and how it is measured, is said by a class that is made from this one.
    """

    # Attributes that a checkpoint holds: by their state dicts, and as they are.
    modules: tuple[str, ...] = ("network", "optimizer", "scheduler")
    place: tuple[str, ...] = ("epoch", "position", "seconds", "loss_sum", "history")
    panels: tuple[Panel, ...] = ()  # of curves.png

    def __init__(self, network: nn.Module, schedule: list[Stage], images: Images, options: argparse.Namespace) -> None:
        self.options = options
        self.stages = [stage for stage in schedule for _ in range(stage.epochs)]  # one an epoch
        self.images = images.to(options.device)
        self.batch = min(options.batch, len(images))
        self.n_steps = len(images) // self.batch
        self.network = network.to(options.device, memory_format=torch.channels_last).train()
        self.forward = torch.compile(self.network) if options.compile else self.network
        self.optimizer = self.make_optimizer()
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, options.learning_rate, total_steps=len(self.stages) * self.n_steps, pct_start=options.warm_up,
            cycle_momentum=False)
        self.generator = torch.Generator(options.device).manual_seed(options.seed)
        self.epoch, self.position, self.seconds, self.loss_sum = 0, 0, 0.0, 0.0
        self.history: list[dict] = []
        self.begin_epoch()

    def make_optimizer(self) -> torch.optim.Optimizer:
        raise NotImplementedError

    def loss_of(self, images: Images) -> torch.Tensor:
        """The loss of one batch of training images."""
        raise NotImplementedError

    def measure(self, test: Images) -> dict[str, float]:
        """What an epoch's row says of the training and test images, beside the loss."""
        raise NotImplementedError

    def result(self) -> nn.Module:
        """The network that is measured and kept."""
        raise NotImplementedError

    def after_step(self) -> None:
        """What follows each change of the weights."""

    def progress_text(self) -> str:
        """What the line of a step says beside the loss."""
        return ""

    @property
    def finished(self) -> bool:
        return self.epoch == len(self.stages)

    @property
    def timesteps(self) -> int:
        return self.stages[min(self.epoch, len(self.stages) - 1)].timesteps

    def cost_left(self) -> int:
        """Presentations of a batch that are still to come."""
        return sum(stage.timesteps for stage in self.stages[self.epoch:]) * self.n_steps \
            - (0 if self.finished else self.timesteps * self.position)

    def begin_epoch(self) -> None:
        """The order of an epoch's images depends on the seed and on the epoch only."""
        generator = torch.Generator().manual_seed(self.options.seed + (self.epoch << 32))
        self.order = torch.randperm(len(self.images), generator=generator).to(self.options.device)
        set_timesteps(self.network, self.timesteps)

    def step(self) -> None:
        """One batch."""
        begin = time.monotonic()
        loss = self.loss_of(self.images[self.order[self.position * self.batch:(self.position + 1) * self.batch]])
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(f"the loss of epoch {self.epoch + 1}, step {self.position + 1} is {value}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.after_step()
        self.loss_sum += value
        self.position += 1
        self.seconds += time.monotonic() - begin

    def end_epoch(self, test: Images) -> dict:
        """Measure, note the epoch, go on to the next one."""
        row = {"epoch": self.epoch + 1, "timesteps": self.timesteps, "learning_rate": self.scheduler.get_last_lr()[0],
               "training_loss": self.loss_sum / self.n_steps, **self.measure(test), "seconds": round(self.seconds, 1)}
        self.history.append(row)
        self.epoch, self.position, self.loss_sum = self.epoch + 1, 0, 0.0
        self.begin_epoch()
        return row

    def state(self) -> dict:
        """All of it, for the checkpoint; refused where a weight is not finite."""
        for name, tensor in self.network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise Diverged(f"{name} holds values that are not finite in epoch {self.epoch + 1}, step {self.position}")
        return {"arguments": as_plain(self.options), "generator": self.generator.get_state(),
                "torch_generator": torch.get_rng_state(), **{name: getattr(self, name).state_dict() for name in self.modules},
                **{name: getattr(self, name) for name in self.place}}

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint that was made with the same arguments."""
        state = load_checkpoint(path)
        try:
            _require_same_arguments(path, state["arguments"], as_plain(self.options))
            for name in self.modules:
                getattr(self, name).load_state_dict(state[name])
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["torch_generator"])
            for name in self.place:
                setattr(self, name, state[name])
            self.begin_epoch()
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise Refused(f"{path}: does not fit this training ({type(error).__name__}: {reason})") from error


def _require_same_arguments(path: Path, saved: dict, given: dict) -> None:
    changed = [f"--{name.replace('_', '-')} was {saved.get(name)}, now {value}" for name, value in given.items()
               if name not in FREE_ON_RESUME and saved.get(name) != value]
    if changed:
        raise Refused(f"{path}: made with other arguments: {'; '.join(changed)}; give the same ones, or another --output")


class _Signals:
    """Within it, SIGINT and SIGTERM only set `received`: the step that runs is finished first."""

    def __enter__(self) -> "_Signals":
        self.received = False
        self.before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, *_: object) -> None:
        self.received = True

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def train(training: Training, test: Images) -> None:
    """From where the training is to its end."""
    output, options = training.options.output, training.options
    kept, progress = kept_epochs(len(training.stages)), Progress(len(training.stages))
    saved = time.monotonic()
    with _Signals() as signals:
        while not training.finished:
            training.step()
            progress.step(_where(training), training.timesteps, training.cost_left())
            epoch_ends = training.position == training.n_steps
            if epoch_ends:
                _close_epoch(training, test, kept, progress)
            if epoch_ends or signals.received or time.monotonic() - saved >= options.checkpoint_seconds:
                save_checkpoint(output / CHECKPOINT, training.state())
                saved = time.monotonic()
            if signals.received:
                raise Interrupted


def _where(training: Training) -> str:
    return (f"epoch {training.epoch + 1}/{len(training.stages)}  T {training.timesteps}  step {training.position}/"
            f"{training.n_steps}  loss {training.loss_sum / training.position:.3f}{training.progress_text()}")


def _close_epoch(training: Training, test: Images, kept: set[int], progress: Progress) -> None:
    row = training.end_epoch(test)
    if training.epoch in kept:
        save_network(epoch_file(training.options.output, training.epoch), training.result().state_dict())
    write_curves(training.options.output, training.history, training.panels)
    measured = "".join(f"  {panel.text(row)}" for panel in training.panels)
    progress.epoch(f"epoch {row['epoch']}/{len(training.stages)}  T {row['timesteps']}{measured}", training.cost_left())


def epoch_file(output: Path, epoch: int) -> Path:
    return output / "checkpoints" / f"epoch_{epoch:03d}.safetensors"
