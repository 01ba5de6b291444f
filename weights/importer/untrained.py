# SPDX-License-Identifier: MIT
"""Networks before any training, as their package and a seed make them."""
from collections.abc import Callable

import torch
from torch import nn

from .refusal import Refused

Tensors = dict[str, torch.Tensor]


def _resnet18(neuron: Callable[[], nn.Module]) -> nn.Module:
    from spikingjelly.activation_based.model import spiking_resnet  # only here: other imports do without it
    return spiking_resnet.spiking_resnet18(spiking_neuron=neuron, num_classes=10)


# Initial weights do not depend on the neuron.
NETWORKS: dict[str, Callable[[], nn.Module]] = {"spiking_resnet18": lambda: _resnet18(nn.ReLU),
                                                "relu_resnet18": lambda: _resnet18(nn.ReLU)}


def untrained(name: str, seed: int) -> Tensors:
    """State dict of the network of an architecture file's name; PyTorch's other random numbers are left alone."""
    if name not in NETWORKS:
        raise Refused(f"{name}: how it is before training is not known; known are {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return dict(NETWORKS[name]().state_dict())
