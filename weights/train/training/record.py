# SPDX-License-Identifier: MIT
"""What a training leaves about itself: settings.json, curves.csv, curves.png."""
import argparse
import contextlib
import csv
import hashlib
import io
import json
import platform
import subprocess
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import torch

from importer.refusal import Refused

from .checkpoint import write_whole
from .options import as_plain

PACKAGES = ("torch", "spikingjelly", "numpy", "safetensors", "matplotlib", "vector-quantize-pytorch")


@dataclass(frozen=True)
class Panel:
    """One panel of curves.png over epochs or steps. lines: column of a row of curves.csv -> name in the legend."""

    label: str
    lines: dict[str, str]
    legend: str | None = None
    percent: bool = False
    logarithmic: bool = False

    def text(self, row: dict) -> str:
        """The newest values in a line of text."""
        form = ".2%" if self.percent else ".4g"
        return "  ".join(f"{name} {row[column]:{form}}" for column, name in self.lines.items())


ACCURACY_PANELS = (Panel("training loss", {"training_loss": "loss"}),
                   Panel("accuracy (%)", {"training_accuracy": "training", "test_accuracy": "test"},
                         "augmented training images;\nmoving average on test images", percent=True))


def write_json(path: Path, content: dict) -> None:
    write_whole(path, lambda part: part.write_text(json.dumps(content, indent=2) + "\n"))


def write_settings(path: Path, recipe: str, options: argparse.Namespace, inputs: list[Path]) -> None:
    """All arguments, and one entry under `runs` for each time that the training was started or resumed."""
    hashes = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in inputs}
    before = _read_settings(path) if options.resume else None
    if before and list(before["inputs"].values()) != list(hashes.values()):
        raise Refused(f"{', '.join(hashes)}: has changed since the training began ({path} holds its SHA-256)")
    run = {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "resumed": options.resume,
           "device": _device(options.device), "threads": torch.get_num_threads(), "python": platform.python_version(),
           "versions": _versions(), "git_revision": git_revision()}
    write_json(path, {"recipe": recipe, "arguments": as_plain(options), "inputs": hashes,
                      "runs": [*(before["runs"] if before else []), run]})


def _versions() -> dict[str, str]:
    """Of those packages that are installed; not every recipe needs all of them."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _read_settings(path: Path) -> dict | None:
    """What was written before; None where there is nothing of use."""
    try:
        settings = json.loads(path.read_text())
        return settings if isinstance(settings["runs"], list) and isinstance(settings["inputs"], dict) else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device} ({platform.machine()})"


def git_revision() -> str | None:
    """Revision of the repository that this file is in, with "-dirty" where files differ; None where there is none."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write_curves(folder: Path, history: list[dict], panels: tuple[Panel, ...] = ACCURACY_PANELS) -> None:
    """The table of all epochs or measurements so far, one row each, and the figure of it over its first column."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(history[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_whole(folder / "curves.csv", lambda part: part.write_text(text.getvalue()))
    write_whole(folder / "curves.png", lambda part: _draw(part, history, panels))


def _draw(path: Path, history: list[dict], panels: tuple[Panel, ...]) -> None:
    from matplotlib.figure import Figure  # here, because it takes a second to import

    over = next(iter(history[0]))
    figure = Figure(figsize=(4.5 * len(panels), 4), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels):
        for column, name in panel.lines.items():
            scale = 100 if panel.percent else 1
            axes.plot([row[over] for row in history], [scale * row[column] for row in history],
                      marker="." if len(history) < 10 else None, label=name)
        axes.set(xlabel=over, ylabel=panel.label, yscale="log" if panel.logarithmic else "linear")
        axes.grid(alpha=0.3)
        if len(panel.lines) > 1:
            axes.legend(title=panel.legend)
        for row, previous in zip(history[1:], history):
            if row.get("timesteps") != previous.get("timesteps"):
                axes.axvline(previous[over] + 0.5, color="grey", linestyle=":")
    figure.savefig(path, format="png", dpi=120)
