# SPDX-License-Identifier: MIT
"""Nevergrad's TransitionChoice(range(n), repetitions=d) without its costs: the same numbers, several times faster.

The package keeps an object for every choice, and copies, freezes and compares all of them at every query;
`fidelity.py check-patch` compares what is asked with and without this.
"""
from collections.abc import Iterator

import nevergrad as ng
import numpy as np
from nevergrad.parametrization import container


class _Points(container.Tuple):
    """The choices 0 .. n - 1: one object for all candidates, with nothing in it that could change."""

    def __init__(self, n_points: int) -> None:
        super().__init__()
        self.n_points = n_points

    def __len__(self) -> int:
        return self.n_points

    def __iter__(self) -> Iterator[object]:
        return iter(())

    def _same(self, *_: object, **__: object) -> "_Points":
        return self

    def _nothing(self, *_: object, **__: object) -> None:
        pass

    __getitem__ = copy = _same
    _set_parenthood = freeze = _check_frozen = mutate = _nothing


class OrderedChoice(ng.p.TransitionChoice):
    """Indices are set and read as an array, not by trying every choice."""

    def __init__(self, choices: range, repetitions: int) -> None:
        super().__init__(choices, repetitions=repetitions)
        self._content["choices"] = _Points(len(choices))

    def _layered_get_value(self) -> tuple[int, ...]:
        return tuple(self.indices.value.tolist())

    def _layered_set_value(self, value: tuple[int, ...]) -> None:
        self._check_frozen()
        self.indices.value = np.array(value, dtype=int)

    def _internal_set_standardized_data(self, data: np.ndarray, reference: "OrderedChoice") -> None:
        container.Container._internal_set_standardized_data(self, data, reference)
        self._layered_set_value(self._layered_get_value())  # to the centres of the bins
