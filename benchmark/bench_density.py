"""Density queries at equal correlation while the points grow; part of ``make bench``: the sketch's cost stays flat.

python -m benchmark.bench_density [POINTS ...]
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from baselines.density.hbe import HBE
from baselines.density.sampling import Sampling
from benchmark.metrics_density import pearson, relative_error
from contracts import DensityEstimator
from emde.density import SketchDensity
from emde.kernel import exact_density, median_distance

POINTS = (1_000, 10_000, 100_000, 1_000_000)
DIM, CLUSTERS, QUERIES = 16, 20, 200
SHARE = 0.3
"""Bandwidth as a share of the median distance."""
LARGEST = 1 << 14
"""Sample size and tables beyond which a rival is not enlarged any more."""
SECONDS = 0.2
"""Queries are repeated for at least so many processor seconds."""


def generate(n: int, seed: int = 0) -> np.ndarray:
    """Points [n, DIM] around cluster centres of different weight and width; two sizes share their distribution."""
    shape = np.random.default_rng(0)
    centres, widths = shape.standard_normal((CLUSTERS, DIM)), np.geomspace(0.1, 1.5, CLUSTERS)
    rng = np.random.default_rng([seed, n])
    cluster = rng.choice(CLUSTERS, n, p=shape.dirichlet(np.ones(CLUSTERS)))
    return (centres[cluster] + widths[cluster, None] * rng.standard_normal((n, DIM))).astype(np.float32)


def report(points: Sequence[int] = POINTS) -> dict[str, Any]:
    """Every method at every number of points, and how its seconds per query grow: seconds ~ points^e.

    All seconds are processor seconds of one thread. Sample and tables of the rivals are doubled until their Pearson r
    is at least the sketch's; one below it means that none sufficed.
    """
    with one_thread():
        rows = [row for n in points for row in measure(n)]
    growth = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        own = [row for row in rows if row["method"] == method]
        slope = np.polyfit(np.log([row["points"] for row in own]), np.log([1 / row["queries/s"] for row in own]), 1)[0]
        growth[method] = round(float(slope), 2)
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
    truth, exact_s = timed(lambda: exact_density(points, queries, h, device="cpu"))
    exact = {
        "points": n,
        "method": "exact",
        "relative error": 0.0,
        "pearson": 1.0,
        "queries/s": round(QUERIES / exact_s, 1),
        "fit points/s": None,
        "bytes": points.nbytes,
        "size": n,
    }
    sketch = row(SketchDensity(n=100, k=7), points, queries, truth, 100)
    target = sketch["pearson"]
    sampling = enlarged(lambda m: Sampling(m=m, h=h), points, queries, truth, target)
    hbe = enlarged(lambda m: HBE(tables=m, h=h, error=1 / np.sqrt(m)), points, queries, truth, target)
    return [sketch, exact, sampling, hbe]


def enlarged(
    make: Callable[[int], DensityEstimator], points: np.ndarray, queries: np.ndarray, truth: np.ndarray, target: float
) -> dict[str, Any]:
    """The smallest size 2^i whose r is at least ``target``, or the largest tried."""
    size = 2
    while True:
        found = row(make(size), points, queries, truth, size)
        if found["pearson"] >= target or size >= min(LARGEST, len(points)):
            return found
        size *= 2


def row(
    model: DensityEstimator, points: np.ndarray, queries: np.ndarray, truth: np.ndarray, size: int
) -> dict[str, Any]:
    """Fit once, query, and describe."""
    began = time.process_time()
    model.fit(points)
    fit_s = max(time.process_time() - began, 1e-6)
    estimate, query_s = timed(lambda: model.query(queries))
    return {
        "points": len(points),
        "method": type(model).__name__,
        "relative error": round(relative_error(estimate, truth), 4),
        "pearson": round(pearson(estimate, truth), 4),
        "queries/s": round(QUERIES / query_s, 1),
        "fit points/s": round(len(points) / fit_s),
        "bytes": model.nbytes,
        "size": size,
    }


def timed(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """(result, processor seconds of one call), the mean over enough calls to be measured, after the first."""
    result, calls, began = work(), 0, time.process_time()
    while calls == 0 or time.process_time() - began < SECONDS:
        work()
        calls += 1
    return result, (time.process_time() - began) / calls


def main(words: list[str]) -> int:
    """The whole report as JSON."""
    sys.stdout.write(json.dumps(report([int(word) for word in words] or POINTS), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
