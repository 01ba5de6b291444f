# SPDX-License-Identifier: MIT
"""Training of a classifier: SGD, one cycle; images changed at random; a moving average of the weights is the result."""
import argparse
from collections.abc import Callable

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from .augmentation import Augmentation
from .data import Images
from .loop import Training
from .losses import Loss
from .neurons import set_timesteps
from .record import ACCURACY_PANELS
from .schedule import Stage

MOMENTUM = 0.9


class Classification(Training):
    """n_right: images of this epoch that were classified as they are labelled."""

    modules = (*Training.modules, "average")
    place = (*Training.place, "n_right")
    panels = ACCURACY_PANELS

    def __init__(self, network: nn.Module, loss: Loss, schedule: list[Stage], images: Images, options: argparse.Namespace,
                 augmentation: Augmentation) -> None:
        super().__init__(network, schedule, images, options)
        self.loss, self.augmentation, self.n_right = loss, augmentation, 0
        self.average = AveragedModel(self.network, multi_avg_fn=_warm_average(options.average_decay), use_buffers=True)

    def make_optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(_parameter_groups(self.network, self.options.weight_decay), self.options.learning_rate,
                               momentum=MOMENTUM, nesterov=True, fused=True)

    def loss_of(self, images: Images) -> torch.Tensor:
        pixels, targets = self.augmentation(images, self.generator)
        outputs = mean_outputs(self.forward, pixels, not self.options.float32)
        self.n_right += int((outputs.argmax(1) == targets.argmax(1)).sum())
        return self.loss(outputs, pixels, targets)

    def after_step(self) -> None:
        self.average.update_parameters(self.network)

    def measure(self, test: Images) -> dict[str, float]:
        n_test_right = count_right(self.average.module, test, self.timesteps, not self.options.float32)
        training_accuracy, self.n_right = self.n_right / (self.n_steps * self.batch), 0
        return {"training_accuracy": training_accuracy, "test_accuracy": n_test_right / len(test)}

    def result(self) -> nn.Module:
        return self.average.module

    def progress_text(self) -> str:
        return f"  right {self.n_right / (self.position * self.batch):.1%}"


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
    for begin in range(0, len(images), batch):
        part = images[begin:begin + batch]
        outputs = mean_outputs(network, part.to(device).normalised(), bf16)
        n_right += int((outputs.argmax(1).cpu() == part.labels).sum())
    network.train(training)
    return n_right
