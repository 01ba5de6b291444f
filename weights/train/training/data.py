# SPDX-License-Identifier: MIT
"""Images in memory, and where they come from.

CIFAR-10's official binary files: of each image one byte of class, then 32 x 32 bytes of red, of green, of blue.
"""
import gzip
import lzma
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
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
CIFAR_ORIGIN = "--data takes the folder cifar-10-batches-bin of https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
PACKED = (".xz", ".gz")


@dataclass
class Images:
    """pixels: uint8 [images, channels, height, width]; labels: int64 [images]; the scale of a subject's input."""

    pixels: torch.Tensor
    labels: torch.Tensor
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = STANDARD_DEVIATION

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, chosen: torch.Tensor | slice) -> "Images":
        return replace(self, pixels=self.pixels[chosen], labels=self.labels[chosen])

    def to(self, device: torch.device) -> "Images":
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    def normalised(self) -> torch.Tensor:
        """What a subject sees."""
        return normalise(self.pixels, self.mean, self.deviation)


def read_training_images(folder: Path, limit: int | None = None) -> Images:
    """The 50,000 training images, or the first `limit`."""
    n_files = len(TRAINING_FILES) if limit is None else min(-(-limit // IMAGES_PER_FILE), len(TRAINING_FILES))
    parts = [read_file(find_file(folder, name)) for name in TRAINING_FILES[:n_files]]
    return Images(torch.cat([part.pixels for part in parts])[:limit], torch.cat([part.labels for part in parts])[:limit])


def read_test_images(folder: Path, limit: int | None = None) -> Images:
    """The 10,000 test images, or the first `limit`."""
    images = read_file(find_file(folder, TEST_FILE))
    return Images(images.pixels[:limit], images.labels[:limit])


def find_file(folder: Path, name: str, origin: str = CIFAR_ORIGIN) -> Path:
    """The file as it is published, or packed with xz or gzip."""
    names = [name + suffix for suffix in ("", *PACKED)]
    for path in (folder / candidate for candidate in names):
        if path.is_file():
            return path
    raise Refused(f"{folder}: holds {' and '.join(f'no {candidate}' for candidate in names)}; {origin}")


def unpacked(path: Path) -> bytes:
    """What a file holds, packed or not."""
    content = path.read_bytes()
    try:
        if path.suffix == ".xz":
            return lzma.decompress(content)
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (lzma.LZMAError, zlib.error, gzip.BadGzipFile, EOFError) as error:
        raise Refused(f"{path}: not a whole {path.suffix[1:]} file ({error})") from error


def read_file(path: Path) -> Images:
    """One file of 10,000 images, after a check of its size and its classes."""
    content = unpacked(path)
    if len(content) != IMAGES_PER_FILE * RECORD_BYTES:
        raise Refused(f"{path}: holds {len(content):,} bytes; a CIFAR-10 binary file holds {IMAGES_PER_FILE:,} images "
                      f"of {RECORD_BYTES:,} bytes = {IMAGES_PER_FILE * RECORD_BYTES:,}")
    records = torch.from_numpy(np.frombuffer(content, np.uint8).reshape(-1, RECORD_BYTES).copy())
    labels = records[:, 0].long()
    if labels.max() >= N_CLASSES:
        raise Refused(f"{path}: image {int(labels.argmax())} is of class {int(labels.max())}; CIFAR-10 has classes 0 to 9")
    return Images(records[:, 1:].reshape(-1, *IMAGE_SHAPE).contiguous(), labels)


def normalise(pixels: torch.Tensor, mean: tuple[float, ...] = MEAN,
              deviation: tuple[float, ...] = STANDARD_DEVIATION) -> torch.Tensor:
    """uint8 pixels -> what a subject sees: float32 (value / 255 - mean) / standard deviation, channels last."""
    shift, scale = (torch.tensor(values, device=pixels.device).view(1, -1, 1, 1) for values in (mean, deviation))
    return ((pixels.float() / 255 - shift) / scale).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Source:
    """What a recipe reads. description: of --data; test_files: the first is what `meicensus accuracy` takes."""

    description: str
    origin: str
    read_training: Callable[[Path, int | None], Images]
    read_test: Callable[[Path, int | None], Images]
    test_files: tuple[str, ...]


CIFAR10 = Source("folder of CIFAR-10's binary files, data_batch_1.bin to test_batch.bin, or the same with .xz or .gz",
                 CIFAR_ORIGIN, read_training_images, read_test_images, (TEST_FILE,))
