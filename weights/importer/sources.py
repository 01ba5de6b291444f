# SPDX-License-Identifier: MIT
"""Read the state of a network, {name: tensor on the CPU}, from a file of any known kind."""
import argparse
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import safetensors.torch
import torch

from .refusal import Refused

State = dict[str, torch.Tensor]

# Entries under which training programs keep the state dict: SpikingJelly, PyTorch Lightning, mimicry.
STATE_ENTRIES = ("model", "state_dict", "model_state_dict")
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_state(path: Path, group: str | None = None, entry: str | None = None, strip_prefix: str = "") -> State:
    """State of the network in `path`.

    group: HDF5 group that holds one dataset a tensor. entry: key of a checkpoint that holds the state dict
    (None: the usual ones). strip_prefix: removed from every name that starts with it, after "module.".
    """
    if not path.is_file():
        raise Refused(f"{path}: no such file")
    if path.open("rb").read(len(HDF5_MAGIC)) == HDF5_MAGIC:
        state = read_hdf5(path, group)
    elif group is not None:
        raise Refused(f"{path}: --group is for HDF5 files, and this is none")
    elif path.suffix == ".safetensors":
        state = read_safetensors(path)
    else:
        state = unwrap(path, read_pickle(path), entry)
    return rename(path, state, strip_prefix)


def read_pickle(path: Path) -> object:
    """What torch.save wrote, tensors and plain containers only: no code of the file is run."""
    try:
        # SpikingJelly's training script keeps its command line, an argparse.Namespace, in the checkpoint.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises many kinds, down to KeyError and EOFError, for a bad file
        reason = str(error).strip().split("\n")[0]
        raise Refused(f"{path}: not a file of tensors that PyTorch reads without running code from it "
                      f"({type(error).__name__}: {reason}); save the network's state_dict()") from error


def read_safetensors(path: Path) -> State:
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise Refused(f"{path}: {error}") from error


def read_hdf5(path: Path, group: str | None) -> State:
    """One dataset a tensor; dots of a name may be written as nested groups."""
    if group is None:
        raise Refused(f"{path}: an HDF5 file; say with --group which group holds the tensors")
    state: State = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            state[name.replace("/", ".")] = _tensor(path, f"{group}/{name}", item)

    try:
        with h5py.File(path) as file:
            if not isinstance(file.get(group), h5py.Group):
                raise Refused(f"{path}: there is no group {group}")
            file[group].visititems(keep)
    except OSError as error:
        raise Refused(f"{path}: not a readable HDF5 file ({error})") from error
    return state


def _tensor(path: Path, name: str, dataset: h5py.Dataset) -> torch.Tensor:
    """Numbers in either byte order; on this machine's in the tensor."""
    if dataset.shape is None or dataset.dtype.kind not in "fiub" or dataset.dtype.itemsize > 8:
        raise Refused(f"{path}: {name} holds {dataset.dtype if dataset.shape is not None else 'nothing'}, expected numbers")
    return torch.from_numpy(np.array(dataset[()], dataset.dtype.newbyteorder("=")))


def unwrap(path: Path, content: object, entry: str | None) -> State:
    """The state dict in what torch.load gave: itself, or an entry of a checkpoint."""
    if not isinstance(content, Mapping):
        raise Refused(f"{path}: holds a {type(content).__name__}, not a state dict or a checkpoint")
    names = [entry] if entry else [name for name in STATE_ENTRIES if isinstance(content.get(name), Mapping)]
    if not names:
        return dict(content)
    if not isinstance(content.get(names[0]), Mapping):
        raise Refused(f"{path}: has no state dict under {names[0]!r}; its keys: {', '.join(map(str, content))}")
    return dict(content[names[0]])


def rename(path: Path, state: State, strip_prefix: str) -> State:
    """Names without "module." (DataParallel) and `strip_prefix`; refuses what is no tensor and names that collide."""
    renamed: State = {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise Refused(f"{path}: {name}: a {type(value).__name__}, not a tensor; "
                          "if the file is a checkpoint, say with --entry which key holds the state dict")
        short = str(name).removeprefix("module.").removeprefix(strip_prefix)
        if short in renamed:
            raise Refused(f"{path}: {name}: there are two tensors named {short} once prefixes are removed")
        renamed[short] = value.detach()
    return renamed
