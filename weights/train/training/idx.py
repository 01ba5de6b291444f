# SPDX-License-Identifier: MIT
"""MNIST's four official files, and those of every set in the same format (Fashion-MNIST, KMNIST).

IDX: a magic number (0x803 for images, 0x801 for labels) and the sizes, big-endian int32, then bytes.
"""
import math
from pathlib import Path

import numpy as np
import torch

from importer.refusal import Refused

from .data import N_CLASSES, Images, Source, find_file, unpacked

MEAN, DEVIATION = (0.1307,), (0.3081,)
SIZE = 28
IMAGES_MAGIC, LABELS_MAGIC = 0x803, 0x801
TRAINING_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte")
TEST_FILES = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
ORIGIN = ("--data takes a folder of MNIST's four files (https://yann.lecun.com/exdb/mnist/) or of another set with the "
          "same names, e.g. Fashion-MNIST (https://github.com/zalandoresearch/fashion-mnist)")


def read_training_images(folder: Path, limit: int | None = None) -> Images:
    """All training images, or the first `limit`."""
    return read_pair(*(find_file(folder, name, ORIGIN) for name in TRAINING_FILES))[:limit]


def read_test_images(folder: Path, limit: int | None = None) -> Images:
    """All test images, or the first `limit`."""
    return read_pair(*(find_file(folder, name, ORIGIN) for name in TEST_FILES))[:limit]


def read_pair(images_path: Path, labels_path: Path) -> Images:
    """Images [N, 1, 28, 28] and their classes, after a check that the two files belong together."""
    pixels, labels = read_idx(images_path, IMAGES_MAGIC), read_idx(labels_path, LABELS_MAGIC)
    if pixels.shape[1:] != (SIZE, SIZE) or not len(pixels):
        raise Refused(f"{images_path}: holds {len(pixels):,} images of {pixels.shape[1]} x {pixels.shape[2]} pixels; "
                      f"this recipe takes images of {SIZE} x {SIZE}")
    if len(labels) != len(pixels):
        raise Refused(f"{labels_path}: holds {len(labels):,} labels for the {len(pixels):,} images of {images_path.name}")
    if labels.max() >= N_CLASSES:
        raise Refused(f"{labels_path}: image {int(labels.argmax())} is of class {int(labels.max())}; expected 0 to 9")
    return Images(pixels[:, None], labels.long(), MEAN, DEVIATION)


def read_idx(path: Path, magic: int) -> torch.Tensor:
    """The bytes of an IDX file in its sizes; packed or not."""
    content = unpacked(path)
    n_sizes = magic & 0xff
    begin = 4 * (1 + n_sizes)
    header = np.frombuffer(content[:begin], ">u4") if len(content) >= begin else np.zeros(1, ">u4")
    if header[0] != magic:
        raise Refused(f"{path}: begins with {content[:4].hex() or 'nothing'}; expected an IDX file of "
                      f"{'images' if magic == IMAGES_MAGIC else 'labels'}, which begins with {magic:08x}")
    sizes = [int(size) for size in header[1:]]
    if len(content) - begin != math.prod(sizes):
        raise Refused(f"{path}: {len(content) - begin:,} bytes follow the header, which announces "
                      f"{' x '.join(map(str, sizes))} = {math.prod(sizes):,}")
    return torch.from_numpy(np.frombuffer(content, np.uint8, offset=begin).copy()).reshape(sizes)


MNIST = Source("folder of MNIST's four files (train-images-idx3-ubyte, ...), packed (.gz, .xz) or not; or of another set "
               "with the same names, e.g. Fashion-MNIST", ORIGIN, read_training_images, read_test_images, TEST_FILES)
