# SPDX-License-Identifier: MIT
"""What a training leaves about itself: settings.json, curves.csv, curves.png."""
import argparse
import csv
import hashlib
import io
import json
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path

import torch

from importer.refusal import Refused

from .checkpoint import write_whole
from .options import as_plain

PACKAGES = ("torch", "spikingjelly", "numpy", "safetensors", "matplotlib")
COLUMNS = ("epoch", "timesteps", "learning_rate", "training_loss", "training_accuracy", "test_accuracy", "seconds")


def write_json(path: Path, content: dict) -> None:
    write_whole(path, lambda part: part.write_text(json.dumps(content, indent=2) + "\n"))


def write_settings(path: Path, recipe: str, options: argparse.Namespace, inputs: list[Path]) -> None:
    """All arguments, and one entry under `runs` for each time that the training was started or resumed."""
    hashes = {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in inputs}
    before = _read_settings(path) if options.resume else None
    if before and list(before["inputs"].values()) != list(hashes.values()):
        raise Refused(f"{', '.join(hashes)}: has changed since the training began ({path} holds its SHA-256)")
    run = {"started": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "resumed": options.resume, "device": _device(options.device),
           "threads": torch.get_num_threads(), "python": platform.python_version(),
           "versions": {package: metadata.version(package) for package in PACKAGES}, "git_revision": git_revision()}
    write_json(path, {"recipe": recipe, "arguments": as_plain(options), "inputs": hashes,
                      "runs": [*(before["runs"] if before else []), run]})


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


def write_curves(folder: Path, history: list[dict]) -> None:
    """The table of all epochs so far, and the figure of it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_whole(folder / "curves.csv", lambda part: part.write_text(text.getvalue()))
    write_whole(folder / "curves.png", lambda part: _draw(part, history))


def _draw(path: Path, history: list[dict]) -> None:
    from matplotlib.figure import Figure  # here, because it takes a second to import

    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 4), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [row["training_loss"] for row in history], color="tab:blue")
    loss.set(xlabel="epoch", ylabel="training loss")
    for name, colour in (("training", "tab:blue"), ("test", "tab:orange")):
        accuracy.plot(epochs, [100 * row[f"{name}_accuracy"] for row in history], color=colour, label=name)
    accuracy.set(xlabel="epoch", ylabel="accuracy (%)")
    accuracy.legend(title="augmented training images;\nmoving average on test images")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        for row, previous in zip(history[1:], history):
            if row["timesteps"] != previous["timesteps"]:
                axes.axvline(previous["epoch"] + 0.5, color="grey", linestyle=":")
    figure.savefig(path, format="png", dpi=120)
