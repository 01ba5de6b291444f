# SPDX-License-Identifier: MIT
"""Convolutions without the rows and columns of a kernel that only ever meet padding.

Behind the strides of an ImageNet network the images of CIFAR-10 are 2 x 2 and 1 x 1: of a 3 x 3 kernel on a padded
1 x 1 image only the centre counts, and the other eight products cost as much.
"""
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import layer
from torch import nn


class TrimmedConv2d(layer.Conv2d):
    """SpikingJelly's Conv2d, square and without bias; tensors, results and gradients are the same."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        height, width = (self._used(size) for size in images.shape[2:])
        weight = self.weight[:, :, height, width]
        return F.conv2d(images, weight, None, self.stride, (self.padding[0] - height.start, self.padding[1] - width.start))

    def _used(self, size: int) -> slice:
        """Rows of the kernel that meet the image somewhere; the padding that is left must be the same on both sides."""
        kernel, stride, padding = self.kernel_size[0], self.stride[0], self.padding[0]
        n_outputs = (size + 2 * padding - kernel) // stride + 1
        first = range(-padding, n_outputs * stride - padding, stride)  # row of the image under row 0 of the kernel
        used = [row for row in range(kernel) if any(0 <= begin + row < size for begin in first)]
        trimmed = slice(used[0], used[-1] + 1)
        rest = padding - trimmed.start
        same_size = (size + 2 * rest - (trimmed.stop - trimmed.start)) // stride + 1 == n_outputs
        return trimmed if rest >= 0 and same_size else slice(0, kernel)


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
