# SPDX-License-Identifier: MIT
"""Random changes of a batch of training images; every random number comes from one generator on the device."""
import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from .data import N_CLASSES, Images


@dataclass
class Augmentation:
    """What happens to a batch, in this order."""

    affine: float = 0.5   # share of images that are turned and scaled
    colour: float = 0.2   # largest change of brightness, contrast and saturation
    cutout: int = 0       # edge of the square set to the mean colour, in pixels
    cutmix: float = 0.5   # share of images that get a rectangle of another one
    border: int = 4       # pixels by which an image is moved at most
    mirror: bool = True   # half of the images, left to right

    def __call__(self, images: Images, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised float32 images [N, channels, height, width], and the share of each class in each [N, 10]."""
        moved = crop_and_flip(images.pixels, generator, self.border, self.mirror)
        pixels = replace(images, pixels=moved).normalised()
        targets = F.one_hot(images.labels, N_CLASSES).float()
        if self.affine:
            pixels = turn_and_scale(pixels, self.affine, generator)
        if self.colour:
            pixels = change_colour(pixels, self.colour, generator)
        if self.cutout:
            pixels = cut_out(pixels, self.cutout, generator)
        if self.cutmix:
            pixels, targets = cut_and_mix(pixels, targets, self.cutmix, generator)
        return pixels.contiguous(memory_format=torch.channels_last), targets


def uniform(shape: tuple[int, ...], low: float, high: float, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=generator, device=generator.device) * (high - low) + low


def crop_and_flip(pixels: torch.Tensor, generator: torch.Generator, border: int = 4, mirror: bool = True) -> torch.Tensor:
    """A window, as large as the square image, of the image with a black border; mirrored in half of the cases."""
    (n, n_channels, size), device = pixels.shape[:3], pixels.device
    top, left = torch.randint(0, 2 * border + 1, (2, n, 1), generator=generator, device=device)
    offset = torch.arange(size, device=device).expand(n, size)
    mirrored = uniform((n, 1), 0, 1, generator) < (0.5 if mirror else 0)
    rows, columns = top + offset, left + torch.where(mirrored, size - 1 - offset, offset)
    padded = F.pad(pixels, (border,) * 4)
    image, channel = torch.arange(n, device=device), torch.arange(n_channels, device=device)
    return padded[image[:, None, None, None], channel[:, None, None], rows[:, None, :, None], columns[:, None, None, :]]


def turn_and_scale(pixels: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """A share of the images, turned by up to 12 degrees and scaled by 0.85 to 1.2 in each direction."""
    n = len(pixels)
    angle = uniform((n,), -math.pi / 15, math.pi / 15, generator)
    width, height = uniform((2, n), math.log(1 / 1.2), math.log(1 / 0.85), generator).exp()
    zero = torch.zeros_like(angle)
    matrices = torch.stack([torch.stack([angle.cos() * width, -angle.sin() * height, zero], 1),
                            torch.stack([angle.sin() * width, angle.cos() * height, zero], 1)], 1)
    grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
    turned = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
    return torch.where(_chosen(n, share, generator), turned, pixels)


def change_colour(pixels: torch.Tensor, strength: float, generator: torch.Generator) -> torch.Tensor:
    """Brightness, contrast and saturation, each changed by up to `strength`."""
    brightness, contrast, saturation = uniform((3, len(pixels), 1, 1, 1), -strength, strength, generator)
    grey = pixels.mean(1, keepdim=True)
    pixels = grey + (pixels - grey) * (1 + saturation)
    mean = pixels.mean((1, 2, 3), keepdim=True)
    return mean + (pixels - mean) * (1 + contrast) + brightness


def cut_out(pixels: torch.Tensor, edge: int, generator: torch.Generator) -> torch.Tensor:
    """A square anywhere in each image, parts of it possibly beyond the border, set to the mean colour."""
    height = torch.full((len(pixels),), float(edge), device=pixels.device)
    return pixels.masked_fill(_rectangles(height, pixels.shape[-1], generator), 0.0)


def cut_and_mix(pixels: torch.Tensor, targets: torch.Tensor, share: float,
                generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """CutMix (Yun et al. 2019): a rectangle of the batch's next image, and as much of its class as it covers."""
    n, size = len(pixels), pixels.shape[-1]
    edge = size * uniform((n,), 0, 1, generator).sqrt()
    inside = _rectangles(edge, size, generator) & _chosen(n, share, generator)
    covered = inside.float().mean((1, 2, 3))[:, None]
    return torch.where(inside, pixels.roll(1, 0), pixels), targets * (1 - covered) + targets.roll(1, 0) * covered


def _chosen(n: int, share: float, generator: torch.Generator) -> torch.Tensor:
    """True for a share of n images, [n, 1, 1, 1]."""
    return (uniform((n,), 0, 1, generator) < share)[:, None, None, None]


def _rectangles(edge: torch.Tensor, size: int, generator: torch.Generator) -> torch.Tensor:
    """True inside a square of the given edge around a random point of each square image, [n, 1, size, size]."""
    centre = uniform((2, len(edge), 1), 0, size, generator)
    distance = (torch.arange(size, device=edge.device) + 0.5 - centre).abs()
    rows, columns = distance <= edge[:, None] / 2
    return rows[:, None, :, None] & columns[:, None, None, :]
