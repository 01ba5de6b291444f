# SPDX-License-Identifier: MIT
"""Generator and discriminator of the residual SN-GAN for 32 x 32 images (Miyato et al. 2018, arXiv 1802.05957).

The generator's tensors are named as in the published CIFAR-10 files. Both networks use Xavier's initialisation, with a
gain of sqrt(2) in front of a ReLU and within residual branches.
"""
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from importer.architecture import Architecture
from importer.conversion import convert
from importer.refusal import Refused
from importer.sources import read_state

LATENT_SIZE = 128
PUBLISHED_WIDTH = 256  # that of weights/sn_gan.yaml, which has the same layers as sn_gan_light.yaml
FIRST_EDGE = 4  # of the map that the linear layer makes
ARCHITECTURE = Path(__file__).resolve().parents[2] / "sn_gan_light.yaml"  # of every width
RESIDUAL_GAIN = math.sqrt(2)


def _initialised(layer: nn.Module, gain: float = 1.0) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


def _convolution(n_inputs: int, n_outputs: int, kernel: int, gain: float = 1.0) -> nn.Module:
    return _initialised(nn.Conv2d(n_inputs, n_outputs, kernel, padding=kernel // 2), gain)


def _upsampled(images: torch.Tensor) -> torch.Tensor:
    return F.interpolate(images, scale_factor=2, mode="bilinear", align_corners=False)


class GeneratorBlock(nn.Module):
    """Residual block to twice the edge; a 1 x 1 convolution and upsampling commute, and this order costs a quarter."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c1 = _convolution(width, width, 3, RESIDUAL_GAIN)
        self.c2 = _convolution(width, width, 3, RESIDUAL_GAIN)
        self.b1 = nn.BatchNorm2d(width)
        self.b2 = nn.BatchNorm2d(width)
        self.c_sc = _convolution(width, width, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        branch = self.c1(_upsampled(F.relu(self.b1(images))))
        return self.c2(F.relu(self.b2(branch))) + _upsampled(self.c_sc(images))


class Generator(nn.Module):
    """z [N, 128] -> images [N, 3, 32, 32] in [-1, 1], float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.l1 = _initialised(nn.Linear(LATENT_SIZE, FIRST_EDGE**2 * width))
        self.block2, self.block3, self.block4 = (GeneratorBlock(width) for _ in range(3))
        self.b5 = nn.BatchNorm2d(width)
        self.c5 = _convolution(width, 3, 3)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        maps = self.l1(latents).view(-1, self.width, FIRST_EDGE, FIRST_EDGE)
        maps = self.block4(self.block3(self.block2(maps.contiguous(memory_format=torch.channels_last))))
        return torch.tanh(self.c5(F.relu(self.b5(maps))).float())


class DiscriminatorBlock(nn.Module):
    """Residual block of spectrally normalised convolutions; `halved`: to half the edge."""

    def __init__(self, n_inputs: int, width: int, halved: bool) -> None:
        super().__init__()
        self.first, self.halved = n_inputs != width, halved  # the first block sees an image: no ReLU in front
        self.c1 = spectral_norm(_convolution(n_inputs, width, 3, RESIDUAL_GAIN))
        self.c2 = spectral_norm(_convolution(width, width, 3, RESIDUAL_GAIN))
        self.c_sc = spectral_norm(_convolution(n_inputs, width, 1)) if halved else nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        branch = self.c2(F.relu(self.c1(images if self.first else F.relu(images))))
        if not self.halved:
            return branch + images
        return F.avg_pool2d(branch, 2) + self.c_sc(F.avg_pool2d(images, 2))  # pooling and 1 x 1 commute


class Discriminator(nn.Module):
    """Images [N, 3, 32, 32] in [-1, 1] -> one number each [N], larger where the image looks real; float32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(DiscriminatorBlock(3, width, True), DiscriminatorBlock(width, width, True),
                                    DiscriminatorBlock(width, width, False), DiscriminatorBlock(width, width, False))
        self.l5 = spectral_norm(_initialised(nn.Linear(width, 1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = F.relu(self.blocks(images)).float().sum((2, 3))
        with torch.autocast(images.device.type, enabled=False):
            return self.l5(features).squeeze(1)


def read_generator(path: Path) -> Generator:
    """The generator of a tensor file, of any width, after the checks of the importer."""
    state = read_state(path)
    try:
        tensors = convert(state, Architecture(ARCHITECTURE)).tensors
    except Refused as refusal:
        raise Refused(f"{path}: not an SN-GAN generator: {refusal}") from refusal
    generator = Generator(tensors["b5.weight"].numel())
    generator.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=False)
    return generator
