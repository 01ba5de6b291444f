# SPDX-License-Identifier: MIT
"""What an architecture file asks of its tensors: their names, and shapes that fit together."""
from collections.abc import Iterator
from pathlib import Path

import torch
import yaml

from .refusal import Refused

FORMAT = "meicensus model 1"
BATCH_NORM_VECTORS = ("weight", "bias", "running_mean", "running_var")
Shape = tuple[int, ...]  # (channels, height, width), or (features,) once flat


class Architecture:
    """One architecture file."""

    def __init__(self, path: Path):
        self.path = path
        try:
            self.content = yaml.safe_load(path.read_text())
        except (OSError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
            raise Refused(f"{path}: {error}") from error
        if not isinstance(self.content, dict) or self.content.get("format") != FORMAT:
            raise Refused(f"{path}: not an architecture file (its first key should be 'format: {FORMAT}')")
        self._check_keys()
        self.layers: list[dict] = self.content["layers"]
        self.shapes: dict[str, Shape] = {}  # of the input and what each layer gives, once read_tensors was called

    def _check_keys(self) -> None:
        missing = [key for key in ("name", "tensors", "layers") if key not in self.content]
        missing += ["latent or input"] * ("latent" not in self.content and "input" not in self.content)
        if missing:
            raise Refused(f"{self.path}: misses {', '.join(missing)}")
        self._check_types()
        for number, layer in enumerate(self.content["layers"], 1):
            if not isinstance(layer, dict) or not _is_text(layer.get("name")) or str(layer.get("kind")) not in _SHAPES:
                raise Refused(f"{self.path}: layer {number} has no name or an unknown kind: {layer}")
            self._check_mapping(layer, "neuron", f"neuron' of layer '{layer['name']}")

    def _check_types(self) -> None:
        for key in ("name", "tensors"):
            if not _is_text(self.content[key]):
                raise Refused(f"{self.path}: '{key}' is {self.content[key]!r}, expected a text")
        for key in ("layers", "unused_tensors"):
            if not isinstance(self.content.get(key, []), list):
                raise Refused(f"{self.path}: '{key}' is {self.content[key]!r}, expected a list")
        for prefix in self.content.get("unused_tensors", []):
            if not isinstance(prefix, str):
                raise Refused(f"{self.path}: 'unused_tensors' holds {prefix!r}, expected prefixes of tensor names")
        self._check_mapping(self.content, "neuron", "neuron")
        self._check_mapping(self.content, "latent", "latent", "dimensions")
        self._check_mapping(self.content, "input", "input", "channels", "height", "width")

    def _check_mapping(self, content: dict, key: str, name: str, *sizes: str) -> None:
        """That what is there under `key` is a mapping, with these sizes."""
        mapping = content.get(key, dict.fromkeys(sizes, 1))
        if not isinstance(mapping, dict):
            raise Refused(f"{self.path}: '{name}' is {mapping!r}, expected a mapping")
        for size in sizes:
            if type(mapping.get(size)) is not int or mapping[size] < 1:
                raise Refused(f"{self.path}: '{size}' of '{name}' is {mapping.get(size)!r}, expected a whole number above 0")

    @property
    def name(self) -> str:
        return self.content["name"]

    @property
    def tensors_path(self) -> Path:
        return self.path.parent / str(self.content["tensors"])

    def neuron(self, layer: dict) -> dict:
        """Constants of a spiking layer: its own, else those of the network; with the defaults of Leaky."""
        return {"beta": 0.9, "threshold": 1.0, **layer.get("neuron", self.content.get("neuron", {}))}

    def is_unused(self, tensor: str) -> bool:
        """Whether the file keeps this tensor although no layer reads it."""
        return any(tensor == prefix or tensor.startswith(prefix + ".") for prefix in self.content.get("unused_tensors", []))

    def spiking_layers(self) -> Iterator[dict]:
        return (layer for layer in self.layers if layer["kind"] == "spiking")

    def input_shape(self) -> Shape:
        latent, image = self.content.get("latent"), self.content.get("input")
        return (latent["dimensions"],) if latent else (image["channels"], image["height"], image["width"])

    def read_tensors(self, state: dict[str, torch.Tensor]) -> set[str]:
        """Names of the tensors that the layers read; refuses a missing tensor or a shape that does not fit."""
        used: set[str] = set()
        shape = self.input_shape()
        shapes = self.shapes = {"input": shape}
        for layer in self.layers:
            tensors = _LayerTensors(self.path, layer, state)
            try:
                inputs = layer.get("inputs", [layer["from"]] if "from" in layer else [])
                before = [shapes[name] for name in inputs] or [shape]
                shape = shapes[layer["name"]] = _SHAPES[layer["kind"]](layer, before, tensors)
            except (KeyError, ValueError, TypeError, IndexError, ZeroDivisionError) as error:
                raise Refused(f"{self.path}: layer {layer['name']}: a key or an earlier layer is missing, a number is "
                              f"wrong, or its input has the wrong number of dimensions ({type(error).__name__}: {error})") from error
            used |= tensors.used
        return used


def _is_text(value: object) -> bool:
    """Whether YAML has one word or number there; a name may be a number."""
    return value is not None and not isinstance(value, (list, dict))


class _LayerTensors:
    """The tensors of one layer; remembers which were read."""

    def __init__(self, path: Path, layer: dict, state: dict[str, torch.Tensor]):
        self.path, self.layer, self.state = path, layer, state
        self.used: set[str] = set()

    def shape(self, suffix: str) -> Shape | None:
        name = f"{self.layer.get('prefix', self.layer['name'])}.{suffix}"
        if name not in self.state:
            return None
        self.used.add(name)
        return tuple(self.state[name].shape)

    def expect(self, suffix: str, expected: tuple[int | None, ...]) -> Shape:
        """Shape of a tensor that must be there; None in `expected` is any size."""
        shape = self.shape(suffix)
        if shape is None:
            self.refuse(suffix, "is missing")
        if len(shape) != len(expected) or any(e is not None and e != s for e, s in zip(expected, shape)):
            wanted = " x ".join("any" if e is None else str(e) for e in expected)
            self.refuse(suffix, f"has the shape {' x '.join(map(str, shape)) or 'of a single number'}, expected {wanted}")
        return shape

    def optional_bias(self, n_channels: int) -> None:
        if self.shape("bias") is not None:
            self.expect("bias", (n_channels,))

    def refuse(self, suffix: str, fault: str) -> None:
        name = f"{self.layer.get('prefix', self.layer['name'])}.{suffix}"
        raise Refused(f"{name} {fault} ({self.path}: layer {self.layer['name']}, {self.layer['kind']})")


def _stride(layer: dict) -> int:
    return layer.get("stride", 1)


def _padding(layer: dict) -> int:
    return layer.get("padding", 0)


def _window(layer: dict, size: int, kernel: int) -> int:
    return (size + 2 * _padding(layer) - kernel) // _stride(layer) + 1


def _convolution(layer: dict, before: list[Shape], tensors: _LayerTensors) -> Shape:
    channels, height, width = before[0]
    out, _, kernel_height, kernel_width = tensors.expect("weight", (None, channels, None, None))
    tensors.optional_bias(out)
    return out, _window(layer, height, kernel_height), _window(layer, width, kernel_width)


def _transposed_convolution(layer: dict, before: list[Shape], tensors: _LayerTensors) -> Shape:
    channels, height, width = before[0]
    _, out, kernel_height, kernel_width = tensors.expect("weight", (channels, None, None, None))
    tensors.optional_bias(out)
    return out, *((size - 1) * _stride(layer) - 2 * _padding(layer) + kernel
                  for size, kernel in ((height, kernel_height), (width, kernel_width)))


def _linear(layer: dict, before: list[Shape], tensors: _LayerTensors) -> Shape:
    out, _ = tensors.expect("weight", (None, _n_values(before[0])))
    tensors.optional_bias(out)
    return (out,)


def _batch_norm(_: dict, before: list[Shape], tensors: _LayerTensors) -> Shape:
    for suffix in BATCH_NORM_VECTORS:
        tensors.expect(suffix, (before[0][0],))
    return before[0]


def _pool(layer: dict, before: list[Shape], _: _LayerTensors) -> Shape:
    channels, *sizes = before[0]
    return channels, *(_window(layer, size, layer["kernel"]) for size in sizes)


def _embedding(layer: dict, _: list[Shape], tensors: _LayerTensors) -> Shape:
    return tensors.expect("weight", (None, None))[1], layer["height"], layer["width"]


def _nearest_row(_: dict, before: list[Shape], tensors: _LayerTensors) -> Shape:
    channels, height, width = before[0]
    tensors.expect("weight", (None, channels))
    return 1, height, width


def _unflatten(layer: dict, before: list[Shape], _: _LayerTensors) -> Shape:
    return _n_values(before[0]) // (layer["height"] * layer["width"]), layer["height"], layer["width"]


def _n_values(shape: Shape) -> int:
    return int(torch.Size(shape).numel())


def _same(_: dict, before: list[Shape], __: _LayerTensors) -> Shape:
    return before[0]


def _add(_: dict, before: list[Shape], __: _LayerTensors) -> Shape:
    if before[0] != before[1]:
        raise ValueError(f"inputs of the shapes {before[0]} and {before[1]}")
    return before[0]


def _concatenate(_: dict, before: list[Shape], __: _LayerTensors) -> Shape:
    first, second = before
    if first[1:] != second[1:]:
        raise ValueError(f"inputs of the shapes {first} and {second}")
    return first[0] + second[0], *first[1:]


_SHAPES = {
    "convolution": _convolution,
    "transposed_convolution": _transposed_convolution,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "max_pool": _pool,
    "average_pool": _pool,
    "embedding": _embedding,
    "nearest_row": _nearest_row,
    "unflatten": _unflatten,
    "flatten": lambda _, before, __: (_n_values(before[0]),),
    "global_mean": lambda _, before, __: (before[0][0], 1, 1),
    "upsample": lambda _, before, __: (before[0][0], 2 * before[0][1], 2 * before[0][2]),
    "spiking": _same,
    "relu": _same,
    "tanh": _same,
    "add": _add,
    "concatenate": _concatenate,
}
