# SPDX-License-Identifier: MIT
"""`meicensus forward` on new random inputs against the packages' own forward passes."""
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

import shipped
from conftest import ROOT
from make_golden import draw_inputs, random_generator
from snn_reference import channel_rates, run_resnet

PROGRAM = ROOT / "build" / "meicensus"
SEED = 13  # of the inputs: other ones than those of the golden file
# Spikes that fall differently where a membrane meets the threshold to rounding: (image, channel) pairs whose
# spike count differs at all, as a fraction, and the largest difference.
DIFFERING_CHANNELS, LARGEST_DIFFERENCE = 0.005, 2

needs_program = pytest.mark.skipif(not PROGRAM.exists(), reason="build/meicensus is not built: run make first")


def forward(model: Path, values: Tensor, folder: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """`output` and {layer: rates [N][C]} of the program."""
    source, result = folder / "input.h5", folder / "output.h5"
    with h5py.File(source, "w") as file:
        file["input"] = values.numpy()
    command = [PROGRAM, "forward", "--model", model, "--input", source, "--output", result]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, check=False)
    assert finished.returncode == 0, finished.stderr
    with h5py.File(result) as file:
        rates: dict[str, np.ndarray] = {}
        if "rate" in file:
            file["rate"].visititems(lambda name, item: rates.__setitem__(name, item[()]) if isinstance(item, h5py.Dataset) else None)
        return file["output"][()], rates


def shipped_model(name: str) -> Path:
    return shipped.WEIGHTS / f"{name}.yaml"


def check_spiking(model: str, images: Tensor, classes: Tensor, spikes: dict[str, Tensor], folder: Path) -> None:
    output, rates = forward(shipped_model(model), images, folder)
    assert sorted(rates) == sorted(spikes)
    differences = {}
    for name, expected in spikes.items():
        positions = expected[:, 0, 0].numel()  # T, height and width: what a rate was divided by
        differences[name] = np.abs(np.rint(rates[name] * positions) - np.rint(channel_rates(expected).numpy() * positions))
        assert differences[name].shape == expected.shape[1:3]
    every = np.concatenate([d.ravel() for d in differences.values()])
    print(f"{model}: {np.count_nonzero(every)} of {every.size} spike counts differ, by {every.max():.0f} at most")
    assert every.max() <= LARGEST_DIFFERENCE
    assert np.count_nonzero(every) <= DIFFERING_CHANNELS * every.size
    agreeing = np.all([np.all(d == 0, axis=1) for d in differences.values()], axis=0)
    assert agreeing.any(), "no image whose spike counts all agree"
    np.testing.assert_allclose(output[agreeing], classes.numpy()[agreeing], atol=1e-4, rtol=0)


@needs_program
def test_spiking_resnet18(tmp_path: Path) -> None:
    images = draw_inputs(SEED)["resnet18"]
    classes, spikes = run_resnet(shipped.shipped_spiking_resnet18(), images, 20)
    check_spiking("spiking_resnet18", images, classes, spikes, tmp_path)


@needs_program
def test_snntorch_cnn(tmp_path: Path) -> None:
    images = draw_inputs(SEED)["snntorch_cnn"]
    classes, spikes = shipped.shipped_snntorch_cnn()(images, 50)
    check_spiking("snntorch_cnn", images, classes, spikes, tmp_path)


@needs_program
def test_relu_resnet18(tmp_path: Path) -> None:
    images = draw_inputs(SEED)["resnet18"]
    classes, activations = run_resnet(shipped.shipped_relu_resnet18(), images, 1)
    output, rates = forward(shipped_model("relu_resnet18"), images, tmp_path)
    assert sorted(rates) == sorted(activations)
    for name, expected in activations.items():
        np.testing.assert_allclose(rates[name], channel_rates(expected).numpy(), atol=1e-4, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(output, classes.numpy(), atol=1e-3, rtol=1e-4)


@needs_program
@pytest.mark.parametrize("model, network, case", [
    ("sn_gan_light", shipped.shipped_sn_gan_light, "sngan_trained"),
    ("vq_vae", shipped.shipped_vq_vae, "vq_vae"),
])
def test_generator(tmp_path: Path, model: str, network, case: str) -> None:
    values = draw_inputs(SEED)[case]
    with torch.no_grad():
        expected = network()(values)
    output, _ = forward(shipped_model(model), values, tmp_path)
    np.testing.assert_allclose(output, expected.numpy(), atol=1e-4, rtol=0)


@needs_program
def test_imported_generator(tmp_path: Path) -> None:
    """A generator of another width, through the importer into the program."""
    from importer.architecture import Architecture
    from importer.conversion import convert, write

    generator = random_generator(SEED, width=20)
    source = tmp_path / "generator.pt"
    torch.save(generator.state_dict(), source)
    architecture = tmp_path / "sn_gan.yaml"
    architecture.write_text(shipped_model("sn_gan").read_text())
    write(convert(generator.state_dict(), Architecture(architecture)), tmp_path / "sn_gan.safetensors", source, None)
    z = draw_inputs(SEED)["sngan_random"]
    with torch.no_grad():
        expected = generator(z)
    output, _ = forward(architecture, z, tmp_path)
    np.testing.assert_allclose(output, expected.numpy(), atol=1e-4, rtol=0)
