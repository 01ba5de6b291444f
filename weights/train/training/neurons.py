# SPDX-License-Identifier: MIT
"""SpikingJelly's LIF neuron with time folded into the batch: [T * N, ...], the N images of step 0 first.

The other layers of a network then work on one large batch in channels-last order, and a neuron's backward pass is one
function instead of a graph of some ten small operations a step.
"""
import math
from collections.abc import Iterator

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import nn

TAU = 2.0
ALPHA = 2.0      # steepness of the surrogate gradient; with 2 its largest value is 1
PART = 2**18     # neurons that are computed together on a CPU


class FoldedLIFNode(neuron.LIFNode):
    """LIFNode(tau 2, decay_input, threshold 1, hard reset to 0, detached), surrogate gradient ATan.

    timesteps: T. constant_input: the input is [N, ...] and the same at every step, as behind the first convolution.
    """

    def __init__(self) -> None:
        super().__init__(tau=TAU, decay_input=True, v_threshold=1.0, v_reset=0.0, detach_reset=True,
                         surrogate_function=surrogate.ATan(ALPHA))
        self.timesteps = 1
        self.constant_input = False

    def forward(self, current: torch.Tensor) -> torch.Tensor:
        return _FoldedLIF.apply(current, self.timesteps, self.constant_input)


def set_timesteps(network: nn.Module, timesteps: int) -> None:
    """Presentations of each image to the network; nothing to do for one without spiking neurons."""
    for module in network.modules():
        if isinstance(module, FoldedLIFNode):
            module.timesteps = timesteps


class _FoldedLIF(torch.autograd.Function):
    """h[t] = v[t-1] + (x[t] - v[t-1]) / 2;  s[t] = h[t] >= 1;  v[t] = 0 where s[t], else h[t]."""

    @staticmethod
    def forward(context, current: torch.Tensor, timesteps: int, constant_input: bool) -> torch.Tensor:
        steps = current.expand(timesteps, *current.shape) if constant_input else current.unflatten(0, (timesteps, -1))
        spikes = _like(current, len(current) * timesteps if constant_input else len(current))
        charged = torch.empty_like(spikes)
        for images in _parts(steps):
            _fire(steps[:, images], *(tensor.unflatten(0, (timesteps, -1))[:, images] for tensor in (charged, spikes)))
        context.save_for_backward(charged, spikes)
        context.timesteps, context.constant_input = timesteps, constant_input
        return spikes

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        charged, spikes, gradient = (tensor.unflatten(0, (context.timesteps, -1))
                                     for tensor in (*context.saved_tensors, gradient))
        n_images = charged.shape[1]
        result = _like(charged[0], n_images if context.constant_input else n_images * context.timesteps)
        steps = result.unflatten(0, (-1, n_images))
        for images in _parts(charged):
            _propagate(charged[:, images], spikes[:, images], gradient[:, images], steps[:, images])
        return result, None, None


def _like(tensor: torch.Tensor, length: int) -> torch.Tensor:
    """An empty tensor of the same kind with another length, in channels-last order where the tensor is."""
    order = torch.channels_last if tensor.dim() == 4 else torch.contiguous_format
    return torch.empty(length, *tensor.shape[1:], dtype=tensor.dtype, device=tensor.device, memory_format=order)


def _parts(steps: torch.Tensor) -> Iterator[slice]:
    """Ranges of the images of [T, N, ...]; on a CPU, so few that what is computed of them stays in the cache."""
    n_images = steps.shape[1]
    size = max(1, PART // steps[0, 0].numel()) if steps.device.type == "cpu" else n_images
    return (slice(begin, begin + size) for begin in range(0, n_images, size))


def _fire(current: torch.Tensor, charged: torch.Tensor, spikes: torch.Tensor) -> None:
    """All steps of some images: fills h and s, [T, N, ...]."""
    membrane_potential = torch.zeros_like(current[0], dtype=torch.float32)
    for x, h, s in zip(current, charged, spikes):
        charge = torch.lerp(x.float(), membrane_potential, 1 / TAU)  # v - (v - x) / 2, rounded as v + (x - v) / 2
        fired = charge >= 1
        h.copy_(charge)
        s.copy_(fired)
        membrane_potential = charge.masked_fill_(fired, 0)


def _propagate(charged: torch.Tensor, spikes: torch.Tensor, gradient: torch.Tensor, result: torch.Tensor) -> None:
    """All steps of some images, the last first: fills the gradient of x; its sum where `result` has one step only."""
    one = torch.ones((), device=charged.device)
    total = later = None  # later: gradient of the potential that this step leaves to the next
    for t in reversed(range(len(charged))):
        distance = charged[t].float().sub_(1)
        wanted = gradient[t] / torch.addcmul(one, distance, distance, value=(math.pi / 2 * ALPHA) ** 2)
        if later is not None:
            wanted.add_(later.masked_fill(spikes[t] > 0, 0))
        later = wanted.mul_(1 / TAU)
        if len(result) > 1:
            result[t].copy_(later)
        else:
            total = later.clone() if total is None else total.add_(later)
    if len(result) == 1:
        result[0].copy_(total)
