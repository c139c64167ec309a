"""Density estimation on a vector set: EMDE against the exact kernel density (paper 4.2)."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from benchmark import environment
from benchmark.data.load import VectorSet, load_split
from benchmark.settings import Settings
from contracts import UserError
from contracts.progress import progress
from emde.density import SketchDensity, bandwidth, exact_density


def density(settings: Settings, data: str) -> dict[str, Any]:
    """Pearson r between sketch and exact Laplacian density for every (N, K), over seeds; all points are queries."""
    loaded = load_split(data)
    if not isinstance(loaded, VectorSet):
        raise UserError(f"{data}: expected a vector set, found {type(loaded).__name__}")
    if data not in settings.density:
        raise UserError(f"{data}: expected an entry in params.yaml under density, found: {', '.join(settings.density)}")
    chosen = settings.density[data]
    points = np.asarray(loaded.vectors, np.float64)
    h = bandwidth(len(points), points.shape[1], chosen.bandwidth)
    truth = exact_density(points, points, h)
    grid = [(n, k) for n in chosen.n for k in chosen.k]
    rows = []
    with progress(f"density {data}", len(grid) * chosen.seeds) as advance:
        for n, k in grid:
            started = time.perf_counter()
            values = []
            for seed in range(chosen.seeds):
                estimate = SketchDensity(points, n, k, np.random.default_rng(settings.seed + seed)).query(points)
                values.append(float(np.corrcoef(estimate, truth)[0, 1]))
                advance()
            seconds = (time.perf_counter() - started) / chosen.seeds
            sd = float(np.std(values, ddof=1)) if chosen.seeds > 1 else None
            rows.append({"n": n, "k": k, "pearson": float(np.mean(values)), "sd": sd, "seeds": values,
                         "seconds": round(seconds, 3), "sketch_bytes": 8 * n * 2**k})  # fmt: skip
    return {
        "data": data,
        "points": len(points),
        "dim": points.shape[1],
        "kernel": "laplacian (L2)",
        "h": h,
        "queries": len(points),
        "rows": rows,
        "source": chosen.source,
        "data_hashes": {part: loaded.meta[part] for part in ("raw", "columns")},
        "peak_rss_mb": environment.peak_rss_mb(),
        **environment.describe(),
    }
