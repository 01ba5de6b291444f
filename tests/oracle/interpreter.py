# SPDX-License-Identifier: MIT
"""Run an architecture file in PyTorch, layer by layer: what the YAML says, independent of any package's network.

Used to show that an architecture file describes the network whose weights it names.
"""
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
import yaml

Tensor = torch.Tensor


def load(path: Path) -> tuple[dict, dict[str, Tensor]]:
    """An architecture file and its tensors, as float32."""
    architecture = yaml.safe_load(path.read_text())
    tensors = safetensors.torch.load_file(path.parent / architecture["tensors"])
    return architecture, {name: tensor.float() for name, tensor in tensors.items()}


@torch.no_grad()
def run(architecture: dict, tensors: dict[str, Tensor], values: Tensor) -> dict[str, Tensor]:
    """Output of every layer, [T][N]...; `values` [N]... is shown at each of T steps (1 where nothing spikes)."""
    states: dict[str, Tensor] = {}
    steps = [_step(architecture, tensors, values, states) for _ in range(architecture.get("timesteps", 1))]
    return {name: torch.stack([step[name] for step in steps]) for name in steps[0]}


def _step(architecture: dict, tensors: dict[str, Tensor], values: Tensor, states: dict[str, Tensor]) -> dict[str, Tensor]:
    outputs: dict[str, Tensor] = {}
    for layer in architecture["layers"]:
        name, prefix = layer["name"], layer.get("prefix", layer["name"])
        inputs = [outputs[i] for i in layer.get("inputs", [layer["from"]] if "from" in layer else [])] or [values]
        own = {suffix: tensors.get(f"{prefix}.{suffix}") for suffix in ("weight", "bias", "running_mean", "running_var")}
        if layer["kind"] == "spiking":
            neuron = layer.get("neuron", architecture.get("neuron"))
            values, states[name] = NEURONS[neuron["kind"]](neuron, inputs[0], states.get(name))
        else:
            values = KINDS[layer["kind"]](layer, own, *inputs)
        outputs[name] = values
    return outputs


def lif(neuron: dict, current: Tensor, membrane: Tensor | None) -> tuple[Tensor, Tensor]:
    """SpikingJelly's LIFNode: spikes, membrane."""
    soft = neuron["reset"] == "soft"
    v_reset = 0.0 if soft else neuron["v_reset"]
    v = torch.full_like(current, v_reset) if membrane is None else membrane
    tau, threshold = neuron["tau"], neuron["threshold"]
    h = v + (current - (v - v_reset)) / tau if neuron["decay_input"] else v - (v - v_reset) / tau + current
    spikes = (h >= threshold).float()
    return spikes, h - spikes * threshold if soft else (1 - spikes) * h + spikes * v_reset


def leaky(neuron: dict, current: Tensor, membrane: Tensor | None) -> tuple[Tensor, Tensor]:
    """snnTorch's Leaky, reset by subtraction one step after the spike: spikes, membrane."""
    u = torch.zeros_like(current) if membrane is None else membrane
    u = neuron["beta"] * u + current - (u > neuron["threshold"]).float() * neuron["threshold"]
    return (u > neuron["threshold"]).float(), u


NEURONS = {"lif": lif, "leaky": leaky}


def _batch_norm(layer: dict, own: dict, x: Tensor) -> Tensor:
    return F.batch_norm(x, own["running_mean"], own["running_var"], own["weight"], own["bias"], eps=layer.get("epsilon", 1e-5))


def _embedding(layer: dict, own: dict, x: Tensor) -> Tensor:
    rows = F.embedding(x, own["weight"])  # [N][height * width][dimension]
    return rows.transpose(1, 2).reshape(len(x), -1, layer["height"], layer["width"])


def _nearest_row(_: dict, own: dict, x: Tensor) -> Tensor:
    distances = (x.unsqueeze(1) - own["weight"][None, :, :, None, None]).square().sum(2)  # [N][row][height][width]
    return distances.argmin(1, keepdim=True).float()


KINDS = {
    "convolution": lambda l, own, x: F.conv2d(x, own["weight"], own["bias"], l["stride"], l["padding"]),
    "transposed_convolution": lambda l, own, x: F.conv_transpose2d(x, own["weight"], own["bias"], l["stride"], l["padding"]),
    "linear": lambda l, own, x: F.linear(x, own["weight"], own["bias"]),
    "batch_norm": _batch_norm,
    "relu": lambda l, own, x: F.relu(x),
    "tanh": lambda l, own, x: torch.tanh(x),
    "max_pool": lambda l, own, x: F.max_pool2d(x, l["kernel"], l["stride"], l["padding"]),
    "average_pool": lambda l, own, x: F.avg_pool2d(x, l["kernel"], l["stride"], l["padding"]),
    "global_mean": lambda l, own, x: x.mean((2, 3), keepdim=True),
    "flatten": lambda l, own, x: x.flatten(1),
    "unflatten": lambda l, own, x: x.view(len(x), -1, l["height"], l["width"]),
    "add": lambda l, own, x, y: x + y,
    "concatenate": lambda l, own, x, y: torch.cat([x, y], 1),
    "upsample": lambda l, own, x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False),
    "embedding": _embedding,
    "nearest_row": _nearest_row,
}
