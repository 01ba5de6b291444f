# SPDX-License-Identifier: MIT
"""Convolutions of small maps, without the products that only ever meet padding.

Behind the strides of an ImageNet network the images of CIFAR-10 are 2 x 2 and 1 x 1: of a 3 x 3 kernel on a padded
1 x 1 image only the centre counts, and the other eight products cost as much. On a CPU such a map is also too small
for a convolution to be fast: one product with the matrix of all its taps is several times faster, forward and backward.
"""
import functools

import torch
import torch.nn.functional as F
from spikingjelly.activation_based import layer
from torch import nn

# A matrix over all pairs of positions is used up to so many outputs, and while it needs at most so many times the
# products of the convolution; measured on a CPU with AVX-512 BF16.
MOST_OUTPUTS = 4
MOST_WORK = 2


class TrimmedConv2d(layer.Conv2d):
    """SpikingJelly's Conv2d, square and without bias; tensors, results and gradients are the same."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height, width = (self._used(size) for size in images.shape[2:])
        weight = self.weight[:, :, height, width]
        padding = self.padding[0] - height.start, self.padding[1] - width.start
        if images.device.type == "cpu" and images.shape[2] == images.shape[3]:
            if weight.shape[2] == 1 and padding == (0, 0):
                return pointwise(images, weight, self.stride[0])
            if is_small(images.shape[2], weight.shape[2], self.stride[0], padding[0]):
                return as_matrix(images, weight, self.stride[0], padding[0])
        return F.conv2d(images, weight, None, self.stride, padding)

    def _used(self, size: int) -> slice:
        """Rows of the kernel that meet the image somewhere; the padding that is left must be the same on both sides."""
        kernel, stride, padding = self.kernel_size[0], self.stride[0], self.padding[0]
        n_outputs = _output_size(size, kernel, stride, padding)
        first = range(-padding, n_outputs * stride - padding, stride)  # row of the image under row 0 of the kernel
        used = [row for row in range(kernel) if any(0 <= begin + row < size for begin in first)]
        trimmed = slice(used[0], used[-1] + 1)
        rest = padding - trimmed.start
        same_size = _output_size(size, trimmed.stop - trimmed.start, stride, rest) == n_outputs
        return trimmed if rest >= 0 and same_size else slice(0, kernel)


def _output_size(size: int, kernel: int, stride: int, padding: int) -> int:
    return (size + 2 * padding - kernel) // stride + 1


def is_small(size: int, kernel: int, stride: int, padding: int) -> bool:
    """Whether the matrix of all taps is the faster way for square maps of this size."""
    return _output_size(size, kernel, stride, padding)**2 <= MOST_OUTPUTS and size**2 <= MOST_WORK * kernel**2


def pointwise(images: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    """Convolution with a kernel of 1 x 1."""
    positions = images[:, :, ::stride, ::stride].permute(0, 2, 3, 1)
    return F.linear(positions, weight[:, :, 0, 0]).permute(0, 3, 1, 2)


def as_matrix(images: torch.Tensor, weight: torch.Tensor, stride: int, padding: int) -> torch.Tensor:
    """Convolution of square maps as one product with the matrix [outputs * channels, inputs * channels] of all taps."""
    n_images, n_inputs, size = images.shape[:3]
    n_outputs, kernel = weight.shape[0], weight.shape[2]
    edge = _output_size(size, kernel, stride, padding)
    taps = weight.permute(2, 3, 0, 1).reshape(kernel**2, n_outputs * n_inputs)
    pairs = _taps_of_pairs(size, kernel, stride, padding).to(taps.dtype) @ taps
    matrix = pairs.view(edge**2, size**2, n_outputs, n_inputs).permute(0, 2, 1, 3).reshape(edge**2 * n_outputs, -1)
    outputs = F.linear(images.permute(0, 2, 3, 1).reshape(n_images, -1), matrix)
    return outputs.view(n_images, edge, edge, n_outputs).permute(0, 3, 1, 2)


@functools.lru_cache
def _taps_of_pairs(size: int, kernel: int, stride: int, padding: int) -> torch.Tensor:
    """1 where a tap joins a pair of an output and an input position, else 0: [outputs * inputs, taps]."""
    edge = _output_size(size, kernel, stride, padding)
    output, position, tap = (torch.arange(n) for n in (edge, size, kernel))
    meets = position[None, :, None] + padding == output[:, None, None] * stride + tap  # along one axis
    return torch.einsum("oit,pju->opijtu", meets.float(), meets.float()).reshape(edge**2 * size**2, kernel**2)


def trim_convolutions(network: nn.Module) -> nn.Module:
    """Replace every convolution of the network, its tensors kept."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, layer.Conv2d):
                with torch.device("meta"):  # no weights of its own
                    trimmed = TrimmedConv2d(child.in_channels, child.out_channels, child.kernel_size, child.stride,
                                            child.padding, bias=False)
                trimmed.weight = child.weight
                setattr(parent, name, trimmed)
    return network
