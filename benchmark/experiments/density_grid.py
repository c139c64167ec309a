"""Pearson's r of EMDE for every N and K at once (Figure 4), from one set of hyperplanes per seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmark.protocol.density_metrics import pearson
from emde.coders import DLSH

DEPTHS = 64
"""Depths hashed at once."""


def pearson_grid(
    points: np.ndarray,
    queries: np.ndarray,
    truths: np.ndarray,
    ns: Sequence[int],
    ks: Sequence[int],
    rng: np.random.Generator,
) -> np.ndarray:
    """r of the mean over the first n depths of k bits with each truth: float64 [truths, ns, ks].

    queries  int64 [q], rows of the points [m, d]; truths float64 [t, q]; ns ascending

    The partition of k bits is the first k hyperplanes of the one with the most: each is drawn as DLSH
    draws it, but the columns of one seed are not independent of each other.
    """
    out = np.empty((len(truths), len(ns), len(ks)))
    sums, done = np.zeros((len(ks), len(queries))), 0
    for row, n in enumerate(ns):
        while done < n:
            depths = min(DEPTHS, n - done)
            codes = DLSH(points, depths, max(ks), rng).encode(points)
            for column, k in enumerate(ks):
                sums[column] += region_counts(codes & ((1 << k) - 1), 1 << k, queries)
            done += depths
        for column in range(len(ks)):
            out[:, row, column] = [pearson(sums[column], truth) for truth in truths]
    return out


def region_counts(codes: np.ndarray, width: int, queries: np.ndarray) -> np.ndarray:
    """Sum over depths of the number of points in each query's region, int64 [q]; codes [points, depths]."""
    cells = codes.astype(np.int64) + np.arange(codes.shape[1]) * width
    return np.bincount(cells.ravel(), minlength=codes.shape[1] * width)[cells[queries]].sum(axis=1)
