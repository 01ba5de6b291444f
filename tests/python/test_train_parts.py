# SPDX-License-Identifier: MIT
"""weights/train/training/: its neurons and convolutions against the packages', its files against hostile ones."""
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from spikingjelly.activation_based import layer, neuron, surrogate
from torch import nn

from conftest import ROOT
from importer.refusal import Refused
from snn_reference import relu_resnet18, run_resnet, spiking_resnet18

sys.path.append(str(ROOT / "weights" / "train"))
from training import augmentation, checkpoint, convolutions, data, losses, networks, neurons, progress  # noqa: E402


# ---- Neurons and convolutions ----

def lif_of_spikingjelly() -> neuron.LIFNode:
    return neuron.LIFNode(tau=2.0, decay_input=True, v_threshold=1.0, v_reset=0.0, detach_reset=True,
                          surrogate_function=surrogate.ATan(), step_mode="m")


@pytest.mark.parametrize("constant_input", [False, True])
def test_lif_is_that_of_spikingjelly(constant_input: bool) -> None:
    """Equal spikes, currents exactly at the threshold among them; gradients within 1e-6."""
    current = 3 * torch.randn(1 if constant_input else 6, 5, 4, 3, 3)
    current[:, :2] = (current[:, :2] * 4).round() / 4
    ours, theirs = current.clone().requires_grad_(), current.clone().requires_grad_()
    node = neurons.FoldedLIFNode()
    neurons.set_timesteps(node, 6)
    node.constant_input = constant_input
    spikes = node(ours[0] if constant_input else ours.flatten(0, 1))
    expected = lif_of_spikingjelly()(theirs.expand(6, -1, -1, -1, -1))
    assert torch.equal(spikes, expected.flatten(0, 1).detach()) and 0.1 < spikes.mean() < 0.6
    wanted = torch.randn_like(expected)
    spikes.backward(wanted.flatten(0, 1))
    expected.backward(wanted)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-6, atol=1e-6)


def random_network(build: Callable[[], nn.Module]) -> nn.Module:
    """With batch norms of their own, strong enough for spikes in deep layers."""
    network = build().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1, 0.1)
            nn.init.normal_(module.bias, 0.5, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    return network


@pytest.mark.parametrize("build, reference, timesteps", [(networks.spiking_resnet18, spiking_resnet18, 3),
                                                         (networks.relu_resnet18, relu_resnet18, 1)])
def test_network_is_that_of_spikingjelly(build: Callable, reference: Callable, timesteps: int) -> None:
    """Same tensor names, same outputs."""
    ours, theirs = random_network(build), reference()
    theirs.load_state_dict(ours.state_dict())
    neurons.set_timesteps(ours, timesteps)
    images = torch.randn(2, 3, 32, 32)
    expected, layers = run_resnet(theirs, images, timesteps)
    assert layers["layer4.1.sn2"].any()
    with torch.no_grad():
        torch.testing.assert_close(ours(images).unflatten(0, (timesteps, 2)).mean(0), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kernel, stride, padding", [(1, 1, 0), (1, 2, 0), (3, 1, 1), (3, 2, 1), (7, 2, 3)])
@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_trimmed_convolution(kernel: int, stride: int, padding: int, size: int) -> None:
    plain = layer.Conv2d(3, 4, kernel, stride, padding, bias=False)
    network = nn.Sequential(layer.Conv2d(3, 4, kernel, stride, padding, bias=False))
    network.load_state_dict({"0.weight": plain.weight.detach()})
    trimmed = convolutions.trim_convolutions(network)
    ours, theirs = (images.requires_grad_() for images in torch.randn(2, 3, size, size).expand(2, -1, -1, -1, -1).clone())
    expected, result = plain(theirs), trimmed(ours)
    torch.testing.assert_close(result, expected, rtol=1e-5, atol=1e-5)
    theirs_gradients, our_gradients = (torch.autograd.grad(outputs.square().sum(), [inputs, module.weight]) for
                                       outputs, inputs, module in ((expected, theirs, plain), (result, ours, trimmed[0])))
    torch.testing.assert_close(our_gradients, theirs_gradients, rtol=1e-4, atol=1e-4)


def test_kernel_on_one_pixel_is_trimmed_to_its_centre() -> None:
    convolution = convolutions.TrimmedConv2d(1, 1, (3, 3), (1, 1), (1, 1), bias=False)
    assert convolution._used(1) == slice(1, 2) and convolution._used(2) == slice(0, 3)


def test_untrained_network_is_made_by_its_seed_alone() -> None:
    first = networks.untrained(networks.relu_resnet18, 5).state_dict()
    torch.rand(100)
    before = torch.get_rng_state()
    second = networks.untrained(networks.spiking_resnet18, 5).state_dict()
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    torch.manual_seed(5)
    assert torch.equal(first["conv1.weight"], relu_resnet18().state_dict()["conv1.weight"])


def test_gains_are_rescaled() -> None:
    network = nn.Sequential(nn.BatchNorm2d(8))
    nn.init.uniform_(network[0].weight, 0.01, 0.3)
    nn.init.normal_(network[0].bias)
    ratio = network[0].bias.detach() / network[0].weight.detach()
    networks.rescale_gains(network)
    assert network[0].weight.square().mean().item() == pytest.approx(1, abs=1e-6)
    torch.testing.assert_close(network[0].bias / network[0].weight, ratio)


def test_distillation() -> None:
    """Nothing to learn from a teacher that says the same; else the divergence, weighted."""
    images, outputs, targets = torch.randn(4, 10), torch.randn(4, 10), F.one_hot(torch.arange(4), 10).float()
    labels = losses.cross_entropy(0.1)
    alone = labels(outputs, images, targets)
    same = losses.distillation(lambda _: outputs, 0.25, 2.0, labels, bf16=False)(outputs, images, targets)
    torch.testing.assert_close(same, 0.75 * alone)
    wanted = torch.randn(4, 10)
    p, q = (F.softmax(values / 2, 1) for values in (wanted, outputs))
    expected = 0.75 * alone + 0.25 * 4 * (p * (p / q).log()).sum(1).mean()
    result = losses.distillation(lambda _: wanted, 0.25, 2.0, labels, bf16=False)(outputs, images, targets)
    torch.testing.assert_close(result, expected)


# ---- Augmentation ----

def some_images(n: int = 12) -> data.Images:
    return data.Images(torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8), torch.arange(n) % 10)


def test_crops_are_windows_of_the_padded_image() -> None:
    images = some_images(40)
    padded = F.pad(images.pixels, (4, 4, 4, 4))
    mirrored = 0
    for image, crop in zip(padded, augmentation.crop_and_flip(images.pixels, torch.Generator().manual_seed(1))):
        windows = image.unfold(1, 32, 1).unfold(2, 32, 1).permute(1, 2, 0, 3, 4).flatten(0, 1)
        plain, flipped = ((windows == view).all(3).all(2).all(1).any() for view in (crop, crop.flip(2)))
        assert plain or flipped
        mirrored += bool(flipped)
    assert 8 < mirrored < 32


def test_augmentation_comes_from_its_generator_alone() -> None:
    images, change = some_images(), augmentation.Augmentation(cutout=8)
    first, first_targets = change(images, torch.Generator().manual_seed(3))
    torch.rand(7)
    second, second_targets = change(images, torch.Generator().manual_seed(3))
    other, _ = change(images, torch.Generator().manual_seed(4))
    assert torch.equal(first, second) and torch.equal(first_targets, second_targets) and not torch.equal(first, other)
    assert first.shape == (12, 3, 32, 32) and torch.isfinite(first).all()
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_cutmix_gives_each_class_its_share_of_the_pixels() -> None:
    pixels = torch.arange(10.0)[:, None, None, None].expand(10, 3, 32, 32)
    mixed, targets = augmentation.cut_and_mix(pixels, torch.eye(10), 1.0, torch.Generator().manual_seed(2))
    assert not torch.equal(mixed, pixels)
    for image, target in zip(mixed, targets):
        for label in range(10):
            assert (image == label).float().mean().item() == pytest.approx(target[label].item(), abs=1e-6)
    same, same_targets = augmentation.cut_and_mix(pixels, torch.eye(10), 0.0, torch.Generator())
    assert torch.equal(same, pixels) and torch.equal(same_targets, torch.eye(10))


def test_only_the_chosen_share_is_turned() -> None:
    pixels = torch.randn(200, 3, 32, 32)
    turned = augmentation.turn_and_scale(pixels, 0.3, torch.Generator().manual_seed(1))
    share = (turned != pixels).flatten(1).any(1).float().mean()
    assert 0.2 < share < 0.4


# ---- CIFAR-10's files ----

def write_file(path: Path, labels: int = 10, missing: int = 0) -> bytes:
    """A file of the official size with random pixels, and what it holds."""
    random = np.random.default_rng(7).bytes(data.IMAGES_PER_FILE * data.RECORD_BYTES)
    records = np.frombuffer(random, np.uint8).reshape(-1, data.RECORD_BYTES).copy()
    records[:, 0] = np.arange(data.IMAGES_PER_FILE) % labels
    content = records.tobytes()[:records.size - missing]
    path.write_bytes(content)
    return content


def test_official_files(tmp_path: Path) -> None:
    content = write_file(tmp_path / "data_batch_1.bin")
    images = data.read_training_images(tmp_path, limit=20)
    assert images.pixels.shape == (20, 3, 32, 32) and images.labels.tolist() == list(range(10)) * 2
    assert images.pixels[7, 2, 31, 30] == content[7 * 3073 + 1 + 2 * 1024 + 31 * 32 + 30]
    pixel = data.normalise(images.pixels)[7, 2, 31, 30].item()
    assert pixel == pytest.approx((images.pixels[7, 2, 31, 30].item() / 255 - 0.4465) / 0.2010, abs=1e-5)


def test_compressed_file(tmp_path: Path) -> None:
    content = bytes(data.IMAGES_PER_FILE * data.RECORD_BYTES - 3073) + bytes([9]) + bytes([7]) * 3072
    (tmp_path / "test_batch.bin.xz").write_bytes(lzma.compress(content, preset=0))
    images = data.read_test_images(tmp_path)
    assert len(images) == 10_000 and images.labels[-1] == 9 and (images.pixels[-1] == 7).all() and not images.pixels[:-1].any()


@pytest.mark.parametrize("make, said", [
    (lambda path: None, "holds no data_batch_1.bin and no data_batch_1.bin.xz"),
    (lambda path: write_file(path, missing=1), "data_batch_1.bin: holds 30,729,999 bytes"),
    (lambda path: write_file(path, labels=11), "data_batch_1.bin: image 10 is of class 10"),
    (lambda path: path.with_name(path.name + ".xz").write_bytes(lzma.compress(bytes(99999))[:-9]), "not a whole xz file"),
    (lambda path: path.with_name(path.name + ".xz").write_bytes(lzma.compress(bytes(3073))), "holds 3,073 bytes")])
def test_wrong_data_is_refused(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    make(tmp_path / "data_batch_1.bin")
    with pytest.raises(Refused, match=said):
        data.read_training_images(tmp_path)


# ---- Files of networks and checkpoints ----

@pytest.fixture(scope="module")
def network() -> nn.Module:
    return networks.relu_resnet18()


@pytest.mark.parametrize("change, said", [
    (lambda state: state.pop("layer2.1.bn1.running_var"), "misses layer2.1.bn1.running_var"),
    (lambda state: state.update({"fc.weight": torch.zeros(100, 512)}), r"fc.weight is of shape \[100, 512\], not \[10, 512\]"),
    (lambda state: state.update({"fc2.weight": torch.zeros(10)}), "fc2.weight is no tensor of a ResNet18"),
    (lambda state: state["fc.bias"].fill_(float("nan")), "fc.bias holds values that are not finite")])
def test_wrong_start_file_is_refused(network: nn.Module, change: Callable[[dict], object], said: str) -> None:
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    change(state)
    with pytest.raises(Refused, match=f"^twin.pt: {said}"):
        networks.check_state(Path("twin.pt"), state, network)


def test_start_file(network: nn.Module, tmp_path: Path) -> None:
    """Half-precision matrices, and no counters of batch norm, are fine."""
    state = network.state_dict()
    torch.save({name: tensor.half() if tensor.dim() > 1 else tensor for name, tensor in state.items()
                if not name.endswith("num_batches_tracked")}, tmp_path / "twin.pt")
    read = networks.read_network(tmp_path / "twin.pt", networks.spiking_resnet18).state_dict()
    assert torch.equal(read["layer3.0.downsample.0.weight"], state["layer3.0.downsample.0.weight"].half().float())


class Malicious:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("code_of_a_file_was_run",)


def test_bad_checkpoints_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "checkpoint.pt"
    checkpoint.save_checkpoint(path, {"epoch": 3})
    assert checkpoint.load_checkpoint(path)["epoch"] == 3
    whole = path.read_bytes()
    for content in (b"", b"text", whole[:len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(Refused, match="checkpoint.pt: not a checkpoint"):
            checkpoint.load_checkpoint(path)
    for content in ({"epoch": 3}, [1], {"format": checkpoint.FORMAT, "epoch": Malicious()}):
        torch.save(content, path)
        with pytest.raises(Refused, match="checkpoint.pt: not a checkpoint"):
            checkpoint.load_checkpoint(path)
    assert not (tmp_path / "code_of_a_file_was_run").exists()


def test_file_that_is_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    checkpoint.save_checkpoint(path, {"epoch": 3})

    def fail(part: Path) -> None:
        part.write_bytes(b"half")
        raise OSError("no space")

    with pytest.raises(OSError):
        checkpoint.write_whole(path, fail)
    assert checkpoint.load_checkpoint(path)["epoch"] == 3


@pytest.mark.parametrize("epochs", [1, 2, 7, 8, 24, 28, 80, 100, 300])
def test_kept_epochs(epochs: int) -> None:
    kept = sorted(checkpoint.kept_epochs(epochs))
    assert kept[0] == 0 and kept[-1] == epochs and min(9, epochs + 1) <= len(kept) <= 10


def test_durations() -> None:
    assert [progress.duration(seconds) for seconds in (5, 95, 3599, 5400)] == ["5 s", "2 min", "1 h 00 min", "1 h 30 min"]
