# SPDX-License-Identifier: MIT
"""From an architecture file and its tensors to a NIR graph; the inverse of nir_import.py.

What NIR cannot say is refused by the name of the layer: maxima, ReLU, concatenations, resets by subtraction. Batch
norms are folded into the weights before them, as the program folds them.
"""
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import nir
import numpy as np

from .architecture import BATCH_NORM_VECTORS, Architecture
from .nir_import import NO_LEAK
from .refusal import Refused
from .sources import State

LIF_DEFAULTS = {"tau": 2.0, "decay_input": True, "reset": "hard", "v_reset": 0.0, "threshold": 1.0}
EPSILON = 1e-5  # of batch norms


class Exporter:
    """Lists nodes and edges, layer by layer."""

    def __init__(self, architecture: Architecture, state: State, dt: float):
        self.architecture, self.dt = architecture, dt
        self.state = {name: tensor.double().numpy() for name, tensor in state.items()}
        self.nodes: dict[str, nir.NIRNode] = {}
        self.edges: list[tuple[str, str]] = []
        self._givers: dict[str, list[str]] = {}   # layer -> the nodes whose sum it gives
        self._inputs: dict[str, list[str]] = {}   # layer -> the layers it takes
        architecture.read_tensors(state)

    def run(self) -> nir.NIRGraph:
        content = self.architecture.content
        if "input" not in content:
            raise Refused(f"{self.architecture.path}: takes no image; only subjects can be exported")
        self._link()
        self.nodes["input"] = nir.Input(input_type=self._shape("input"))
        self._givers["input"] = ["input"]
        for layer in self.architecture.layers:
            if layer["kind"] not in NODES:
                self._refuse(layer, "NIR has no node of this kind")
            NODES[layer["kind"]](self, layer)
        last = self.architecture.layers[-1]["name"]
        self._connect("output", nir.Output(output_type=self._shape(last)), [last])
        try:
            return nir.NIRGraph(self.nodes, self.edges)
        except Exception as error:  # nir checks with assert and several kinds of errors
            fault = f"NIR refuses the network ({type(error).__name__}: {error})"
            raise Refused(f"{self.architecture.path}: {fault}") from error

    def write(self, path: Path) -> None:
        graph = self.run()
        part = path.with_name(path.name + ".part")
        nir.write(part, graph)
        part.replace(path)

    def _link(self) -> None:
        before = "input"
        for layer in self.architecture.layers:
            self._inputs[layer["name"]] = layer.get("inputs", [layer.get("from", before)])
            before = layer["name"]

    def _refuse(self, layer: dict, fault: str) -> NoReturn:
        raise Refused(f"{self.architecture.path}: layer {layer['name']}, {layer['kind']}: {fault}")

    def _shape(self, layer: str) -> np.ndarray:
        return np.array(self.architecture.shapes[layer])

    def _connect(self, name: str, node: nir.NIRNode, inputs: list[str]) -> None:
        if name in self.nodes:
            raise Refused(f"{self.architecture.path}: a layer cannot be called {name!r}: NIR's own node has that name")
        self.nodes[name] = node
        self.edges += [(giver, name) for layer in inputs for giver in self._givers[layer]]

    def _node(self, layer: dict, node: nir.NIRNode) -> None:
        self._connect(layer["name"], node, self._inputs[layer["name"]])
        self._givers[layer["name"]] = [layer["name"]]

    def _passed(self, layer: dict) -> None:
        """A layer that gives what comes."""
        self._givers[layer["name"]] = self._givers[self._inputs[layer["name"]][0]]

    # ---- weights ----

    def _weights(self, layer: dict) -> tuple[np.ndarray, np.ndarray | None]:
        """Weight and bias, with the batch norm behind; float32."""
        prefix = layer.get("prefix", layer["name"])
        weight, bias = self.state[f"{prefix}.weight"], self.state.get(f"{prefix}.bias")
        norm = self._norm_behind(layer["name"])
        if norm is not None:
            prefix = norm.get("prefix", norm["name"])
            own = {suffix: self.state[f"{prefix}.{suffix}"] for suffix in BATCH_NORM_VECTORS}
            gain = own["weight"] / np.sqrt(own["running_var"] + norm.get("epsilon", EPSILON))
            weight = weight * gain.reshape(-1, *(1 for _ in weight.shape[1:]))
            bias = gain * (0.0 if bias is None else bias) + (own["bias"] - own["running_mean"] * gain)
        return weight.astype(np.float32), None if bias is None else bias.astype(np.float32)

    def _norm_behind(self, name: str) -> dict | None:
        layers = self.architecture.layers
        users = [layer for layer in layers for source in self._inputs[layer["name"]] if source == name]
        return users[0] if len(users) == 1 and users[0]["kind"] == "batch_norm" else None

    def _convolution(self, layer: dict) -> None:
        weight, bias = self._weights(layer)
        stride, padding = layer.get("stride", 1), layer.get("padding", 0)
        _, height, width = self.architecture.shapes[self._inputs[layer["name"]][0]]
        bias = np.zeros(len(weight), np.float32) if bias is None else bias
        self._node(layer, nir.Conv2d(input_shape=(height, width), weight=weight, stride=(stride, stride),
                                     padding=(padding, padding), dilation=(1, 1), groups=1, bias=bias))

    def _linear(self, layer: dict) -> None:
        weight, bias = self._weights(layer)
        self._node(layer, nir.Linear(weight) if bias is None else nir.Affine(weight, bias))

    def _batch_norm(self, layer: dict) -> None:
        before = self._inputs[layer["name"]][0]
        kind = next((other["kind"] for other in self.architecture.layers if other["name"] == before), None)
        if kind not in ("convolution", "linear") or self._norm_behind(before) is not layer:
            self._refuse(layer, "NIR has no batch norm, and there is no convolution or linear layer before this one, "
                                "and for it alone, that it could be folded into")
        self._passed(layer)

    # ---- the rest ----

    def _spiking(self, layer: dict) -> None:
        neuron = {**LIF_DEFAULTS, **layer.get("neuron", self.architecture.content.get("neuron", {}))}
        if neuron.get("kind") != "lif" or neuron["reset"] != "hard":
            self._refuse(layer, "its neurons are reset by subtraction; NIR's are set to v_reset")
        shape = self._shape(layer["name"])
        # Ours spike at their threshold, NIR's above it.
        threshold, v_reset = (np.full(shape, value, np.float32) for value in (neuron["threshold"], neuron["v_reset"]))
        threshold = np.nextafter(threshold, np.float32(-np.inf))
        tau = neuron["tau"]
        if tau == NO_LEAK and not neuron["decay_input"]:
            self._node(layer, nir.IF(r=np.full(shape, 1 / self.dt), v_threshold=threshold, v_reset=v_reset))
        else:
            r = np.full(shape, 1.0 if neuron["decay_input"] else tau)
            self._node(layer, nir.LIF(tau=np.full(shape, tau * self.dt), r=r, v_leak=v_reset, v_threshold=threshold,
                                      v_reset=v_reset))

    def _average_pool(self, layer: dict) -> None:
        kernel, stride, padding = (np.array([layer.get(key, 0)] * 2) for key in ("kernel", "stride", "padding"))
        self._node(layer, nir.AvgPool2d(kernel_size=kernel, stride=stride, padding=padding))

    def _global_mean(self, layer: dict) -> None:
        side = self.architecture.shapes[self._inputs[layer["name"]][0]][1:]
        self._node(layer, nir.AvgPool2d(kernel_size=np.array(side), stride=np.array(side), padding=np.zeros(2, int)))

    def _flatten(self, layer: dict) -> None:
        shape = self._shape(self._inputs[layer["name"]][0])
        self._node(layer, nir.Flatten(input_type={"input": shape}, start_dim=0, end_dim=-1))

    def _add(self, layer: dict) -> None:
        givers = [giver for name in self._inputs[layer["name"]] for giver in self._givers[name]]
        if len(set(givers)) != len(givers):
            self._refuse(layer, "adds one thing to itself; in NIR two nodes have one edge at most")
        self._givers[layer["name"]] = givers


NODES: dict[str, Callable[[Exporter, dict], None]] = {
    "convolution": Exporter._convolution, "linear": Exporter._linear, "batch_norm": Exporter._batch_norm,
    "spiking": Exporter._spiking, "average_pool": Exporter._average_pool, "global_mean": Exporter._global_mean,
    "flatten": Exporter._flatten, "add": Exporter._add}
