# SPDX-License-Identifier: MIT
"""Read a NIR file, the HDF5 form of the neuromorphic intermediate representation, into nodes and edges.

The file is looked through before anything of it is believed: only plain groups, numbers and texts, no links to other
places, no more values than could be meant. Each node is then made by the package nir.
"""
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import h5py
import nir
import numpy as np

from .refusal import Refused
from .sources import HDF5_MAGIC

LARGEST_BYTES = 1 << 30  # of all values together, once unpacked
LARGEST_COUNT, LARGEST_DEPTH = 100_000, 24  # of groups and datasets, of texts in a dataset; of groups in groups
NAME = re.compile(r"[!-.0-~]([ -.0-~]{0,126}[!-.0-~])?")  # ASCII without '/', no space at its ends
TEXTS = ("version", "type", "edges", "padding")
NODE_KINDS = ("Affine", "AvgPool2d", "Conv2d", "CubaLIF", "Flatten", "IF", "Input", "LIF", "Linear", "Output", "Scale",
              "SumPool2d")
NO_COUNTERPART = {
    "Conv1d": "there is no one-dimensional convolution",
    "CubaLI": "its output is a membrane potential, and spiking layers give spikes",
    "Delay": "there are no delays",
    "I": "its output is a membrane potential, and spiking layers give spikes",
    "LI": "its output is a membrane potential, and spiking layers give spikes",
    "Threshold": "there is no neuron without a membrane",
}
READING_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError, MemoryError)
Tree = dict  # {name: Tree, np.ndarray or str}


@dataclass
class Graph:
    """Nodes by name; of nested graphs as OUTER.INNER."""

    path: Path
    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]


def read_graph(path: Path) -> Graph:
    """The network in `path`; nested graphs are laid open, their inputs and outputs stay as nodes."""
    if not path.is_file():
        raise Refused(f"{path}: no such file")
    with path.open("rb") as file:
        if file.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
            raise Refused(f"{path}: not a NIR file (NIR files are HDF5, and this is none)")
    tree = _Reader(path).read()
    graph = Graph(path, {}, [])
    _collect(graph, tree, "")
    for node in graph.nodes:
        if not NAME.fullmatch(node):
            raise Refused(f"{path}: node {node[:140]!r} cannot be the name of a layer; "
                          "expected up to 128 plain letters, digits and marks")
    return graph


class _Reader:
    """Unpacks the groups of a file; counts what it meets."""

    def __init__(self, path: Path):
        self.path = path
        self.n_objects = self.n_bytes = 0

    def read(self) -> Tree:
        try:
            with h5py.File(self.path, "r") as file:
                self._check_version(file)
                if not isinstance(self._member(file, "node", "node"), h5py.Group):
                    raise Refused(f"{self.path}: has no group 'node': not a NIR file")
                return self._group(file["node"], "", 0)
        except READING_ERRORS as error:
            fault = f"damaged, or not a NIR file ({type(error).__name__}: {_first_line(error)})"
            raise Refused(f"{self.path}: {fault}") from error

    def _check_version(self, file: h5py.File) -> None:
        version = self._member(file, "version", "version")
        text = self._values(version, "version") if isinstance(version, h5py.Dataset) else None
        if not isinstance(text, str) or not re.match(r"[01]\.", text):
            found = None if text is None else repr(text)[:40]
            raise Refused(f"{self.path}: 'version' is {found}, expected that of NIR 0 or 1")

    def _group(self, group: h5py.Group, name: str, depth: int) -> Tree:
        if depth > LARGEST_DEPTH:
            self._refuse(name, f"is nested more than {LARGEST_DEPTH} deep")
        tree: Tree = {}
        for key in group:
            if key == "metadata":
                continue
            inner = name if key == "nodes" else f"{name}.{key}" if name else key
            item = self._member(group, key, inner)
            is_group = isinstance(item, h5py.Group)
            tree[key] = self._group(item, inner, depth + 1) if is_group else self._values(item, inner)
        return tree

    def _member(self, group: h5py.Group, key: str, name: str) -> object:
        """An object that lies in this file, or None; links could lead into any other file."""
        if key not in group:
            return None
        self.n_objects += 1
        if self.n_objects > LARGEST_COUNT:
            self._refuse(name, f"comes after {LARGEST_COUNT} others; expected fewer")
        if not isinstance(group.get(key, getlink=True), h5py.HardLink):
            self._refuse(name, "is a link that leads elsewhere; expected the values themselves")
        return group[key]

    def _values(self, dataset: object, name: str) -> np.ndarray | str | None:
        if not isinstance(dataset, h5py.Dataset):
            self._refuse(name, f"is a {type(dataset).__name__}, expected numbers or a text")
        if dataset.shape is None:
            return None
        self._check_storage(dataset, name)
        is_text = h5py.check_string_dtype(dataset.dtype) is not None
        if dataset.dtype.kind not in "fiub" and not (is_text and name.rsplit(".")[-1] in TEXTS):
            self._refuse(name, f"holds {'texts' if is_text else dataset.dtype}, expected numbers")
        if is_text and dataset.size > LARGEST_COUNT:
            self._refuse(name, f"holds {dataset.size} texts; expected at most {LARGEST_COUNT}")
        values = dataset.asstr()[()] if is_text else dataset[()]
        if not is_text and not np.isfinite(values).all():
            self._refuse(name, f"holds {np.count_nonzero(~np.isfinite(values))} values that are not finite")
        return values if isinstance(values, str) else np.asarray(values)

    def _check_storage(self, dataset: h5py.Dataset, name: str) -> None:
        self.n_bytes += dataset.size * dataset.dtype.itemsize
        if self.n_bytes > LARGEST_BYTES:
            self._refuse(name, f"has the shape {_text(dataset.shape)}: with it the file holds more than "
                               f"{LARGEST_BYTES >> 30} GiB")
        if dataset.is_virtual or dataset.external:
            self._refuse(name, "keeps its values in another file")
        if dataset.size and dataset.id.get_storage_size() == 0:
            self._refuse(name, f"has the shape {_text(dataset.shape)}, but no values")

    def _refuse(self, name: str, fault: str) -> None:
        raise Refused(f"{self.path}: {name[:200]!r} {fault}")


def _collect(graph: Graph, tree: Tree, name: str) -> None:
    """Add the nodes and edges of one graph, named `name` if it is nested."""
    prefix = f"{name}." if name else ""
    what = f"graph {name!r}" if name else "the graph"
    nodes, edges = tree.get("nodes"), tree.get("edges")
    if _kind(tree) != "NIRGraph" or not isinstance(nodes, dict):
        raise Refused(f"{graph.path}: {what} has no 'nodes', or its 'type' is not NIRGraph")
    ends = {}  # of nested graphs: their input and output node
    for key, inner in nodes.items():
        if _kind(inner) == "NIRGraph":
            _collect(graph, inner, prefix + key)
            ends[key] = _ends(graph, inner["nodes"], prefix + key)
        elif prefix + key in graph.nodes:
            raise Refused(f"{graph.path}: there are two nodes named {prefix + key!r}")
        else:
            graph.nodes[prefix + key] = _node(graph.path, prefix + key, inner)
    for source, target in _edges(graph.path, what, edges):
        for end in (source, target):
            if end not in nodes:
                raise Refused(f"{graph.path}: {what} has an edge of {end!r}, and no such node")
        start = ends[source][1] if source in ends else prefix + source
        graph.edges.append((start, ends[target][0] if target in ends else prefix + target))


def _ends(graph: Graph, nodes: Tree, name: str) -> tuple[str, str]:
    """Names of the one input and the one output of a nested graph."""
    own = [f"{name}.{key}" for key in nodes]
    first, last = ([key for key in own if isinstance(graph.nodes.get(key), kind)] for kind in (nir.Input, nir.Output))
    if len(first) != 1 or len(last) != 1:
        raise Refused(f"{graph.path}: graph {name!r} has not exactly one Input and one Output")
    return first[0], last[0]


def _edges(path: Path, what: str, edges: object) -> list[tuple[str, str]]:
    if isinstance(edges, np.ndarray) and edges.size == 0:
        return []
    are_pairs = isinstance(edges, np.ndarray) and edges.ndim == 2 and edges.shape[1] == 2
    if not are_pairs or not all(isinstance(end, str) for end in edges.flat):
        raise Refused(f"{path}: 'edges' of {what} is no list of pairs of node names")
    pairs = [(str(source), str(target)) for source, target in edges]
    for (source, target), count in Counter(pairs).items():
        if count > 1:
            raise Refused(f"{path}: the edge from {source!r} to {target!r} is there {count} times")
    return pairs


def _kind(tree: object) -> str | None:
    """What type a group says that it is."""
    kind = tree.get("type") if isinstance(tree, dict) else None
    return kind if isinstance(kind, str) else None


def _node(path: Path, name: str, tree: object) -> nir.NIRNode:
    kind = _kind(tree)
    if kind in NO_COUNTERPART:
        raise Refused(f"{path}: node {name!r}, {kind}: {NO_COUNTERPART[kind]}")
    if kind not in NODE_KINDS:
        raise Refused(f"{path}: node {name!r} is of the unknown type {str(kind)[:40]!r}")
    if "w_in" in tree and np.size(tree["w_in"]) not in (1, np.size(tree.get("v_leak"))):  # nir multiplies the two
        raise Refused(f"{path}: node {name!r}, {kind}: 'w_in' has not the shape of the other parameters")
    try:
        return nir.dict2NIRNode(dict(tree))
    except Exception as error:  # nir checks with assert, and stumbles over wrong shapes and types in many ways
        raise Refused(f"{path}: node {name!r}, {kind}: its parameters do not fit together "
                      f"({type(error).__name__}: {_first_line(error)})") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n")[0][:200]


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "of a single number"
