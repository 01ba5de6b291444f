# SPDX-License-Identifier: MIT
"""A training in epochs: everything that its checkpoint holds, one step, and the loop around it."""
import argparse
import math
import time
from pathlib import Path

import torch
from torch import nn

from .checkpoint import kept_epochs, save_network
from .data import Images
from .neurons import set_timesteps
from .progress import Progress
from .record import Panel, write_curves
from .resumable import Diverged, Resumable
from .schedule import Stage


class Training(Resumable):
    """A network being trained. epoch, position: epochs done, and steps done in the next one.

    What is trained for, and how it is measured, is said by a class that is made from this one.
    """

    modules: tuple[str, ...] = ("network", "optimizer", "scheduler")
    generators = ("generator", "torch_generator")
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
            self.optimizer, options.learning_rate, total_steps=len(self.stages) * self.n_steps,
            pct_start=options.warm_up, cycle_momentum=False)
        self.generator = torch.Generator(options.device).manual_seed(options.seed)
        self.torch_generator = torch.default_generator
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

    def after_step(self) -> None:
        """What follows each change of the weights."""

    def progress_text(self) -> str:
        """What the line of a step says beside the loss."""
        return ""

    @property
    def finished(self) -> bool:
        return self.epoch == len(self.stages)

    @property
    def done(self) -> str:
        return f"epoch {self.epoch}, step {self.position}"

    def network_file(self, number: int) -> Path:
        return self.options.output / "checkpoints" / f"epoch_{number:03d}.safetensors"

    @property
    def timesteps(self) -> int:
        return self.stages[min(self.epoch, len(self.stages) - 1)].timesteps

    def cost_left(self) -> int:
        """Presentations of a batch that are still to come."""
        return sum(stage.timesteps for stage in self.stages[self.epoch:]) * self.n_steps \
            - (0 if self.finished else self.timesteps * self.position)

    def follow_place(self) -> None:
        self.begin_epoch()

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

    def train(self, test: Images) -> None:
        kept, progress = kept_epochs(len(self.stages)), Progress(len(self.stages))

        def advance() -> bool:
            self.step()
            progress.step(self._where(), self.timesteps, self.cost_left())
            epoch_ends = self.position == self.n_steps
            if epoch_ends:
                self._close_epoch(test, kept, progress)
            return epoch_ends

        self.keep_going(advance)

    def _where(self) -> str:
        return (f"epoch {self.epoch + 1}/{len(self.stages)}  T {self.timesteps}  step {self.position}/{self.n_steps}"
                f"  loss {self.loss_sum / self.position:.3f}{self.progress_text()}")

    def _close_epoch(self, test: Images, kept: set[int], progress: Progress) -> None:
        row = self.end_epoch(test)
        if self.epoch in kept:
            save_network(self.network_file(self.epoch), self.tensors(self.result()))
        write_curves(self.options.output, self.history, self.panels)
        measured = "".join(f"  {panel.text(row)}" for panel in self.panels)
        progress.epoch(f"epoch {row['epoch']}/{len(self.stages)}  T {row['timesteps']}{measured}", self.cost_left())
