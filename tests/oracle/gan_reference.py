# SPDX-License-Identifier: MIT
"""SN-GAN generator for 32 x 32 images (Miyato et al. 2018, residual variant), under the published state-dict names."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class GeneratorBlock(nn.Module):
    """Residual block that doubles height and width."""

    def __init__(self, channels: int):
        super().__init__()
        self.b1, self.c1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.b2, self.c2 = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels, 3, padding=1)
        self.c_sc = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        h = self.c1(upsample(F.relu(self.b1(x))))
        return self.c2(F.relu(self.b2(h))) + self.c_sc(upsample(x))


class Generator(nn.Module):
    """z [N][128] -> image [N][3][32][32] in [-1, 1]."""

    def __init__(self, width: int = 256, n_latent: int = 128):
        super().__init__()
        self.width = width
        self.l1 = nn.Linear(n_latent, 4 * 4 * width)
        self.block2, self.block3, self.block4 = GeneratorBlock(width), GeneratorBlock(width), GeneratorBlock(width)
        self.b5, self.c5 = nn.BatchNorm2d(width), nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        h = self.l1(z).view(-1, self.width, 4, 4)
        h = self.block4(self.block3(self.block2(h)))
        return torch.tanh(self.c5(F.relu(self.b5(h))))
