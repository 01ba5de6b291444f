# SPDX-License-Identifier: MIT
"""What is shipped: every architecture file describes the package's network, and README.md its files."""
import hashlib
from pathlib import Path

import pytest
import torch
import yaml

import interpreter
import shipped
from make_golden import draw_inputs, random_generator
from snn_reference import run_resnet

SEED = 12
IMAGE_TOLERANCE = 1e-4  # our architecture files convolve a shortcut before upsampling it, the packages after
MODELS = sorted(path.stem for path in shipped.WEIGHTS.glob("*.yaml"))
SHIPPED = sorted(path.stem for path in shipped.WEIGHTS.glob("*.safetensors"))


def interpreted(name: str, values: torch.Tensor) -> dict[str, torch.Tensor]:
    return interpreter.run(*interpreter.load(shipped.WEIGHTS / f"{name}.yaml"), values)


def spiking_layers(name: str) -> list[str]:
    layers = yaml.safe_load((shipped.WEIGHTS / f"{name}.yaml").read_text())["layers"]
    return [layer["name"] for layer in layers if layer["kind"] == "spiking"]


def test_spiking_resnet18() -> None:
    images = draw_inputs(SEED)["resnet18"][:2]
    classes, spikes = run_resnet(shipped.shipped_spiking_resnet18(), images, 20)
    outputs = interpreted("spiking_resnet18", images)
    assert spiking_layers("spiking_resnet18") == list(spikes) and len(spikes) == 17
    assert sum(s.shape[2] for s in spikes.values()) == 3904
    assert all(torch.equal(outputs[name], spikes[name]) for name in spikes)
    torch.testing.assert_close(outputs["fc"].mean(0), classes, atol=1e-5, rtol=0)


def test_relu_resnet18() -> None:
    images = draw_inputs(SEED)["resnet18"][:2]
    classes, activations = run_resnet(shipped.shipped_relu_resnet18(), images, 1)
    outputs = interpreted("relu_resnet18", images)
    assert list(activations) == spiking_layers("spiking_resnet18")
    for name, values in activations.items():
        torch.testing.assert_close(outputs[name], values, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(outputs["fc"][0], classes, atol=1e-4, rtol=1e-5)


def test_snntorch_cnn() -> None:
    images = draw_inputs(SEED)["snntorch_cnn"][:2]
    classes, spikes = shipped.shipped_snntorch_cnn()(images, 50)
    outputs = interpreted("snntorch_cnn", images)
    assert spiking_layers("snntorch_cnn") == list(spikes)
    assert all(torch.equal(outputs[name], spikes[name]) for name in spikes)
    assert classes.max() > 0


def test_sn_gan_light() -> None:
    z = draw_inputs(SEED)["sngan_trained"]
    with torch.no_grad():
        expected = shipped.shipped_sn_gan_light()(z)
    torch.testing.assert_close(interpreted("sn_gan_light", z)["tanh"][0], expected, atol=IMAGE_TOLERANCE, rtol=0)


def test_sn_gan_architecture_with_other_width() -> None:
    generator = random_generator(seed=SEED, width=8)
    architecture = yaml.safe_load((shipped.WEIGHTS / "sn_gan.yaml").read_text())
    z = draw_inputs(SEED)["sngan_random"]
    with torch.no_grad():
        images = interpreter.run(architecture, generator.state_dict(), z)["tanh"][0]
        torch.testing.assert_close(images, generator(z), atol=IMAGE_TOLERANCE, rtol=0)


def test_vq_vae() -> None:
    indices = draw_inputs(SEED)["vq_vae"]
    with torch.no_grad():
        expected = shipped.shipped_vq_vae()(indices)
    torch.testing.assert_close(interpreted("vq_vae", indices)["conv_trans_2"][0], expected, atol=1e-5, rtol=0)


def test_vq_vae_encoder() -> None:
    images = draw_inputs(SEED)["resnet18"]
    with torch.no_grad():
        expected = shipped.shipped_vq_vae_encoder()(images)
    assert torch.equal(interpreted("vq_vae_encoder", images)["codebook"][0].flatten(1), expected.float())


@pytest.mark.parametrize("name", MODELS)
def test_keys(name: str) -> None:
    """The keys of a role are there, and the tensors stand beside the file unless it says that they are not shipped."""
    architecture = yaml.safe_load((shipped.WEIGHTS / f"{name}.yaml").read_text())
    network = name.removesuffix("_encoder")  # whose tensors stand in one file with the decoder's
    assert architecture["name"] == name and architecture["tensors"] == f"{network}.safetensors"
    assert len(architecture["image"]["mean"]) == len(architecture["image"]["std"]) == (1 if name.startswith("mnist") else 3)
    if architecture["role"] == "subject":
        assert len(architecture["classes"]) == 10
    elif architecture["role"] == "generator":
        assert architecture["latent"]["dimensions"] > 0
    assert network in SHIPPED or "not part of this repository" in architecture["description"]


@pytest.mark.parametrize("name", SHIPPED)
def test_model_card_names_the_file(name: str) -> None:
    card = (shipped.WEIGHTS / "README.md").read_text()
    digest = hashlib.sha256(Path(shipped.WEIGHTS / f"{name}.safetensors").read_bytes()).hexdigest()
    assert f"## {name}" in card and digest in card
