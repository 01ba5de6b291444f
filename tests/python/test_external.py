# SPDX-License-Identifier: MIT
"""weights/external_subject.py: a network of a package as external subject, against the C program's forward pass."""
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml
from torch import nn

import external_subject
import shipped
from conftest import ROOT
from make_golden import draw_inputs
from snn_reference import run_resnet
from test_forward import needs_program, PROGRAM

ADAPTER = ROOT / "weights" / "external_subject.py"
TIMESTEPS, ACTIVATION_TOLERANCE = 4, 1e-6
LAYERS = ("sn1", "layer2.0.sn1", "layer4.1.sn2")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
# The function that --model names, in a module of its own.
MODULE = f"import sys\nsys.path[:0] = {[str(ROOT / 'weights'), str(ROOT / 'tests' / 'oracle')]!r}\n" \
         "import torch, shipped\ntorch.set_num_threads(1)\n" \
         "def spiking(): return shipped.shipped_spiking_resnet18()\n" \
         "def number(): return 3\n"


def joined(values: tuple) -> str:
    return ",".join(map(str, values))


def arguments(*more: str) -> list[str]:
    return ["--model", "served:spiking", "--layers", joined(LAYERS), "--spiking", "--timesteps", str(TIMESTEPS),
            "--deterministic", "--mean", joined(MEAN), "--std", joined(STD), "--classes", "10", *more]


def make_subject(network: nn.Module, *more: str) -> external_subject.Subject:
    return external_subject.Subject(network, external_subject.parse_arguments(arguments(*more)))


def test_units_of_spikingjelly() -> None:
    images = draw_inputs(21)["resnet18"][:3]
    network = shipped.shipped_spiking_resnet18()
    classes, spikes = run_resnet(network, images, TIMESTEPS)
    subject = make_subject(network, "--batch", "2")
    for index, name in enumerate(LAYERS):
        mean = spikes[name].double().mean((0, 3, 4))[:, 5]
        activations = subject.activations((index, 0, 5, -1, -1), images).double()
        torch.testing.assert_close(activations, mean, atol=1e-7, rtol=0)
    single = spikes["sn1"].double().mean(0)[:, 3, 4, 7]
    torch.testing.assert_close(subject.activations((0, 1, 3, 4, 7), images).double(), single, atol=1e-7, rtol=0)
    torch.testing.assert_close(subject.activations((-1, 2, 9, -1, -1), images), classes[:, 9], atol=1e-5, rtol=0)


def test_description() -> None:
    description = make_subject(shipped.shipped_spiking_resnet18()).description()
    assert description["layers"][0] == {"name": "sn1", "channels": 64, "height": 16, "width": 16, "spiking": True}
    assert description["layers"][2]["channels"] == 512 and description["deterministic"] is True


def test_single_steps_and_plain_networks() -> None:
    network = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(2 * 30 * 30, 5)).eval()
    images = torch.randn(2, 3, 32, 32)
    for more in ((), ("--timesteps", "3", "--steps", "single")):
        options = external_subject.parse_arguments(["--model", "-", "--layers", "1,3", *more])
        subject = external_subject.Subject(network, options)
        with torch.no_grad():
            maps, outputs = network[:2](images), network(images)
        torch.testing.assert_close(subject.activations((0, 0, 1, -1, -1), images), maps[:, 1].mean((1, 2)))
        torch.testing.assert_close(subject.activations((1, 0, 4, -1, -1), images), outputs[:, 4])


@pytest.fixture(name="served")
def _served(tmp_path: Path) -> Path:
    (tmp_path / "served.py").write_text(MODULE)
    return tmp_path


def start(served: Path, *options: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, ADAPTER, *options], input=b"", capture_output=True, cwd=served, timeout=120,
                          check=False)


@pytest.mark.parametrize("options, message", [
    (("--model", "served:absent", "--layers", "sn1"), "absent"),
    (("--model", "nowhere:absent", "--layers", "sn1"), "nowhere"),
    (("--model", "served:number", "--layers", "sn1"), "it made a int"),
    (("--model", "served:spiking", "--layers", "sn1,sn9", "--timesteps", "2"), "--layers sn9: no such module"),
    (("--model", "served:spiking", "--layers", "sn1", "--timesteps", "2", "--classes", "7"), "has 10 outputs"),
])
def test_refused(served: Path, options: tuple[str, ...], message: str) -> None:
    finished = start(served, *options)
    assert finished.returncode == 3 and message in finished.stderr.decode() and finished.stdout == b""


def census(served: Path, results: str, subject: dict) -> h5py.Group:
    """A small census of the three layers with one subject; its group of the results."""
    layers = [{"layers": [name], "select": [2, 7], "budget": 20} for name in LAYERS]
    job = {"results": results, "trace": True, "subjects": {"net": subject},
           "generators": {"light": {"model": str(ROOT / "weights" / "sn_gan_light.yaml")}},
           "methods": {"random": {"batch": 10}}, "searches": layers, "trials": {"count": 2}}
    (served / "job.yaml").write_text(yaml.safe_dump(job))
    for command in (["run", "job.yaml"], ["gather", results]):
        finished = subprocess.run([PROGRAM, *command], capture_output=True, text=True, timeout=300, cwd=served,
                                  check=False)
        assert finished.returncode == 0, finished.stderr
    return h5py.File(served / results / "results.h5")["census/net/light/random"]


@needs_program
def test_same_as_the_program(served: Path) -> None:
    """The same codes are asked, and get the same activations but for rounding; and so does the same image win."""
    command = " ".join(f"'{word}'" for word in (sys.executable, ADAPTER, *arguments()))
    own = census(served, "own", {"model": str(ROOT / "weights" / "spiking_resnet18.yaml"), "timesteps": TIMESTEPS})
    asked = census(served, "asked", {"command": command, "timeout": 200})
    assert np.array_equal(own["codes_hash"][:], asked["codes_hash"][:])
    assert np.nanmax(np.abs(own["trace"][:] - asked["trace"][:])) < ACTIVATION_TOLERANCE
    assert np.array_equal(own["latent"][:], asked["latent"][:])
    assert np.ptp(own["trace"][:], axis=2).min() > 0  # the layers do respond
