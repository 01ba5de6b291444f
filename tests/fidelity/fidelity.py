#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Search methods against the published packages on the same functions.

Runs each method and the package that it has to equal with the same budget, ours with four times the seeds, and
compares the medians of the value behind the best score seen. "equal": the bootstrap 95 % interval of the difference of
medians lies within 10 % of (package's median - random search's median); "different": it lies outside; else "undecided".
--units: also the real loop, three units of the shipped network (build/tests/score_unit), a third of the seeds, as many
of ours.
What is in --output is not run again: the same command goes on where it was stopped. Ours is run again where the
program's first seed does something else than in --output, or where there are fewer seeds. The hours are those of all tasks, also of earlier commands.
The packages take hours: what they did is kept in tests/fidelity/packages.csv, and not run again either.

keep: prints packages.csv anew, what is in --output beside what was there.

quantiles: prints tests/fidelity/quantiles.csv, with which `make check` compares a few runs of ours.

check-patch: what makes the packages faster here (ordered_choice.py, PROTES compiled once) changes nothing: the same
codes are asked as with the packages as they are.
"""
import argparse
import csv
import functools
import hashlib
import importlib.metadata
import itertools
import json
import multiprocessing
import os
import shlex
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
import units  # pylint: disable=wrong-import-position
from functions import FUNCTIONS, Objective  # pylint: disable=wrong-import-position

BUDGET, CHECKPOINTS = 1000, [250, 500, 1000]
SPACES = [(16, 64), (64, 512)]
WIDE = (128, 64)  # for the methods of the papers' main results
PERCENTS = [5, 10, 25, 50, 75, 90, 95]
TOLERANCE, RESAMPLES = 0.1, 4000
SEEDS_OF_OURS = 4  # times as many as of a package: they take seconds, and narrow the interval
WIDE_NEVERGRAD = ("RandomSearch", "CMA", "Portfolio")
PATCHED = ("RandomSearch", "OnePlusOne", "CMA", "DiagonalCMA", "DE", "Portfolio", "NoisyBandit", "SPSA")
PATCH_BUDGET, PATCH_SPACES = 300, [(16, 64), (6, 512)]
HOURS = "seconds.csv"
KEPT = Path(__file__).with_name("packages.csv")
VERSIONED = ("nevergrad", "cma", "protes", "ttopt", "teneva", "numpy", "scipy", "jax")


@dataclass
class Match:
    """One of our methods and what it has to equal."""

    package: str
    run: Callable[[Objective, int, int], None] | None  # None: its folder is not given
    settings: str = "{}"
    grid: bool = False   # indices are points of a grid, else rows of a codebook
    wide: bool = False


def matches(xdream: Path | None, actmax: Path | None, as_is: bool = False) -> dict[str, Match]:
    """as_is: the packages without what makes them faster here."""
    def nevergrad(name: str) -> Match:
        return Match(f"Nevergrad {name}", packages.nevergrad(name, as_is), wide=name in WIDE_NEVERGRAD)

    def protes(quantised: bool = True, **settings: object) -> Match:
        return Match("PROTES", packages.protes(quantised, as_is, **settings), wide=quantised)

    def of_xdream(name: str, **settings: object) -> Match:
        return Match(f"XDream {name}", xdream and packages.xdream(xdream, name, **settings), grid=True)
    genetic = {"population_size": 20, "mutation_rate": 0.5, "mutation_size": 0.5, "selectivity": 2, "heritability": 0.5}
    steps = {"n_samples": 20, "search_radius": 1.25}
    return {
        "random": nevergrad("RandomSearch"),
        "tt": protes(k=10, k_top=1),
        "tt_s": protes(k=5, k_top=1),
        "tt_b": protes(k=25, k_top=5),
        "tt_exp": protes(k=100, k_top=10, lr=0.1),
        "tt_plain": protes(quantised=False, k=10, k_top=1),
        "cma": nevergrad("CMA"),
        "cma_diagonal": nevergrad("DiagonalCMA"),
        "one_plus_one": nevergrad("OnePlusOne"),
        "de": nevergrad("DE"),
        "portfolio": nevergrad("Portfolio"),
        "noisy_bandit": nevergrad("NoisyBandit"),
        "spsa": nevergrad("SPSA"),
        "ttopt": Match("TTOpt", packages.ttopt(rank=5), wide=True),
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
        return output / f"{self.method}-{self.function.replace('/', '_')}-{self.d}x{self.n}-{self.side}.csv"

    def seeds(self, options: argparse.Namespace) -> int:
        if self.function in units.UNITS:
            return max(options.seeds // 3, 1)
        return options.seeds * (SEEDS_OF_OURS if self.side == "ours" else 1)


def run_ours(task: Task, match: Match, options: argparse.Namespace, seeds: int) -> str:
    """CSV with a row whenever a seed found a better score."""
    objective = (["--command", shlex.join(units.command(task.function)), "--name", task.function]
                 if task.function in units.UNITS else ["--function", task.function])
    command = [options.program, "optimize", *objective, "--method", task.method,
               "--settings", match.settings, "--dim", str(task.d), "--points", str(task.n),
               "--budget", str(BUDGET), "--seeds", str(seeds)]
    return subprocess.run(command + ["--grid"] * match.grid, check=True, capture_output=True, text=True).stdout


def run_package(task: Task, match: Match, options: argparse.Namespace) -> str:
    """CSV with a row for every seed and checkpoint."""
    rows = ["seed,queries,best,value\n"]
    for seed in range(task.seeds(options)):
        objective = Objective(task.function, task.n, BUDGET, CHECKPOINTS, seed)
        match.run(objective, task.d, seed)
        objective.close()
        rows += [f"{seed},{queries},{best!r},{value!r}\n" for queries, best, value in objective.rows]
    return "".join(rows)


def is_done(task: Task, match: Match, options: argparse.Namespace) -> bool:
    path = task.path(options.output)
    if not path.exists() or task.side == "package":
        return path.exists()
    rows = path.read_text()
    return rows.startswith(run_ours(task, match, options, 1)) and f"\n{task.seeds(options) - 1}," in rows


def run_task(given: tuple[Task, argparse.Namespace]) -> tuple[Task, float]:
    task, options = given
    match = matches(options.xdream, options.actmax)[task.method]
    begin = sum(os.times()[:4])
    if not is_done(task, match, options):
        path = task.path(options.output)
        part = path.with_suffix(".part")
        part.write_text(run_ours(task, match, options, task.seeds(options)) if task.side == "ours"
                        else run_package(task, match, options))
        part.replace(path)
    return task, sum(os.times()[:4]) - begin


def tasks(options: argparse.Namespace) -> list[Task]:
    known = matches(options.xdream, options.actmax)
    result = []
    for method in options.methods or known:
        spaces = [space for space in SPACES + [WIDE] * known[method].wide
                  if not options.spaces or f"{space[0]}x{space[1]}" in options.spaces]
        places = [*itertools.product(options.functions, spaces), *((unit, units.SPACE) for unit in options.units)]
        for (function, (d, n)), side in itertools.product(places, options.sides):
            result.append(Task(method, function, d, n, side))
    return result


# ---- what the packages did ----

@dataclass
class Kept:
    """packages.csv: [method, function, d, n, queries] -> values behind the best scores, one a seed."""

    versions: dict[str, str]
    values: dict[tuple[str, ...], np.ndarray]

    def of(self, task: Task, checkpoint: int) -> np.ndarray | None:
        return self.values.get((task.method, task.function, str(task.d), str(task.n), str(checkpoint)))


@functools.cache
def read_kept() -> Kept:
    if not KEPT.exists():
        return Kept({}, {})
    lines = KEPT.read_text().splitlines()
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    next(rows)
    return Kept(json.loads(lines[1].removeprefix("# ")),
                {tuple(row[:5]): np.array(row[5].split(), float) for row in rows})


def keep(options: argparse.Namespace) -> None:
    kept = read_kept()
    versions = json.loads((options.output / "versions.json").read_text())
    if kept.versions and kept.versions != versions:
        sys.exit(f"{KEPT} is of {kept.versions}, {options.output} of {versions}: remove the former to run all again")
    for task, checkpoint in itertools.product(tasks(options), CHECKPOINTS):
        sample = values(task, options.output, checkpoint) if task.side == "package" else None
        if sample is not None:
            kept.values[task.method, task.function, str(task.d), str(task.n), str(checkpoint)] = sample
    print("# Written by `fidelity.py keep`: values behind the best scores of the packages' runs, one a seed.")
    print("# " + json.dumps(versions))
    print("method,function,d,n,queries,values")
    for key in sorted(kept.values):
        print(",".join(key), " ".join(f"{value:.7g}" for value in kept.values[key]), sep=",")


def is_left(task: Task, options: argparse.Namespace) -> bool:
    if task.side == "ours":
        return True
    can_run = matches(options.xdream, options.actmax)[task.method].run is not None
    return can_run and not task.path(options.output).exists() and read_kept().of(task, BUDGET) is None


def run_all(options: argparse.Namespace) -> None:
    options.output.mkdir(parents=True, exist_ok=True)
    versions = {name: importlib.metadata.version(name) for name in VERSIONED if _is_installed(name)}
    (options.output / "versions.json").write_text(json.dumps(versions, indent=1) + "\n")
    left = [task for task in tasks(options) if is_left(task, options)]
    with multiprocessing.get_context("spawn").Pool(options.jobs) as pool:
        for number, (task, spent) in enumerate(pool.imap_unordered(run_task, [(task, options) for task in left]), 1):
            with (options.output / HOURS).open("a") as file:
                file.write(f"{task.path(options.output).stem},{spent:.2f}\n")
            print(f"{number}/{len(left)} {task.path(options.output).stem}: {spent:.1f} s", file=sys.stderr, flush=True)
    lines = (options.output / HOURS).read_text().splitlines() if (options.output / HOURS).exists() else []
    print(f"{sum(float(line.split(',')[1]) for line in lines) / 3600:.2f} core-hours in all, also of earlier commands")


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


# ---- what makes the packages faster ----

class Recorder(Objective):
    """Also keeps what was asked."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)
        self.asked = hashlib.sha256()

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        self.asked.update(np.ascontiguousarray(codes, dtype=np.int64))
        return super().__call__(codes)


def asked(run: Callable[[Objective, int, int], None], d: int, n: int, seed: int) -> tuple[str, float]:
    """Hash of all codes that a run asks, and its milliseconds a query."""
    objective = Recorder("noisy_sphere", n, PATCH_BUDGET, [], seed)
    begin = time.process_time()
    run(objective, d, seed)
    return objective.asked.hexdigest(), 1000 * (time.process_time() - begin) / PATCH_BUDGET


def check_patch() -> bool:
    """A line for every method; True: all ask the same codes with and without."""
    rows = [(name, packages.nevergrad(name), packages.nevergrad(name, as_is=True)) for name in PATCHED]
    rows += [("PROTES", packages.protes(k=10, k_top=1), packages.protes(as_is=True, k=10, k_top=1)),
             ("PROTES, not quantised", packages.protes(quantised=False, k=10, k_top=1),
              packages.protes(quantised=False, as_is=True, k=10, k_top=1))]
    all_same = True
    for (name, faster, as_is), (d, n) in itertools.product(rows, PATCH_SPACES):
        pairs = [(asked(faster, d, n, seed), asked(as_is, d, n, seed)) for seed in (0, 1)]
        same = all(ours[0] == theirs[0] for ours, theirs in pairs)
        print(f"{name}, {d} x {n}: {'same' if same else 'DIFFERENT'} codes; second run {pairs[1][0][1]:.2f} ms a "
              f"query, as it is {pairs[1][1][1]:.2f}", flush=True)
        all_same = all_same and same
    return all_same


# ---- the table ----

def values(task: Task, output: Path, checkpoint: int) -> np.ndarray | None:
    """Value behind the best score after so many queries, one a seed."""
    path = task.path(output)
    if not path.exists():
        return read_kept().of(task, checkpoint) if task.side == "package" else None
    with path.open() as file:  # the last row up to the checkpoint is what counts
        return np.array(list({row["seed"]: float(row["value"]) for row in csv.DictReader(file)
                              if int(row["queries"]) <= checkpoint}.values()))


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


@dataclass
class Comparison:
    """A row of the table."""

    task: Task
    checkpoint: int
    ours: np.ndarray
    theirs: np.ndarray
    verdict: str


def comparisons(options: argparse.Namespace) -> list[Comparison]:
    result = []
    for task, checkpoint in itertools.product(tasks(options), CHECKPOINTS):
        sides = (replace(task, side="ours"), replace(task, side="package"),
                 replace(task, method="random", side="package"))
        samples = [values(side, options.output, checkpoint) for side in sides] if task.side == "ours" else [None]
        if all(sample is not None for sample in samples):
            result.append(Comparison(task, checkpoint, samples[0], samples[1], verdict(*samples)))
    return result


def chance_of_better(pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[float, float, float]:
    """Mean over places of P(a run of ours ends above one of the package's), ties half; bootstrap 95 % interval.

    A seed is drawn for all places at once: it begins alike in all of them.
    """
    drawn = np.zeros(RESAMPLES)
    mean = 0.0
    for ours, theirs in pairs:
        random = np.random.default_rng(0)
        above = (np.sign(_rounded(ours)[:, None] - _rounded(theirs)[None, :]) + 1) / 2
        rows, columns = (random.integers(size, size=(RESAMPLES, size)) for size in above.shape)
        drawn += above[rows[:, :, None], columns[:, None, :]].mean(axis=(1, 2)) / len(pairs)
        mean += above.mean() / len(pairs)
    return mean, *np.percentile(drawn, [2.5, 97.5])


def _rounded(sample: np.ndarray) -> np.ndarray:
    """Equal values are equal again: packages.csv has seven digits."""
    return np.array([float(f"{value:.6g}") for value in sample])


def summary(known: dict[str, Match], rows: list[Comparison]) -> None:
    """A line for each method."""
    verdicts = ["equal", "undecided", "different"]
    print(f"| method | package | {' | '.join(verdicts)} | P(ours above the package's) |")
    print("|---" * 6 + "|")
    for method in dict.fromkeys(row.task.method for row in rows):
        own = [row for row in rows if row.task.method == method]
        counts = " | ".join(str(sum(row.verdict == name for row in own)) for name in verdicts)
        chance, low, high = chance_of_better([(row.ours, row.theirs) for row in own if row.checkpoint == BUDGET])
        print(f"| `{method}` | {known[method].package} | {counts} | {chance:.2f} ({low:.2f}, {high:.2f}) |")


def table(options: argparse.Namespace) -> None:
    known, rows = matches(options.xdream, options.actmax), comparisons(options)
    summary(known, rows)
    print("\n| method | package | function | d, n | queries | ours: median (quartiles) | package | |")
    print("|---" * 8 + "|")
    for row in rows:
        task = row.task
        print(f"| `{task.method}` | {known[task.method].package} | {task.function} | {task.d}, {task.n} "
              f"| {row.checkpoint} | {_summary(row.ours)} | {_summary(row.theirs)} | {row.verdict} |")


# ---- the short comparison of `make check` ----

def quantiles(options: argparse.Namespace) -> None:
    """What tests/modules/test_fidelity.c compares with: of each package's values, at each checkpoint."""
    versions = read_kept().versions
    print("# Written by `fidelity.py quantiles` from the packages' runs: quantiles of the value behind the best score.")
    print("# " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    print("method,grid,function,d,n,queries,seeds," + ",".join(f"q{percent}" for percent in PERCENTS))
    known = matches(options.xdream, options.actmax)
    d, n = SPACES[0]
    for method, function, checkpoint in itertools.product(options.methods or known, options.functions, CHECKPOINTS):
        sample = values(Task(method, function, d, n, "package"), options.output, checkpoint)
        if sample is not None:
            numbers = ",".join(f"{value:.7g}" for value in np.percentile(sample, PERCENTS))
            print(f"{method},{known[method].grid:d},{function},{d},{n},{checkpoint},{len(sample)},{numbers}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "keep", "table", "check-patch", "quantiles"])
    parser.add_argument("--output", type=Path, default=Path("results/fidelity"), help="folder of the runs")
    parser.add_argument("--program", default="build/meicensus")
    parser.add_argument("--methods", nargs="*")
    parser.add_argument("--functions", nargs="*", default=list(FUNCTIONS))
    parser.add_argument("--units", nargs="*", default=[], choices=list(units.UNITS))
    parser.add_argument("--spaces", nargs="*", help="e.g. 16x64; by default all of a method")
    parser.add_argument("--sides", nargs="*", default=["ours", "package"], choices=["ours", "package"])
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--xdream", type=Path, help="checkout of willwx/XDream")
    parser.add_argument("--actmax", type=Path, help="checkout of Animadversio/ActMax-Optimizer-Dev")
    options = parser.parse_args()
    if options.what == "check-patch":
        return 0 if check_patch() else 1
    {"run": run_all, "keep": keep, "table": table, "quantiles": quantiles}[options.what](options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
