# SPDX-License-Identifier: MIT
"""From a state as it was read to the safetensors file of an architecture."""
import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch

from .architecture import Architecture
from .refusal import Refused
from .sources import State

# Tensors that inference does not need, with the reason printed when they are dropped.
DROPPED = (
    (re.compile(r"(^|\.)num_batches_tracked$"), "counter of batch norm, used in training only"),
    (re.compile(r"(^|\.)sn_(u|sigma)$"), "state of spectral normalisation, used in training only"),
    (re.compile(r"^_vq_vae\._ema_(w|cluster_size)$"), "moving average of codebook training"),
)
# snnTorch's Leaky keeps its constants as tensors; the architecture file states them.
LEAKY_CONSTANTS = ("threshold", "beta", "graded_spikes_factor", "reset_mechanism_val")
RESET_BY_SUBTRACTION = 0


@dataclass
class Conversion:
    """The tensors to write, and what was done to get them."""

    tensors: State
    dropped: dict[str, str] = field(default_factory=dict)  # name -> reason
    rounded: list[str] = field(default_factory=list)       # matrices whose values changed
    divided: list[str] = field(default_factory=list)       # weights divided by their spectral norm

    def count(self, dtype: torch.dtype) -> int:
        return sum(tensor.dtype == dtype for tensor in self.tensors.values())


def convert(state: State, architecture: Architecture, round_to_half: bool = False,
            fold_spectral_norm: bool = False) -> Conversion:
    """Drop what inference does not need, check every tensor against the architecture, choose its precision."""
    result = Conversion(dict(state))
    if fold_spectral_norm:
        _divide_by_spectral_norm(result)
    _drop_leaky_constants(result, architecture)
    _drop_known(result, architecture)
    used = architecture.read_tensors(result.tensors)
    unexpected = [name for name in result.tensors if name not in used and not architecture.is_unused(name)]
    if unexpected:
        raise Refused(f"{architecture.path} has no layer for {', '.join(unexpected[:8])}"
                      f"{f' and {len(unexpected) - 8} more' if len(unexpected) > 8 else ''}")
    result.tensors = {name: _stored(name, tensor, round_to_half, result.rounded)
                      for name, tensor in sorted(result.tensors.items())}
    return result


def _divide_by_spectral_norm(result: Conversion) -> None:
    """weight / sigma as a spectrally normalised layer computes it in evaluation: one power iteration from sn_u."""
    for key in [name for name in result.tensors if name.endswith(".sn_u")]:
        name = key.removesuffix("sn_u") + "weight"
        if name not in result.tensors:
            raise Refused(f"{key}: there is no {name} that it belongs to")
        weight, u = result.tensors[name].float(), result.tensors[key].float()
        matrix = weight.flatten(1)
        v = torch.nn.functional.normalize(u @ matrix, eps=1e-12)
        u = torch.nn.functional.normalize(v @ matrix.t(), eps=1e-12)
        result.tensors[name] = weight / (u @ matrix @ v.t())
        result.divided.append(name)


def _drop_leaky_constants(result: Conversion, architecture: Architecture) -> None:
    """The constants of snnTorch's Leaky layers, after a comparison with the architecture file."""
    for layer in architecture.spiking_layers():
        neuron, prefix = architecture.neuron(layer), layer.get("prefix", layer["name"])
        expected = {"threshold": neuron["threshold"], "beta": neuron["beta"], "graded_spikes_factor": 1,
                    "reset_mechanism_val": RESET_BY_SUBTRACTION}
        for name in LEAKY_CONSTANTS:
            tensor = result.tensors.pop(f"{prefix}.{name}", None)
            if tensor is None:
                continue
            if neuron.get("kind") != "leaky" or not torch.all(tensor.float() == torch.tensor(float(expected[name]))):
                raise Refused(f"{prefix}.{name} is {tensor.tolist()}, but {architecture.path} says {neuron}: "
                              "correct the neuron of that layer in the architecture file")
            result.dropped[f"{prefix}.{name}"] = "neuron constant, equal to the architecture file's"


def _drop_known(result: Conversion, architecture: Architecture) -> None:
    for name in list(result.tensors):
        for pattern, reason in DROPPED:
            if pattern.search(name) and not architecture.is_unused(name):
                del result.tensors[name]
                result.dropped[name] = reason


def _stored(name: str, tensor: torch.Tensor, round_to_half: bool, rounded: list[str]) -> torch.Tensor:
    """The tensor as it is stored: vectors float32, matrices float16 where nothing is lost or where told to round."""
    if not tensor.is_floating_point():
        raise Refused(f"{name} holds {tensor.dtype}, not real numbers")
    if not torch.isfinite(tensor).all():
        raise Refused(f"{name} holds {int((~torch.isfinite(tensor)).sum())} values that are not finite")
    single = tensor.float()
    if not torch.equal(single.to(tensor.dtype), tensor):
        raise Refused(f"{name} holds {tensor.dtype} values that float32 cannot hold; convert the network with .float() first")
    if single.dim() <= 1:
        return single.contiguous()
    half = single.half()
    if torch.equal(half.float(), single):
        return half.contiguous()
    if not round_to_half:
        return single.contiguous()
    if not torch.isfinite(half).all():
        raise Refused(f"{name} holds values beyond the range of float16; import without --round-to-half")
    rounded.append(name)
    return half.contiguous()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(result: Conversion, output: Path, source: Path | None, source_group: str | None, seed: int | None = None) -> None:
    """Write the safetensors file, equal bytes for equal input.

    One metadata key only: the order of several is not fixed by the safetensors library.
    """
    origin = {"untrained_seed": seed} if source is None else {"source": source.name, "source_group": source_group,
                                                              "source_sha256": sha256(source)}
    provenance = {**origin,
                  "float16": result.count(torch.float16), "float32": result.count(torch.float32),
                  "rounded_to_half": result.rounded, "divided_by_spectral_norm": result.divided,
                  "dropped": sorted(result.dropped)}
    part = output.with_name(output.name + ".part")
    part.write_bytes(safetensors.torch.save(result.tensors, {"provenance": json.dumps(provenance)}))
    part.replace(output)
