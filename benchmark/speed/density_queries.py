"""Section ``density``: queries at equal correlation while the points grow; the sketch's cost stays flat."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from baselines.density.hbe import HBE
from baselines.density.sampling import Sampling
from benchmark.protocol.density_metrics import pearson, relative_error
from benchmark.speed.generate import DIM
from benchmark.speed.generate import points as generate
from benchmark.speed.harness import best_of, exponent, seconds
from contracts import DensityEstimator
from emde.density import SketchDensity
from emde.kernel import exact_density, median_distance

QUERIES = 200
SHARE = 0.3
"""Bandwidth as a share of the median distance."""
LARGEST = 1 << 14
"""Sample size and tables beyond which a baseline is not enlarged any more."""


def report(points: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000)) -> dict[str, Any]:
    """Every method at every number of points, and how its seconds per query grow: seconds ~ points^e.

    All seconds are processor seconds of one thread. Sample and tables of the baselines are doubled until their Pearson
    r is at least the sketch's; one below it means that none sufficed.
    """
    with one_thread():
        rows = [row for n in points for row in measure(n)]
    growth = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        growth[method] = round(exponent([row["points"] for row in own], [1 / row["queries/s"] for row in own]), 2)
    return {"dim": DIM, "queries": QUERIES, "rows": rows, "seconds per query ~ points^": growth}


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for NumPy and torch: waiting threads would count as work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


def measure(n: int) -> list[dict[str, Any]]:
    """Sketch, exact density, sampling and HBE on n generated points."""
    points, queries = generate(n), generate(QUERIES, seed=1)
    h = SHARE * median_distance(points, np.random.default_rng(0))
    truth = exact_density(points, queries, h, device="cpu")

    def row(model: DensityEstimator, size: int) -> dict[str, Any]:
        fit = seconds(lambda: model.fit(points))[1]
        quality = {"relative error": round(relative_error(model.query(queries), truth), 4),
                   "pearson": round(pearson(model.query(queries), truth), 4)}  # fmt: skip
        rates = {**rate(lambda: model.query(queries)), "fit points/s": round(n / max(fit, 1e-6))}
        return {"points": n, "method": type(model).__name__, **quality, **rates, "bytes": model.nbytes, "size": size}

    def enlarged(make: Callable[[int], DensityEstimator]) -> dict[str, Any]:
        """The smallest size 2^i whose r is at least the sketch's, or the largest tried."""
        size = 2
        while (result := row(make(size), size))["pearson"] < sketch["pearson"] and size < min(LARGEST, n):
            size *= 2
        return result

    sketch = row(SketchDensity(n=100, k=7), 100)
    exact = {
        "points": n, "method": "exact", "relative error": 0.0, "pearson": 1.0,
        **rate(lambda: exact_density(points, queries, h, device="cpu")),
        "fit points/s": None, "bytes": points.nbytes, "size": n,
    }  # fmt: skip
    sampling = enlarged(lambda m: Sampling(m=m, h=h))
    return [sketch, exact, sampling, enlarged(lambda m: HBE(tables=m, h=h, error=1 / np.sqrt(m)))]


def rate(work: Callable[[], Any]) -> dict[str, float]:
    """Queries per processor second."""
    return {"queries/s": round(QUERIES / max(best_of(work)[1], 1e-6), 1)}
