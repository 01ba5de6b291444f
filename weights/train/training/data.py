# SPDX-License-Identifier: MIT
"""CIFAR-10's official binary files: of each image one byte of class, then 32 x 32 bytes of red, of green, of blue."""
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from importer.refusal import Refused

N_CLASSES = 10
IMAGE_SHAPE = (3, 32, 32)
RECORD_BYTES = 1 + 3 * 32 * 32
IMAGES_PER_FILE = 10_000
TRAINING_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILE = "test_batch.bin"
MEAN = (0.4914, 0.4822, 0.4465)
STANDARD_DEVIATION = (0.2023, 0.1994, 0.2010)


@dataclass
class Images:
    """pixels: uint8 [images, 3, 32, 32]; labels: int64 [images]."""

    pixels: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> "Images":
        return Images(self.pixels.to(device), self.labels.to(device))


def read_training_images(folder: Path, limit: int | None = None) -> Images:
    """The 50,000 training images, or the first `limit`."""
    n_files = len(TRAINING_FILES) if limit is None else min(-(-limit // IMAGES_PER_FILE), len(TRAINING_FILES))
    parts = [read_file(find_file(folder, name)) for name in TRAINING_FILES[:n_files]]
    return Images(torch.cat([part.pixels for part in parts])[:limit], torch.cat([part.labels for part in parts])[:limit])


def read_test_images(folder: Path, limit: int | None = None) -> Images:
    """The 10,000 test images, or the first `limit`."""
    images = read_file(find_file(folder, TEST_FILE))
    return Images(images.pixels[:limit], images.labels[:limit])


def find_file(folder: Path, name: str) -> Path:
    """The file as it is published, or compressed with xz."""
    for path in (folder / name, folder / f"{name}.xz"):
        if path.is_file():
            return path
    raise Refused(f"{folder}: holds no {name} and no {name}.xz; --data takes the folder cifar-10-batches-bin of "
                  "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz")


def read_file(path: Path) -> Images:
    """One file of 10,000 images, after a check of its size and its classes."""
    try:
        content = lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
    except (lzma.LZMAError, EOFError) as error:
        raise Refused(f"{path}: not a whole xz file ({error})") from error
    if len(content) != IMAGES_PER_FILE * RECORD_BYTES:
        raise Refused(f"{path}: holds {len(content):,} bytes; a CIFAR-10 binary file holds {IMAGES_PER_FILE:,} images "
                      f"of {RECORD_BYTES:,} bytes = {IMAGES_PER_FILE * RECORD_BYTES:,}")
    records = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES).copy())
    labels = records[:, 0].long()
    if labels.max() >= N_CLASSES:
        raise Refused(f"{path}: image {int(labels.argmax())} is of class {int(labels.max())}; CIFAR-10 has classes 0 to 9")
    return Images(records[:, 1:].reshape(-1, *IMAGE_SHAPE).contiguous(), labels)


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """uint8 pixels -> what a subject sees: float32 (value / 255 - mean) / standard deviation, channels last."""
    mean, deviation = (torch.tensor(values, device=pixels.device).view(1, 3, 1, 1) for values in (MEAN, STANDARD_DEVIATION))
    return ((pixels.float() / 255 - mean) / deviation).contiguous(memory_format=torch.channels_last)
