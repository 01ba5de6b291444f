# SPDX-License-Identifier: MIT
"""Images of a generator as the C program makes them: latents -> `meicensus forward` -> images in [0, 1]."""
import subprocess
import tempfile
from pathlib import Path

import h5py
import torch

from importer.architecture import Architecture
from importer.refusal import Refused

from .image_files import checked, read_hdf5

OUTPUT = "output"  # dataset that `meicensus forward` writes


class GeneratorModel:
    """What an architecture file says of a generator's latents, which lie on a grid, and of the scale of its images."""

    def __init__(self, path: Path) -> None:
        self.path, content = path, Architecture(path).content
        try:
            latent, image = content["latent"], content["image"]
            if latent["kind"] != "grid":
                raise Refused(f"{path}: latent: kind is {latent['kind']}; z ~ N(0, 1) is drawn for kind grid only")
            self.dimensions, self.points = int(latent["dimensions"]), int(latent["points"])
            self.low, self.high = float(latent["low"]), float(latent["high"])
            self.mean, self.deviation = (torch.tensor(image[key]).float().view(1, 3, 1, 1) for key in ("mean", "std"))
            if self.dimensions < 1 or self.points < 2 or not self.low < self.high:
                raise ValueError("a grid has at least 1 dimension and 2 points, and low is below high")
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise Refused(f"{path}: latent and image are not those of a generator of RGB images ({error!r})") from error

    def on_grid(self, latents: torch.Tensor) -> torch.Tensor:
        """Each value moved to the nearest one that a census can choose."""
        step = (self.high - self.low) / (self.points - 1)
        return ((latents.double() - self.low) / step).round().clamp(0, self.points - 1).mul(step).add(self.low).float()

    def read_output(self, path: Path, dataset: str = OUTPUT) -> torch.Tensor:
        """float32 [N, 3, 32, 32] in [0, 1] of a file that the program wrote, cut off where a PNG file would be."""
        values = torch.from_numpy(checked(path, read_hdf5(path, dataset), in_range=False))
        images = values * self.deviation + self.mean
        if not torch.isfinite(images).all():
            raise Refused(f"{path}: dataset {dataset} holds values that are not finite")
        return images.clamp(0, 1)

    def generate(self, program: Path, latents: torch.Tensor) -> torch.Tensor:
        """The same for latents [N, dimensions], by the program."""
        if not program.is_file():
            raise Refused(f"{program}: no such program; make builds it, --program names another")
        with tempfile.TemporaryDirectory(prefix="meicensus") as folder:
            before, after = Path(folder, "latents.h5"), Path(folder, "images.h5")
            with h5py.File(before, "w") as file:
                file["input"] = latents.numpy()
            command = [program.resolve(), "forward", "--model", self.path, "--input", before, "--output", after]
            code = subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode
            if code != 0:
                raise Refused(f"{program}: could not make images with {self.path} (exit code {code})")
            return self.read_output(after)
