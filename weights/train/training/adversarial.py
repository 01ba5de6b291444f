# SPDX-License-Identifier: MIT
"""The training of a generator against a discriminator: what its checkpoint holds, one step, and the loop around it."""
import argparse
import copy
import math
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import PolynomialLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from importer.refusal import Refused

from . import frechet
from .adversarial_record import draw_sheet, write_curves
from .checkpoint import kept_epochs, load_checkpoint, save_checkpoint, save_network
from .data import Images
from .loop import CHECKPOINT, Diverged, Interrupted, _require_same_arguments, _Signals
from .options import as_plain
from .progress import Progress
from .sn_gan import LATENT_SIZE, Discriminator, Generator

BETAS = (0.0, 0.9)
SHEET_IMAGES = 100
# Attributes of AdversarialTraining that a checkpoint holds: by their state dicts, and as they are.
MODULES = ("generator", "discriminator", "average", "generator_optimizer", "discriminator_optimizer", "generator_scheduler",
           "discriminator_scheduler")
PLACE = ("step_number", "seconds", "sums", "history")
SUMS = ("discriminator_loss", "generator_loss", "score_real", "score_generated")


@dataclass
class Measure:
    """Features, and their statistics over the test images."""

    features: frechet.Features
    test: frechet.Statistics

    def distance(self, generator: nn.Module, latents: torch.Tensor, bf16: bool) -> float:
        return frechet.distance(self.test, frechet.statistics_of(frechet.sampled(generator, latents, bf16), self.features))


class AdversarialTraining:
    """Both networks being trained; the result is the moving average of the generator's weights."""

    def __init__(self, generator: Generator, discriminator: Discriminator, images: Images, options: argparse.Namespace) -> None:
        self.options = options
        self.pixels = images.pixels.to(options.device)
        self.generator, self.discriminator = (network.to(options.device, memory_format=torch.channels_last)
                                              for network in (generator, discriminator))
        self.average = AveragedModel(self.generator, multi_avg_fn=get_ema_multi_avg_fn(options.average_decay))
        self.generator_optimizer, self.generator_scheduler = self._optimizer(self.generator, options.learning_rate)
        self.discriminator_optimizer, self.discriminator_scheduler = self._optimizer(
            self.discriminator, options.discriminator_learning_rate)
        self.random = torch.Generator(options.device).manual_seed(options.seed)
        self.step_number, self.seconds = 0, 0.0
        self.sums = dict.fromkeys(SUMS, 0.0)
        self.history: list[dict] = []

    def _optimizer(self, network: nn.Module, rate: float) -> tuple[torch.optim.Optimizer, PolynomialLR]:
        """Adam, its rate falling in a line to 0."""
        optimizer = torch.optim.Adam(network.parameters(), rate, BETAS, fused=True)
        return optimizer, PolynomialLR(optimizer, self.options.steps, power=1.0)

    @property
    def finished(self) -> bool:
        return self.step_number == self.options.steps

    @property
    def measured_now(self) -> bool:
        return self.step_number % self.options.measure_steps == 0 or self.finished

    def step(self) -> None:
        """The discriminator on real and generated images, then the generator on the same generated images."""
        begin = time.monotonic()
        for _ in range(self.options.discriminator_steps - 1):
            with torch.no_grad():
                generated = self._generate()
            self._train_discriminator(generated)
        generated = self._generate()
        values = [*self._train_discriminator(generated.detach()), self._train_generator(generated)]
        self.average.update_parameters(self.generator)
        self.generator_scheduler.step()
        self.discriminator_scheduler.step()
        self.step_number += 1
        for name, value in zip(("discriminator_loss", "score_real", "score_generated", "generator_loss"), values):
            if not math.isfinite(value):
                raise Diverged(f"{name} of step {self.step_number} is {value}")
            self.sums[name] += value
        self.seconds += time.monotonic() - begin

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.options.device.type, torch.bfloat16, enabled=not self.options.float32)

    def _generate(self) -> torch.Tensor:
        latents = torch.randn(self.options.batch, LATENT_SIZE, generator=self.random, device=self.options.device)
        with self._autocast():
            return self.generator(latents)

    def _real(self) -> torch.Tensor:
        """Training images in [-1, 1], half of them mirrored, with the fraction of a grey level that storing them took."""
        device, count = self.options.device, self.options.batch
        pixels = self.pixels[torch.randint(len(self.pixels), (count,), generator=self.random, device=device)].float()
        mirrored = torch.rand(count, 1, 1, 1, generator=self.random, device=device) < 0.5
        pixels = torch.where(mirrored, pixels.flip(3), pixels)
        pixels += torch.rand(pixels.shape, generator=self.random, device=device)
        return (pixels / 128 - 1).contiguous(memory_format=torch.channels_last)

    def _train_discriminator(self, generated: torch.Tensor) -> tuple[float, float, float]:
        """Loss, and mean outputs for real and for generated images."""
        with self._autocast():
            outputs = self.discriminator(torch.cat([self._real(), generated]))
        real, fake = outputs.chunk(2)
        loss = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_optimizer.step()
        return loss.item(), real.mean().item(), fake.mean().item()

    def _train_generator(self, generated: torch.Tensor) -> float:
        self.discriminator.requires_grad_(False)
        with self._autocast():
            loss = -self.discriminator(generated).mean()
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        return loss.item()

    def settled(self, n_latents: int) -> Generator:
        """A copy of the average, its batch norm statistics those of n_latents images of its own."""
        network = copy.deepcopy(self.average.module)
        settle(network, n_latents, self.options)
        return network

    def note(self, distance: float) -> dict:
        """A row of the history."""
        n_steps = self.step_number - (self.history[-1]["step"] if self.history else 0)
        row = {"step": self.step_number, "learning_rate": self.generator_scheduler.get_last_lr()[0],
               **{name: total / n_steps for name, total in self.sums.items()},
               "frechet_distance": distance, "samples": self.options.samples, "seconds": round(self.seconds, 1)}
        self.history.append(row)
        self.sums = dict.fromkeys(SUMS, 0.0)
        return row

    def state(self) -> dict:
        """All of it, for the checkpoint; refused where a weight is not finite."""
        for network in (self.generator, self.discriminator):
            for name, tensor in network.state_dict().items():
                if not torch.isfinite(tensor).all():
                    raise Diverged(f"{name} holds values that are not finite in step {self.step_number}")
        return {"arguments": as_plain(self.options), "random": self.random.get_state(),
                **{name: getattr(self, name).state_dict() for name in MODULES},
                **{name: getattr(self, name) for name in PLACE}}

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint that was made with the same arguments."""
        state = load_checkpoint(path)
        try:
            _require_same_arguments(path, state["arguments"], as_plain(self.options))
            for name in MODULES:
                getattr(self, name).load_state_dict(state[name])
            self.random.set_state(state["random"])
            for name in PLACE:
                setattr(self, name, state[name])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).strip().split("\n")[0]
            raise Refused(f"{path}: does not fit this training ({type(error).__name__}: {reason})") from error


@torch.no_grad()
def settle(generator: Generator, n_latents: int, options: argparse.Namespace) -> None:
    """Batch norm statistics anew, of n_latents images of the generator's own; then evaluation mode."""
    batches = frechet.latents_of(options.seed + 1, n_latents).split(frechet.BATCH)
    generator.train()
    update_bn((batch.to(options.device) for batch in batches), generator)
    generator.eval()


def train(training: AdversarialTraining, measure: Measure) -> None:
    """From where the training is to its end."""
    options = training.options
    progress, saved = Progress(options.steps), time.monotonic()
    with _Signals() as signals:
        while not training.finished:
            training.step()
            progress.step(_where(training), 1, options.steps - training.step_number)
            if training.measured_now:
                _measure(training, measure, progress)
            if training.measured_now or signals.received or time.monotonic() - saved >= options.checkpoint_seconds:
                save_checkpoint(options.output / CHECKPOINT, training.state())
                saved = time.monotonic()
            if signals.received:
                raise Interrupted


def _where(training: AdversarialTraining) -> str:
    n_steps = training.step_number - (training.history[-1]["step"] if training.history else 0)
    means = {name: total / n_steps for name, total in training.sums.items()}
    return (f"step {training.step_number}/{training.options.steps}  loss {means['discriminator_loss']:.3f}"
            f"  score of real {means['score_real']:.2f} and generated {means['score_generated']:.2f}")


def _measure(training: AdversarialTraining, measure: Measure, progress: Progress) -> None:
    """Distance, sheet of samples, curves; the network itself at about ten steps."""
    options, number = training.options, training.step_number
    network = training.settled(options.samples)
    row = training.note(measure.distance(network, frechet.latents_of(options.seed + 2, options.samples), not options.float32))
    draw_sheet(options.output / "samples" / f"step_{number:06d}.png", sheet(network, options))
    kept = {interval * options.measure_steps for interval in kept_epochs(max(options.steps // options.measure_steps, 1))}
    if number in kept or training.finished:
        save_network(step_file(options.output, number), network.state_dict())
    write_curves(options.output, training.history)
    progress.epoch(f"step {number}/{options.steps}  loss {row['discriminator_loss']:.3f}  Frechet distance "
                   f"{row['frechet_distance']:.3f} ({options.samples:,} samples)", options.steps - number)


def sheet(network: Generator, options: argparse.Namespace) -> torch.Tensor:
    """The same latents in every sheet."""
    return torch.cat(list(frechet.sampled(network, frechet.latents_of(options.seed + 3, SHEET_IMAGES))))


def step_file(output: Path, number: int) -> Path:
    return output / "checkpoints" / f"step_{number:06d}.safetensors"
