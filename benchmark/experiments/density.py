"""Density estimation on a vector set (paper 4.2): Table 5, Figure 4, and how r depends on the bandwidth.

``density`` returns, and the stage ``density`` writes, one JSON object per data set. A *summary* is
{"mean", "sd", "seeds"}: mean and standard deviation over seeds (sd null for one seed), and every value.

    data, points, dim            name and shape of the vector set
    kernel, normalisation        "laplacian (L2)"; "none", or "columns divided by their standard deviation"
    h, rule, median_distance     bandwidth, how it was chosen, median L2 distance of two points for scale
    queries                      number of queries: points, drawn without replacement, their own term included
    truth                        {"min", "median", "max", "self_share"}: of the exact density; self_share = median
                                 share of it that is the query's own term
    rows                         Table 5, one object per method:
        method, base, params     row name, class behind it, parameters (seed and h left out)
        source                   where the parameters come from
        pearson, spearman, relative_error   summaries; the error is mean |s e - t| / t at the best factor s
        query_us, fit_s          summaries: processor microseconds per query, processor seconds to fit
        bytes                    size of what a query needs
    grid                         Figure 4: [{"n", "k", "pearson": summary}]: DLSH, mean over N depths
    sweep                        r against bandwidth: [{"h", "of_median": h / median_distance, "self_share",
                                 "rows": [{"n", "k", "pearson": summary}]}] at the largest N of the grid
    source                       the data set's note from params.yaml
    data_hashes, peak_rss_mb, code, python, packages, machine, threads   as in a run record

What it costs (``benchmark.experiments.costs``) the stage leaves in a record of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.data.load import VectorSet, load_split
from benchmark.experiments import environment
from benchmark.experiments.density_grid import pearson_grid
from benchmark.experiments.exact import densities
from benchmark.protocol.density_metrics import METRICS, summary
from contracts import UserError
from contracts.runtime.progress import progress, track
from emde.kernel import bandwidth, median_distance

if TYPE_CHECKING:
    from benchmark.experiments.settings import Density, Settings


def density(settings: Settings, data: str) -> dict[str, Any]:
    """Every method of params.yaml on one vector set, over seeds; raises UserError where it is not one."""
    loaded = load_split(data)
    if not isinstance(loaded, VectorSet):
        raise UserError(f"{data}: expected a vector set, found {type(loaded).__name__}")
    if data not in settings.density:
        raise UserError(f"{data}: expected an entry in params.yaml under density, found: {', '.join(settings.density)}")
    chosen = settings.density[data]
    points = normalised(loaded.vectors, chosen.standardize)
    rng = np.random.default_rng(settings.seed)
    median = median_distance(points, rng)
    h = (
        bandwidth(len(points), points.shape[1], chosen.bandwidth)
        if chosen.rule == "scott"
        else chosen.bandwidth * median
    )
    queries = np.sort(rng.choice(len(points), min(chosen.queries, len(points)), replace=False))
    hs = [h, *(share * median for share in chosen.sweep)]
    truths = densities(points, points[queries], hs)
    grid, sweep = figures(settings, chosen, points, queries, truths, data)
    own = np.median(1 / len(points) / truths, axis=1)
    return {
        "data": data,
        "points": len(points),
        "dim": points.shape[1],
        "kernel": "laplacian (L2)",
        "normalisation": chosen.normalisation,
        "h": h,
        "rule": chosen.bandwidth_rule,
        "median_distance": median,
        "queries": len(queries),
        "truth": {**{name: float(getattr(np, name)(truths[0])) for name in ("min", "median", "max")},
                  "self_share": float(own[0])},
        "rows": table(settings, chosen, points, points[queries], truths[0], h, data),
        "grid": grid,
        "sweep": [
            {"h": hs[i + 1], "of_median": share, "self_share": float(own[i + 1]), "rows": sweep[i]}
            for i, share in enumerate(chosen.sweep)
        ],
        "source": chosen.source,
        "approximate": loaded.meta.get("approximate"),
        "data_hashes": {part: loaded.meta[part] for part in ("raw", "columns")},
        "peak_rss_mb": environment.peak_rss_mb(),
        **environment.describe(),
    }  # fmt: skip


def normalised(vectors: np.ndarray, standardize: bool) -> np.ndarray:
    """Points float32; a constant column stays as it is."""
    points = np.array(vectors, np.float32)
    if not standardize:
        return points
    sd = points.std(axis=0, dtype=np.float64)
    return (points / np.where(sd > 0, sd, 1)).astype(np.float32)


def table(
    settings: Settings, chosen: Density, points: np.ndarray, queries: np.ndarray, truth: np.ndarray, h: float, data: str
) -> list[dict[str, Any]]:
    """The rows of Table 5: every method, fitted anew with every seed."""
    rows = []
    for name in track(chosen.methods, f"density {data}: methods", len(chosen.methods)):
        measured: dict[str, list[float]] = {}
        for seed in range(settings.seed, settings.seed + chosen.seeds):
            model = settings.density_estimator(name, h, seed)
            began = time.process_time()
            model.fit(points)
            fitted = time.process_time()
            estimate = model.query(queries)
            ended = time.process_time()
            values = {metric: measure(estimate, truth) for metric, measure in METRICS.items()}
            values |= {"query_us": (ended - fitted) / len(queries) * 1e6, "fit_s": fitted - began}
            for key, value in values.items():
                measured.setdefault(key, []).append(value)
            if "seed" not in type(model).model_fields:
                break
        params = {key: value for key, value in model.model_dump(mode="json").items() if key not in ("seed", "h")}
        rows.append({"method": name, "base": settings.base("density", name), "params": params,
                     "source": settings.sources("density", name, data), "bytes": model.nbytes,
                     **{key: summary(values) for key, values in measured.items()}})  # fmt: skip
    return rows


def figures(
    settings: Settings, chosen: Density, points: np.ndarray, queries: np.ndarray, truths: np.ndarray, data: str
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Figure 4 at the first truth; and for every other truth (a bandwidth of the sweep) r at the largest N."""
    correlations = np.empty((chosen.seeds, len(truths), len(chosen.n), len(chosen.k)))
    with progress(f"density {data}: N x K", chosen.seeds) as advance:
        for seed in range(chosen.seeds):
            rng = np.random.default_rng(settings.seed + seed)
            correlations[seed] = pearson_grid(points, queries, truths, chosen.n, chosen.k, rng)
            advance()

    def cells(truth: int, ns: range) -> list[dict[str, Any]]:
        return [{"n": chosen.n[i], "k": k, "pearson": summary(correlations[:, truth, i, j].tolist())}
                for i in ns for j, k in enumerate(chosen.k)]  # fmt: skip

    last = len(chosen.n) - 1
    return cells(0, range(last + 1)), [cells(truth, range(last, last + 1)) for truth in range(1, len(truths))]
