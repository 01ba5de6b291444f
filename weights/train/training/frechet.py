# SPDX-License-Identifier: MIT
"""Frechet distance between two sets of images, by the mean and covariance of their features in a network.

d = |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) (Dowson and Landau 1982). In the features of our ReLU ResNet18 it is not
comparable with the distance in Inception features that is called FID.
"""
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from importer.refusal import Refused

from .data import MEAN, STANDARD_DEVIATION
from .networks import read_network, relu_resnet18
from .sn_gan import LATENT_SIZE

BATCH = 250
Features = Callable[[torch.Tensor], torch.Tensor]  # images [N, 3, 32, 32] in [0, 1] -> features [N, F], float32


@dataclass
class Statistics:
    """Of n feature vectors: mean [F] and covariance [F, F] (divided by n - 1), float64."""

    n: int
    mean: torch.Tensor
    covariance: torch.Tensor


def statistics(features: torch.Tensor) -> Statistics:
    features = features.double()
    if len(features) < 2:
        raise Refused(f"{len(features)} image has no covariance of its features; give 2 images or more")
    if not torch.isfinite(features).all():
        raise Refused("features of images are not finite numbers; either network is broken")
    return Statistics(len(features), features.mean(0), features.T.cov())


def distance(first: Statistics, second: Statistics) -> float:
    """The root of C1 C2 has the trace of the root of C1^(1/2) C2 C1^(1/2), a symmetric matrix."""
    values, vectors = torch.linalg.eigh(first.covariance)  # pylint: disable=not-callable
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    squares = torch.linalg.eigvalsh(root @ second.covariance @ root)  # pylint: disable=not-callable
    trace = first.covariance.trace() + second.covariance.trace() - 2 * squares.clamp(min=0).sqrt().sum()
    return max(0.0, float((first.mean - second.mean).square().sum() + trace))  # rounding makes less of equal statistics


def resnet_features(path: Path, device: torch.device) -> Features:
    """The 512 penultimate features of the ReLU ResNet18 of a tensor file."""
    network = read_network(path, relu_resnet18).eval().to(device, memory_format=torch.channels_last)
    network.fc = nn.Identity()
    mean, deviation = (torch.tensor(values, device=device).view(1, 3, 1, 1) for values in (MEAN, STANDARD_DEVIATION))

    @torch.no_grad()
    def compute(images: torch.Tensor) -> torch.Tensor:
        return network(((images.to(device) - mean) / deviation).contiguous(memory_format=torch.channels_last)).cpu()

    return compute


def statistics_of(batches: Iterable[torch.Tensor], features: Features) -> Statistics:
    return statistics(torch.cat([features(batch) for batch in batches]))


def as_batches(images: torch.Tensor) -> Iterable[torch.Tensor]:
    """[N, 3, 32, 32], uint8, or float32 in [0, 1] -> batches in [0, 1]."""
    return (batch.float() / 255 if batch.dtype == torch.uint8 else batch for batch in images.split(BATCH))


def latents_of(seed: int, n_latents: int, dimensions: int = LATENT_SIZE) -> torch.Tensor:
    """z ~ N(0, 1) [n, dimensions], apart from the training's own random numbers."""
    return torch.randn(n_latents, dimensions, generator=torch.Generator().manual_seed(seed))


def sampled(generator: nn.Module, latents: torch.Tensor, bf16: bool = False) -> Iterable[torch.Tensor]:
    """Batches of a generator's images, from [-1, 1] to [0, 1]."""
    device = next(generator.parameters()).device
    for batch in latents.split(BATCH):
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            images = generator(batch.to(device))
        yield images.float() / 2 + 0.5
