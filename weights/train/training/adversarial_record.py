# SPDX-License-Identifier: MIT
"""What the training of a generator shows of itself: curves.csv, curves.png, sheets of samples."""
import csv
import io
from pathlib import Path

import torch

from .checkpoint import write_whole

ENLARGED = 2
COLUMNS = ("step", "learning_rate", "discriminator_loss", "generator_loss", "score_real", "score_generated",
           "frechet_distance", "samples", "seconds")


def write_curves(folder: Path, history: list[dict]) -> None:
    """The table of all measurements so far, and the figure of it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    write_whole(folder / "curves.csv", lambda part: part.write_text(text.getvalue()))
    write_whole(folder / "curves.png", lambda part: _draw(part, history))


def _draw(path: Path, history: list[dict]) -> None:
    from matplotlib.figure import Figure  # here, because it takes a second to import

    steps = [row["step"] for row in history]
    figure = Figure(figsize=(13, 4), layout="constrained")
    distance, loss, score = figure.subplots(1, 3)
    distance.plot(steps, [row["frechet_distance"] for row in history], color="tab:blue")
    distance.set(ylabel=f"Frechet distance, {history[-1]['samples']:,} samples", yscale="log")
    for axes, kind, names in ((loss, "loss", ("discriminator_loss", "generator_loss")),
                              (score, "discriminator's output", ("score_real", "score_generated"))):
        for name in names:
            axes.plot(steps, [row[name] for row in history], label=name.replace("_", " "))
        axes.set(ylabel=f"{kind}, mean since the last point")
        axes.legend()
    for axes in (distance, loss, score):
        axes.set(xlabel="step")
        axes.grid(alpha=0.3)
    figure.savefig(path, format="png", dpi=120)


def draw_sheet(path: Path, images: torch.Tensor) -> None:
    """Images [N, 3, 32, 32] in [0, 1], N a square number, as one PNG."""
    from matplotlib.image import imsave

    edge = round(len(images)**0.5)
    rows = images.unflatten(0, (edge, edge)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    pixels = (rows.clamp(0, 1) * 255).round().byte().cpu()
    pixels = pixels.repeat_interleave(ENLARGED, 0).repeat_interleave(ENLARGED, 1).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda part: imsave(part, pixels, format="png"))
