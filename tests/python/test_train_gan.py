# SPDX-License-Identifier: MIT
"""weights/train/sn_gan.py and weights/frechet.py: networks, whole trainings some steps long, distances, refusals."""
import csv
import functools
import importlib.util
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
from types import ModuleType

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from matplotlib import image
from pytorch_fid import inception as fid
from scipy.linalg import sqrtm

from conftest import ROOT
from gan_reference import Generator as ReferenceGenerator
from importer.architecture import Architecture
from importer.conversion import convert
from importer.refusal import Refused
from test_import import imported
from test_train_parts import write_file
from test_train_runs import assert_equal

import sn_gan  # noqa: E402  weights/train, added to the path by test_train_parts
from training import data, forward, frechet, image_files, inception, recipe, record  # noqa: E402
from training import sn_gan as networks  # noqa: E402
from training.adversarial import AdversarialTraining, Measure  # noqa: E402
from training.checkpoint import load_checkpoint  # noqa: E402

WEIGHTS = ROOT / "weights"
SMALL = ["--limit", "4", "--width", "8", "--discriminator-width", "8", "--batch", "4", "--steps", "6",
         "--measure-steps", "4", "--samples", "8", "--final-samples", "8", "--threads", "1"]


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("frechet_tool", WEIGHTS / "frechet.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def _features_read_once() -> Iterator[None]:
    """The network of the features is large; every training and measurement here takes the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frechet, "resnet_features", functools.cache(frechet.resnet_features))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random files in CIFAR-10's format; --limit reads no more than these two."""
    path = tmp_path_factory.mktemp("cifar")
    content = write_file(path / "data_batch_1.bin")
    others = np.frombuffer(content, np.uint8).reshape(-1, 3073)[::-1]
    (path / "test_batch.bin").write_bytes(others.tobytes())
    return path


# ---- Networks ----

@pytest.mark.parametrize("name, width", [("sn_gan_light", 128), ("sn_gan", 256)])
def test_tensors_are_those_of_the_architecture(name: str, width: int) -> None:
    state = networks.Generator(width).state_dict()
    tensors = convert(state, Architecture(WEIGHTS / f"{name}.yaml")).tensors
    assert set(tensors) == {key for key in state if not key.endswith("num_batches_tracked")}
    if name == "sn_gan_light":
        shipped = safetensors.torch.load_file(WEIGHTS / f"{name}.safetensors")
        assert shipped.keys() == tensors.keys() and all(shipped[key].shape == tensors[key].shape for key in shipped)


def lively_generator(width: int) -> networks.Generator:
    """With batch norms of its own."""
    generator = networks.Generator(width).eval()
    for module in generator.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.weight, 1, 0.1)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    return generator


def write_model(folder: Path, generator: networks.Generator) -> Path:
    """generator.pt, and the network as the C program takes it; gives the architecture file."""
    torch.save(generator.state_dict(), folder / "generator.pt")
    imported(folder / "generator.pt", "sn_gan_light", folder / "sn_gan_light.safetensors")
    model = folder / "sn_gan_light.yaml"
    model.write_bytes((WEIGHTS / "sn_gan_light.yaml").read_bytes())
    return model


def run_forward(model: Path, latents: torch.Tensor, images: Path) -> None:
    with h5py.File(model.parent / "latents.h5", "w") as file:
        file["input"] = latents.numpy()
    subprocess.run([ROOT / "build" / "meicensus", "forward", "--model", model, "--input", model.parent / "latents.h5",
                    "--output", images, "--isa", "reference"], check=True, stdout=subprocess.DEVNULL)


@torch.no_grad()
def test_generator_is_that_of_the_c_program(tmp_path: Path) -> None:
    """And that of the reference, which upsamples before its 1 x 1 convolutions."""
    generator, latents = lively_generator(16), torch.randn(3, 128)
    run_forward(write_model(tmp_path, generator), latents, tmp_path / "images.h5")
    with h5py.File(tmp_path / "images.h5") as file:
        found = torch.from_numpy(file["output"][()])
    expected = generator(latents)
    assert expected.std() > 0.1
    torch.testing.assert_close(found.view_as(expected), expected, rtol=1e-4, atol=1e-5)
    reference = ReferenceGenerator(16).eval()
    reference.load_state_dict(generator.state_dict())
    torch.testing.assert_close(reference(latents), expected, rtol=1e-4, atol=1e-5)
    read = networks.read_generator(tmp_path / "generator.pt").eval()
    assert torch.equal(read(latents), expected)


def test_discriminator_is_normalised() -> None:
    """The largest singular value of every matrix is 1 after some passes; one number an image."""
    discriminator = networks.Discriminator(8)
    for _ in range(30):
        outputs = discriminator(torch.rand(2, 3, 32, 32))
    assert outputs.shape == (2,)
    layers = [module for module in discriminator.modules() if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))]
    assert len(layers) == 11
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


# ---- Trainings ----

def command(folder: Path, output: Path, *options: str) -> list[str]:
    return ["--data", str(folder), "--output", str(output), *SMALL, *options]


def train(folder: Path, output: Path, *options: str) -> tuple[int, str]:
    """Exit code and what was said on stdout and stderr; within this process."""
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(stdout):
        code = recipe.main(sn_gan.parse(command(folder, output, *options)), sn_gan.recipe, "sn_gan.py")
    return code, stdout.getvalue()


@pytest.fixture(name="no_curves")
def _no_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures take longer than all else."""
    monkeypatch.setattr(record, "_draw", lambda part, *_: part.touch())


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("whole") / "sn_gan"
    code, said = train(folder, output)
    assert code == 0, said
    return output


def without_times(state: dict) -> dict:
    state = {name: value for name, value in state.items() if name not in ("arguments", "seconds")}
    return {**state, "history": [{**row, "seconds": 0} for row in state["history"]]}


def assert_same_training(first: Path, second: Path) -> None:
    outputs = (first, second)
    assert_equal(*(without_times(load_checkpoint(output / "checkpoint.pt")) for output in outputs), "checkpoint")
    assert_equal(*(torch.load(output / "sn_gan_light.pt", weights_only=True) for output in outputs), "result")
    for kind in ("checkpoints", "samples"):
        files = sorted(path.name for path in (first / kind).iterdir())
        assert files and files == sorted(path.name for path in (second / kind).iterdir())
        for file in files:
            assert (first / kind / file).read_bytes() == (second / kind / file).read_bytes(), file


@pytest.mark.usefixtures("no_curves")
def test_killed_and_resumed(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle of a step, a measurement or a write, then --resume: the same bits as without."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", str(WEIGHTS / "train" / "sn_gan.py"),
                                *command(folder, tmp_path, "--checkpoint-seconds", "0")], stdout=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (tmp_path / "checkpoint.pt").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    step = load_checkpoint(tmp_path / "checkpoint.pt")["step_number"]
    assert step < 6 and not (tmp_path / "sn_gan_light.pt").exists()
    code, said = train(folder, tmp_path, "--resume")
    assert code == 0 and f"going on after step {step}" in said, said
    assert_same_training(tmp_path, undisturbed)
    assert [run["resumed"] for run in json.loads((tmp_path / "settings.json").read_text())["runs"]] == [False, True]


@pytest.mark.usefixtures("no_curves")
def test_terminated(folder: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM within a step: the step is finished and saved; several times, each goes on."""
    step = AdversarialTraining.step

    def step_and_signal(training: AdversarialTraining) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        step(training)

    for number in (1, 2):
        monkeypatch.setattr(AdversarialTraining, "step", step_and_signal)
        code, said = train(folder, tmp_path, "--resume")
        assert code == 130 and "--resume goes on" in said
        assert load_checkpoint(tmp_path / "checkpoint.pt")["step_number"] == number
    monkeypatch.setattr(AdversarialTraining, "step", step)
    assert train(folder, tmp_path, "--resume")[0] == 0
    assert_same_training(tmp_path, undisturbed)


def test_what_a_training_leaves(undisturbed: Path, tmp_path: Path) -> None:
    settings = json.loads((undisturbed / "settings.json").read_text())
    assert settings["recipe"] == "sn_gan_light" and settings["arguments"]["seed"] == 18
    rows = list(csv.DictReader((undisturbed / "curves.csv").open()))
    assert [row["step"] for row in rows] == ["4", "6"] and all(float(row["frechet_distance"]) > 0 for row in rows)
    assert image.imread(undisturbed / "curves.png").std() > 0
    assert image.imread(undisturbed / "samples" / "final.png").shape[:2] == (640, 640)
    quality = json.loads((undisturbed / "quality.json").read_text())
    assert quality["samples"] == 8 and quality["test_images"] == 4 and quality["floor"] > 0
    half = quality["written"] == "float16"
    state = imported(undisturbed / "sn_gan_light.pt", "sn_gan_light", tmp_path / "network.safetensors")
    assert not half or all(tensor.dtype == torch.float16 for tensor in state.values() if tensor.dim() > 1)
    for step in (0, 4, 6):
        kept = undisturbed / "checkpoints" / f"step_{step:06d}.safetensors"
        imported(kept, "sn_gan_light", tmp_path / "step.safetensors")


def test_both_networks_learn(undisturbed: Path) -> None:
    """From the seed's networks; the average is neither the first nor the last generator, and is what is written."""
    state = load_checkpoint(undisturbed / "checkpoint.pt")
    generator, average = state["generator"]["c5.weight"], state["average"]["module.c5.weight"]
    torch.manual_seed(18)
    first = networks.Generator(8).c5.weight.detach()
    torch.manual_seed(19)
    discriminator = networks.Discriminator(8).state_dict()
    assert not torch.equal(generator, first) and not torch.equal(average, first) and not torch.equal(average, generator)
    kept = safetensors.torch.load_file(undisturbed / "checkpoints" / "step_000006.safetensors")["c5.weight"]
    written = torch.load(undisturbed / "sn_gan_light.pt", weights_only=True)["c5.weight"]
    assert torch.equal(kept, average) and torch.equal(written, average.to(written.dtype))
    changed = [name for name, tensor in discriminator.items() if not torch.equal(tensor, state["discriminator"][name])]
    assert any(name.endswith("original") for name in changed) and any(name.endswith("_u") for name in changed)


@pytest.mark.usefixtures("no_curves")
def test_start_with_another_trainings_networks(folder: Path, undisturbed: Path, tmp_path: Path) -> None:
    """All three go on from there; the schedule is a new one, and a resumed training does not begin again."""
    start = ["--start", str(undisturbed / "checkpoint.pt"), "--learning-rate", "1e-12"]
    code, said = train(folder, tmp_path, *start)
    assert code == 0, said
    first, then = (load_checkpoint(path / "checkpoint.pt") for path in (undisturbed, tmp_path))
    for name in ("generator", "average"):
        for key, tensor in first[name].items():
            if tensor.is_floating_point() and "running" not in key:
                torch.testing.assert_close(then[name][key], tensor, rtol=0, atol=1e-2 * (name == "average") + 1e-9)
    assert not torch.equal(first["discriminator"]["l5.bias"], then["discriminator"]["l5.bias"])
    assert then["step_number"] == 6 and then["average"]["n_averaged"] == 12
    assert str(undisturbed / "checkpoint.pt") in json.loads((tmp_path / "settings.json").read_text())["inputs"]
    code, said = train(folder, tmp_path, *start, "--resume")
    assert code == 0 and "going on after step 6" in said
    assert load_checkpoint(tmp_path / "checkpoint.pt")["average"]["n_averaged"] == 12


@pytest.mark.parametrize("options, message", [
    (["--discriminator-width", "16"], "does not hold these networks; --width and --discriminator-width have to be"),
    (["--start", str(WEIGHTS / "vq_vae.safetensors")], "vq_vae.safetensors: not a checkpoint of a training")])
def test_start_that_does_not_fit_is_refused(folder: Path, undisturbed: Path, tmp_path: Path, options: list[str],
                                            message: str) -> None:
    code, said = train(folder, tmp_path / "other", "--start", str(undisturbed / "checkpoint.pt"), *options)
    assert code == 3 and message in said
    assert not (tmp_path / "other" / "checkpoint.pt").exists()


@pytest.mark.parametrize("options, message", [
    ([], "add --resume"),
    (["--resume", "--learning-rate", "0.1"], "--learning-rate was 0.0002, now 0.1"),
    (["--resume", "--discriminator-width", "16"], "--discriminator-width was 8, now 16")])
def test_other_training_in_a_folder_is_refused(folder: Path, undisturbed: Path, options: list[str],
                                               message: str) -> None:
    code, said = train(folder, undisturbed, *options)
    assert code == 3 and message in said


def test_divergence_keeps_the_last_good_checkpoint(folder: Path, tmp_path: Path) -> None:
    code, said = train(folder, tmp_path, "--learning-rate", "1e38", "--checkpoint-seconds", "0")
    assert code == 5 and "stopped: " in said
    if (tmp_path / "checkpoint.pt").exists():
        state = load_checkpoint(tmp_path / "checkpoint.pt")
        assert all(torch.isfinite(tensor).all() for tensor in state["generator"].values())


def test_missing_files_are_refused(folder: Path, tmp_path: Path) -> None:
    code, said = train(tmp_path, tmp_path / "a")
    assert code == 3 and "holds no data_batch_1.bin" in said
    code, said = train(folder, tmp_path / "b", "--features", str(tmp_path / "none.pt"))
    assert code == 3 and "none.pt: no such file" in said
    code, said = train(folder, tmp_path / "c", "--features", str(WEIGHTS / "vq_vae.safetensors"))
    assert code == 3 and "is no tensor of a ResNet18" in said


@pytest.mark.parametrize("options", [["--width", "0"], ["--steps", "x"], ["--learning-rate", "nan"],
                                     ["--average-decay", "2"]])
def test_wrong_command_line(folder: Path, tmp_path: Path, options: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_code, redirect_stderr(io.StringIO()):
        sn_gan.parse(command(folder, tmp_path, *options))
    assert exit_code.value.code == 2


def test_step_of_the_generator_leaves_the_discriminator(folder: Path, tmp_path: Path) -> None:
    options = sn_gan.parse(command(folder, tmp_path))
    images = data.read_training_images(folder, 4)
    training = AdversarialTraining(networks.Generator(8), networks.Discriminator(8), images,
                                   options, Measure(lambda batch: batch))
    before = [parameter.clone() for parameter in training.discriminator.parameters()]
    training._train_generator(training._generate())  # pylint: disable=protected-access
    assert all(torch.equal(*pair) for pair in zip(before, training.discriminator.parameters()))
    assert all(parameter.requires_grad and parameter.grad is None for parameter in training.discriminator.parameters())


# ---- Distances ----

def test_distance_is_that_of_scipy() -> None:
    first, second = (torch.randn(200, 16, dtype=torch.float64) @ torch.randn(16, 16, dtype=torch.float64) + shift
                     for shift in (0, 0.5))
    (mean_1, covariance_1), (mean_2, covariance_2) = ((x.numpy().mean(0), np.cov(x.numpy().T)) for x in (first, second))
    root = sqrtm(covariance_1 @ covariance_2).real
    expected = ((mean_1 - mean_2)**2).sum() + np.trace(covariance_1 + covariance_2 - 2 * root)
    found = frechet.distance(frechet.statistics(first), frechet.statistics(second))
    assert found == pytest.approx(expected, rel=1e-9) and expected > 1


def test_distance_of_known_gaussians() -> None:
    """Diagonal covariances a and b: |m|^2 + sum (sqrt a - sqrt b)^2; fewer images than features: still 0 to itself."""
    first, second = (frechet.Statistics(9, torch.full((2,), mean).double(), torch.tensor(variances).double().diag())
                     for mean, variances in ((0.0, (1.0, 4.0)), (3.0, (9.0, 4.0))))
    assert frechet.distance(first, second) == pytest.approx(18 + 4)
    few = frechet.statistics(torch.randn(5, 20))
    assert frechet.distance(few, few) == pytest.approx(0, abs=1e-6)


def test_features_of_one_image_and_not_finite_ones_are_refused() -> None:
    with pytest.raises(Refused, match="2 images or more"):
        frechet.statistics(torch.zeros(1, 3))
    with pytest.raises(Refused, match="not finite"):
        frechet.statistics(torch.tensor([[0.0], [float("nan")]]))


def measured(*options: str) -> tuple[int, str]:
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(stdout):
        code = TOOL.main(list(options))
    return code, stdout.getvalue()


def test_tool_measures_generators_and_images(folder: Path, tmp_path: Path) -> None:
    """The test images themselves have distance 0, in every kind of file; a generator's own images what it has."""
    pixels = TOOL.read_test_images(folder, 6).pixels.numpy()
    np.savez(tmp_path / "images.npz", images=pixels)
    np.save(tmp_path / "images.npy", pixels.transpose(0, 2, 3, 1) / np.float32(255))
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["found"] = pixels
    (tmp_path / "png").mkdir()
    for number, pixel in enumerate(pixels):
        image.imsave(tmp_path / "png" / f"{number}.png", pixel.transpose(1, 2, 0))
    common = ["--data", str(folder), "--limit", "6"]
    for name in ("images.npz", "images.npy", "png", "images.h5"):
        code, said = measured(str(tmp_path / name), *common, *(["--dataset", "found"] if name == "images.h5" else []))
        assert code == 0 and "relu_resnet18.safetensors: 0.0000  (6 images against 6 test images)" in said, said
        assert "floor: 0.0000" not in said and "(6 training images" in said
    torch.save(lively_generator(8).state_dict(), tmp_path / "generator.pt")
    code, said = measured(str(tmp_path / "generator.pt"), *common, "--samples", "5")
    assert code == 0 and "(5 images against" in said and "resnet18.safetensors: 0.0000" not in said


def distance_in(said: str) -> float:
    return float(said.split("safetensors: ")[1].split()[0])


def test_tool_measures_by_the_c_program(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command, two commands, and PyTorch agree; on a grid, too, a coarse one, where the distance is another."""
    model, common = write_model(tmp_path, lively_generator(8)), ["--data", str(folder), "--limit", "6"]
    model.write_text(model.read_text().replace("points: 64", "points: 3"))
    monkeypatch.setattr(TOOL, "ARCHITECTURE", model)
    run_forward(model, frechet.latents_of(0, 5), tmp_path / "images.h5")
    drawn = [*common, "--samples", "5"]
    said = [measured(str(model), *drawn), measured(str(tmp_path / "images.h5"), "--model", str(model), *common),
            measured(str(tmp_path / "generator.pt"), *drawn),
            measured(str(model), *drawn, "--grid"), measured(str(tmp_path / "generator.pt"), *drawn, "--grid")]
    assert [code for code, _ in said] == [0] * 5 and "(5 images against 6 test images)" in said[0][1]
    plain, from_file, torch_plain, grid, torch_grid = (distance_in(text) for _, text in said)
    assert plain == pytest.approx(from_file, rel=1e-4) and plain == pytest.approx(torch_plain, rel=1e-4)
    assert grid == pytest.approx(torch_grid, rel=1e-4) and abs(grid - plain) > 1e-2 * plain


def test_latents_on_the_grid() -> None:
    """Those of a census: 64 points from -4 to 4."""
    model, latents = forward.GeneratorModel(WEIGHTS / "sn_gan_light.yaml"), frechet.latents_of(3, 50)
    moved, points = model.on_grid(latents), torch.linspace(-4, 4, 64)
    assert moved.shape == (50, 128) and (moved[..., None] - points).abs().min(2).values.max() < 1e-6
    assert (moved - latents).abs().max() <= 4 / 63 + 1e-6 and not torch.equal(moved, latents)
    assert model.on_grid(torch.tensor([-9.0, 9.0])).tolist() == [-4, 4]


def test_images_of_the_c_program_are_cut_off(tmp_path: Path) -> None:
    """value * 0.5 + 0.5, as the architecture file says, and no further than a PNG file goes."""
    values = np.zeros((2, 3, 32, 32), np.float32)
    values[0, 0, 0, :4] = -3, -1, 0.5, 7
    with h5py.File(tmp_path / "images.h5", "w") as file:
        file["output"], file["broken"] = values, np.full_like(values, np.nan)
    model = forward.GeneratorModel(WEIGHTS / "sn_gan_light.yaml")
    assert model.read_output(tmp_path / "images.h5")[0, 0, 0, :5].tolist() == [0, 0, 0.75, 1, 0.5]
    with pytest.raises(Refused, match="images.h5: dataset broken holds values that are not finite"):
        model.read_output(tmp_path / "images.h5", "broken")


@pytest.mark.parametrize("name, options, message", [
    ("vq_vae.yaml", [], "vq_vae.yaml: latent: kind is codebook"),
    ("relu_resnet18.yaml", [], "relu_resnet18.yaml: latent and image are not those of a generator"),
    ("mnist_vq_vae.yaml", [], "mnist_vq_vae.yaml: latent"),
    ("sn_gan_light.yaml", ["--program", "nowhere/meicensus"], "nowhere/meicensus: no such program"),
    ("sn_gan_light.yaml", ["--program", "/bin/false"], "/bin/false: could not make images with"),
    ("relu_resnet18.safetensors", ["--model", str(WEIGHTS / "sn_gan_light.yaml")], "not a readable HDF5 file")])
def test_refused_generators(folder: Path, name: str, options: list[str], message: str) -> None:
    code, said = measured(str(WEIGHTS / name), "--data", str(folder), "--limit", "4", "--samples", "2", *options)
    assert code == 3 and message in said, said


def test_grid_of_images_is_a_wrong_command_line(folder: Path) -> None:
    with pytest.raises(SystemExit) as exit_code, redirect_stderr(io.StringIO()) as said:
        TOOL.parse(["images.h5", "--data", str(folder), "--grid"])
    assert exit_code.value.code == 2 and "--grid" in said.getvalue()


@pytest.mark.parametrize("content, message", [
    (np.zeros((4, 3, 31, 32), np.uint8), "is of shape [4, 3, 31, 32]"),
    (np.full((4, 3, 32, 32), 2.0), "values outside [0, 1]"),
    (np.full((4, 3, 32, 32), np.nan), "values outside [0, 1]"),
    (np.zeros((4, 3, 32, 32), np.int16), "holds int16"),
    (np.zeros((1, 3, 32, 32), np.uint8), "N from 2 on")])
def test_refused_images(tmp_path: Path, content: np.ndarray, message: str) -> None:
    np.save(tmp_path / "images.npy", content)
    with pytest.raises(Refused, match="images.npy") as refusal:
        image_files.read_images(tmp_path / "images.npy", "images")
    assert message in str(refusal.value)


def test_refused_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.h5").write_bytes(b"nothing")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    np.savez(tmp_path / "other.npz", other=np.zeros(3))
    torch.save(networks.Discriminator(8).state_dict(), tmp_path / "discriminator.pt")
    for name, message in (("bad.h5", "not a readable HDF5"), ("bad.npz", "not a readable file of NumPy"),
                          ("empty", "no *.png"), ("none.npz", "no such file"), ("none.pt", "no such file"),
                          ("other.npz", "no array images, only other"),
                          ("discriminator.pt", "not an SN-GAN generator: ")):
        code, said = measured(str(tmp_path / name), "--data", str(folder), "--limit", "4")
        assert code == 3 and name in said and message in said, said


# ---- Inception ----

def random_inception() -> torch.nn.Module:
    """The network of pytorch-fid, which has no way to be made without its weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fid, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        return fid.fid_inception_v3().eval()


@torch.no_grad()
def test_inception_features_are_those_before_the_last_layer(tmp_path: Path) -> None:
    """Images resized to 299 x 299, in [-1, 1]; the weights are those of the file."""
    network, images = random_inception(), torch.rand(2, 3, 32, 32)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    found = inception.inception_features(tmp_path / "weights.pth", torch.device("cpu"))(images)
    network.fc = torch.nn.Identity()
    resized = torch.nn.functional.interpolate(images, (299, 299), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, network(2 * resized - 1), rtol=1e-3, atol=1e-12)
    assert found.shape == (2, 2048) and not torch.equal(found[0], found[1])


def test_inception_needs_its_package_and_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"fc.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    with pytest.raises(Refused, match="weights.pth: does not hold the weights"):
        inception.inception_features(tmp_path / "weights.pth", torch.device("cpu"))
    monkeypatch.setitem(sys.modules, "pytorch_fid", None)
    with pytest.raises(Refused, match="pip install pytorch-fid"):
        inception.inception_features(tmp_path / "weights.pth", torch.device("cpu"))
