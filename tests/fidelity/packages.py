# SPDX-License-Identifier: MIT
"""The published packages on an objective: for each of our methods, what it has to equal."""
import contextlib
import functools
import importlib
import importlib.util
import io
import sys
import types
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.stats import norm

from functions import Objective

LOW, HIGH = -4.0, 4.0  # values of the grid's ends


def nevergrad(name: str, as_is: bool = False) -> Callable[[Objective, int, int], None]:
    """A method of Nevergrad on an ordered choice of n points for each of d indices; as_is: in the package's class."""
    def run(objective: Objective, d: int, seed: int) -> None:
        import nevergrad as ng
        from ordered_choice import OrderedChoice
        choice = ng.p.TransitionChoice if as_is else OrderedChoice
        space = ng.p.Instrumentation(choice(range(objective.n_points), repetitions=d))
        space.random_state = np.random.RandomState(seed)
        np.random.seed(seed)  # what some methods take their numbers from
        optimizer = ng.optimizers.registry[name](parametrization=space, budget=objective.budget, num_workers=1)
        while objective.left:
            candidate = optimizer.ask()
            score = objective(np.array(candidate.args)[:1])[0]
            optimizer.tell(candidate, -float(score))
    return run


class _CompiledOnce:
    """jax, which by itself compiles a function again for every seed."""

    def __init__(self) -> None:
        self.compiled: dict[str, Callable] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(importlib.import_module("jax"), name)

    def jit(self, function: Callable) -> Callable:
        import jax
        return self.compiled.setdefault(function.__name__, jax.jit(function))


@functools.cache
def _protes_module(settings: frozenset) -> types.ModuleType:
    """The package for one set of settings, which its compiled functions contain."""
    del settings
    module = _load(Path(importlib.util.find_spec("protes.protes").origin), "protes_compiled_once")
    module.jax = _CompiledOnce()
    return module


def protes(quantised: bool = True, as_is: bool = False, **settings: object) -> Callable[[Objective, int, int], None]:
    """PROTES on binary modes, least significant digit first, or on the points themselves; as_is: compiled each time."""
    def run(objective: Objective, d: int, seed: int) -> None:
        digits = objective.n_points.bit_length() - 1 if quantised else 1
        base = 2 if quantised else objective.n_points
        module = importlib.import_module("protes.protes") if as_is else _protes_module(frozenset(settings.items()))

        def scores(modes: np.ndarray) -> np.ndarray:
            codes = np.asarray(modes).reshape(-1, d, digits) @ base**np.arange(digits)
            n = min(len(codes), objective.left)
            found = objective(codes[:n])
            return np.concatenate([found, np.full(len(codes) - n, -np.inf)])  # beyond the budget; it stops there
        module.protes(scores, d * digits, base, m=objective.budget, seed=seed, is_max=True, **settings)
    return run


def ttopt(rank: int) -> Callable[[Objective, int, int], None]:
    """TTOpt on binary modes, least significant digit first: minimises the negative score."""
    def run(objective: Objective, d: int, seed: int) -> None:
        from ttopt import TTOpt
        optimizer = TTOpt(lambda codes: -objective(codes).astype(float), d, p=2, q=objective.n_points.bit_length() - 1,
                          evals=objective.budget, is_func=False)
        optimizer.optimize(rank=rank, seed=seed)
    return run


def on_grid(values: np.ndarray, n_points: int) -> np.ndarray:
    """Nearest grid points of real vectors in latent units."""
    return np.clip(np.rint((values - LOW) / (HIGH - LOW) * (n_points - 1)), 0, n_points - 1).astype(int)


def in_bins(values: np.ndarray, n_points: int) -> np.ndarray:
    """Rows of a codebook: N(0, 1) in equal bins."""
    return np.clip(np.rint(n_points * norm.cdf(values) - 0.5), 0, n_points - 1).astype(int)


def _load(path: Path, name: str) -> types.ModuleType:
    specification = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def xdream(folder: Path, name: str, **settings: object) -> Callable[[Objective, int, int], None]:
    """A class of XDream's Optimizers.py on the grid, without its image generators."""
    def run(objective: Objective, d: int, seed: int) -> None:
        generator = types.SimpleNamespace(code_shape=(d,), loaded=False)
        sys.modules["Generators"] = types.SimpleNamespace(get_generator=lambda *_, **__: generator)
        sys.modules["utils"] = types.ModuleType("utils")
        with contextlib.redirect_stdout(io.StringIO()):
            optimizer = getattr(_load(folder / "xdream" / "Optimizers.py", "xdream_optimizers"), name)(
                "none", ".", random_seed=seed, load_on_init=False, **settings)
            optimizer._prepare_images = lambda: None  # pylint: disable=protected-access
            while objective.left:
                codes = on_grid(optimizer.current_samples_copy, objective.n_points)
                scores = objective(codes[:objective.left])
                if len(scores) < len(codes):
                    break
                optimizer.step(scores)
    return run


def cholesky(folder: Path, sigma: float) -> Callable[[Objective, int, int], None]:
    """CholeskyCMAES of ActMax-Optimizer-Dev on the grid."""
    def run(objective: Objective, d: int, seed: int) -> None:
        absent = {name: types.ModuleType(name) for name in ("nevergrad", "cma")}
        sys.path.insert(0, str(folder))  # it imports its own core.geometry_utils
        with contextlib.redirect_stdout(io.StringIO()):
            with mock.patch.dict(sys.modules, absent):
                module = _load(folder / "core" / "Optimizers.py", "actmax_optimizers")
            np.random.seed(seed)
            optimizer = module.CholeskyCMAES(d, population_size=40, init_sigma=sigma, Aupdate_freq=10,
                                             init_code=np.zeros((1, d)))
            start = optimizer.get_init_pop()  # whatever its score, nothing is learned from it
            values = optimizer.step_simple(np.zeros(1), start, verbosity=0)
            while objective.left:
                codes = on_grid(np.asarray(values), objective.n_points)
                scores = objective(codes[:objective.left])
                if len(scores) < len(codes):
                    break
                values = optimizer.step_simple(scores, np.asarray(values), verbosity=0)
    return run
