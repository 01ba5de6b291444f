# SPDX-License-Identifier: MIT
"""SpikingJelly's spiking ResNet18 for CIFAR-10 and its ReLU twin, which have the same tensors; the CNN for MNIST."""
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch
from spikingjelly.activation_based.model import spiking_resnet
from torch import nn

from importer.refusal import Refused
from importer.sources import State, read_state

from .convolutions import trim_convolutions
from .data import N_CLASSES
from .neurons import FoldedLIFNode


def relu_resnet18() -> nn.Module:
    return _resnet18(nn.ReLU)


def spiking_resnet18() -> nn.Module:
    """The network on [N, 3, 32, 32]; its outputs [T * N, 10] are those of every time step (neurons.set_timesteps)."""
    network = _resnet18(FoldedLIFNode)
    network.sn1.constant_input = True  # the image stays the same: so do the first convolution and batch norm
    return network


def _resnet18(activation: Callable[[], nn.Module]) -> nn.Module:
    network = spiking_resnet.spiking_resnet18(spiking_neuron=activation, num_classes=N_CLASSES)
    return trim_convolutions(network)


def mnist_cnn() -> nn.Module:
    """Three convolutions and a hidden layer of LIF neurons, on [N, 1, 28, 28]; outputs [T * N, 10]."""
    network = nn.Sequential(OrderedDict([
        ("conv1", nn.Conv2d(1, 16, 5, bias=False)), ("bn1", nn.BatchNorm2d(16)), ("pool1", nn.MaxPool2d(2)),
        ("sn1", FoldedLIFNode()),
        ("conv2", nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False)), ("bn2", nn.BatchNorm2d(32)), ("sn2", FoldedLIFNode()),
        ("conv3", nn.Conv2d(32, 64, 3, bias=False)), ("bn3", nn.BatchNorm2d(64)), ("sn3", FoldedLIFNode()),
        ("flatten", nn.Flatten()), ("fc1", nn.Linear(64 * 4 * 4, 128, bias=False)), ("bn4", nn.BatchNorm1d(128)),
        ("sn4", FoldedLIFNode()),
        ("fc2", nn.Linear(128, N_CLASSES))]))
    network.sn1.constant_input = True  # the image stays the same
    return network


def untrained(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    """The network as its seed alone makes it, on the CPU."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def read_network(path: Path, build: Callable[[], nn.Module]) -> nn.Module:
    """The network with the tensors of a file that the importer reads, after a check of their names, shapes and values."""
    network, state = build(), read_state(path)
    check_state(path, state, network)
    network.load_state_dict({name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
                            strict=False)
    return network


def check_state(path: Path, state: State, network: nn.Module) -> None:
    expected = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}
    unexpected = [name for name in state if name not in expected and not name.endswith("num_batches_tracked")]
    if unexpected:
        raise Refused(f"{path}: {unexpected[0]} is no tensor of a ResNet18; take a file made by relu_resnet18.py")
    for name, tensor in expected.items():
        if name not in state:
            raise Refused(f"{path}: misses {name}, a tensor of ResNet18")
        if state[name].shape != tensor.shape:
            raise Refused(f"{path}: {name} is of shape {list(state[name].shape)}, not {list(tensor.shape)}")
        if not torch.isfinite(state[name].float()).all():
            raise Refused(f"{path}: {name} holds values that are not finite")


@torch.no_grad()
def rescale_gains(network: nn.Module) -> None:
    """Scale each batch norm's gain and shift so that the gains' root mean square is 1.

    Training shrinks the gains of a ReLU network, whose scale does not matter; currents that small reach no threshold,
    and the deep spiking layers would stay silent.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            factor = module.weight.square().mean().rsqrt()
            module.weight.mul_(factor)
            module.bias.mul_(factor)
