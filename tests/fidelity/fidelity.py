#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Search methods against the published packages on the same functions.

Runs each method and the package that it has to equal with the same budgets and numbers of seeds, and compares the
medians of the value behind the best score seen. "equal": the bootstrap 95 % interval of the difference of medians
lies within 10 % of (package's median - random search's median); "different": it lies outside; else "undecided".
What is in --output is not run again: the same command goes on where it was stopped.
"""
import argparse
import csv
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np  # pylint: disable=wrong-import-position

import packages  # pylint: disable=wrong-import-position
from functions import FUNCTIONS, Objective  # pylint: disable=wrong-import-position

BUDGET, CHECKPOINTS = 1000, [250, 500, 1000]
SPACES = [(16, 64), (64, 512)]
WIDE = (128, 64)  # for the methods of the papers' main results
TOLERANCE, RESAMPLES = 0.1, 4000
VERSIONED = ("nevergrad", "cma", "protes", "ttopt", "teneva", "numpy", "scipy", "jax")


@dataclass
class Match:
    """One of our methods and what it has to equal."""

    package: str
    run: Callable[[Objective, int, int], None] | None  # None: its folder is not given
    settings: str = "{}"
    grid: bool = False   # indices are points of a grid, else rows of a codebook
    wide: bool = False


def matches(xdream: Path | None, actmax: Path | None) -> dict[str, Match]:
    def of_xdream(name: str, **settings: object) -> Match:
        return Match(f"XDream {name}", xdream and packages.xdream(xdream, name, **settings), grid=True)
    genetic = {"population_size": 20, "mutation_rate": 0.5, "mutation_size": 0.5, "selectivity": 2, "heritability": 0.5}
    steps = {"n_samples": 20, "search_radius": 1.25}
    return {
        "random": Match("Nevergrad RandomSearch", packages.nevergrad("RandomSearch"), wide=True),
        "tt": Match("PROTES", packages.protes(k=10, k_top=1), wide=True),
        "tt_s": Match("PROTES", packages.protes(k=5, k_top=1), wide=True),
        "tt_b": Match("PROTES", packages.protes(k=25, k_top=5), wide=True),
        "tt_exp": Match("PROTES", packages.protes(k=100, k_top=10, lr=0.1), wide=True),
        "tt_plain": Match("PROTES", packages.protes(quantised=False, k=10, k_top=1)),
        "cma": Match("Nevergrad CMA", packages.nevergrad("CMA"), wide=True),
        "cma_diagonal": Match("Nevergrad DiagonalCMA", packages.nevergrad("DiagonalCMA")),
        "one_plus_one": Match("Nevergrad OnePlusOne", packages.nevergrad("OnePlusOne")),
        "xdream_ga": of_xdream("Genetic", **genetic),
        "fdgd": of_xdream("FDGD", learning_rate=1.25, **steps),
        "nes": of_xdream("NES", learning_rate=1.75, search_radius_learning_rate=0.05, **steps),
        "cma_cholesky": Match("CholeskyCMAES", actmax and packages.cholesky(actmax, 1.0), grid=True),
    }


@dataclass(frozen=True)
class Task:
    """All seeds of one side on one function."""

    method: str
    function: str
    d: int
    n: int
    side: str  # ours, package

    def path(self, output: Path) -> Path:
        return output / f"{self.method}-{self.function}-{self.d}x{self.n}-{self.side}.csv"


def run_ours(task: Task, match: Match, options: argparse.Namespace) -> list[tuple]:
    command = [options.program, "optimize", "--function", task.function, "--method", task.method,
               "--settings", match.settings, "--dim", str(task.d), "--points", str(task.n),
               "--budget", str(BUDGET), "--seeds", str(options.seeds)]
    text = subprocess.run(command + ["--grid"] * match.grid, check=True, capture_output=True, text=True).stdout
    found: dict[int, list[tuple]] = {}
    for row in csv.DictReader(text.splitlines()):
        found.setdefault(int(row["seed"]), []).append((int(row["queries"]), float(row["best"]), float(row["value"])))
    return [(seed, checkpoint, *[row for row in rows if row[0] <= checkpoint][-1][1:])
            for seed, rows in found.items() for checkpoint in CHECKPOINTS]


def run_package(task: Task, match: Match, options: argparse.Namespace) -> list[tuple]:
    rows = []
    for seed in range(options.seeds):
        objective = Objective(task.function, task.n, BUDGET, CHECKPOINTS, seed)
        match.run(objective, task.d, seed)
        rows += [(seed, *row) for row in objective.rows]
    return rows


def run_task(given: tuple[Task, argparse.Namespace]) -> tuple[Task, float]:
    task, options = given
    match = matches(options.xdream, options.actmax)[task.method]
    begin = time.monotonic()
    rows = (run_ours if task.side == "ours" else run_package)(task, match, options)
    path = task.path(options.output)
    part = path.with_suffix(".part")
    with part.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["seed", "queries", "best", "value"])
        writer.writerows(rows)
    part.replace(path)
    return task, time.monotonic() - begin


def tasks(options: argparse.Namespace) -> list[Task]:
    known = matches(options.xdream, options.actmax)
    result = []
    for method in options.methods or known:
        spaces = SPACES + [WIDE] * known[method].wide
        for function, (d, n), side in itertools.product(options.functions, spaces, ("ours", "package")):
            if side == "ours" or known[method].run:
                result.append(Task(method, function, d, n, side))
    return result


def run_all(options: argparse.Namespace) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    versions = {name: importlib.metadata.version(name) for name in VERSIONED if _is_installed(name)}
    (options.output / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    left = [task for task in tasks(options) if not task.path(options.output).exists()]
    seconds = 0.0
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for number, (task, spent) in enumerate(pool.imap_unordered(run_task, [(task, options) for task in left]), 1):
            seconds += spent
            print(f"{number}/{len(left)} {task.path(options.output).stem}: {spent:.1f} s, {seconds / 3600:.2f} core-hours",
                  file=sys.stderr, flush=True)


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


# ---- the table ----

def values(task: Task, output: Path, checkpoint: int) -> np.ndarray | None:
    """Value behind the best score after so many queries, one a seed."""
    path = task.path(output)
    if not path.exists():
        return None
    with path.open() as file:
        return np.array([float(row["value"]) for row in csv.DictReader(file) if int(row["queries"]) == checkpoint])


def interval(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Bootstrap 95 % interval of the difference of medians."""
    random = np.random.default_rng(0)
    medians = [np.median(sample[random.integers(len(sample), size=(RESAMPLES, len(sample)))], axis=1)
               for sample in (ours, theirs)]
    return tuple(np.percentile(medians[0] - medians[1], [2.5, 97.5]))


def verdict(ours: np.ndarray, theirs: np.ndarray, baseline: np.ndarray) -> str:
    low, high = interval(ours, theirs)
    allowed = TOLERANCE * abs(np.median(theirs) - np.median(baseline))
    if -allowed <= low and high <= allowed:
        return "equal"
    if low > allowed or high < -allowed:
        return "different"
    return "undecided"


def _summary(sample: np.ndarray) -> str:
    low, middle, high = np.percentile(sample, [25, 50, 75])
    return f"{middle:.4g} ({low:.4g}, {high:.4g})"


def table(options: argparse.Namespace) -> None:
    print("| method | package | function | d, n | queries | ours: median (quartiles) | package | |\n" + "|---" * 8 + "|")
    known = matches(options.xdream, options.actmax)
    for task in tasks(options):
        if task.side == "package":
            continue
        for checkpoint in CHECKPOINTS:
            sides = (task, replace(task, side="package"), replace(task, method="random", side="package"))
            samples = [values(side, options.output, checkpoint) for side in sides]
            if any(sample is None for sample in samples):
                continue
            print(f"| `{task.method}` | {known[task.method].package} | {task.function} | {task.d}, {task.n} | {checkpoint} "
                  f"| {_summary(samples[0])} | {_summary(samples[1])} | {verdict(*samples)} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--output", type=Path, default=Path("results/fidelity"), help="folder of the runs")
    parser.add_argument("--program", default="build/meicensus")
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--functions", nargs="*", default=list(FUNCTIONS))
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--xdream", type=Path, help="checkout of willwx/XDream")
    parser.add_argument("--actmax", type=Path, help="checkout of Animadversio/ActMax-Optimizer-Dev")
    options = parser.parse_args()
    (run_all if options.what == "run" else table)(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
