# SPDX-License-Identifier: MIT
"""Milliseconds of processor time a query that the published packages take for themselves, as they are, on the sphere
in 128 dimensions of 64 points, whose own time does not count. CSV: method (ours that has to equal it), milliseconds.

usage: bench_search.py [QUERIES]      of each run, after as many that warm up (60)"""
import os
import sys
import time
from pathlib import Path

os.environ.update({name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fidelity"))

import numpy as np  # noqa: E402

from fidelity import matches  # noqa: E402
from functions import Objective  # noqa: E402

DIMENSIONS, POINTS = 128, 64


class Timed(Objective):
    """Measures the time between its calls, from the first after `warm_up` queries on."""

    def __init__(self, warm_up: int, n_queries: int) -> None:
        super().__init__("sphere", POINTS, warm_up + n_queries, [], 0)
        self.warm_up, self.seconds, self.n_timed, self.left_at = warm_up, 0.0, 0, None

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        if self.left_at is not None:
            self.seconds += time.process_time() - self.left_at
            self.n_timed += len(codes)
        scores = super().__call__(codes)
        if self.n_queries >= self.warm_up:
            self.left_at = time.process_time()
        return scores


def main() -> None:
    n_queries = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    folders = [Path(os.environ[name]) if name in os.environ else None for name in ("XDREAM", "ACTMAX")]
    print("method,milliseconds")
    for method, match in matches(*folders, as_is=True).items():
        if match.run is None:
            continue
        objective = Timed(max(n_queries, 300 if method == "tt_exp" else 100), n_queries)
        match.run(objective, DIMENSIONS, 0)
        print(f"{method},{1000 * objective.seconds / objective.n_timed:.4f}", flush=True)


if __name__ == "__main__":
    main()
