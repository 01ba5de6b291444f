#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Table of jobs/modes.yaml and jobs/modes-refined.yaml: what a shared census, and searches from what it found, gain.

For every layer the median over its sampled channels of activation - activation of the independent search, and of how
many channels it is larger, equal and smaller.
"""
import argparse

import h5py
import numpy as np

INDEPENDENT = ("tt_b", "portfolio")


def activations(path: str, generator: str, method: str) -> dict[str, dict[int, float]]:
    """Of every layer's channels, the first replicate."""
    with h5py.File(path) as file:
        subject = next(iter(file["census"]))
        group, units = file[f"census/{subject}/{generator}/{method}"], file[f"units/{subject}"]
        rows = group["unit"][:]
        layers, channels = units["layer"].asstr()[:][rows], units["channel"][:][rows]
        values = group["activation"][:, 0]
    found: dict[str, dict[int, float]] = {}
    for layer, channel, value in zip(layers, channels, values):
        found.setdefault(layer, {})[int(channel)] = float(value)
    return found


def difference(ours: dict[int, float], theirs: dict[int, float]) -> str:
    gains = np.array([ours[channel] - theirs[channel] for channel in theirs])
    counts = "/".join(str(int((np.sign(gains) == sign).sum())) for sign in (1, 0, -1))
    return f"{np.median(gains):+.3f} ({counts})"


def table(generator: str, results: str, refined: str | None) -> None:
    ours = {"shared": activations(results, generator, "elite_ga")}
    if refined:
        ours["refined"] = activations(refined, generator, "refined")
    theirs = {method: activations(results, generator, method) for method in INDEPENDENT}
    pairs = [(name, method) for name in ours for method in INDEPENDENT]
    print(f"| {generator} |", " | ".join(f"{name} - {method}" for name, method in pairs), "|")
    print("|---" * (1 + len(pairs)) + "|")
    for layer in theirs["tt_b"]:
        cells = (difference(ours[name][layer], theirs[method][layer]) for name, method in pairs)
        print(f"| {layer} |", " | ".join(cells), "|")
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", help="results file of jobs/modes.yaml")
    parser.add_argument("refined", nargs="?", help="results file of jobs/modes-refined.yaml")
    options = parser.parse_args()
    with h5py.File(options.results) as file:
        generators = list(file["census"][next(iter(file["census"]))])
    for generator in generators:
        table(generator, options.results, options.refined)


if __name__ == "__main__":
    main()
