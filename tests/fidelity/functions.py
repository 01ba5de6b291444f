# SPDX-License-Identifier: MIT
"""The functions of include/functions.h: codes [N][d] of indices 0 .. n - 1 -> values [N] without noise."""
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from units import UnitValues

Values = Callable[[np.ndarray, int], np.ndarray]


def _offsets(codes: np.ndarray, n_points: int) -> np.ndarray:
    best = ((np.arange(codes.shape[1]) + 1) * ((np.sqrt(5) - 1) / 2)) % 1
    return (codes + 0.5) / n_points - best


def sphere(codes: np.ndarray, n_points: int) -> np.ndarray:
    return -np.mean(_offsets(codes, n_points)**2, axis=1)


def ellipsoid(codes: np.ndarray, n_points: int) -> np.ndarray:
    y = _offsets(codes, n_points)
    d = codes.shape[1]
    for k in range(3):
        v = np.cos((k + 1.0) * np.arange(1, d + 1))
        y = y - np.outer(y @ v, v) * (2 / (v @ v))
    weights = 10**(4 * np.arange(d) / max(d - 1, 1))
    return -(y**2 @ weights) / weights.sum()


def trap(codes: np.ndarray, n_points: int) -> np.ndarray:
    digits = n_points.bit_length() - 1
    ones = np.zeros(codes.shape)
    for digit in range(digits):
        ones += codes >> digit & 1
    return np.mean(np.where(ones == digits, 1.0, (digits - 1.0 - ones) / digits), axis=1)


@dataclass
class Function:
    """values: to be maximised; noise: standard deviation of what a query adds."""

    values: Values
    noise: float = 0.0


FUNCTIONS = {"sphere": Function(sphere), "ellipsoid": Function(ellipsoid), "trap": Function(trap),
             "noisy_sphere": Function(sphere, 0.02)}


def find_function(name: str) -> Function:
    """A function by its name, or a unit."""
    return FUNCTIONS[name] if name in FUNCTIONS else Function(UnitValues(name))


class Objective:
    """A function as a package sees it; remembers the best score and the value behind it at the checkpoints."""

    def __init__(self, name: str, n_points: int, budget: int, checkpoints: list[int], seed: int) -> None:
        self.function, self.n_points, self.budget = find_function(name), n_points, budget
        self.checkpoints, self.noise = checkpoints, np.random.default_rng(seed + (1 << 32))
        self.n_queries, self.best, self.value = 0, -np.inf, -np.inf
        self.rows: list[tuple[int, float, float]] = []

    @property
    def left(self) -> int:
        return self.budget - self.n_queries

    def close(self) -> None:
        """End a unit's program."""
        if isinstance(self.function.values, UnitValues):
            self.function.values.close()

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Scores of codes [N][d]; no more than `left` of them may be asked."""
        codes = np.asarray(codes, dtype=np.int64)
        values = self.function.values(codes, self.n_points)
        scores = (values + self.function.noise * self.noise.standard_normal(len(values))).astype(np.float32)
        for score, value in zip(scores, values):
            self.n_queries += 1
            if score > self.best:
                self.best, self.value = float(score), float(value)
            if self.n_queries in self.checkpoints:
                self.rows.append((self.n_queries, self.best, self.value))
        return scores
