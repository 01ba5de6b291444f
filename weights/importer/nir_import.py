# SPDX-License-Identifier: MIT
"""From the graph of a NIR file to an architecture file and its tensors.

NIR's neurons are differential equations. Here they are stepped by dt as snnTorch, SpikingJelly and Norse step them,
forward Euler: v' = v + dt / tau (v_leak - v + r i), then a spike where v' > v_threshold, then v' = v_reset.
SpikingJelly's LIF, our `lif`, is that equation once tau is counted in steps. What our neurons lack, r and constants
that differ between neurons, goes into thresholds or the weights before them, which is exact but for rounding.
"""
from collections.abc import Callable
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import NoReturn

import nir
import numpy as np

from .nir_file import Graph
from .refusal import Refused

NO_LEAK = 1e9               # tau of IF neurons: v / tau is less than float32 can take from v
SAME = 1e-6                 # relative difference of numbers that are equal but for float32 rounding
SHORTEST_TAU = 1.0000001    # steps; as the program has it
LARGEST_CONSTANT = 1e9      # likewise
SMALLEST_THRESHOLD = 1e-30  # far from the smallest float32
LARGEST_WINDOW, LARGEST_PADDING, LARGEST_POOL_PADDING = 64, 64, 32  # likewise; window also of strides
LARGEST_VALUES = 1 << 26    # of filters
LARGEST_IMAGE = (16, 4096, 4096)  # likewise
LONGEST_NAME = 128
LARGEST_WHOLE = 1 << 50
Shape = tuple[int, ...]     # (channels, height, width), or (features,) once flat


@dataclass(frozen=True)
class Signal:
    """What a node gives: `scale` times the output of a layer ("input": the image)."""

    layer: str
    shape: Shape
    nodes: tuple[str, ...]  # that give it, from the one that made the layer on
    scale: float = 1.0


class Importer:
    """Walks the graph from its input to its output and lists the layers."""

    def __init__(self, graph: Graph, dt: float, subtract: bool = False, image: Shape | None = None):
        """subtract: the neurons are snnTorch's that reset by subtraction. image: of a network that takes a vector."""
        self.graph, self.dt, self.subtract = graph, dt, subtract
        self.layers: list[dict] = []
        self.tensors: dict[str, np.ndarray] = {}  # float64
        self.input = image
        self.n_classes = 0
        self._layer_names = {"input"}
        self._signals: dict[str, Signal] = {}
        self._sources: dict[str, list[str]] = {name: [] for name in graph.nodes}
        self._n_users = dict.fromkeys(graph.nodes, 0)
        for source, target in graph.edges:
            self._sources[target].append(source)
            self._n_users[source] += 1

    def run(self) -> None:
        order = self._order()
        outermost = self._the_one(nir.Input), self._the_one(nir.Output)
        self._check_connections(*outermost)
        for name in order:
            node = self.graph.nodes[name]
            if name == outermost[0]:
                self._signals[name] = self._image(name, node)
            else:
                self._signals[name] = CONVERSIONS[type(node)](self, name, node, self._gathered(name))
        self._finish(outermost[1])

    # ---- the graph ----

    def _refuse(self, name: str, fault: str) -> NoReturn:
        node = self.graph.nodes[name]
        raise Refused(f"{self.graph.path}: node {name!r}, {type(node).__name__}: {fault}")

    def _order(self) -> list[str]:
        try:
            return list(TopologicalSorter(self._sources).static_order())
        except CycleError as error:
            circle = " -> ".join(reversed(error.args[1]))
            raise Refused(f"{self.graph.path}: the graph is recurrent ({circle[:300]}); "
                          "layers take only what comes before them") from error

    def _the_one(self, kind: type) -> str:
        """Name of the only input or output; those of nested graphs are joined to other nodes."""
        names = [name for name, node in self.graph.nodes.items() if isinstance(node, kind)
                 and not (self._sources[name] if kind is nir.Input else self._n_users[name])]
        if len(names) != 1:
            raise Refused(f"{self.graph.path}: the graph has {len(names)} nodes of the type {kind.__name__} at its end"
                          f"{': ' + ', '.join(names)[:200] if names else ''}; expected one")
        return names[0]

    def _check_connections(self, first: str, last: str) -> None:
        for name in self.graph.nodes:
            if name != first and not self._sources[name]:
                self._refuse(name, "no edge leads to it")
            if name != last and not self._n_users[name]:
                self._refuse(name, "no edge leads from it")

    def _gathered(self, name: str) -> Signal:
        """What goes into a node: the sum of all that edges lead to it."""
        total, *others = (self._signals[source] for source in self._sources[name])
        for number, other in enumerate(others):
            first, second = total.nodes[-1], other.nodes[-1]
            if other.shape != total.shape:
                self._refuse(name, f"cannot add what {first!r} gives, {_text(total.shape)}, "
                                   f"and {second!r}, {_text(other.shape)}")
            if other.scale != total.scale:
                self._refuse(name, f"cannot add what {first!r} and {second!r} give: they are scaled by "
                                   f"{total.scale:g} and {other.scale:g}")
            layer = self._add(f"{name}.sum{number or ''}", "add", None, inputs=[total.layer, other.layer])
            total = Signal(layer, total.shape, (name,), total.scale)
        return total

    def _add(self, name: str, kind: str, source: Signal | None, **keys: object) -> str:
        """A layer; gives its name."""
        if name in self._layer_names or len(name) > LONGEST_NAME:
            raise Refused(f"{self.graph.path}: node {name!r}: there cannot be a layer of this name, or not another one; "
                          "rename the node")
        self._layer_names.add(name)
        previous = self.layers[-1]["name"] if self.layers else "input"
        origin = {"from": source.layer} if source is not None and source.layer != previous else {}
        self.layers.append({"name": name, "kind": kind, **keys, **origin})
        return name

    # ---- nodes ----

    def _image(self, name: str, node: nir.Input) -> Signal:
        shape = self._declared(name, node.input_type["input"])
        if len(shape) == 1 and self.input is not None and int(np.prod(self.input)) == shape[0]:
            return Signal(self._add("flatten_image", "flatten", None), shape, (name,))
        if len(shape) != 3 or self.input not in (None, shape):
            self._refuse(name, f"its shape is {_text(shape)}; expected channels x height x width, "
                               "or say with --input what image it is")
        if any(size > largest for size, largest in zip(shape, LARGEST_IMAGE)):
            self._refuse(name, f"its shape is {_text(shape)}, expected at most {_text(LARGEST_IMAGE)}")
        self.input = shape
        return Signal("input", shape, (name,))

    def _declared(self, name: str, shape: object) -> Shape:
        """A shape as the file states it, without the batch of one that some exporters leave in it."""
        if shape is None or np.ndim(shape) != 1 or min(shape, default=0) < 1:
            self._refuse(name, "has no shape of whole numbers above 0")
        sizes = tuple(self._whole(name, "shape", size) for size in shape)
        return sizes[1:] if len(sizes) in (2, 4) and sizes[0] == 1 else sizes

    def _check_declared(self, name: str, node: nir.NIRNode, signal: Signal) -> None:
        declared = node.input_type["input"]
        shape = signal.shape if declared is None else self._declared(name, declared)
        if shape != signal.shape:
            self._refuse(name, f"its shape is {_text(shape)}, but what comes is {_text(signal.shape)}")

    def _through(self, name: str, node: nir.NIRNode, signal: Signal) -> Signal:
        """Inputs and outputs, of the network and of nested graphs."""
        self._check_declared(name, node, signal)
        return replace(signal, nodes=(*signal.nodes, name))

    def _linear(self, name: str, node: nir.Linear | nir.Affine, signal: Signal) -> Signal:
        weight = np.asarray(node.weight, float)
        if weight.ndim != 2 or weight.shape[1:] != signal.shape:
            self._refuse(name, f"its weight is {_text(weight.shape)}, but what comes is {_text(signal.shape)}")
        self._add(name, "linear", signal)
        self.tensors[f"{name}.weight"] = weight * signal.scale
        if isinstance(node, nir.Affine):
            self.tensors[f"{name}.bias"] = self._vector(name, node.bias, len(weight))
        return Signal(name, (len(weight),), (name,))

    def _vector(self, name: str, bias: object, size: int) -> np.ndarray:
        if np.shape(bias) != (size,):
            self._refuse(name, f"its bias is {_text(np.shape(bias))}, expected {size}")
        return np.asarray(bias, float)

    def _convolution(self, name: str, node: nir.Conv2d, signal: Signal) -> Signal:
        stride, dilation = self._pair(name, "stride", node.stride), self._pair(name, "dilation", node.dilation)
        weight = self._dense(name, np.asarray(node.weight, float), node.groups, signal)
        weight = self._spread(name, weight, dilation)
        weight, padding = self._padded(name, weight, self._borders(name, node.padding, weight.shape[2:], stride))
        self._one_number(name, "stride", stride, 1, LARGEST_WINDOW)
        declared = signal.shape[1:] if node.input_shape is None else tuple(np.ravel(node.input_shape))
        if declared != signal.shape[1:]:
            self._refuse(name, f"its input_shape is {_text(declared)}, but what comes is {_text(signal.shape)}")
        shape = len(weight), *self._window(name, signal, weight.shape[2:], stride[0], padding)
        self._add(name, "convolution", signal, stride=stride[0], padding=padding)
        self.tensors[f"{name}.weight"] = weight * signal.scale
        self.tensors[f"{name}.bias"] = self._vector(name, node.bias, len(weight))
        return Signal(name, shape, (name,))

    def _dense(self, name: str, weight: np.ndarray, groups: object, signal: Signal) -> np.ndarray:
        """Filters over all channels: zeros for those of other groups."""
        groups = self._whole(name, "groups", groups)
        if weight.ndim != 4 or 0 in weight.shape or len(signal.shape) != 3 or groups < 1 or len(weight) % groups or \
                weight.shape[1] * groups != signal.shape[0]:
            self._refuse(name, f"its weight is {_text(weight.shape)} in {groups} groups, "
                               f"but what comes is {_text(signal.shape)}")
        n_out, n_in, *window = weight.shape
        self._check_size(name, weight.size * groups)
        dense = np.zeros((n_out, n_in * groups, *window))
        for group in range(groups):
            rows = slice(group * n_out // groups, (group + 1) * n_out // groups)
            dense[rows, group * n_in:(group + 1) * n_in] = weight[rows]
        return dense

    def _spread(self, name: str, weight: np.ndarray, dilation: tuple[int, int]) -> np.ndarray:
        """The window of a dilated convolution, with its zeros."""
        if min(dilation) < 1:
            self._refuse(name, f"its dilation is {dilation}, expected at least 1")
        height, width = ((size - 1) * step + 1 for size, step in zip(weight.shape[2:], dilation))
        self._check_size(name, len(weight) * weight.shape[1] * height * width)
        wide = np.zeros((*weight.shape[:2], height, width))
        wide[:, :, ::dilation[0], ::dilation[1]] = weight
        return wide

    def _borders(self, name: str, padding: object, window: Shape, stride: tuple[int, int]) -> list[tuple[int, int]]:
        """Zeros before and after the map, of each axis."""
        if isinstance(padding, str):
            if padding == "same" and stride != (1, 1):
                self._refuse(name, "padding 'same' needs a stride of 1")
            total = [size - 1 if padding == "same" else 0 for size in window]
            return [(n // 2, n - n // 2) for n in total]
        return [(n, n) for n in self._pair(name, "padding", padding)]

    def _padded(self, name: str, weight: np.ndarray, borders: list[tuple[int, int]]) -> tuple[np.ndarray, int]:
        """Window and padding, one number on all sides: where a side has less, the window gets zeros there."""
        padding = max(max(pair) for pair in borders)
        if min(min(pair) for pair in borders) < 0 or padding > LARGEST_PADDING:
            self._refuse(name, f"its padding is {borders}, expected 0 to {LARGEST_PADDING}")
        missing = ((padding - before, padding - after) for before, after in borders)
        return np.pad(weight, [(0, 0), (0, 0), *missing]), padding

    def _pool(self, name: str, node: nir.AvgPool2d | nir.SumPool2d, signal: Signal) -> Signal:
        if len(signal.shape) != 3:
            self._refuse(name, f"what comes is no map, but {_text(signal.shape)}")
        limits = (("kernel_size", 1, LARGEST_WINDOW), ("stride", 1, LARGEST_WINDOW), ("padding", 0, LARGEST_POOL_PADDING))
        kernel, stride, padding = (self._one_number(name, key, self._pair(name, key, getattr(node, key)), low, high)
                                   for key, low, high in limits)
        if 2 * padding > kernel:
            self._refuse(name, f"its padding of {padding} is more than half its window of {kernel}")
        shape = signal.shape[0], *self._window(name, signal, (kernel, kernel), stride, padding)
        self._add(name, "average_pool", signal, kernel=kernel, stride=stride, padding=padding)
        total = kernel * kernel if isinstance(node, nir.SumPool2d) else 1
        return Signal(name, shape, (name,), signal.scale * total)

    def _window(self, name: str, signal: Signal, window: Shape, stride: int, padding: int) -> tuple[int, int]:
        height, width = ((size + 2 * padding - side) // stride + 1 for size, side in zip(signal.shape[1:], window))
        if height < 1 or width < 1:
            self._refuse(name, f"its window of {_text(window)} does not fit what comes, {_text(signal.shape)}")
        return height, width

    def _flatten(self, name: str, node: nir.Flatten, signal: Signal) -> Signal:
        self._check_declared(name, node, signal)
        start, end = self._whole(name, "start_dim", node.start_dim), self._whole(name, "end_dim", node.end_dim)
        if start not in (0, -len(signal.shape)) or end not in (-1, len(signal.shape) - 1):
            self._refuse(name, f"flattens the dimensions {start} to {end} of {_text(signal.shape)} "
                               "(shapes have no batch); expected 0 to -1")
        return Signal(self._add(name, "flatten", signal), (int(np.prod(signal.shape)),), (name,), signal.scale)

    def _scale(self, name: str, node: nir.Scale, signal: Signal) -> Signal:
        factor = self._by_channel(name, "scale", node.scale, signal.shape)
        if factor.size == 1 and factor[0] != 0:
            return replace(signal, nodes=(*signal.nodes, name), scale=signal.scale * factor[0])
        self._scale_weights(name, "scale", signal, factor * signal.scale)
        return replace(signal, nodes=(*signal.nodes, name), scale=1.0)

    # ---- neurons ----

    def _lif(self, name: str, node: nir.LIF, signal: Signal) -> Signal:
        constants = self._constants(name, node, signal, "r", "v_leak", "v_reset", "v_threshold")
        if not np.array_equal(constants["v_leak"], constants["v_reset"]):
            self._refuse(name, "its v_leak is not its v_reset; "
                               "the membrane of a spiking layer starts, rests and is reset at one value")
        steps = self._steps(name, "tau", node.tau, signal)
        if self.subtract:
            return self._leaky(name, signal, 1 / steps, constants)
        if steps < SHORTEST_TAU:
            self._refuse(name, f"its tau is {steps:g} steps of {self.dt:g}; expected more than 1 (see --dt)")
        undivided = constants["r"] / steps
        decay_input = not np.allclose(undivided, 1, rtol=SAME, atol=0)
        neuron = {"kind": "lif", "tau": float(f"{steps:.12g}"), "decay_input": decay_input}
        gain = constants["r"] if decay_input else undivided
        return self._spiking(name, signal, neuron, gain, constants["v_threshold"], constants["v_reset"])

    def _if(self, name: str, node: nir.IF, signal: Signal) -> Signal:
        if self.subtract:
            self._refuse(name, "snnTorch's neurons, which --reset-by-subtraction is for, are nodes of the type LIF")
        constants = self._constants(name, node, signal, "r", "v_reset", "v_threshold")
        neuron = {"kind": "lif", "tau": NO_LEAK, "decay_input": False}
        threshold = constants["v_threshold"] - constants["v_reset"]  # counted from v_reset: it has no leak to it
        return self._spiking(name, signal, neuron, constants["r"] * self.dt, threshold, np.zeros(1))

    def _cuba_lif(self, name: str, node: nir.CubaLIF, signal: Signal) -> Signal:
        """Only one whose synapse forgets within a step: then its current is w_in times the input of the same step."""
        steps = self._steps(name, "tau_syn", node.tau_syn, signal)
        if abs(steps - 1) > SAME:
            self._refuse(name, f"its tau_syn is {steps:g} steps of {self.dt:g}; "
                               "synaptic currents have no counterpart, except that of tau_syn = dt")
        if np.size(node.w_in) != 1 and np.shape(node.w_in) != np.shape(node.r):
            self._refuse(name, "its w_in has not the shape of r")
        same = nir.LIF(tau=node.tau_mem, r=node.r * node.w_in, v_leak=node.v_leak, v_threshold=node.v_threshold,
                       v_reset=node.v_reset)
        return self._lif(name, same, signal)

    def _constants(self, name: str, node: nir.NIRNode, signal: Signal, *keys: str) -> dict[str, np.ndarray]:
        """One number each, or one a channel."""
        return {key: self._by_channel(name, key, getattr(node, key), signal.shape) for key in keys}

    def _by_channel(self, name: str, key: str, values: object, shape: Shape) -> np.ndarray:
        """[1] where all values are equal, else [channels]."""
        values = np.asarray(values, float)
        if values.size == 0 or (values.size != 1 and values.shape not in (shape, (shape[0], *(1 for _ in shape[1:])))):
            self._refuse(name, f"its {key} is {_text(values.shape)}, but what comes is {_text(shape)}")
        rows = values.reshape(-1, 1) if values.size == 1 else values.reshape(shape[0], -1)
        if np.ptp(rows, axis=1).any():
            self._refuse(name, f"its {key} differs within a channel; expected one value a channel")
        return rows[:, 0] if np.ptp(rows) else rows[:1, 0]

    def _steps(self, name: str, key: str, values: object, signal: Signal) -> float:
        """A time constant in time steps, the same for all neurons."""
        constant = self._by_channel(name, key, values, signal.shape)
        if constant.size != 1:
            self._refuse(name, f"its {key} differs between neurons, from {constant.min():g} to {constant.max():g}; "
                               "a spiking layer has one")
        if constant[0] <= 0:
            self._refuse(name, f"its {key} is {constant[0]:g}, expected above 0")
        return constant[0] / self.dt

    def _leaky(self, name: str, signal: Signal, decay: float, constants: dict[str, np.ndarray]) -> Signal:
        """snnTorch's Leaky: v' = beta v + i, less the threshold in the step after a spike."""
        if constants["v_reset"].any():
            self._refuse(name, "its v_reset is not 0, which --reset-by-subtraction asks for")
        if decay > 1 + SAME:
            self._refuse(name, f"its tau is {1 / decay:g} steps of {self.dt:g}; expected at least 1 (see --dt)")
        neuron = {"kind": "leaky", "beta": _single(max(0.0, 1 - decay))}
        return self._spiking(name, signal, neuron, constants["r"] * decay, constants["v_threshold"], np.zeros(1))

    def _spiking(self, name: str, signal: Signal, neuron: dict, gain: np.ndarray, threshold: np.ndarray,
                 reset: np.ndarray) -> Signal:
        """gain: what a step adds to the membrane for an input of 1; membranes are counted in it, or in thresholds."""
        gain = gain * signal.scale
        gain = np.ones(1) if np.allclose(gain, 1, rtol=SAME, atol=0) else gain
        if max(gain.size, threshold.size, reset.size) == 1 and 0 < gain[0] < np.inf:
            threshold, reset = threshold / gain, reset / gain
        else:
            if not (threshold > reset).all():
                self._refuse(name, "its v_threshold is not above its v_reset, "
                                   "and its constants differ between neurons or r is not above 0")
            self._scale_weights(name, "r or v_threshold", signal, gain / (threshold - reset))
            threshold, reset = np.ones(1), np.zeros(1)
        return self._spiking_layer(name, signal, neuron, threshold[0], reset[0])

    def _spiking_layer(self, name: str, signal: Signal, neuron: dict, threshold: float, reset: float) -> Signal:
        tau = neuron.get("tau", 0)
        if max(abs(threshold), abs(reset), tau) > LARGEST_CONSTANT or 0 < abs(threshold) < SMALLEST_THRESHOLD:
            self._refuse(name, f"in units of the input of one step its threshold is {threshold:g}, its v_reset {reset:g} "
                               f"and its tau {tau:g}; expected at most {LARGEST_CONSTANT:g}, "
                               f"and a threshold of at least {SMALLEST_THRESHOLD:g}")
        if neuron["kind"] == "leaky":
            neuron = {**neuron, "threshold": _single(threshold)}
        else:  # `lif` spikes at its threshold, NIR's neurons above it
            above = np.nextafter(np.float32(threshold), np.float32(np.inf))
            neuron = {**neuron, "threshold": _single(above), "reset": "hard", "v_reset": _single(reset)}
        return Signal(self._add(name, "spiking", signal, neuron=neuron), signal.shape, (name,))

    def _scale_weights(self, name: str, what: str, signal: Signal, factor: np.ndarray) -> None:
        """Multiply the filters of the layer before, which nothing else may use."""
        weight = f"{signal.layer}.weight"
        if weight not in self.tensors or not signal.nodes or any(self._n_users[node] != 1 for node in signal.nodes):
            self._refuse(name, f"its {what} differs between neurons, or is not above 0, and there is no Conv2d, Affine "
                               "or Linear directly before it, and for it alone, whose weights could be scaled")
        self.tensors[weight] = self.tensors[weight] * factor.reshape(-1, *(1 for _ in self.tensors[weight].shape[1:]))
        if f"{signal.layer}.bias" in self.tensors:
            self.tensors[f"{signal.layer}.bias"] = self.tensors[f"{signal.layer}.bias"] * factor

    # ---- numbers ----

    def _whole(self, name: str, key: str, value: object) -> int:
        number = np.ravel(value)
        if number.size != 1 or number.dtype.kind not in "iuf" or number[0] != np.floor(number[0]) or \
                abs(number[0]) > LARGEST_WHOLE:
            self._refuse(name, f"its {key} is no whole number, or beyond measure")
        return int(number[0])

    def _pair(self, name: str, key: str, value: object) -> tuple[int, int]:
        """Of height and width; one number stands for both."""
        values = np.ravel(value)
        if values.size not in (1, 2):
            self._refuse(name, f"its {key} is {_text(np.shape(value))}, expected two numbers")
        return self._whole(name, key, values[0]), self._whole(name, key, values[-1])

    def _one_number(self, name: str, key: str, pair: tuple[int, int], low: int, high: int) -> int:
        if pair[0] != pair[1] or not low <= pair[0] <= high:
            self._refuse(name, f"its {key} is {pair[0]} x {pair[1]}, expected two equal numbers from {low} to {high}")
        return pair[0]

    def _check_size(self, name: str, n_values: int) -> None:
        if n_values > LARGEST_VALUES:
            self._refuse(name, f"its filters have {n_values} values once groups and dilation are written out; "
                               f"expected at most {LARGEST_VALUES}")

    def _finish(self, last: str) -> None:
        """The network's output is that of its last layer."""
        signal = self._signals[last]
        if signal.layer == "input" or int(np.prod(signal.shape[1:])) != 1:
            self._refuse(last, f"what comes is {_text(signal.shape)}; expected one number a class")
        if signal.scale != 1:
            self._scale_weights(last, "scale", signal, np.full(1, signal.scale))
        self.n_classes = signal.shape[0]


CONVERSIONS: dict[type, Callable[[Importer, str, nir.NIRNode, Signal], Signal]] = {
    nir.Affine: Importer._linear, nir.AvgPool2d: Importer._pool, nir.Conv2d: Importer._convolution,
    nir.CubaLIF: Importer._cuba_lif, nir.Flatten: Importer._flatten, nir.IF: Importer._if, nir.Input: Importer._through,
    nir.LIF: Importer._lif, nir.Linear: Importer._linear, nir.Output: Importer._through, nir.Scale: Importer._scale,
    nir.SumPool2d: Importer._pool}


def _single(value: float) -> float:
    """A number that reads back as the same float32, without more digits than that takes."""
    return float(f"{np.float32(value):.9g}")


def _text(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "a single number"
