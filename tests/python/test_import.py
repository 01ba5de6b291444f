# SPDX-License-Identifier: MIT
"""weights/import.py: a network that was imported and loaded back computes what it computed before, or is refused."""
import argparse
import hashlib
import importlib.util
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import h5py
import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

import shipped
from conftest import ROOT
from gan_reference import Generator
from importer import Refused, require_safe_torch, sources
from make_golden import draw_inputs, random_generator
from snn_reference import SnnTorchCNN, run_resnet, spiking_resnet18
from vq_reference import Decoder

GOLDEN = ROOT / "tests" / "golden" / "golden.h5"
TOOL = ROOT / "weights" / "import.py"


def load_tool() -> ModuleType:
    """weights/import.py as a module; its name is a word of the language."""
    specification = importlib.util.spec_from_file_location("import_tool", TOOL)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


IMPORT = load_tool()


@dataclass
class Result:
    returncode: int
    stdout: str
    stderr: str


def arguments(source: Path, model: str, output: Path, *options: str) -> list[str]:
    path = model if "/" in model else ROOT / "weights" / f"{model}.yaml"
    return [str(source), "--model", str(path), "--output", str(output), *options]


def run_import(source: Path, model: str, output: Path, *options: str) -> Result:
    """The command line tool; within this process, because importing PyTorch takes seconds."""
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        returncode = IMPORT.main(arguments(source, model, output, *options))
    return Result(returncode, stdout.getvalue(), stderr.getvalue())


def run_tool(*options: str, **environment: str) -> subprocess.CompletedProcess:
    """The command line tool in a process of its own."""
    return subprocess.run([sys.executable, TOOL, *options], capture_output=True, text=True, check=False,
                          env={**os.environ, **environment})


def imported(source: Path, model: str, output: Path, *options: str) -> dict[str, torch.Tensor]:
    result = run_import(source, model, output, *options)
    assert result.returncode == 0, result.stderr
    return safetensors.torch.load_file(output)


def provenance(path: Path) -> dict:
    with safetensors.safe_open(path, "pt") as file:
        return json.loads(file.metadata()["provenance"])


def saved(content: object, path: Path, **options) -> Path:
    torch.save(content, path, **options)
    return path


def small_generator() -> Generator:
    """A generator 4 channels wide; batch norms with statistics of their own."""
    return random_generator(seed=3, width=4)


# ---- Same output after the way through the file ----

def test_state_dict_of_spikingjelly(tmp_path: Path) -> None:
    original = spiking_resnet18()
    state = imported(saved(original.state_dict(), tmp_path / "a.pt"), "spiking_resnet18", tmp_path / "a.safetensors")
    images = torch.randn(2, 3, 32, 32)
    expected, expected_spikes = run_resnet(original, images, 4)
    classes, spikes = run_resnet(shipped.load_into(spiking_resnet18(), state), images, 4)
    assert torch.equal(classes, expected)
    assert spikes["sn1"].sum() > 0 and all(torch.equal(spikes[name], expected_spikes[name]) for name in spikes)


def test_training_checkpoint_of_spikingjelly(tmp_path: Path) -> None:
    """Its entry 'model', names with 'module.', and the command line kept beside it."""
    original = spiking_resnet18()
    checkpoint = {"model": {f"module.{name}": tensor for name, tensor in original.state_dict().items()}, "epoch": 3,
                  "optimizer": {"state": {}, "param_groups": []}, "args": argparse.Namespace(T=4, data_path="cifar")}
    state = imported(saved(checkpoint, tmp_path / "c.pth"), "spiking_resnet18", tmp_path / "c.safetensors")
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(run_resnet(shipped.load_into(spiking_resnet18(), state), images, 4)[0], run_resnet(original, images, 4)[0])


@pytest.mark.parametrize("wrapped", [lambda state: state, lambda state: {"model_state_dict": state, "global_step": 9}])
def test_sn_gan_with_spectral_norm_state(tmp_path: Path, wrapped) -> None:
    """A .pkl in PyTorch's old format; the tensors of spectral normalisation are dropped and said to be."""
    original = small_generator()
    extra = {"block2.c1.sn_u": torch.randn(1, 4), "block2.c1.sn_sigma": torch.ones(1)}
    source = saved(wrapped({**original.state_dict(), **extra}), tmp_path / "g.pkl", _use_new_zipfile_serialization=False)
    output = tmp_path / "g.safetensors"
    state = imported(source, "sn_gan", output)
    z = torch.randn(3, 128)
    assert torch.equal(shipped.load_into(Generator(4), state)(z), original(z))
    assert set(extra) <= set(provenance(output)["dropped"])


def test_spectral_norm_is_folded(tmp_path: Path) -> None:
    """With u the leading left singular vector, the divisor is the largest singular value."""
    original = small_generator()
    weight = torch.randn(4, 4, 3, 3)
    left, singular_values, _ = torch.linalg.svd(weight.flatten(1))
    state = {**original.state_dict(), "block3.c2.weight": weight, "block3.c2.sn_u": left[:, :1].t().contiguous()}
    folded = imported(saved(state, tmp_path / "g.pth"), "sn_gan", tmp_path / "g.safetensors", "--fold-spectral-norm")
    torch.testing.assert_close(folded["block3.c2.weight"], weight / singular_values[0])
    assert provenance(tmp_path / "g.safetensors")["divided_by_spectral_norm"] == ["block3.c2.weight"]


def test_hdf5_group(tmp_path: Path) -> None:
    """The weights kept in the golden file give its golden output."""
    state = imported(GOLDEN, "sn_gan", tmp_path / "r.safetensors", "--group", "sngan_random/state")
    generator = shipped.load_into(Generator(32), state)
    with h5py.File(GOLDEN) as file, torch.no_grad():
        output = generator(torch.from_numpy(file["sngan_random/input"][()]))
        np.testing.assert_allclose(output.numpy(), file["sngan_random/output"][()], atol=1e-6)
    assert state["block2.c1.weight"].dtype == torch.float16


@pytest.mark.parametrize("values", [np.zeros(3, ">f4"), np.array(2, "<f4")])
def test_hdf5_numbers(tmp_path: Path, values: np.ndarray) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["state/a"] = values
    tensor = sources.read_hdf5(tmp_path / "x.h5", "state")["a"]
    assert tensor.dtype == torch.float32 and tensor.tolist() == values.tolist()


@pytest.mark.parametrize("values", ["text", ["a", "b"], np.zeros(3, [("a", "f4")]), np.zeros(2, "f16"), h5py.Empty("f4")])
def test_refused_hdf5_values(tmp_path: Path, values: object) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["state/a"] = values
    with pytest.raises(Refused, match="x.h5: state/a holds .*, expected numbers"):
        sources.read_hdf5(tmp_path / "x.h5", "state")


def test_refused_cut_hdf5(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["state/a"] = np.zeros(10000)
    os.truncate(tmp_path / "x.h5", 5000)
    with pytest.raises(Refused, match="x.h5: not a readable HDF5 file"):
        sources.read_hdf5(tmp_path / "x.h5", "state")


def test_snntorch(tmp_path: Path) -> None:
    original = SnnTorchCNN()
    output = tmp_path / "s.safetensors"
    state = imported(saved({f"features.{name}": tensor for name, tensor in original.state_dict().items()}, tmp_path / "s.pt"),
                     "snntorch_cnn", output, "--strip-prefix", "features.")
    images = 3 * torch.randn(2, 3, 32, 32)
    classes, spikes = shipped.load_into(SnnTorchCNN(), state)(images, 6)
    expected, expected_spikes = original(images, 6)
    assert torch.equal(classes, expected)
    assert spikes["spiking0"].sum() > 0 and all(torch.equal(spikes[name], expected_spikes[name]) for name in spikes)
    assert "spiking0.beta" in provenance(output)["dropped"]


def test_vq_vae(tmp_path: Path) -> None:
    """Decoder and codebook give the same images; the encoder is kept, the moving averages are not."""
    original = Decoder().eval()
    encoder = {name: tensor for name, tensor in shipped.read("vq_vae").items() if name.startswith(("_encoder.", "_pre_vq_conv."))}
    averages = {"_vq_vae._ema_w": torch.randn(512, 64), "_vq_vae._ema_cluster_size": torch.rand(512)}
    state = imported(saved({**original.state_dict(), **encoder, **averages}, tmp_path / "v.pt"), "vq_vae", tmp_path / "v.safetensors")
    assert set(encoder) <= set(state) and not set(averages) & set(state)
    decoder = shipped.load_into(Decoder(), {name: tensor for name, tensor in state.items() if name not in encoder})
    indices = draw_inputs(11)["vq_vae"]
    with torch.no_grad():
        assert torch.equal(decoder(indices), original(indices))


def test_shipped_files_import_to_themselves(tmp_path: Path) -> None:
    for name in ("spiking_resnet18", "relu_resnet18", "snntorch_cnn", "sn_gan_light", "vq_vae"):
        again = imported(shipped.WEIGHTS / f"{name}.safetensors", name, tmp_path / f"{name}.safetensors")
        before = shipped.read(name)
        assert again.keys() == before.keys()
        assert all(again[key].dtype == before[key].dtype and torch.equal(again[key], before[key]) for key in before)


# ---- Untrained ----

def run_untrained(seed: str, model: str, *options: str) -> Result:
    with redirect_stdout(io.StringIO()) as stdout, redirect_stderr(io.StringIO()) as stderr:
        try:
            returncode = IMPORT.main(["--untrained", seed, "--model", str(ROOT / "weights" / f"{model}.yaml"), *options])
        except SystemExit as end:
            returncode = end.code
    return Result(returncode, stdout.getvalue(), stderr.getvalue())


def test_untrained_network_is_its_package_with_a_seed(tmp_path: Path) -> None:
    output = tmp_path / "untrained.safetensors"
    before = torch.get_rng_state()
    assert run_untrained("18", "spiking_resnet18", "--output", str(output)).returncode == 0
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(18)
    expected = spiking_resnet18().state_dict()
    state = safetensors.torch.load_file(output)
    assert state.keys() == {name for name in expected if not name.endswith("num_batches_tracked")}
    assert all(torch.equal(state[name], expected[name]) for name in state)
    assert provenance(output)["untrained_seed"] == 18


def test_untrained_network_is_that_of_the_model_card(tmp_path: Path) -> None:
    output = tmp_path / "untrained.safetensors"
    assert run_untrained("18", "spiking_resnet18", "--output", str(output)).returncode == 0
    assert hashlib.sha256(output.read_bytes()).hexdigest() in (ROOT / "weights" / "README.md").read_text()


@pytest.mark.parametrize("seed, model, options, code, message", [
    ("18", "sn_gan", ["--output", "x"], 3, "sn_gan: how it is before training is not known"),
    ("18", "spiking_resnet18", [], 2, "--untrained needs --output FILE"),
    ("-1", "spiking_resnet18", ["--output", "x"], 2, "'-1' is not a whole number from 0 on"),
    ("18", "spiking_resnet18", ["--output", "x", "file.pt"], 2, "either a file to import or --untrained SEED"),
])
def test_refused_untrained(seed: str, model: str, options: list[str], code: int, message: str) -> None:
    result = run_untrained(seed, model, *options)
    assert result.returncode == code and message in result.stderr, result.stderr


# ---- Precision ----

def test_float16_only_where_nothing_is_lost(tmp_path: Path) -> None:
    state = small_generator().state_dict()
    state["c5.weight"][0, 0, 0, 0] = 0.1  # float16 cannot hold it
    state["c5.bias"].fill_(0.5)           # a vector stays float32 although float16 could hold it
    result = imported(saved(state, tmp_path / "g.pt"), "sn_gan", tmp_path / "g.safetensors")
    assert result["c5.weight"].dtype == torch.float32 and result["c5.bias"].dtype == torch.float32
    assert result["l1.weight"].dtype == torch.float16
    assert all(torch.equal(result[name].float(), state[name].float()) for name in result)


def test_round_to_half_is_noted(tmp_path: Path) -> None:
    state = small_generator().state_dict()
    state["c5.weight"][0, 0, 0, 0] = 0.1
    output = tmp_path / "g.safetensors"
    result = run_import(saved(state, tmp_path / "g.pt"), "sn_gan", output, "--round-to-half")
    assert result.returncode == 0 and "rounded to float16: c5.weight" in result.stdout
    assert provenance(output)["rounded_to_half"] == ["c5.weight"]
    stored = safetensors.torch.load_file(output)["c5.weight"]
    assert stored.dtype == torch.float16 and torch.equal(stored, state["c5.weight"].half())


def test_equal_bytes_every_time(tmp_path: Path) -> None:
    source = saved(small_generator().state_dict(), tmp_path / "g.pt")
    files = [tmp_path / f"{seed}.safetensors" for seed in range(2)]
    for seed, file in enumerate(files):
        assert run_tool(*arguments(source, "sn_gan", file), PYTHONHASHSEED=str(seed)).returncode == 0
    assert len({file.read_bytes() for file in files}) == 1


# ---- Refusals: exit code 3, nothing written, the message names the fault ----

def changed(name: str, value: object):
    return lambda state: {**state, name: value}


REFUSED_STATES = {
    "missing": (lambda state: {k: v for k, v in state.items() if k != "block3.c2.weight"}, "block3.c2.weight is missing"),
    "missing running mean": (lambda state: {k: v for k, v in state.items() if k != "b5.running_mean"}, "b5.running_mean is missing"),
    "unexpected": (changed("block9.c1.weight", torch.zeros(4, 4)), "no layer for block9.c1.weight"),
    "other spectral norm": (changed("block2.c1.weight_u", torch.zeros(4)), "no layer for block2.c1.weight_u"),
    "wrong channels": (changed("block2.c1.weight", torch.zeros(4, 5, 3, 3)), "block2.c1.weight has the shape 4 x 5 x 3 x 3"),
    "wrong bias": (changed("c5.bias", torch.zeros(4)), "c5.bias has the shape 4, expected 3"),
    "wrong dimensions": (changed("l1.weight", torch.zeros(64)), "l1.weight has the shape 64"),
    "not a number": (changed("b5.bias", torch.full((4,), float("nan"))), "b5.bias holds 4 values that are not finite"),
    "infinite": (changed("c5.weight", torch.full((3, 4, 3, 3), float("inf"))), "c5.weight holds 108 values that are not finite"),
    "integers": (changed("c5.weight", torch.zeros(3, 4, 3, 3, dtype=torch.int64)), "c5.weight holds torch.int64"),
    "double": (changed("c5.bias", torch.full((3,), 0.1, dtype=torch.float64)), "c5.bias holds torch.float64 values that float32"),
    "no tensor": (changed("c5.bias", [1.0, 2.0, 3.0]), "c5.bias: a list, not a tensor"),
    "collision": (changed("module.c5.bias", torch.zeros(3)), "two tensors named c5.bias"),
    "empty": (lambda state: {}, "l1.weight is missing"),
    "a list": (lambda state: list(state.values()), "holds a list, not a state dict"),
}


@pytest.mark.parametrize("fault", REFUSED_STATES)
def test_refused_state(tmp_path: Path, fault: str) -> None:
    change, message = REFUSED_STATES[fault]
    source = saved(change(small_generator().state_dict()), tmp_path / "g.pt")
    result = run_import(source, "sn_gan", tmp_path / "out.safetensors")
    assert result.returncode == 3 and message in result.stderr, result.stderr
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name, value", [("beta", 0.95), ("threshold", 0.5), ("reset_mechanism_val", 1), ("graded_spikes_factor", 2.0)])
def test_refused_neuron_constant(tmp_path: Path, name: str, value: float) -> None:
    state = {**SnnTorchCNN().state_dict(), f"spiking1.{name}": torch.tensor(value)}
    result = run_import(saved(state, tmp_path / "s.pt"), "snntorch_cnn", tmp_path / "s.safetensors")
    assert result.returncode == 3 and f"spiking1.{name} is " in result.stderr


def test_refused_beyond_float16(tmp_path: Path) -> None:
    state = changed("l1.weight", torch.full((64, 128), 70000.0))(small_generator().state_dict())
    source = saved(state, tmp_path / "g.pt")
    assert imported(source, "sn_gan", tmp_path / "a.safetensors")["l1.weight"].dtype == torch.float32
    result = run_import(source, "sn_gan", tmp_path / "b.safetensors", "--round-to-half")
    assert result.returncode == 3 and "l1.weight holds values beyond the range of float16" in result.stderr


class _RunsCode:
    """Unpickling it makes a file."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def test_code_in_a_file_is_never_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    result = run_import(saved({"l1.weight": _RunsCode(trace)}, tmp_path / "g.pkl"), "sn_gan", tmp_path / "g.safetensors")
    assert result.returncode == 3 and "without running code" in result.stderr
    assert not trace.exists()


REFUSED_FILES = {
    "no such file": (None, (), "no such file"),
    "text": (b"hello\n", (), "not a file of tensors"),
    "empty": (b"", (), "not a file of tensors"),
    "HDF5 without group": (GOLDEN.read_bytes(), (), "say with --group"),
    "HDF5 without that group": (GOLDEN.read_bytes(), ("--group", "sngan"), "there is no group sngan"),
    "group of a PyTorch file": (b"hello\n", ("--group", "state"), "--group is for HDF5 files"),
}


@pytest.mark.parametrize("fault", REFUSED_FILES)
def test_refused_file(tmp_path: Path, fault: str) -> None:
    content, options, message = REFUSED_FILES[fault]
    source = tmp_path / "source.pt"
    if content is not None:
        source.write_bytes(content)
    result = run_import(source, "sn_gan", tmp_path / "out.safetensors", *options)
    assert result.returncode == 3 and message in result.stderr, result.stderr


def test_refused_entry(tmp_path: Path) -> None:
    source = saved({"generator": small_generator().state_dict(), "step": 1}, tmp_path / "c.pt")
    result = run_import(source, "sn_gan", tmp_path / "a.safetensors")
    assert result.returncode == 3 and "say with --entry" in result.stderr
    result = run_import(source, "sn_gan", tmp_path / "a.safetensors", "--entry", "netG")
    assert result.returncode == 3 and "its keys: generator, step" in result.stderr
    assert imported(source, "sn_gan", tmp_path / "a.safetensors", "--entry", "generator")


HEAD = "format: meicensus model 1\nname: x\ntensors: x\n"


@pytest.mark.parametrize("text, message", [
    ("layers: []\n", "not an architecture file"),
    ("format: [\n", "while parsing"),
    ("format: meicensus model 1\nname: x\n", "misses tensors, layers, latent or input"),
    ("format: meicensus model 1\nname: x\ntensors: x\nlatent: {dimensions: 128}\nlayers:\n  - {name: a, kind: dense}\n", "unknown kind"),
    ("format: meicensus model 1\nname: x\ntensors: x\nlatent: {dimensions: 128}\nlayers:\n  - {name: l1, kind: linear, from: z}\n", "layer l1"),
    (HEAD + "latent: {dimensions: 128}\nlayers:\n", "'layers' is None, expected a list"),
    (HEAD + "latent: [128]\nlayers: []\n", "'latent' is [128], expected a mapping"),
    (HEAD + "input: {channels: 3, height: 32}\nlayers: []\n", "'width' of 'input' is None"),
    (HEAD + "input: {channels: 3, height: 0, width: 32}\nlayers: []\n", "'height' of 'input' is 0"),
    (HEAD + "latent: {dimensions: 128}\nneuron: [lif]\nlayers: []\n", "'neuron' is ['lif'], expected a mapping"),
    (HEAD + "latent: {dimensions: 128}\nunused_tensors: [1]\nlayers: []\n", "'unused_tensors' holds 1"),
    (HEAD + "latent: {dimensions: 128}\nlayers:\n  - {name: a, kind: [linear]}\n", "layer 1 has no name or an unknown kind"),
    (HEAD + "latent: {dimensions: 128}\nlayers:\n  - {name: a, kind: spiking, neuron: 5}\n", "'neuron' of layer 'a' is 5"),
    (HEAD + "input: {channels: 3, height: 8, width: 8}\nlayers:\n  - {name: p, kind: max_pool, kernel: 2, stride: 0}\n", "layer p"),
])
def test_refused_architecture(tmp_path: Path, text: str, message: str) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(text)
    source = saved(small_generator().state_dict(), tmp_path / "g.pt")
    result = run_import(source, str(model), tmp_path / "out.safetensors")
    assert result.returncode == 3 and message in result.stderr, result.stderr


def test_old_torch_is_refused() -> None:
    for version in ("2.5.1", "2.5.1+cu121", "1.13.0"):
        with pytest.raises(Refused, match="install torch 2.6"):
            require_safe_torch(version)
    for version in ("2.6.0", "2.10.0+cpu", "3.0.0a0"):
        require_safe_torch(version)


def test_exit_code_of_the_tool(tmp_path: Path) -> None:
    assert run_tool(*arguments(tmp_path / "none.pt", "sn_gan", tmp_path / "out.safetensors")).returncode == 3


def test_help() -> None:
    result = run_tool("--help")
    assert result.returncode == 0 and "--round-to-half" in result.stdout and "examples:" in result.stdout
