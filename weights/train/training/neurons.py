# SPDX-License-Identifier: MIT
"""SpikingJelly's LIF neuron with time folded into the batch: [T * N, ...], the N images of step 0 first.

The other layers of a network then work on one large batch in channels-last order, and a neuron's backward pass is one
function instead of a graph of some ten small operations a step.
"""
import math

import torch
from spikingjelly.activation_based import neuron, surrogate
from torch import nn

TAU = 2.0
ALPHA = 2.0  # steepness of the surrogate gradient


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
    """h[t] = v[t-1] + (x[t] - v[t-1]) / tau;  s[t] = h[t] >= 1;  v[t] = 0 where s[t], else h[t]."""

    @staticmethod
    def forward(context, current: torch.Tensor, timesteps: int, constant_input: bool) -> torch.Tensor:
        shape = [timesteps, -1 if not constant_input else len(current), *current.shape[1:]]
        steps = current.expand(shape) if constant_input else current.view(shape)
        charged, spikes = [], []
        membrane_potential = torch.zeros((), device=current.device)
        for step in steps:
            charge = (step.float() - membrane_potential).div_(TAU).add_(membrane_potential)
            fired = charge >= 1
            charged.append(charge.to(current.dtype))
            spikes.append(fired.to(current.dtype))
            membrane_potential = charge.masked_fill(fired, 0)
        spikes = torch.cat(spikes)
        context.save_for_backward(torch.cat(charged), spikes)
        context.timesteps, context.constant_input = timesteps, constant_input
        return spikes

    @staticmethod
    def backward(context, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        charged, spikes = (tensor.unflatten(0, (context.timesteps, -1)) for tensor in context.saved_tensors)
        gradient = gradient.unflatten(0, (context.timesteps, -1))
        result = []
        later = None  # gradient of the membrane potential that this step leaves to the next
        for t in reversed(range(context.timesteps)):
            slope = (charged[t].float() - 1).mul_(math.pi / 2 * ALPHA).square_().add_(1).reciprocal_().mul_(ALPHA / 2)
            slope.mul_(gradient[t])
            if later is not None:
                slope.add_(later.masked_fill_(spikes[t] > 0, 0), alpha=1 - 1 / TAU)
            result.append(slope.div(TAU) if context.constant_input else slope.div(TAU).to(gradient.dtype))
            later = slope
        return (sum(result).to(gradient.dtype) if context.constant_input else torch.cat(result[::-1])), None, None
