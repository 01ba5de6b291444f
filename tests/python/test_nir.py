# SPDX-License-Identifier: MIT
"""weights/import_nir.py and weights/export_nir.py: networks in NIR files, run by the program and by the packages that
read and write such files, snnTorch, Norse and SpikingJelly; and files that are not what they say."""
from collections.abc import Callable
from functools import partial
from pathlib import Path

import h5py
import nir
import norse.torch
import numpy as np
import pytest
import safetensors.torch
import snntorch
import torch
import yaml
from snntorch.export_nir import export_to_nir
from snntorch.import_nir import import_from_nir
from spikingjelly.activation_based import functional, neuron
from torch import Tensor, nn

import export_nir
import import_nir
import shipped
from importer.architecture import Architecture
from importer.sources import read_state
from test_forward import check_counts, count_differences, forward, needs_program

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

N_IMAGES, TIMESTEPS = 6, 12
IMAGE = (3, 12, 12)
Spikes = dict[str, Tensor]  # of each spiking layer [T][N]...


# ---- networks ----

def weights(*shape: int) -> np.ndarray:
    """Weights that keep the size of what passes."""
    return (torch.randn(shape) * (2 / np.prod(shape[1:])) ** 0.5).numpy()


def convolution(out: int, before: int, size: int, kernel: int = 3, groups: int = 1, **keys: object) -> nir.Conv2d:
    keys = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), **keys}
    return nir.Conv2d(input_shape=(size, size), weight=weights(out, before // groups, kernel, kernel), groups=groups,
                      bias=torch.randn(out).numpy() * 0.1, **keys)


def affine(out: int, before: int) -> nir.Affine:
    return nir.Affine(weights(out, before), torch.randn(out).numpy() * 0.1)


def lif(*shape: int, tau: float = 1e-3, r: float = 1.0, threshold: float = 1.0, leak: float = 0.0) -> nir.LIF:
    tau, r, threshold, leak = (np.full(shape, value) for value in (tau, r, threshold, leak))
    return nir.LIF(tau=tau, r=r, v_leak=leak, v_threshold=threshold, v_reset=leak)


def full(kind: type, *shape: int, **constants: float) -> nir.NIRNode:
    """Neurons of equal constants."""
    return kind(**{key: np.full(shape, float(value)) for key, value in constants.items()})


def average_pool(kernel: int = 2, kind: type = nir.AvgPool2d) -> nir.NIRNode:
    return kind(kernel_size=np.array([kernel] * 2), stride=np.array([kernel] * 2), padding=np.array([0, 0]))


def flatten(*shape: int) -> nir.Flatten:
    return nir.Flatten({"input": np.array(shape)}, 0, -1)


def chain(**nodes: nir.NIRNode) -> nir.NIRGraph:
    """From an image to the last node; nir's own check of shapes knows no groups and no windows that are not square."""
    last = list(nodes.values())[-1]
    nodes = {"input": nir.Input(np.array(IMAGE)), **nodes, "output": nir.Output(output_type=last.output_type)}
    return nir.NIRGraph(nodes, list(zip(nodes, list(nodes)[1:])), type_check=False)


def small(neurons: nir.NIRNode | None = None, **more: nir.NIRNode) -> nir.NIRGraph:
    """Something small that is right but for what a test does to it."""
    neurons = neurons or lif(2, 12, 12)
    return chain(conv=convolution(2, 3, 12), neurons=neurons, flatten=flatten(2, 12, 12), **more, fc=affine(4, 288))


def convolutional() -> nir.NIRGraph:
    return chain(conv1=convolution(8, 3, 12), lif1=lif(8, 12, 12, r=4.0), pool=average_pool(),
                 conv2=convolution(12, 8, 6, padding=(0, 0)), lif2=lif(12, 4, 4, tau=3e-4, r=6.0, threshold=0.7),
                 flatten=flatten(12, 4, 4), fc=affine(10, 192), lif3=lif(10, r=10.0))


def odd_windows() -> nir.NIRGraph:
    """Dilation, padding of one axis, 'same' with an even window, groups, a stride."""
    return chain(conv1=convolution(8, 3, 12, padding=(2, 0), dilation=(2, 1)), lif1=lif(8, 12, 10, r=4.0),
                 conv2=nir.Conv2d((12, 10), weights(6, 8, 4, 4), 1, "same", 1, 1, np.zeros(6, np.float32)),
                 lif2=lif(6, 12, 10, r=6.0),
                 conv3=nir.Conv2d((12, 10), weights(12, 1, 3, 3), (2, 2), "valid", 1, 6, np.zeros(12, np.float32)),
                 lif3=lif(12, 5, 4, r=8.0), flatten=flatten(12, 5, 4), fc=affine(10, 240), lif4=lif(10, r=8.0))


def residual() -> nir.NIRGraph:
    """Two edges into one node are added."""
    nodes = {"input": nir.Input(np.array(IMAGE)), "conv1": convolution(8, 3, 12), "lif1": lif(8, 12, 12, r=4.0),
             "conv2": convolution(8, 8, 12), "lif2": lif(8, 12, 12, r=3.0), "flatten": flatten(8, 12, 12),
             "fc": affine(10, 1152), "lif3": lif(10, r=6.0), "output": nir.Output(np.array([10]))}
    return nir.NIRGraph(nodes, [*zip(nodes, list(nodes)[1:]), ("lif1", "lif2")])


def without_groups(graph: nir.NIRGraph) -> nir.NIRGraph:
    """snnTorch's importer knows none: filters over all channels, zeros for those of other groups."""
    for node in graph.nodes.values():
        if isinstance(node, nir.Conv2d) and node.groups > 1:
            filters = np.split(node.weight, node.groups)
            n_in = node.weight.shape[1]
            rest = [(n_in * i, n_in * (len(filters) - 1 - i)) for i in range(len(filters))]
            node.weight = np.concatenate([np.pad(part, [(0, 0), sides, (0, 0), (0, 0)])
                                          for part, sides in zip(filters, rest)])
            node.groups = 1
    return graph


# ---- ways to run them ----

def run(graph: nir.NIRGraph, folder: Path, *options: str, name: str = "network") -> Path:
    """The architecture file that the importer makes of a graph."""
    nir.write(folder / f"{name}.nir", graph, compression=None)  # snnTorch's constants have no shape, which gzip needs
    assert import_nir.main([str(folder / f"{name}.nir"), "--output", str(folder / f"{name}.yaml"), *options]) == 0
    return folder / f"{name}.yaml"


def spiking_layers(model: Path) -> list[str]:
    return [entry["name"] for entry in yaml.safe_load(model.read_text())["layers"] if entry["kind"] == "spiking"]


def steps_of(make: Callable[[nir.NIRGraph], nn.Module], model: Path, images: Tensor) -> Spikes:
    """The network that a package makes of a NIR file, anew for each image: NIR's shapes have no batch."""
    names, graph = spiking_layers(model), nir.read(model.with_suffix(".nir"), type_check=False)
    trains: dict[str, list[Tensor]] = {name: [] for name in names}
    for image in images:
        network, state, steps = make(graph), None, {name: [] for name in names}
        for _ in range(TIMESTEPS):
            with torch.no_grad():
                _, state = network(image, state)
            for name in names:
                steps[name].append(state.cache[name])
        for name in names:
            trains[name].append(torch.stack(steps[name]))
    return {name: torch.stack(train, 1) for name, train in trains.items()}


def check(model: Path, images: Tensor, expected: Spikes, folder: Path) -> None:
    """The program's spike counts against a package's."""
    for name, spikes in expected.items():
        print(f"{name}: {spikes.mean():.3f} spikes a step")
        assert 0.005 < spikes.mean() < 0.9
    with forward(model, images, folder, "--timesteps", str(TIMESTEPS)) as file:
        check_counts(model.name, count_differences(file, expected))


@needs_program
@pytest.mark.parametrize("make", [convolutional, odd_windows, residual])
def test_snntorch(tmp_path: Path, make: Callable[[], nir.NIRGraph]) -> None:
    model = run(make(), tmp_path)
    images = torch.randn(N_IMAGES, *IMAGE)
    check(model, images, steps_of(lambda graph: import_from_nir(without_groups(graph)), model, images), tmp_path)


@needs_program
def test_synapses_that_forget_within_a_step(tmp_path: Path) -> None:
    def cuba(*shape: int) -> nir.CubaLIF:
        return full(nir.CubaLIF, *shape, tau_syn=1e-4, tau_mem=1e-3, r=10, v_leak=0, v_threshold=1.5, v_reset=0, w_in=1)

    graph = chain(conv=convolution(8, 3, 12), cuba1=cuba(8, 12, 12), flatten=flatten(8, 12, 12), fc=affine(10, 1152),
                  cuba2=cuba(10))
    model = run(graph, tmp_path)
    images = torch.randn(N_IMAGES, *IMAGE)
    check(model, images, steps_of(import_from_nir, model, images), tmp_path)


@needs_program
def test_file_written_by_snntorch(tmp_path: Path) -> None:
    """Its default neurons reset by subtraction, one step late; the file does not say so."""
    network = nn.Sequential(nn.Linear(108, 60), snntorch.Leaky(beta=0.9, init_hidden=True),
                            nn.Linear(60, 40, bias=False), snntorch.Leaky(beta=0.7, threshold=0.5, init_hidden=True))
    for number in (0, 2):
        network[number].weight.data *= 3
    model = run(export_to_nir(network, torch.randn(1, 108)), tmp_path, "--reset-by-subtraction", "--input", "3", "6", "6")
    images = torch.randn(N_IMAGES, 3, 6, 6)
    steps: dict[str, list[Tensor]] = {"1": [], "3": []}
    for number, train in steps.items():
        network[int(number)].register_forward_hook(lambda _, __, out, train=train: train.append(out))
    with torch.no_grad():
        for _ in range(TIMESTEPS):
            network(images.flatten(1))
    check(model, images, {name: torch.stack(train) for name, train in steps.items()}, tmp_path)


@needs_program
def test_norse(tmp_path: Path) -> None:
    """Sums, thresholds that differ between channels, IF neurons; Norse's time step."""
    thresholds = np.linspace(0.5, 2, 8)[:, None, None] * np.ones((8, 12, 12))
    first = lif(8, 12, 12, tau=4e-3)
    first.v_threshold = thresholds
    integrating = full(nir.IF, 12, 6, 6, r=1e3, v_threshold=4, v_reset=0)
    graph = chain(conv1=convolution(8, 3, 12), lif1=first, pool=average_pool(kind=nir.SumPool2d), conv2=convolution(12, 8, 6),
                  if2=integrating, flatten=flatten(12, 6, 6), fc=affine(10, 432), lif3=lif(10, tau=2e-3, threshold=0.4))
    model = run(graph, tmp_path, "--dt", "1e-3")
    images = torch.randn(N_IMAGES, *IMAGE) * 3
    check(model, images, steps_of(partial(norse.torch.from_nir, dt=1e-3), model, images), tmp_path)


@needs_program
def test_constants_by_channel(tmp_path: Path) -> None:
    """Against NIR's equations: no package takes these."""
    dt, tau = 5e-4, 1.5e-3
    column = {"r": [2.0, -1.5, 3.0, 0.5], "v_threshold": [0.5, 0.4, 1.0, 0.2], "v_leak": [-0.2, 0.0, 0.3, -0.1]}
    maps = {key: np.array(values)[:, None, None] * np.ones((4, 12, 12)) for key, values in column.items()}
    node = nir.LIF(tau=np.full((4, 12, 12), tau), v_reset=maps["v_leak"], **maps)
    graph = chain(conv=convolution(4, 3, 12), lif=node, flatten=flatten(4, 12, 12))
    images = torch.randn(N_IMAGES, *IMAGE)
    r, threshold, leak = (torch.tensor(values)[:, None, None].double() for values in column.values())
    weight, bias = (torch.from_numpy(values).double() for values in (graph.nodes["conv"].weight, graph.nodes["conv"].bias))
    current, v, spikes = nn.functional.conv2d(images.double(), weight, bias, padding=1), leak, []
    for _ in range(TIMESTEPS):
        v = v + dt / tau * (leak - v + r * current)
        spikes.append((v > threshold).double())
        v = torch.where(v > threshold, leak, v)
    check(run(graph, tmp_path, "--dt", str(dt)), images, {"lif": torch.stack(spikes)}, tmp_path)


@needs_program
@pytest.mark.parametrize("decay_input", [True, False])
def test_spikingjelly(tmp_path: Path, decay_input: bool) -> None:
    """Nodes with the constants that SpikingJelly 2 writes for its neurons (dt 1e-4), and its neurons."""
    tau, v_reset, threshold = 2.5, -0.3, 0.6
    leaking = partial(neuron.LIFNode, tau=tau, decay_input=decay_input, v_threshold=threshold, v_reset=v_reset)
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), leaking(), nn.AvgPool2d(3),
                            nn.Conv2d(8, 12, 3, bias=False), neuron.IFNode(v_threshold=0.8, v_reset=-0.2), nn.Flatten(),
                            nn.Linear(48, 10), leaking())
    for number, factor in {0: 3, 3: 3, 6: 8}.items():
        network[number].weight.data *= factor

    def neurons(*shape: int) -> nir.LIF:
        return lif(*shape, tau=tau * 1e-4, r=1.0 if decay_input else tau, threshold=threshold, leak=v_reset)

    def convolved(module: nn.Conv2d, size: int) -> nir.Conv2d:
        bias = torch.zeros(module.out_channels) if module.bias is None else module.bias.detach()
        return nir.Conv2d((size, size), module.weight.detach().numpy(), module.stride, module.padding, 1, 1, bias.numpy())

    graph = chain(conv1=convolved(network[0], 12), lif1=neurons(8, 12, 12), pool=average_pool(3),
                  conv2=convolved(network[3], 4), if2=full(nir.IF, 12, 2, 2, r=1e4, v_threshold=0.8, v_reset=-0.2),
                  flatten=flatten(12, 2, 2),
                  fc=nir.Affine(network[6].weight.detach().numpy(), network[6].bias.detach().numpy()), lif3=neurons(10))
    model = run(graph, tmp_path)
    images = torch.randn(N_IMAGES, *IMAGE)
    expected = hooked(network, {"lif1": 1, "if2": 4, "lif3": 7}, images)
    check(model, images, expected, tmp_path)


def hooked(network: nn.Sequential, numbers: dict[str, int], images: Tensor) -> Spikes:
    steps: dict[str, list[Tensor]] = {name: [] for name in numbers}
    for name, number in numbers.items():
        network[number].register_forward_hook(lambda _, __, out, name=name: steps[name].append(out))
    functional.reset_net(network)
    with torch.no_grad():
        for _ in range(TIMESTEPS):
            network(images)
    return {name: torch.stack(train) for name, train in steps.items()}


@needs_program
def test_spikes_only_above_the_threshold(tmp_path: Path) -> None:
    """As NIR defines it: membranes that meet the threshold to the last bit stay silent."""
    def identity(threshold: float) -> nir.NIRGraph:
        weight = np.eye(3, dtype=np.float32)[:, :, None, None]
        conv = nir.Conv2d((2, 2), weight, 1, 0, 1, 1, np.zeros(3, np.float32))
        return chain(conv=conv, lif=lif(3, 2, 2, tau=2e-4, threshold=threshold), flatten=flatten(3, 2, 2))

    counts = {}
    for threshold in (0.5, np.nextafter(np.float32(0.5), np.float32(0))):
        graph = identity(float(threshold))
        graph.nodes["input"] = nir.Input(np.array([3, 2, 2]))
        with forward(run(graph, tmp_path), torch.ones(1, 3, 2, 2), tmp_path, "--timesteps", "1") as file:
            counts[float(threshold)] = file["rate/lif"][()].sum()
    assert list(counts.values()) == [0, 3]


def tensors_of(model: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(model.with_suffix(".safetensors"))


def test_scale_is_in_the_weights(tmp_path: Path) -> None:
    plain, factor = convolution(2, 3, 12), np.array([0.5, 4.0])
    scale = nir.Scale(np.broadcast_to(factor[:, None, None], (2, 12, 12)).copy())
    graph = chain(conv=plain, scale=scale, lif=lif(2, 12, 12), flatten=flatten(2, 12, 12), fc=affine(4, 288))
    model = run(graph, tmp_path)
    tensors = tensors_of(model)
    kinds = [entry["kind"] for entry in yaml.safe_load(model.read_text())["layers"]]
    assert kinds == ["convolution", "spiking", "flatten", "linear"]
    np.testing.assert_allclose(tensors["conv.weight"], plain.weight * factor[:, None, None, None], rtol=1e-6)
    np.testing.assert_allclose(tensors["conv.bias"], plain.bias * factor, rtol=1e-6)


def test_nested_graph_is_laid_open(tmp_path: Path) -> None:
    conv, neurons, dense = convolution(2, 3, 12), lif(2, 12, 12), affine(4, 288)
    nodes = {"in": nir.Input(np.array(IMAGE)), "conv": conv, "lif": neurons, "out": nir.Output(np.array([2, 12, 12]))}
    inner = nir.NIRGraph(nodes, [("in", "conv"), ("conv", "lif"), ("lif", "out")])
    model = run(chain(block=inner, flatten=flatten(2, 12, 12), fc=dense), tmp_path)
    layers = yaml.safe_load(model.read_text())["layers"]
    assert [entry["name"] for entry in layers] == ["block.conv", "block.lif", "flatten", "fc"]
    assert torch.equal(tensors_of(model)["block.conv.weight"].float(), torch.from_numpy(conv.weight))


# ---- the way back ----

ARCHITECTURE = """
format: meicensus model 1
name: exported
role: subject
tensors: exported.safetensors
input: {channels: 3, height: 12, width: 12}
image: {mean: [0, 0, 0], std: [1, 1, 1]}
timesteps: 8
neuron: {kind: lif, tau: 2.3, decay_input: true, threshold: 0.7, reset: hard, v_reset: 0.0}
classes: [a, b, c, d]
layers:
  - {name: conv1, kind: convolution, padding: 1}
  - {name: bn1, kind: batch_norm}
  - {name: sn1, kind: spiking, neuron: {kind: lif, tau: 1.7, decay_input: false, threshold: 0.9, v_reset: 0.0}}
  - {name: pool, kind: average_pool, kernel: 2, stride: 2}
  - {name: conv2, kind: convolution, stride: 1, padding: 1}
  - {name: bn2, kind: batch_norm}
  - {name: add, kind: add, inputs: [bn2, pool]}
  - {name: sn2, kind: spiking, neuron: {kind: lif, tau: 1000000000, decay_input: false, threshold: 1.1}}
  - {name: mean, kind: global_mean}
  - {name: flatten, kind: flatten}
  - {name: fc1, kind: linear}
  - {name: sn3, kind: spiking}
  - {name: fc2, kind: linear}
"""


def exportable(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    """An architecture file with tensors; `change` replaces a text in it."""
    torch.manual_seed(4)
    state = {"conv1.weight": torch.randn(8, 3, 3, 3) / 4, "conv2.weight": torch.randn(8, 8, 3, 3), "conv2.bias": torch.randn(8) / 5,
             "fc1.weight": torch.randn(16, 8), "fc1.bias": torch.rand(16), "fc2.weight": torch.randn(4, 16)}
    for name in ("bn1", "bn2"):
        state |= {f"{name}.weight": torch.rand(8) + 0.5, f"{name}.bias": torch.rand(8) / 4, f"{name}.running_mean": torch.randn(8) / 9,
                  f"{name}.running_var": torch.rand(8) + 0.5}
    safetensors.torch.save_file(state, folder / "exported.safetensors")
    assert change[0] in ARCHITECTURE
    (folder / "exported.yaml").write_text(ARCHITECTURE.replace(*change))
    return folder / "exported.yaml"


@needs_program
def test_export_and_import_give_the_same_bits(tmp_path: Path) -> None:
    model, images = exportable(tmp_path), torch.randn(N_IMAGES, *IMAGE)
    assert export_nir.main([str(model), "--output", str(tmp_path / "x.nir")]) == 0
    nir.read(tmp_path / "x.nir")
    assert import_nir.main([str(tmp_path / "x.nir"), "--output", str(tmp_path / "back.yaml"), "--timesteps", "8"]) == 0
    contents = []
    for name in ("exported", "back"):
        with forward(tmp_path / f"{name}.yaml", images, tmp_path, "--spikes") as file:
            contents.append([file["output"][()], *(file[f"spikes/{layer}"][()] for layer in ("sn1", "sn2", "sn3"))])
    assert all(len(np.unique(values)) > 1 for values in contents[0])
    assert all(np.array_equal(first, second) for first, second in zip(*contents))


@needs_program
def test_exported_file_in_snntorch(tmp_path: Path) -> None:
    model, images = exportable(tmp_path, ("tau: 1000000000, decay_input: false", "tau: 4.0")), torch.randn(N_IMAGES, *IMAGE)
    assert export_nir.main([str(model), "--output", str(tmp_path / "exported.nir")]) == 0
    check(model, images, steps_of(import_from_nir, model, images), tmp_path)


@pytest.mark.parametrize("change, fault", [
    (("average_pool, kernel: 2", "max_pool, kernel: 2"), "layer pool, max_pool: NIR has no node of this kind"),
    (("kind: lif, tau: 2.3, decay_input: true, threshold: 0.7, reset: hard, v_reset: 0.0", "kind: leaky, beta: 0.9"),
     "layer sn3, spiking: its neurons are reset by subtraction"),
    (("reset: hard", "reset: soft"), "layer sn3, spiking: its neurons are reset by subtraction"),
    (("inputs: [bn2, pool]", "inputs: [bn2, bn2]"), "layer add, add: adds one thing to itself"),
    (("{name: bn2, kind: batch_norm}", "{name: bn2, kind: batch_norm, from: pool}"),
     "layer bn2, batch_norm: NIR has no batch norm"),
], ids=["maximum", "leaky", "soft reset", "added to itself", "batch norm alone"])
def test_export_refusals(tmp_path: Path, capsys: pytest.CaptureFixture, change: tuple[str, str], fault: str) -> None:
    assert export_nir.main([str(exportable(tmp_path, change)), "--output", str(tmp_path / "x.nir")]) == 3
    assert fault in capsys.readouterr().err and not (tmp_path / "x.nir").exists()


@pytest.mark.parametrize("name, fault", [("spiking_resnet18", "layer maxpool, max_pool"), ("sn_gan_light", "takes no image")])
def test_shipped_networks_that_nir_cannot_say(tmp_path: Path, capsys: pytest.CaptureFixture, name: str, fault: str) -> None:
    assert export_nir.main([str(shipped.WEIGHTS / f"{name}.yaml"), "--output", str(tmp_path / "x.nir")]) == 3
    assert fault in capsys.readouterr().err


# ---- what has no counterpart, and files that are not what they say ----

def refusal(source: Path, capsys: pytest.CaptureFixture, *options: str) -> str:
    """The one line that the importer says; it leaves nothing behind."""
    before = set(source.parent.iterdir())
    assert import_nir.main([str(source), "--output", str(source.parent / "refused.yaml"), *options]) == 3
    assert set(source.parent.iterdir()) == before
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and str(source) in error
    return error


def other(node: nir.NIRNode, **attributes: object) -> nir.NIRNode:
    for key, value in attributes.items():
        setattr(node, key, value)
    return node


UNEQUAL = np.arange(1, 289).reshape(2, 12, 12) / 100
BY_CHANNEL = np.ones((2, 12, 12)) * np.array([1e-3, 2e-3])[:, None, None]
GRAPHS = {
    "LI": (lambda: small(full(nir.LI, 2, 12, 12, tau=1e-3, r=1, v_leak=0)),
      "'neurons', LI: its output is a membrane potential"),
    "I": (lambda: small(full(nir.I, 2, 12, 12, r=1)), "'neurons', I: its output is a membrane potential"),
    "CubaLI": (lambda: small(full(nir.CubaLI, 2, 12, 12, tau_mem=1e-3, tau_syn=1e-3, r=1, v_leak=0)),
      "'neurons', CubaLI: its output"),
    "Threshold": (lambda: small(full(nir.Threshold, 2, 12, 12, threshold=1)),
      "'neurons', Threshold: there is no neuron without"),
    "Delay": (lambda: small(full(nir.Delay, 2, 12, 12, delay=1)), "'neurons', Delay: there are no delays"),
    "CubaLIF": (lambda: small(full(nir.CubaLIF, 2, 12, 12, tau_syn=2e-3, tau_mem=1e-3, r=1, v_leak=0, v_threshold=1, v_reset=0)),
                "'neurons', CubaLIF: its tau_syn is 20 steps"),
    "Conv1d": (lambda: small(nir.Conv1d(12, weights(2, 3, 3), 1, 1, 1, 1, np.zeros(2))),
      "'neurons', Conv1d: there is no one-dimensional"),
    "leak": (lambda: small(other(lif(2, 12, 12), v_leak=np.full((2, 12, 12), 0.5))), "its v_leak is not its v_reset"),
    "tau": (lambda: small(other(lif(2, 12, 12), tau=BY_CHANNEL)),
      "'neurons', LIF: its tau differs between neurons, from 0.001 to 0.002"),
    "short tau": (lambda: small(lif(2, 12, 12, tau=1e-4)),
      "its tau is 1 steps of 0.0001; expected more than 1 (see --dt)"),
    "negative tau": (lambda: small(lif(2, 12, 12, tau=-1e-3)), "its tau is -0.001, expected above 0"),
    "within a channel": (lambda: small(other(lif(2, 12, 12), v_threshold=UNEQUAL)),
      "its v_threshold differs within a channel"),
    "no weights before": (lambda: small(scale=nir.Scale(np.arange(1.0, 289))), "'scale', Scale: its scale differs"),
    "r not above 0": (lambda: small(other(lif(2, 12, 12, r=-1), v_threshold=np.full((2, 12, 12), -1.0))),
      "its v_threshold is not above its v_reset"),
    "neurons of another shape": (lambda: small(lif(2, 6, 6)), "its r is 2 x 6 x 6, but what comes is 2 x 12 x 12"),
    "weights of another shape": (lambda: chain(flatten=flatten(*IMAGE), fc=affine(4, 431)),
      "'fc', Affine: its weight is 4 x 431, but what comes is 432"),
    "bias of another shape": (lambda: small(more=other(affine(4, 288), bias=np.zeros(5))),
      "'more', Affine: its bias is 5, expected 4"),
    "no flatten": (lambda: chain(fc=affine(4, 432)),
      "'fc', Affine: its weight is 4 x 432, but what comes is 3 x 12 x 12"),
    "a map comes out": (lambda: chain(conv=convolution(2, 3, 12)),
      "'output', Output: what comes is 2 x 12 x 12; expected one number a class"),
    "flattened in part": (lambda: chain(flatten=nir.Flatten({"input": np.array(IMAGE)}, 1, -1), fc=affine(4, 3)),
      "'flatten', Flatten: flattens the dimensions 1 to -1"),
    "uneven stride": (lambda: chain(conv=convolution(2, 3, 12, stride=(2, 1))),
      "'conv', Conv2d: its stride is 2 x 1, expected two equal"),
    "window too large": (lambda: chain(conv=convolution(2, 3, 12, kernel=15)),
      "'conv', Conv2d: its window of 15 x 15 does not fit"),
    "dilated beyond measure": (lambda: chain(conv=convolution(2, 3, 12, dilation=(10**8, 10**8))),
      "once groups and dilation are written out"),
    "groups": (lambda: chain(conv=other(convolution(2, 3, 12), groups=5)),
      "'conv', Conv2d: its weight is 2 x 3 x 3 x 3 in 5 groups"),
    "padding": (lambda: chain(conv=other(convolution(2, 3, 12), padding=np.array([-1, 0]))),
      "'conv', Conv2d: its padding is"),
    "beyond measure": (lambda: chain(conv=other(convolution(2, 3, 12), stride=np.array([1e308] * 2))),
      "'conv', Conv2d: its stride is no whole number"),
    "half a stride": (lambda: chain(conv=other(convolution(2, 3, 12), stride=np.array([0.5, 0.5]))),
      "'conv', Conv2d: its stride is no whole number"),
    "input size": (lambda: chain(conv=other(convolution(2, 3, 12), input_shape=np.array([11, 11]))),
      "its input_shape is 11 x 11"),
    "output size": (lambda: other(small(), nodes={**small().nodes, "output": nir.Output(np.array([5]))}),
      "'output', Output: its shape is 5, but what comes is 4"),
    "beyond float32": (lambda: small(more=other(affine(288, 288), weight=np.full((288, 288), 1e300))),
      "more.weight holds values that are beyond float32"),
    "large image": (lambda: other(small(), nodes={**small().nodes, "input": nir.Input(np.array([3, 12, 10**12]))}),
      "expected at most 16 x 4096 x 4096"),
}


@pytest.mark.parametrize("case", GRAPHS)
def test_graphs_without_counterpart(tmp_path: Path, capsys: pytest.CaptureFixture, case: str) -> None:
    make, fault = GRAPHS[case]
    nir.write(tmp_path / "network.nir", make(), compression=None)
    assert fault in refusal(tmp_path / "network.nir", capsys)


@pytest.mark.parametrize("edges, fault", [
    ([("neurons", "conv")], "the graph is recurrent ("),
    ([("conv", "conv")], "the graph is recurrent (conv -> conv)"),
    ([("conv", "nowhere")], "the graph has an edge of 'nowhere', and no such node"),
    ([("conv", "neurons")], "the edge from 'conv' to 'neurons' is there 2 times"),
    ([("input", "neurons")], "'neurons', LIF: cannot add what 'conv' gives, 2 x 12 x 12, and 'input', 3 x 12 x 12"),
], ids=["recurrent", "to itself", "no node", "twice", "unlike shapes"])
def test_edges(tmp_path: Path, capsys: pytest.CaptureFixture, edges: list[tuple[str, str]], fault: str) -> None:
    graph = small()
    graph.edges += edges
    nir.write(tmp_path / "network.nir", graph)
    assert fault in refusal(tmp_path / "network.nir", capsys)


@pytest.mark.parametrize("removed, fault", [
    (("input", "conv"), "'conv', Conv2d: no edge leads to it"),
    (("flatten", "fc"), "'fc', Affine: no edge leads to it"),
    (("fc", "output"), "'fc', Affine: no edge leads from it"),
], ids=str)
def test_unconnected_nodes(tmp_path: Path, capsys: pytest.CaptureFixture, removed: tuple[str, str], fault: str) -> None:
    graph = small()
    graph.edges.remove(removed)
    nir.write(tmp_path / "network.nir", graph)
    assert fault in refusal(tmp_path / "network.nir", capsys)


def replaced(name: str, *arguments: object, **keys: object) -> Callable[[h5py.File], None]:
    """Another dataset in the place of one."""
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file.create_dataset(name, *arguments, **keys)
    return change


def removed_from(name: str) -> Callable[[h5py.File], None]:
    return lambda file: file.__delitem__(name)


def linked(name: str, target: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if name in file:
            del file[name]
        file[name] = file[target] if isinstance(target, str) else target
    return change


CONV, FC = "node/nodes/conv", "node/nodes/fc"
FILES = {
    "no version": (removed_from("version"), "'version' is None, expected that of NIR 0 or 1"),
    "another version": (replaced("version", data="7.1"), "'version' is '7.1'"),
    "no graph": (removed_from("node"), "has no group 'node'"),
    "no nodes": (removed_from("node/nodes"), "the graph has no 'nodes'"),
    "no edges": (removed_from("node/edges"), "'edges' of the graph is no list of pairs"),
    "edges of numbers": (replaced("node/edges", data=np.zeros((3, 2))), "'edges' of the graph is no list of pairs"),
    "unknown type": (replaced(f"{CONV}/type", data="Conv7d"), "node 'conv' is of the unknown type 'Conv7d'"),
    "type of a function": (replaced(f"{CONV}/type", data="dict2NIRNode"),
      "node 'conv' is of the unknown type 'dict2NIRNode'"),
    "type of numbers": (replaced(f"{CONV}/type", data=[1, 2]), "node 'conv' is of the unknown type"),
    "graph of numbers": (replaced("node/type", data=[1, 2]), "the graph has no 'nodes', or its 'type' is not NIRGraph"),
    "another shape before flattening": (replaced("node/nodes/flatten/input_type", data=[2, 12, 13]),
                                        "'flatten', Flatten: its shape is 2 x 12 x 13, but what comes is 2 x 12 x 12"),
    "no type": (removed_from(f"{CONV}/type"), "node 'conv' is of the unknown type 'None'"),
    "a parameter is missing": (removed_from(f"{CONV}/stride"), "node 'conv', Conv2d: its parameters do not fit together"),
    "a parameter too many": (replaced(f"{FC}/speed", data=1.0),
      "node 'fc', Affine: its parameters do not fit together"),
    "shapes that do not fit": (replaced("node/nodes/neurons/tau", data=np.ones(3)),
      "node 'neurons', LIF: its parameters do not fit together"),
    "not a number": (replaced(f"{FC}/bias", data=np.array([0, np.nan, 0, np.inf])),
      "'fc.bias' holds 2 values that are not finite"),
    "texts as weights": (replaced(f"{FC}/bias", data=["1", "2", "3", "4"]), "'fc.bias' holds texts, expected numbers"),
    "a pickle": (replaced(f"{FC}/bias", data=np.void(b"\x80\x04cos\nsystem\n")), "'fc.bias' holds |V"),
    "references": (replaced(f"{FC}/bias", shape=(4,), dtype=h5py.ref_dtype),
      "'fc.bias' has the shape 4, but no values"),
    "huge": (replaced(f"{FC}/weight", shape=(10**7, 10**7), chunks=(1000, 1000), dtype="f4"),
      "'fc.weight' has the shape 10000000 x 10000000"),
    "no values": (replaced(f"{FC}/weight", shape=(4, 288), chunks=(4, 4), dtype="f4"),
      "'fc.weight' has the shape 4 x 288, but no values"),
    "a link to another file": (linked(f"{FC}/weight", h5py.ExternalLink("/etc/passwd", "/")),
      "'fc.weight' is a link that leads elsewhere"),
    "a soft link": (linked(f"{FC}/weight", h5py.SoftLink("/node")), "'fc.weight' is a link that leads elsewhere"),
    "raw values in another file": (replaced(f"{FC}/bias", shape=(4,), dtype="f4", external=[("/etc/passwd", 0, 16)]),
      "'fc.bias' keeps its values in another file"),
    "a group in itself": (linked(f"{FC}/nodes", "node"), "is nested more than"),
    "a name of two lines": (linked("node/nodes/a\nb", FC), "cannot be the name of a layer"),
    "a long name": (linked(f"node/nodes/{'x' * 200}", FC), "cannot be the name of a layer"),
    "a node that is a number": (replaced("node/nodes/one", data=1.0), "node 'one' is of the unknown type"),
}


@pytest.mark.parametrize("case", FILES)
def test_hostile_files(tmp_path: Path, capsys: pytest.CaptureFixture, case: str) -> None:
    change, fault = FILES[case]
    nir.write(tmp_path / "network.nir", small())
    with h5py.File(tmp_path / "network.nir", "a") as file:
        change(file)
    assert fault in refusal(tmp_path / "network.nir", capsys)


def test_files_that_are_no_hdf5(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "text.nir").write_text("not a network")
    assert "not a NIR file" in refusal(tmp_path / "text.nir", capsys)
    assert "no such file" in refusal(tmp_path / "missing.nir", capsys)
    nir.write(tmp_path / "whole.nir", small())
    content = (tmp_path / "whole.nir").read_bytes()
    for size in (9, 100, len(content) // 2):
        (tmp_path / "cut.nir").write_bytes(content[:size])
        assert "damaged, or not a NIR file" in refusal(tmp_path / "cut.nir", capsys)


def test_vectors_and_options(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    nodes = {"input": nir.Input(np.array([432])), "fc": affine(4, 432), "output": nir.Output(np.array([4]))}
    nir.write(tmp_path / "network.nir", nir.NIRGraph(nodes, [("input", "fc"), ("fc", "output")]))
    assert "say with --input what image it is" in refusal(tmp_path / "network.nir", capsys)
    assert "say with --input what image it is" in refusal(tmp_path / "network.nir", capsys, "--input", "3", "12", "13")
    model = run(nir.read(tmp_path / "network.nir"), tmp_path, "--input", "3", "12", "12", "--mean", "0.5", "0.4", "0.3",
                "--classes", *"abcd")
    content = yaml.safe_load(model.read_text())
    assert content["input"] == {"channels": 3, "height": 12, "width": 12} and content["classes"] == list("abcd")
    assert content["image"] == {"mean": [0.5, 0.4, 0.3], "std": [1.0, 1.0, 1.0]} and "timesteps" not in content
    architecture = Architecture(model)
    assert architecture.read_tensors(read_state(architecture.tensors_path)) == {"fc.weight", "fc.bias"}
    with pytest.raises(SystemExit):
        import_nir.main([str(tmp_path / "network.nir"), "--output", str(tmp_path / "x.yaml"), "--dt", "0"])
