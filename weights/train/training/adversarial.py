# SPDX-License-Identifier: MIT
"""The training of a generator against a discriminator: what its checkpoint holds, one step, its measurements."""
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
from .checkpoint import kept_epochs, load_checkpoint, save_network
from .data import Images
from .image_files import draw_sheet
from .progress import Progress
from .record import Panel, write_curves
from .resumable import Diverged, Resumable
from .sn_gan import LATENT_SIZE, Discriminator, Generator

BETAS = (0.0, 0.9)
SHEET_IMAGES = 100
NETWORKS = ("generator", "discriminator", "average")
SUMS = ("discriminator_loss", "generator_loss", "score_real", "score_generated")


@dataclass
class Measure:
    """Features, and their statistics over the test images once there are some."""

    features: frechet.Features
    test: frechet.Statistics | None = None

    def of_pixels(self, pixels: torch.Tensor) -> frechet.Statistics:
        return frechet.statistics_of(frechet.as_batches(pixels), self.features)

    def distance(self, generator: nn.Module, latents: torch.Tensor, bf16: bool) -> float:
        images = frechet.sampled(generator, latents, bf16)
        return frechet.distance(self.test, frechet.statistics_of(images, self.features))


class AdversarialTraining(Resumable):
    """Both networks being trained; the result is the moving average of the generator's weights."""

    modules = (*NETWORKS, "generator_optimizer", "discriminator_optimizer", "generator_scheduler",
               "discriminator_scheduler")
    generators = ("random",)
    place = ("step_number", "seconds", "sums", "history")
    panels = (Panel("Frechet distance", {"frechet_distance": "Frechet distance"}, logarithmic=True),
              Panel("loss, mean since the last point",
                    {"discriminator_loss": "discriminator", "generator_loss": "generator"}),
              Panel("discriminator's output", {"score_real": "real images", "score_generated": "generated images"}))

    def __init__(self, generator: Generator, discriminator: Discriminator, images: Images, options: argparse.Namespace,
                 measure: Measure) -> None:
        self.options, self.measure = options, measure
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

    def begin_with(self, path: Path) -> None:
        """The networks of another training's checkpoint; Adam's moments, which reach ten steps back, are made anew."""
        state = load_checkpoint(path)
        try:
            for name in NETWORKS:
                getattr(self, name).load_state_dict(state[name])
        except (KeyError, TypeError, AttributeError, RuntimeError) as error:
            raise Refused(f"{path}: does not hold these networks; --width and --discriminator-width have to be those "
                          f"of its training ({' '.join(str(error).split())})") from error

    @property
    def finished(self) -> bool:
        return self.step_number == self.options.steps

    @property
    def done(self) -> str:
        return f"step {self.step_number}"

    def network_file(self, number: int) -> Path:
        return self.options.output / "checkpoints" / f"step_{number:06d}.safetensors"

    def result(self) -> Generator:
        return self.average.module

    def step(self) -> None:
        """The discriminator on real and generated images, then the generator on the same generated images."""
        begin = time.monotonic()
        for _ in range(self.options.discriminator_steps - 1):
            with torch.no_grad():
                generated = self._generate()
            self._train_discriminator(generated)
        generated = self._generate()
        values = self._train_discriminator(generated.detach()) | self._train_generator(generated)
        self.average.update_parameters(self.generator)
        self.generator_scheduler.step()
        self.discriminator_scheduler.step()
        self.step_number += 1
        for name, value in values.items():
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
        """Training images in [-1, 1], half of them mirrored, with the fraction of a grey level that storing took."""
        device, count = self.options.device, self.options.batch
        pixels = self.pixels[torch.randint(len(self.pixels), (count,), generator=self.random, device=device)].float()
        mirrored = torch.rand(count, 1, 1, 1, generator=self.random, device=device) < 0.5
        pixels = torch.where(mirrored, pixels.flip(3), pixels)
        pixels += torch.rand(pixels.shape, generator=self.random, device=device)
        return (pixels / 128 - 1).contiguous(memory_format=torch.channels_last)

    def _train_discriminator(self, generated: torch.Tensor) -> dict[str, float]:
        """Loss, and mean outputs for real and for generated images."""
        with self._autocast():
            outputs = self.discriminator(torch.cat([self._real(), generated]))
        real, fake = outputs.chunk(2)
        loss = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.discriminator_optimizer.step()
        return {"discriminator_loss": loss.item(), "score_real": real.mean().item(),
                "score_generated": fake.mean().item()}

    def _train_generator(self, generated: torch.Tensor) -> dict[str, float]:
        self.discriminator.requires_grad_(False)
        with self._autocast():
            loss = -self.discriminator(generated).mean()
        self.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.generator_optimizer.step()
        self.discriminator.requires_grad_(True)
        return {"generator_loss": loss.item()}

    def train(self, test: Images) -> None:
        self.measure.test = self.measure.of_pixels(test.pixels)
        progress = Progress(self.options.steps)

        def advance() -> bool:
            self.step()
            progress.step(self._where(), 1, self.options.steps - self.step_number)
            measured = self.step_number % self.options.measure_steps == 0 or self.finished
            if measured:
                self._close_interval(progress)
            return measured

        self.keep_going(advance)

    @property
    def _n_summed(self) -> int:
        """Steps since the last row of the history."""
        return self.step_number - (self.history[-1]["step"] if self.history else 0)

    def _where(self) -> str:
        means = {name: total / self._n_summed for name, total in self.sums.items()}
        return (f"step {self.step_number}/{self.options.steps}  loss {means['discriminator_loss']:.3f}"
                f"  score of real {means['score_real']:.2f} and generated {means['score_generated']:.2f}")

    def _close_interval(self, progress: Progress) -> None:
        """Distance, sheet of samples, curves; the network itself at about ten steps."""
        options, number = self.options, self.step_number
        network = settled(self.result(), options.samples, options)
        latents = frechet.latents_of(options.seed + 2, options.samples)
        row = self.note(self.measure.distance(network, latents, bf16=not options.float32))
        draw_sheet(options.output / "samples" / f"step_{number:06d}.png", sheet(network, options.seed))
        intervals = kept_epochs(max(options.steps // options.measure_steps, 1))
        if self.finished or number in {interval * options.measure_steps for interval in intervals}:
            save_network(self.network_file(number), self.tensors(network))
        write_curves(options.output, self.history, self.panels)
        progress.epoch(f"step {number}/{options.steps}  loss {row['discriminator_loss']:.3f}  Frechet distance "
                       f"{row['frechet_distance']:.3f} ({options.samples:,} samples)", options.steps - number)

    def note(self, distance: float) -> dict:
        """A row of the history."""
        row = {"step": self.step_number, "learning_rate": self.generator_scheduler.get_last_lr()[0],
               **{name: total / self._n_summed for name, total in self.sums.items()},
               "frechet_distance": distance, "samples": self.options.samples, "seconds": round(self.seconds, 1)}
        self.history.append(row)
        self.sums = dict.fromkeys(SUMS, 0.0)
        return row


@torch.no_grad()
def settled(generator: Generator, n_latents: int, options: argparse.Namespace) -> Generator:
    """A copy for use, its batch norm statistics those of n_latents images of its own."""
    network = copy.deepcopy(generator)
    batches = frechet.latents_of(options.seed + 1, n_latents).split(frechet.BATCH)
    network.train()
    update_bn((batch.to(options.device) for batch in batches), network)
    return network.eval()


def sheet(network: Generator, seed: int) -> torch.Tensor:
    """The same latents in every sheet."""
    return torch.cat(list(frechet.sampled(network, frechet.latents_of(seed + 3, SHEET_IMAGES))))
