"""EMDE as a density estimator (paper 4.2, Table 5, Figure 4)."""

from __future__ import annotations

from typing import Literal

import numpy as np

from contracts.progress import progress
from emde.coders import DLSH

BLOCK = 1024
"""Queries compared with all points at once."""


class SketchDensity:
    """Density at x = mean over depths of the count of x's region, divided by the number of points.

    Its size is N * 2^K counters, whatever the number of points.
    """

    def __init__(self, points: np.ndarray, n: int, k: int, rng: np.random.Generator) -> None:
        self.coder = DLSH(points, n, k, rng)
        self.n_points = len(points)
        self.width = 1 << k
        codes = self.coder.encode(points)
        self.counts = np.stack([np.bincount(codes[:, depth], minlength=self.width) for depth in range(n)])

    def query(self, points: np.ndarray) -> np.ndarray:
        """Estimated density, float64 [len(points)]: a share of the points, not a kernel value."""
        codes = self.coder.encode(points)
        return self.counts[np.arange(self.coder.n), codes].mean(axis=1) / self.n_points


def bandwidth(n_points: int, dim: int, c: float = 1.0) -> float:
    """h = c N^(-1 / (d + 4)), for columns scaled to standard deviation 1 (Scott's rule at c = 1)."""
    return c * n_points ** (-1 / (dim + 4))


def exact_density(
    points: np.ndarray, queries: np.ndarray, h: float, kernel: Literal["laplacian", "gaussian"] = "laplacian"
) -> np.ndarray:
    """Mean over all points of k(x, q), the point itself included: float64 [queries].

    laplacian exp(-|x - q| / h) with the L2 norm; gaussian exp(-|x - q|^2 / (2 h^2)). Neither is
    normalised. Distances are computed in float64, a block of queries at a time.
    """
    points, queries = np.asarray(points, np.float64), np.asarray(queries, np.float64)
    squares = (points**2).sum(1)
    out = np.empty(len(queries))
    with progress("exact density", len(queries)) as advance:
        for start in range(0, len(queries), BLOCK):
            block = queries[start : start + BLOCK]
            # |x - q|^2 = |x|^2 - 2 x.q + |q|^2 loses digits only where x = q: there the distance is 0
            distance = np.maximum(squares - 2 * block @ points.T + (block**2).sum(1)[:, None], 0)
            exponent = -distance / (2 * h * h) if kernel == "gaussian" else -np.sqrt(distance) / h
            out[start : start + BLOCK] = np.exp(exponent).mean(axis=1)
            advance(len(block))
    return out
