# SPDX-License-Identifier: MIT
"""The subjects, built from the packages' own classes: SpikingJelly's SpikingResNet and snnTorch's Leaky."""
import snntorch
import snntorch.utils
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.model.spiking_resnet import BasicBlock, SpikingResNet
from torch import Tensor, nn

DEFAULT_LIF = {"tau": 2.0, "decay_input": True, "v_threshold": 1.0, "v_reset": 0.0}


def spiking_resnet18(lif: dict = DEFAULT_LIF) -> SpikingResNet:
    """SpikingJelly's spiking ResNet18 with random weights; lif: arguments of LIFNode."""
    network = SpikingResNet(BasicBlock, [2, 2, 2, 2], num_classes=10, spiking_neuron=neuron.LIFNode,
                            surrogate_function=surrogate.ATan(), detach_reset=True, **lif)
    functional.set_step_mode(network, "m")
    return network.eval()


def relu_resnet18() -> SpikingResNet:
    """The same class with a ReLU in the place of every neuron."""
    return SpikingResNet(BasicBlock, [2, 2, 2, 2], num_classes=10, spiking_neuron=lambda **_: nn.ReLU()).eval()


@torch.no_grad()
def run_resnet(network: SpikingResNet, images: Tensor, timesteps: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Class outputs [N][10], mean over T; and {layer: output [T][N][C][H][W]} of every LIF (or ReLU) layer.

    images: [N][3][32][32], shown at each of T steps. The ReLU network takes T = 1.
    """
    spiking = any(isinstance(module, neuron.LIFNode) for module in network.modules())
    outputs: dict[str, Tensor] = {}
    hooks = [module.register_forward_hook(lambda _, __, out, name=name: outputs.__setitem__(name, out if spiking else out[None]))
             for name, module in network.named_modules() if isinstance(module, (neuron.LIFNode, nn.ReLU))]
    functional.reset_net(network)
    classes = network(images.expand(timesteps, *images.shape) if spiking else images)
    for hook in hooks:
        hook.remove()
    return classes.mean(0) if spiking else classes, outputs


class SnnTorchCNN(nn.Module):
    """The CNN of MANGO's snnTorch experiment, under its state-dict names."""

    def __init__(self, beta: float = 0.9):
        super().__init__()
        self.conv0, self.pool0 = nn.Conv2d(3, 200, 5), nn.MaxPool2d(3, 2, 1)
        self.conv1, self.pool1 = nn.Conv2d(200, 64, 5), nn.MaxPool2d(2, 2)
        self.linear1, self.linear2 = nn.Linear(64 * 5 * 5, 100), nn.Linear(100, 10)
        for name in ("spiking0", "spiking1", "spiking2", "final_spiking"):
            setattr(self, name, snntorch.Leaky(beta=beta, init_hidden=True, output=name == "final_spiking"))

    def step(self, images: Tensor) -> dict[str, Tensor]:
        """Spikes of one time step, {layer: [N][C][H][W] or [N][features]}."""
        spiking0 = self.spiking0(self.pool0(self.conv0(images)))
        spiking1 = self.spiking1(self.pool1(self.conv1(spiking0)))
        spiking2 = self.spiking2(self.linear1(spiking1.flatten(1)))
        final_spiking, _ = self.final_spiking(F.relu(self.linear2(spiking2)))
        return {"spiking0": spiking0, "spiking1": spiking1, "spiking2": spiking2, "final_spiking": final_spiking}

    @torch.no_grad()
    def forward(self, images: Tensor, timesteps: int) -> tuple[Tensor, dict[str, Tensor]]:
        """Class outputs [N][10]: firing rates of final_spiking; and {layer: spikes [T][N]...}."""
        snntorch.utils.reset(self)
        steps = [self.step(images) for _ in range(timesteps)]
        spikes = {name: torch.stack([step[name] for step in steps]) for name in steps[0]}
        return spikes["final_spiking"].mean(0), spikes


def channel_rates(outputs: Tensor) -> Tensor:
    """[T][N][C][H][W] or [T][N][C] -> [N][C]: mean over time, height and width."""
    return outputs.mean((0, 3, 4)) if outputs.dim() == 5 else outputs.mean(0)
