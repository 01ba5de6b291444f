# SPDX-License-Identifier: MIT
"""Whole trainings with weights/train/*.py, some steps long: killed and resumed, diverged, refused, imported."""
import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import safetensors.torch
import torch
from matplotlib import image

from conftest import ROOT
from test_import import imported
from test_train_parts import write_file

import relu_resnet18  # noqa: E402  weights/train, added to the path by test_train_parts
import spiking_resnet18  # noqa: E402
from training import recipe  # noqa: E402
from training.checkpoint import load_checkpoint  # noqa: E402
from training.loop import Training  # noqa: E402

SMALL = ["--limit", "8", "--batch", "4", "--threads", "1", "--batch-norm-images", "8"]
RECIPES = {"relu_resnet18": (relu_resnet18, ["--epochs", "2"]),
           "spiking_resnet18": (spiking_resnet18, ["--schedule", "1:1", "2:1", "--test-timesteps", "2"])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random files in CIFAR-10's format; --limit reads no more than these two."""
    path = tmp_path_factory.mktemp("cifar")
    for name in ("data_batch_1.bin", "test_batch.bin"):
        write_file(path / name)
    return path


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def command(name: str, folder: Path, output: Path, *options: str) -> list[str]:
    return ["--data", str(folder), "--output", str(output), *SMALL, *RECIPES[name][1], *options]


def train(name: str, folder: Path, output: Path, *options: str) -> tuple[int, str]:
    """Exit code and what was said on stdout and stderr; within this process."""
    module = RECIPES[name][0]
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(stdout):
        code = recipe.main(module.parse(command(name, folder, output, *options)), module.recipe, f"{name}.py")
    return code, stdout.getvalue()


def assert_equal(first: object, second: object, where: str) -> None:
    """Bit for bit, containers and tensors."""
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second), where
    elif isinstance(first, dict):
        assert first.keys() == second.keys(), where
        for key in first:
            assert_equal(first[key], second[key], f"{where}.{key}")
    elif isinstance(first, (list, tuple)):
        assert len(first) == len(second), where
        for number, pair in enumerate(zip(first, second)):
            assert_equal(*pair, f"{where}.{number}")
    else:
        assert first == second, where


def without_times(state: dict) -> dict:
    state = {name: value for name, value in state.items() if name not in ("arguments", "seconds")}
    return {**state, "history": [{**row, "seconds": 0} for row in state["history"]]}


def assert_same_training(first: Path, second: Path, name: str) -> None:
    assert_equal(*(without_times(load_checkpoint(output / "checkpoint.pt")) for output in (first, second)), "checkpoint")
    assert_equal(*(torch.load(output / f"{name}.pt", weights_only=True) for output in (first, second)), name)
    files = sorted(path.name for path in (first / "checkpoints").iterdir())
    assert files == sorted(path.name for path in (second / "checkpoints").iterdir())
    for file in files:
        assert (first / "checkpoints" / file).read_bytes() == (second / "checkpoints" / file).read_bytes(), file


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One whole training of each recipe."""
    outputs = {}
    for name in RECIPES:
        outputs[name] = tmp_path_factory.mktemp("whole") / name
        code, said = train(name, folder, outputs[name])
        assert code == 0, said
    return outputs


def test_killed_and_resumed(folder: Path, undisturbed: dict[str, Path], tmp_path: Path) -> None:
    """SIGKILL in the middle of a step or of a write, then --resume: the same bits as without."""
    name = "spiking_resnet18"
    options = ["--checkpoint-seconds", "0"]
    process = subprocess.Popen([sys.executable, "-W", "ignore", str(ROOT / "weights" / "train" / f"{name}.py"),
                                *command(name, folder, tmp_path, *options)], stdout=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (tmp_path / "checkpoint.pt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert (state["epoch"], state["position"]) < (2, 0) and not (tmp_path / f"{name}.pt").exists()
    code, said = train(name, folder, tmp_path, "--resume")
    assert code == 0 and f"going on after epoch {state['epoch']}, step {state['position']}" in said
    assert_same_training(tmp_path, undisturbed[name], name)
    settings = json.loads((tmp_path / "settings.json").read_text())
    assert [run["resumed"] for run in settings["runs"]] == [False, True]
    settings["inputs"] = {"twin.pt": "0"}
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    code, said = train(name, folder, tmp_path, "--resume")
    assert code == 3 and "relu_resnet18.safetensors: has changed since the training began" in said


def test_terminated(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM within a step: the step is finished and saved."""
    step = Training.step

    def step_and_signal(training: Training) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        step(training)

    monkeypatch.setattr(Training, "step", step_and_signal)
    code, said = train("relu_resnet18", folder, tmp_path)
    assert code == 130 and "--resume goes on" in said
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert (state["epoch"], state["position"]) == (0, 1)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_training_leaves(undisturbed: dict[str, Path], name: str) -> None:
    output = undisturbed[name]
    settings = json.loads((output / "settings.json").read_text())
    assert settings["arguments"]["seed"] == 18 and settings["runs"][0]["versions"]["torch"] == torch.__version__.split("+")[0]
    rows = list(csv.DictReader((output / "curves.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2"] and all(0 <= float(row["test_accuracy"]) <= 1 for row in rows)
    assert image.imread(output / "curves.png").std() > 0
    networks = [safetensors.torch.load_file(output / "checkpoints" / f"epoch_00{epoch}.safetensors") for epoch in range(3)]
    untrained = RECIPES[name][0].networks.untrained(getattr(RECIPES[name][0].networks, name), 18).state_dict()
    assert_equal(networks[0], {key: untrained[key] for key in networks[0]}, "epoch 0")
    assert not torch.equal(networks[1]["conv1.weight"], networks[2]["conv1.weight"])


@pytest.mark.parametrize("name", RECIPES)
def test_result_is_imported(undisturbed: dict[str, Path], name: str, tmp_path: Path) -> None:
    """Into matrices of float16, without rounding; checkpoints too."""
    state = imported(undisturbed[name] / f"{name}.pt", name, tmp_path / "network.safetensors")
    accuracy = json.loads((undisturbed[name] / "accuracy.json").read_text())
    if accuracy["written"] == "float16":
        assert all((tensor.dtype == torch.float16) == (tensor.dim() > 1) for tensor in state.values())
    assert accuracy["test_images"] == 8 and accuracy["timesteps"] == (2 if name == "spiking_resnet18" else 1)
    imported(undisturbed[name] / "checkpoints" / "epoch_001.safetensors", name, tmp_path / "epoch.safetensors")


def test_divergence_keeps_the_last_good_checkpoint(folder: Path, tmp_path: Path) -> None:
    code, said = train("relu_resnet18", folder, tmp_path, "--learning-rate", "1e30", "--checkpoint-seconds", "0")
    assert code == 5 and "stopped: " in said
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert (state["epoch"], state["position"]) < (2, 0)
    assert all(torch.isfinite(tensor).all() for tensor in state["network"].values())


def test_second_training_in_a_folder_is_refused(folder: Path, undisturbed: dict[str, Path]) -> None:
    code, said = train("relu_resnet18", folder, undisturbed["relu_resnet18"])
    assert code == 3 and "add --resume" in said
    code, said = train("relu_resnet18", folder, undisturbed["relu_resnet18"], "--resume", "--learning-rate", "0.2")
    assert code == 3 and "--learning-rate was 0.1, now 0.2" in said


def test_checkpoint_of_another_network_is_refused(folder: Path, undisturbed: dict[str, Path], tmp_path: Path) -> None:
    state = load_checkpoint(undisturbed["relu_resnet18"] / "checkpoint.pt")
    state["network"]["fc.weight"] = torch.zeros(3, 3)
    torch.save(state, tmp_path / "checkpoint.pt")
    code, said = train("relu_resnet18", folder, tmp_path, "--resume")
    assert code == 3 and "checkpoint.pt: does not fit this training" in said


def test_missing_folder_and_file_are_refused(folder: Path, tmp_path: Path) -> None:
    code, said = train("relu_resnet18", tmp_path / "nowhere", tmp_path / "a")
    assert code == 3 and "holds no data_batch_1.bin" in said
    code, said = train("spiking_resnet18", folder, tmp_path / "b", "--twin", str(tmp_path / "none.pt"))
    assert code == 3 and "none.pt: no such file" in said


@pytest.mark.parametrize("options", [["--schedule", "4"], ["--schedule", "0:3"], ["--cutmix", "2"], ["--learning-rate", "nan"],
                                     ["--batch", "0"], ["--device", "abacus"], ["--seed", "-1"]])
def test_wrong_command_line(folder: Path, tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_code, redirect_stderr(io.StringIO()):
        spiking_resnet18.parse(command("spiking_resnet18", folder, tmp_path, *options))
    assert exit_code.value.code == 2
