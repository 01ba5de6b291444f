# SPDX-License-Identifier: MIT
"""Images from files: a folder of PNGs, an array of NumPy, a dataset of HDF5; sheets of images.

Arrays are [N, 3, 32, 32] or [N, 32, 32, 3], uint8, or float in [0, 1].
"""
import zipfile
from pathlib import Path

import h5py
import numpy as np
import torch

from importer.refusal import Refused

from .checkpoint import write_whole
from .data import IMAGE_SHAPE

ARRAYS = (".npz", ".npy")
HDF5 = (".h5", ".hdf5")
ENLARGED = 2  # of sheets


def holds_images(path: Path) -> bool:
    """By its name; any other file is one of tensors."""
    return path.is_dir() or path.suffix in ARRAYS + HDF5


def read_images(path: Path, dataset: str) -> torch.Tensor:
    """[N, 3, 32, 32], uint8, or float32 in [0, 1]. dataset: name within an .npz or HDF5 file."""
    if path.is_dir():
        images = _read_folder(path)
    elif not path.is_file():
        raise Refused(f"{path}: no such file")
    else:
        images = read_hdf5(path, dataset) if path.suffix in HDF5 else _read_array(path, dataset)
    return torch.from_numpy(checked(path, images))


def _read_folder(folder: Path) -> np.ndarray:
    from matplotlib.image import imread  # here, because it takes a second to import

    files = sorted(folder.glob("*.png"))
    if not files:
        raise Refused(f"{folder}: holds no *.png")
    images = []
    for file in files:
        try:
            image = imread(file)
        except (SyntaxError, ValueError, OSError) as error:
            raise Refused(f"{file}: not a readable PNG file ({error})") from error
        if image.ndim != 3 or image.shape[:2] != IMAGE_SHAPE[1:]:
            raise Refused(f"{file}: is of shape {list(image.shape)}; 32 x 32 pixels of RGB are expected")
        images.append(image[:, :, :3])
    return np.stack(images)


def read_hdf5(path: Path, dataset: str) -> np.ndarray:
    try:
        with h5py.File(path) as file:
            if not isinstance(file.get(dataset), h5py.Dataset):
                raise Refused(f"{path}: there is no dataset {dataset}; name one with --dataset")
            return file[dataset][()]
    except OSError as error:
        raise Refused(f"{path}: not a readable HDF5 file ({error})") from error


def _read_array(path: Path, name: str) -> np.ndarray:
    try:
        content = np.load(path, allow_pickle=False)
        if isinstance(content, np.ndarray):
            return content
        if name not in content:
            raise Refused(f"{path}: there is no array {name}, only {', '.join(content)}; name one with --dataset")
        return content[name]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise Refused(f"{path}: not a readable file of NumPy arrays ({error})") from error


def checked(path: Path, images: np.ndarray, in_range: bool = True) -> np.ndarray:
    """Channels first; uint8 or float32, the latter in [0, 1] if in_range."""
    if images.shape[1:] == (*IMAGE_SHAPE[1:], IMAGE_SHAPE[0]):
        images = images.transpose(0, 3, 1, 2)
    if images.shape[1:] != IMAGE_SHAPE or len(images) < 2:
        raise Refused(f"{path}: is of shape {list(images.shape)}; [N, 3, 32, 32] or [N, 32, 32, 3] is expected, with N "
                      "from 2 on")
    if np.issubdtype(images.dtype, np.floating):
        if in_range and not (images.min() >= 0 and images.max() <= 1):  # also where a value is not a number
            raise Refused(f"{path}: holds values outside [0, 1]; give float images in [0, 1], or uint8, or --model "
                          "with what `meicensus forward` wrote")
        images = images.astype(np.float32)
    elif images.dtype != np.uint8:
        raise Refused(f"{path}: holds {images.dtype}; uint8, or float in [0, 1], is expected")
    return np.ascontiguousarray(images)


def draw_sheet(path: Path, images: torch.Tensor) -> None:
    """Images [N, 3, 32, 32] in [0, 1], N a square number, as one PNG."""
    from matplotlib.image import imsave

    edge = round(len(images)**0.5)
    rows = images.unflatten(0, (edge, edge)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    pixels = (rows.clamp(0, 1) * 255).round().byte().cpu()
    pixels = pixels.repeat_interleave(ENLARGED, 0).repeat_interleave(ENLARGED, 1).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: imsave(part, pixels, format="png"))
