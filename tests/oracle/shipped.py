# SPDX-License-Identifier: MIT
"""The packages' networks with the weights of this repository in them."""
from pathlib import Path

import safetensors.torch
from torch import Tensor, nn

from gan_reference import Generator
from snn_reference import SnnTorchCNN, relu_resnet18, spiking_resnet18
from vq_reference import Decoder, Encoder

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
# Tensors of the packages that our files leave out: counters of batch norm, constants of snnTorch's neurons.
LEFT_OUT = ("num_batches_tracked", "threshold", "beta", "graded_spikes_factor", "reset_mechanism_val")


def load_into(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Put a state read from one of our files into a package's network; nothing else may be missing."""
    missing, unexpected = network.load_state_dict({name: tensor.float() for name, tensor in state.items()}, strict=False)
    missing = [name for name in missing if name.rsplit(".", 1)[-1] not in LEFT_OUT]
    if missing or unexpected:
        raise ValueError(f"missing: {missing}, unexpected: {unexpected}")
    return network.eval()


def read(name: str) -> dict[str, Tensor]:
    return safetensors.torch.load_file(WEIGHTS / f"{name}.safetensors")


def shipped_spiking_resnet18(**lif) -> nn.Module:
    return load_into(spiking_resnet18(**lif), read("spiking_resnet18"))


def shipped_relu_resnet18() -> nn.Module:
    return load_into(relu_resnet18(), read("relu_resnet18"))


def shipped_snntorch_cnn() -> nn.Module:
    return load_into(SnnTorchCNN(), read("snntorch_cnn"))


def shipped_sn_gan_light() -> nn.Module:
    state = read("sn_gan_light")
    return load_into(Generator(state["c5.weight"].shape[1]), state)


def shipped_vq_vae() -> nn.Module:
    encoder = ("_encoder.", "_pre_vq_conv.")
    return load_into(Decoder(), {name: tensor for name, tensor in read("vq_vae").items() if not name.startswith(encoder)})


def shipped_vq_vae_encoder() -> nn.Module:
    return load_into(Encoder(), {name: tensor for name, tensor in read("vq_vae").items() if not name.startswith("_decoder.")})
