# SPDX-License-Identifier: MIT
"""The training: everything that its checkpoint holds, one step, and the loop around it."""
import argparse
import math
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from importer.refusal import Refused

from .augmentation import Augmentation
from .checkpoint import kept_epochs, load_checkpoint, save_checkpoint, save_network
from .data import Images, normalise
from .losses import Loss
from .neurons import set_timesteps
from .options import FREE_ON_RESUME, as_plain
from .progress import Progress
from .record import write_curves

CHECKPOINT = "checkpoint.pt"
MOMENTUM = 0.9
# Attributes of Training that a checkpoint holds: by their state dicts, and as they are.
MODULES = ("network", "average", "optimizer", "scheduler")
PLACE = ("epoch", "position", "seconds", "loss_sum", "n_right", "history")


class Diverged(Exception):
    """The loss or a weight is no longer a finite number."""


class Interrupted(Exception):
    """SIGINT or SIGTERM; the checkpoint is written."""


@dataclass
class Stage:
    """Epochs with the same number of time steps (1 for a network without spikes)."""

    timesteps: int
    epochs: int

    def __str__(self) -> str:
        return f"{self.timesteps}:{self.epochs}"


class Training:
    """A network being trained. epoch, position: epochs done, and steps done in the next one."""

    def __init__(self, network: nn.Module, loss: Loss, schedule: list[Stage], images: Images,
                 options: argparse.Namespace) -> None:
        self.options, self.loss = options, loss
        self.stages = [stage for stage in schedule for _ in range(stage.epochs)]  # one an epoch
        self.images = images.to(options.device)
        self.batch = min(options.batch, len(images))
        self.n_steps = len(images) // self.batch
        self.network = network.to(options.device, memory_format=torch.channels_last).train()
        self.forward = torch.compile(self.network) if options.compile else self.network
        self.average = AveragedModel(self.network, multi_avg_fn=_warm_average(options.average_decay), use_buffers=True)
        self.optimizer = torch.optim.SGD(_parameter_groups(self.network, options.weight_decay), options.learning_rate,
                                         momentum=MOMENTUM, nesterov=True, fused=True)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, options.learning_rate, total_steps=len(self.stages) * self.n_steps, pct_start=options.warm_up,
            cycle_momentum=False)
        self.augmentation = Augmentation(options.affine, options.colour, options.cutout, options.cutmix)
        self.generator = torch.Generator(options.device).manual_seed(options.seed)
        self.epoch, self.position, self.seconds = 0, 0, 0.0
        self.loss_sum, self.n_right = 0.0, 0
        self.history: list[dict] = []
        self.begin_epoch()

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
        for network in (self.network, self.average):
            set_timesteps(network, self.timesteps)

    def step(self) -> None:
        """One batch."""
        begin = time.monotonic()
        chosen = self.order[self.position * self.batch:(self.position + 1) * self.batch]
        images, targets = self.augmentation(Images(self.images.pixels[chosen], self.images.labels[chosen]), self.generator)
        outputs = mean_outputs(self.forward, images, not self.options.float32)
        loss = self.loss(outputs, images, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise Diverged(f"the loss of epoch {self.epoch + 1}, step {self.position + 1} is {value}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        self.scheduler.step()
        self.average.update_parameters(self.network)
        self.loss_sum += value
        self.n_right += int((outputs.argmax(1) == targets.argmax(1)).sum())
        self.position += 1
        self.seconds += time.monotonic() - begin

    def end_epoch(self, test: Images) -> dict:
        """Measure the average, note the epoch, go on to the next one."""
        n_test_right = count_right(self.average.module, test, self.timesteps, not self.options.float32)
        row = {"epoch": self.epoch + 1, "timesteps": self.timesteps, "learning_rate": self.scheduler.get_last_lr()[0],
               "training_loss": self.loss_sum / self.n_steps, "training_accuracy": self.n_right / (self.n_steps * self.batch),
               "test_accuracy": n_test_right / len(test), "seconds": round(self.seconds, 1)}
        self.history.append(row)
        self.epoch, self.position, self.loss_sum, self.n_right = self.epoch + 1, 0, 0.0, 0
        self.begin_epoch()
        return row

    def state(self) -> dict:
        """All of it, for the checkpoint; refused where a weight is not finite."""
        for name, tensor in self.network.state_dict().items():
            if not torch.isfinite(tensor).all():
                raise Diverged(f"{name} holds values that are not finite in epoch {self.epoch + 1}, step {self.position}")
        return {"arguments": as_plain(self.options), "generator": self.generator.get_state(),
                "torch_generator": torch.get_rng_state(), **{name: getattr(self, name).state_dict() for name in MODULES},
                **{name: getattr(self, name) for name in PLACE}}

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint that was made with the same arguments."""
        state = load_checkpoint(path)
        try:
            _require_same_arguments(path, state["arguments"], as_plain(self.options))
            for name in MODULES:
                getattr(self, name).load_state_dict(state[name])
            self.generator.set_state(state["generator"])
            torch.set_rng_state(state["torch_generator"])
            for name in PLACE:
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


def _parameter_groups(network: nn.Module, weight_decay: float) -> list[dict]:
    """Matrices decay; gains, shifts and biases do not."""
    parameters = list(network.parameters())
    return [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": weight_decay},
            {"params": [p for p in parameters if p.dim() <= 1], "weight_decay": 0.0}]


def _warm_average(decay: float) -> Callable[[list, list, torch.Tensor], None]:
    """Moving average of weights and of batch norm statistics, shorter in the first steps; counters are copied."""
    @torch.no_grad()
    def update(averaged: list[torch.Tensor], current: list[torch.Tensor], n_averaged: torch.Tensor) -> None:
        n = int(n_averaged)
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))  # pylint: disable=protected-access
        else:
            torch._foreach_copy_(averaged, current)  # pylint: disable=protected-access

    return update


def mean_outputs(network: Callable, images: torch.Tensor, bf16: bool) -> torch.Tensor:
    """Outputs [N, 10] of a network, float32, their mean over the time steps."""
    with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
        outputs = network(images)
    return outputs.float().unflatten(0, (-1, len(images))).mean(0)


@torch.no_grad()
def count_right(network: nn.Module, images: Images, timesteps: int, bf16: bool, batch: int = 125) -> int:
    """Number of images that the network classifies as they are labelled."""
    training, device = network.training, next(network.parameters()).device
    network.eval()
    set_timesteps(network, timesteps)
    n_right = 0
    for pixels, labels in zip(images.pixels.split(batch), images.labels.split(batch)):
        outputs = mean_outputs(network, normalise(pixels.to(device)), bf16)
        n_right += int((outputs.argmax(1).cpu() == labels).sum())
    network.train(training)
    return n_right


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
    mean_loss, n_images = training.loss_sum / training.position, training.position * training.batch
    return (f"epoch {training.epoch + 1}/{len(training.stages)}  T {training.timesteps}"
            f"  step {training.position}/{training.n_steps}  loss {mean_loss:.3f}  right {training.n_right / n_images:.1%}")


def _close_epoch(training: Training, test: Images, kept: set[int], progress: Progress) -> None:
    row = training.end_epoch(test)
    if training.epoch in kept:
        save_network(epoch_file(training.options.output, training.epoch), training.average.module.state_dict())
    write_curves(training.options.output, training.history)
    progress.epoch(f"epoch {row['epoch']}/{len(training.stages)}  T {row['timesteps']}  loss {row['training_loss']:.3f}"
                   f"  right {row['training_accuracy']:.1%}  test {row['test_accuracy']:.2%}", training.cost_left())


def epoch_file(output: Path, epoch: int) -> Path:
    return output / "checkpoints" / f"epoch_{epoch:03d}.safetensors"
