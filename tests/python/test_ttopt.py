# SPDX-License-Identifier: MIT
"""The search method ttopt asks, query by query, what the package ttopt 0.6.2 asks from the same first train.

Compared are all rows of `meicensus optimize`: when a run found a better score, and which. On the ellipsoid no two
rows of a step's matrix are (nearly) dependent; where they are (sphere, trap: sums over the dimensions), rounding
decides between rows, and only the distributions of best scores can be compared (tests/fidelity).
"""
import csv
import math
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import xxhash
from ttopt import ttopt_raw

from conftest import ROOT

sys.path.append(str(ROOT / "tests" / "fidelity"))
from functions import FUNCTIONS  # noqa: E402

PROGRAM = ROOT / "build" / "meicensus"
SEEDS = 2

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="build/meicensus is not built: run make first")


def philox(key: int, draw: int) -> list[int]:
    """Philox4x32-10 (Salmon et al. 2011) of the counter (0, 0, draw, 0)."""
    word, low, high = [0, 0, draw, 0], key & 0xFFFFFFFF, key >> 32
    for _ in range(10):
        first, second = 0xD2511F53 * word[0], 0xCD9E8D57 * word[2]
        word = [second >> 32 ^ word[1] ^ low, second & 0xFFFFFFFF, first >> 32 ^ word[3] ^ high, first & 0xFFFFFFFF]
        low, high = low + 0x9E3779B9 & 0xFFFFFFFF, high + 0xBB67AE85 & 0xFFFFFFFF
    return word


def normals(key: int) -> Iterator[float]:
    """N(0, 1), as src/search/draws.c makes them at the creation of a search."""
    draw = 0
    while True:
        words = [(word + 0.5) / 2**32 for word in philox(key, draw)]
        for first, second in (words[:2], words[2:]):
            radius = math.sqrt(-2 * math.log(first))
            yield radius * math.cos(2 * math.pi * second)
            yield radius * math.sin(2 * math.pi * second)
        draw += 1


def first_train(key: int, n_modes: int, rank: int) -> list[np.ndarray]:
    """The cores that the search starts from; of the last one nothing is used."""
    numbers = normals(key)
    ranks = [1]
    for _ in range(n_modes - 1):
        ranks.append(min(rank, 2 * ranks[-1]))
    cores = [np.reshape([next(numbers) for _ in range(2 * left * right)], (left, 2, right), order="F")
             for left, right in zip(ranks, ranks[1:])]
    return cores + [np.zeros((ranks[-1], 2, 1))]


def run_package(function: str, d: int, n: int, rank: int, budget: int, seed: int) -> list[tuple[int, float]]:
    """(queries, best score) whenever a better score was found, and at the end."""
    digits = n.bit_length() - 1
    rows, scores = [], []

    def losses(modes: np.ndarray, *_: object) -> tuple[np.ndarray | None, list | None]:
        modes = modes[:budget - len(scores)]
        if len(modes) == 0:
            return None, None
        codes = modes.reshape(len(modes), d, digits) @ 2**np.arange(digits)
        found = FUNCTIONS[function].values(codes, n).astype(np.float32)
        for score in found:
            scores.append(score)
            if len(rows) == 0 or score > rows[-1][1]:
                rows.append((len(scores), score))
        return -found.astype(float), [None] * len(found)
    key = xxhash.xxh3_64_intdigest(f"{seed}/{function}/{d}/{n}/ttopt".encode())
    ttopt_raw.ttopt(losses, [2] * (d * digits), rank, Y0=first_train(key, d * digits, rank))
    return rows + [(budget, rows[-1][1])]


@pytest.mark.parametrize("d, n, rank", [(16, 64, 5), (16, 64, 3), (3, 8, 5), (24, 512, 5)])
def test_same_queries_as_the_package(d: int, n: int, rank: int) -> None:
    budget = 6000
    command = [PROGRAM, "optimize", "--function", "ellipsoid", "--method", "ttopt", "--settings", f"{{rank: {rank}}}",
               "--dim", str(d), "--points", str(n), "--budget", str(budget), "--seeds", str(SEEDS)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ours = list(csv.DictReader(text.splitlines()))
    for seed in range(SEEDS):
        rows = [(int(row["queries"]), float(row["best"])) for row in ours if int(row["seed"]) == seed]
        theirs = run_package("ellipsoid", d, n, rank, budget, seed)
        assert [queries for queries, _ in rows] == [queries for queries, _ in theirs]
        np.testing.assert_allclose([best for _, best in rows], [best for _, best in theirs], rtol=1e-6)
