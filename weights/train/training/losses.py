# SPDX-License-Identifier: MIT
"""What training makes small. A loss takes (outputs [N, 10], images, share of each class [N, 10])."""
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def cross_entropy(label_smoothing: float) -> Loss:
    return lambda outputs, images, targets: F.cross_entropy(outputs, targets, label_smoothing=label_smoothing)


def distillation(teacher: nn.Module, weight: float, temperature: float, labels: Loss, bf16: bool) -> Loss:
    """(1 - weight) of the loss by labels, and `weight` of the divergence from what the teacher says of the same images.

    Hinton et al. 2015; the square of the temperature keeps the gradients' scale.
    """
    def loss(outputs: torch.Tensor, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), torch.autocast(images.device.type, torch.bfloat16, enabled=bf16):
            wanted = teacher(images)
        divergence = F.kl_div(F.log_softmax(outputs / temperature, 1), F.log_softmax(wanted.float() / temperature, 1),
                              reduction="batchmean", log_target=True)
        return (1 - weight) * labels(outputs, images, targets) + weight * temperature**2 * divergence

    return loss
