# SPDX-License-Identifier: MIT
"""The networks for MNIST: their files, their training, and the program's forward pass against PyTorch's."""
import csv
import gzip
import io
import json
import lzma
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.torch
import torch
from matplotlib import image
from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn

from conftest import ROOT
from importer.architecture import Architecture
from importer.conversion import convert, write
from importer.refusal import Refused
from test_forward import PROGRAM, check_classes, check_counts, count_differences, forward, needs_program
from test_train_runs import assert_same_training

import mnist_cnn  # noqa: E402  weights/train, added to the path by test_train_parts
import mnist_vq_vae  # noqa: E402
from training import idx, networks, neurons, recipe, vq_vae  # noqa: E402
from training.augmentation import crop_and_flip  # noqa: E402
from training.checkpoint import load_checkpoint  # noqa: E402

N_IMAGES = 12
RECIPES = {"mnist_cnn": (mnist_cnn, ["--schedule", "1:1", "2:1", "--test-timesteps", "2", "--batch-norm-images", "8"]),
           "mnist_vq_vae": (mnist_vq_vae, ["--epochs", "2"])}
SMALL = ["--limit", "8", "--batch", "4", "--threads", "1"]


# ---- Files ----

def idx_bytes(magic: int, array: np.ndarray) -> bytes:
    return np.array([magic, *array.shape], ">u4").tobytes() + array.astype(np.uint8).tobytes()


def make_set(folder: Path, pack: Callable[[bytes], bytes] = bytes, suffix: str = "") -> np.ndarray:
    """Four files of random strokes of 28 x 28; returns the test images."""
    random = np.random.default_rng(3)
    images = np.kron(random.integers(0, 2, (N_IMAGES, 7, 7)), np.ones((4, 4))) * random.integers(100, 256, (N_IMAGES, 28, 28))
    labels = np.arange(N_IMAGES) % 10
    for (images_name, labels_name), first in ((idx.TRAINING_FILES, 0), (idx.TEST_FILES, 1)):
        (folder / (images_name + suffix)).write_bytes(pack(idx_bytes(idx.IMAGES_MAGIC, images[first:])))
        (folder / (labels_name + suffix)).write_bytes(pack(idx_bytes(idx.LABELS_MAGIC, labels[first:])))
    return images[1:]


@pytest.mark.parametrize("pack, suffix", [(bytes, ""), (gzip.compress, ".gz"), (lzma.compress, ".xz")])
def test_official_files(tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str) -> None:
    images = make_set(tmp_path, pack, suffix)
    test = idx.read_test_images(tmp_path)
    assert test.pixels.shape == (N_IMAGES - 1, 1, 28, 28) and test.labels.tolist() == [*range(1, 10), 0, 1]
    assert np.array_equal(test.pixels[:, 0].numpy(), images.astype(np.uint8))
    training = idx.read_training_images(tmp_path, limit=3)
    assert len(training) == 3 and training.labels.tolist() == [0, 1, 2]
    expected = (test.pixels[4, 0, 5, 6].item() / 255 - 0.1307) / 0.3081
    assert test.normalised()[4, 0, 5, 6].item() == pytest.approx(expected, abs=1e-5)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def write_array(name: str, magic: int, shape: tuple[int, ...], value: int = 0) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(idx_bytes(magic, np.full(shape, value)))


IMAGES_FILE, LABELS_FILE = idx.TEST_FILES


@pytest.mark.parametrize("spoil, said", [
    (lambda folder: (folder / LABELS_FILE).unlink(), "holds no t10k-labels-idx1-ubyte and no t10k-labels-idx1-ubyte.xz and no "),
    (lambda folder: cut(folder / IMAGES_FILE), "images-idx3-ubyte: 8,623 bytes follow the header, which announces 11 x 28 x 28 = 8,624"),
    (lambda folder: (folder / LABELS_FILE).write_bytes(b"\0\0\x08"), "labels-idx1-ubyte: begins with 000008; expected an IDX file of "
                                                                    "labels, which begins with 00000801"),
    (write_array(IMAGES_FILE, 0x801, (11,)), "images-idx3-ubyte: begins with 00000801; expected an IDX file of images"),
    (write_array(IMAGES_FILE, 0x803, (11, 32, 32)), "holds 11 images of 32 x 32 pixels; this recipe takes images of 28 x 28"),
    (write_array(IMAGES_FILE, 0x803, (0, 28, 28)), "holds 0 images of 28 x 28 pixels"),
    (write_array(LABELS_FILE, 0x801, (12,)), "holds 12 labels for the 11 images of t10k-images-idx3-ubyte"),
    (write_array(LABELS_FILE, 0x801, (11,), 10), "image 0 is of class 10; expected 0 to 9")])
def test_wrong_files_are_refused(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    make_set(tmp_path)
    spoil(tmp_path)
    with pytest.raises(Refused) as refused:
        idx.read_test_images(tmp_path)
    assert said in str(refused.value)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    make_set(tmp_path, gzip.compress, ".gz")
    cut(tmp_path / (IMAGES_FILE + ".gz"))
    with pytest.raises(Refused, match="images-idx3-ubyte.gz: not a whole gz file"):
        idx.read_test_images(tmp_path)


def test_digits_are_moved_but_never_mirrored() -> None:
    pixels = torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8)
    padded = nn.functional.pad(pixels, (2,) * 4)
    moved = crop_and_flip(pixels, torch.Generator().manual_seed(1), border=2, mirror=False)
    for before, after in zip(padded, moved):
        assert (before.unfold(1, 28, 1).unfold(2, 28, 1) == after[:, None, None]).all(4).all(3).any()
    assert not torch.equal(pixels, moved)


# ---- Forward passes ----

def import_state(state: dict[str, Tensor], name: str, folder: Path) -> Path:
    """Tensors as a file that the program reads; the path of its architecture file."""
    for file in (ROOT / "weights").glob(f"{name}*.yaml"):
        (folder / file.name).write_bytes(file.read_bytes())
    model = Architecture(folder / f"{name}.yaml")
    source = folder / "source.pt"
    torch.save(state, source)
    write(convert(state, model), model.tensors_path, source, None)
    return model.path


@torch.no_grad()
def run_by_spikingjelly(network: nn.Sequential, images: Tensor, timesteps: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Mean outputs, and spikes [T][N][C][H][W] of every layer, by the package's own neurons, one step after the other."""
    layers = {name: neuron.LIFNode(tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0)
              if isinstance(layer, neurons.FoldedLIFNode) else layer for name, layer in network.named_children()}
    functional.reset_net(nn.ModuleDict(layers))
    outputs, spikes = [], {name: [] for name, layer in layers.items() if isinstance(layer, neuron.LIFNode)}
    for _ in range(timesteps):
        values = images
        for name, layer in layers.items():
            values = layer(values)
            if name in spikes:
                spikes[name].append(values[..., None, None] if values.dim() == 2 else values)
        outputs.append(values)
    return torch.stack(outputs).mean(0), {name: torch.stack(steps) for name, steps in spikes.items()}


def random_cnn() -> nn.Sequential:
    """An untrained network whose batch norms have seen random images, so that every layer spikes."""
    network = networks.mnist_cnn()
    neurons.set_timesteps(network, 5)
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            nn.init.constant_(module.bias, 0.5)
            module.momentum = None
    network(torch.randn(64, 1, 28, 28))
    return network.eval()


def test_folded_time_is_that_of_spikingjelly() -> None:
    network, pixels = random_cnn(), torch.randn(3, 1, 28, 28)
    expected, spikes = run_by_spikingjelly(network, pixels, 5)
    assert len(spikes) == 4 and all(0.05 < layer.mean() < 0.6 for layer in spikes.values())
    with torch.no_grad():
        torch.testing.assert_close(network(pixels).unflatten(0, (5, 3)).mean(0), expected, rtol=1e-5, atol=1e-5)


@needs_program
def test_program_sees_the_same_spikes(tmp_path: Path) -> None:
    network, pixels = random_cnn(), torch.randn(6, 1, 28, 28)
    model = import_state(network.state_dict(), "mnist_cnn", tmp_path)
    expected, spikes = run_by_spikingjelly(network, pixels, 20)
    assert all(0.05 < layer.mean() < 0.6 for layer in spikes.values())
    with forward(model, pixels, tmp_path) as file:
        differences = count_differences(file, spikes)
        check_counts("mnist_cnn", differences)
        check_classes(file, expected, differences)


@pytest.fixture(scope="module")
def autoencoder() -> vq_vae.VqVae:
    """One that has seen random images, so that its codebook is not empty."""
    torch.manual_seed(5)
    network = vq_vae.VqVae()
    for _ in range(3):
        network(torch.randn(8, 1, 28, 28))
    return network.eval()


@needs_program
def test_program_decodes_the_same_image(autoencoder: vq_vae.VqVae, tmp_path: Path) -> None:
    indices = torch.randint(0, vq_vae.ENTRIES, (4, 49))
    vectors = autoencoder.codebook[indices].transpose(1, 2).unflatten(2, (7, 7))
    with torch.no_grad():
        expected = autoencoder._decoder(vectors)
    model = import_state(vq_vae.published_state(autoencoder), "mnist_vq_vae", tmp_path)
    with forward(model, indices.float(), tmp_path) as file:
        np.testing.assert_allclose(file["output"][()], expected.numpy(), atol=1e-4, rtol=0)


@needs_program
def test_program_encodes_to_the_same_indices(autoencoder: vq_vae.VqVae, tmp_path: Path) -> None:
    """Its error is that of the recipe's measurement, too."""
    make_set(tmp_path)
    model = import_state(vq_vae.published_state(autoencoder), "mnist_vq_vae", tmp_path)
    finished = subprocess.run([PROGRAM, "encode", "--model", model, "--data", tmp_path / IMAGES_FILE, "--output",
                               tmp_path / "codes.h5"], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    test = idx.read_test_images(tmp_path)
    with torch.no_grad():
        _, _, expected = next(vq_vae.reconstructed(autoencoder, test))
    error, use = vq_vae.measure(autoencoder, test)
    with h5py.File(tmp_path / "codes.h5") as file:
        assert np.array_equal(file["code"][()], expected.flatten(1).numpy())
        assert file["error"][()].mean() == pytest.approx(error, rel=1e-4)
    assert use.sum() == 49 * len(test) and f"mean squared error {error:.5f}"[:-1] in finished.stdout


def test_encoder_of_the_file_is_whole(autoencoder: vq_vae.VqVae) -> None:
    """Decoder and encoder files together read every tensor."""
    state = vq_vae.published_state(autoencoder)
    used = [Architecture(ROOT / "weights" / f"mnist_vq_vae{part}.yaml").read_tensors(state) for part in ("", "_encoder")]
    assert used[0] | used[1] == set(state) and used[0] & used[1] == {"_vq_vae._embedding.weight"}


def test_perplexity() -> None:
    assert vq_vae.perplexity(torch.tensor([3, 3, 0, 3, 3])) == pytest.approx(4)
    assert vq_vae.perplexity(torch.tensor([5, 0])) == pytest.approx(1)


# ---- Training ----

@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mnist")
    make_set(path)
    return path


def command(name: str, folder: Path, output: Path, *options: str) -> list[str]:
    return ["--data", str(folder), "--output", str(output), *SMALL, *RECIPES[name][1], *options]


def train(name: str, folder: Path, output: Path, *options: str) -> tuple[int, str]:
    """Exit code and what was said; within this process."""
    module = RECIPES[name][0]
    with redirect_stdout(io.StringIO()) as said, redirect_stderr(said):
        code = recipe.main(module.parse(command(name, folder, output, *options)), module.recipe, f"{name}.py")
    return code, said.getvalue()


@pytest.fixture(scope="module")
def undisturbed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    threads, outputs = torch.get_num_threads(), {name: tmp_path_factory.mktemp(name) for name in RECIPES}
    for name, output in outputs.items():
        code, said = train(name, folder, output)
        assert code == 0, said
    torch.set_num_threads(threads)
    return outputs


@pytest.mark.parametrize("name", RECIPES)
def test_killed_and_resumed(name: str, folder: Path, undisturbed: dict[str, Path], tmp_path: Path) -> None:
    """SIGKILL after the first checkpoint, then --resume: the same bits as without."""
    process = subprocess.Popen([sys.executable, "-W", "ignore", str(ROOT / "weights" / "train" / f"{name}.py"),
                                *command(name, folder, tmp_path, "--checkpoint-seconds", "0")], stdout=subprocess.DEVNULL,
                               env={**os.environ, "OMP_NUM_THREADS": "1"})
    while not (tmp_path / "checkpoint.pt").exists():
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert (state["epoch"], state["position"]) < (2, 0) and not (tmp_path / f"{name}.pt").exists()
    code, said = train(name, folder, tmp_path, "--resume")
    assert code == 0 and f"going on after epoch {state['epoch']}, step {state['position']}" in said
    assert_same_training(tmp_path, undisturbed[name], name)


@pytest.mark.parametrize("name", RECIPES)
def test_what_a_training_leaves(name: str, undisturbed: dict[str, Path], tmp_path: Path) -> None:
    output = undisturbed[name]
    settings = json.loads((output / "settings.json").read_text())
    assert settings["recipe"] == name and settings["arguments"]["seed"] == RECIPES[name][0].DEFAULTS["seed"]
    assert [row["epoch"] for row in csv.DictReader((output / "curves.csv").open())] == ["1", "2"]
    assert image.imread(output / "curves.png").std() > 0
    import_state(torch.load(output / f"{name}.pt", weights_only=True), name, tmp_path)
    for epoch in range(3):
        import_state(safetensors.torch.load_file(output / "checkpoints" / f"epoch_00{epoch}.safetensors"), name, tmp_path)


def test_what_an_autoencoder_leaves(undisturbed: dict[str, Path]) -> None:
    output = undisturbed["mnist_vq_vae"]
    error = json.loads((output / "error.json").read_text())
    assert error["test_images"] == 8 and error["entries"] == 256 and 0 < error["error_float32"] < 2
    assert image.imread(output / "reconstructions.png").shape[:2] == (2 * 2 * 28, 8 * 2 * 28)
    row = list(csv.DictReader((output / "curves.csv").open()))[-1]
    assert float(row["test_error"]) == pytest.approx(error["error_float32"], rel=1e-6)
    assert float(row["training_error"]) > 0 and 1 <= float(row["perplexity"]) <= float(row["used"]) <= 256


def test_missing_files_are_refused(tmp_path: Path) -> None:
    code, said = train("mnist_cnn", tmp_path, tmp_path / "output")
    assert code == 3 and "holds no train-images-idx3-ubyte" in said and "Fashion-MNIST" in said
