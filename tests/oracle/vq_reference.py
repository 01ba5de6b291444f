# SPDX-License-Identifier: MIT
"""MANGO's VQ-VAE, under its state-dict names: 64 codebook indices -> one image, and back."""
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    def __init__(self, channels: int, hidden: int):
        super().__init__()
        # The first ReLU works in place, as published: the skip path below carries the rectified map too.
        self._block = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(channels, hidden, 3, padding=1, bias=False),
                                    nn.ReLU(inplace=True), nn.Conv2d(hidden, channels, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return x + self._block(x)


class ResidualStack(nn.Module):
    def __init__(self, channels: int, hidden: int, n_layers: int):
        super().__init__()
        self._layers = nn.ModuleList(Residual(channels, hidden) for _ in range(n_layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self._layers:
            x = layer(x)
        return F.relu(x)


class DecoderLayers(nn.Module):
    def __init__(self, dimension: int, channels: int):
        super().__init__()
        self._conv_1 = nn.Conv2d(dimension, channels, 3, padding=1)
        self._residual_stack = ResidualStack(channels, 32, 2)
        self._conv_trans_1 = nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1)
        self._conv_trans_2 = nn.ConvTranspose2d(channels // 2, 3, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_trans_2(F.relu(self._conv_trans_1(self._residual_stack(self._conv_1(x)))))


class Codebook(nn.Module):
    def __init__(self, n_codes: int, dimension: int):
        super().__init__()
        self._embedding = nn.Embedding(n_codes, dimension)


class Decoder(nn.Module):
    """indices [N][64], row-major over an 8 x 8 grid -> image [N][3][32][32], normalised as CIFAR-10 input."""

    def __init__(self, n_codes: int = 512, dimension: int = 64):
        super().__init__()
        self._vq_vae = Codebook(n_codes, dimension)
        self._decoder = DecoderLayers(dimension, 128)

    def forward(self, indices: Tensor) -> Tensor:
        codes = self._vq_vae._embedding(indices)  # [N][64][dimension]
        return self._decoder(codes.transpose(1, 2).reshape(len(indices), -1, 8, 8))


class EncoderLayers(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self._conv_1 = nn.Conv2d(3, channels // 2, 4, 2, 1)
        self._conv_2 = nn.Conv2d(channels // 2, channels, 4, 2, 1)
        self._conv_3 = nn.Conv2d(channels, channels, 3, padding=1)
        self._residual_stack = ResidualStack(channels, 32, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self._residual_stack(self._conv_3(F.relu(self._conv_2(F.relu(self._conv_1(x))))))


class Encoder(nn.Module):
    """image [N][3][32][32], normalised -> indices [N][64] of the nearest rows of the codebook."""

    def __init__(self, n_codes: int = 512, dimension: int = 64):
        super().__init__()
        self._vq_vae = Codebook(n_codes, dimension)
        self._encoder = EncoderLayers(128)
        self._pre_vq_conv = nn.Conv2d(128, dimension, 1)

    def forward(self, images: Tensor) -> Tensor:
        values = self._pre_vq_conv(self._encoder(images)).flatten(2).transpose(1, 2)  # [N][64][dimension]
        return torch.cdist(values, self._vq_vae._embedding.weight, compute_mode="donot_use_mm_for_euclid_dist").argmin(2)
