# SPDX-License-Identifier: MIT
"""Networks of torchvision and SpikingJelly: described, imported, and run by the program, against the package."""
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.model import spiking_vgg
from torch import Tensor, nn

import describe
from importer.architecture import Architecture
from importer.conversion import convert, write
from test_forward import DIFFERING_CHANNELS, count_differences, forward, needs_program

N_IMAGES, TIMESTEPS = 4, 8


def randomise(network: nn.Module, gain: float = 1.2) -> nn.Module:
    """Weights that keep the size of what passes, batch norms that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.7 * gain, 1.3 * gain)
            nn.init.uniform_(module.bias, -0.2, 0.6)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
    return network.eval()


def vgg11() -> nn.Module:
    network = torchvision.models.vgg11(num_classes=10, init_weights=False)
    network.avgpool, network.classifier = nn.Identity(), nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Dropout(), nn.Linear(64, 10))
    return network


def vgg11_bn() -> nn.Module:
    network = torchvision.models.vgg11_bn(num_classes=10, init_weights=False)
    network.avgpool, network.classifier = nn.Identity(), nn.Linear(512, 10)
    return network


def vgg_with_pool() -> nn.Module:
    network = vgg11_bn()
    network.classifier = nn.Linear(512 * 7 * 7, 10)
    return network


def alexnet() -> nn.Module:
    network = torchvision.models.alexnet(num_classes=10)
    network.avgpool, network.classifier = nn.Identity(), nn.Sequential(nn.Dropout(), nn.Linear(256, 32), nn.ReLU(), nn.Linear(32, 10))
    return network


def resnet_bottleneck() -> nn.Module:
    return torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 2, 1, 1], num_classes=10)


def densenet() -> nn.Module:
    return torchvision.models.DenseNet(growth_rate=8, block_config=(2, 3, 2), num_init_features=16, num_classes=10)


FAMILIES = [("vgg", vgg11, 32), ("vgg", vgg11_bn, 32), ("alexnet", alexnet, 63), ("resnet", torchvision.models.resnet18, 32),
            ("resnet", resnet_bottleneck, 64), ("densenet", densenet, 64)]


def describe_and_import(network: nn.Module, folder: Path, *options: str) -> Path:
    """The architecture file, with its tensors beside it, made as a user makes them."""
    source, model = folder / "state.pt", folder / "network.yaml"
    torch.save(network.state_dict(), source)
    model.write_text(describe.describe(describe.parse_arguments([str(source), "--name", "network", *options])))
    architecture = Architecture(model)
    write(convert(network.state_dict(), architecture), architecture.tensors_path, source, None)
    return model


@needs_program
@pytest.mark.parametrize("family, make, size", FAMILIES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_relu_network(tmp_path: Path, family: str, make, size: int) -> None:
    network = randomise(make())
    images = torch.randn(N_IMAGES, 3, size, size)
    model = describe_and_import(network, tmp_path, "--family", family, "--input", "3", str(size), str(size))
    with torch.no_grad():
        expected = network(images).numpy()
    with forward(model, images, tmp_path) as file:
        output = file["output"][()]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(output, expected, atol=2e-4 * np.abs(expected).max(), rtol=0)


def spiking_vgg11() -> nn.Module:
    network = spiking_vgg.spiking_vgg11_bn(spiking_neuron=neuron.LIFNode, tau=2.0, surrogate_function=surrogate.ATan(), detach_reset=True)
    network.avgpool, network.classifier = nn.Identity(), nn.Linear(512, 10)
    functional.set_step_mode(network, "m")
    functional.set_step_mode(network.classifier, "s")
    return network


def spikes_of(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """{layer: spikes [T][N][C][H][W]}."""
    outputs: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, neuron.LIFNode):
            module.register_forward_hook(lambda _, __, out, name=name: outputs.__setitem__(name, out))
    functional.reset_net(network)
    with torch.no_grad():
        network.features(images.expand(TIMESTEPS, *images.shape))
    return outputs


@needs_program
def test_spiking_vgg(tmp_path: Path) -> None:
    """A VGG of spiking neurons needs an architecture file and nothing else."""
    network = randomise(spiking_vgg11(), gain=3)
    images = torch.randn(N_IMAGES, 3, 32, 32)
    model = describe_and_import(network, tmp_path, "--family", "vgg", "--timesteps", str(TIMESTEPS), "--spiking",
                                "{kind: lif, tau: 2.0, decay_input: true, threshold: 1.0, reset: hard, v_reset: 0.0}")
    spikes = spikes_of(network, images)
    print({name: f"{s.mean():.3f}" for name, s in spikes.items()})
    assert len(spikes) == 8 and all(0.01 < s.mean() < 0.6 for s in spikes.values())
    with forward(model, images, tmp_path) as file:
        differences = count_differences(file, spikes)
    print(f"{np.count_nonzero(differences)} of {differences.size} spike counts differ")
    assert np.count_nonzero(differences) <= DIFFERING_CHANNELS * differences.size


@pytest.mark.parametrize("family, make, options, fault", [
    ("vgg", alexnet, [], "features.0.weight: its window is not 3 x 3"),
    ("resnet", vgg11_bn, [], "conv1.weight is missing"),
    ("vgg", vgg_with_pool, ["--input", "3", "64", "64"], "cannot be averaged to 7 x 7"),
    ("alexnet", alexnet, ["--input", "3", "20", "20"], "nothing is left of the map"),
    ("densenet", densenet, ["--classes", "a", "b"], "2 names for the 10 outputs"),
], ids=["another family", "no tensors of it", "uneven pool", "too small", "class names"])
def test_refusals(tmp_path: Path, capsys: pytest.CaptureFixture, family: str, make, options: list[str], fault: str) -> None:
    torch.save(make().state_dict(), tmp_path / "state.pt")
    assert describe.main([str(tmp_path / "state.pt"), "--family", family, "--name", "x", *options]) == 3
    assert fault in capsys.readouterr().err
