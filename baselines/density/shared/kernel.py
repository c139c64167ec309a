"""Kernels, and the locality-sensitive hash whose collisions follow them."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from contracts import KernelName, UserError

BLOCK = 1 << 22
"""Numbers held at once while hashing or comparing."""
SLOPE = np.sqrt(2 / np.pi)
"""A hash of unit bucket width separates points at distance c with probability SLOPE * c, to first order."""


def kernel_values(squares: np.ndarray, h: float, kernel: KernelName) -> np.ndarray:
    """The kernel at squared L2 distances."""
    return np.exp(-np.sqrt(squares) / h) if kernel == "laplacian" else np.exp(-squares / (2 * h * h))


def mean_kernel(sample: np.ndarray, queries: np.ndarray, h: float, kernel: KernelName) -> np.ndarray:
    """Mean over the sample [n, d] of k(x, q) for each query [m, d]: float64 [m]."""
    sample, queries = np.asarray(sample, np.float64), np.asarray(queries, np.float64)
    norms, out = (sample**2).sum(1), np.empty(len(queries))
    rows = max(1, BLOCK // len(sample))
    for start in range(0, len(queries), rows):
        q = queries[start : start + rows]
        squares = np.maximum((q**2).sum(1)[:, None] + norms - 2 * q @ sample.T, 0)
        out[start : start + rows] = kernel_values(squares, h, kernel).mean(axis=1)
    return out


def checked(points: np.ndarray, method: str) -> np.ndarray:
    """Points as float32 [n, d]; raises UserError where there are none."""
    points = np.asarray(points, np.float32)
    if points.ndim != 2 or len(points) == 0:
        raise UserError(f"{method}: points: expected a matrix [points, dimensions], found shape {points.shape}")
    return points


class EuclideanHash:
    """p-stable LSH (Datar et al. 2004): ``tables`` times k functions floor((a . x) / w + b), a ~ N(0, I), b ~ U(0, 1).

    The k integers of a table become one: their sum with random odd factors, modulo 2^64.
    """

    def __init__(self, dim: int, tables: int, k: int, width: float, rng: np.random.Generator) -> None:
        self.tables, self.k, self.width = tables, k, width
        self.directions = (rng.standard_normal((dim, tables * k)) / width).astype(np.float32)
        self.offsets = rng.random(tables * k).astype(np.float32)
        self.factors = rng.integers(1 << 63, size=(tables, k), dtype=np.uint64) * np.uint64(2) + np.uint64(1)

    def __call__(self, points: np.ndarray, tables: slice = slice(None)) -> np.ndarray:
        """Hash values uint64 [m, tables] of points [m, d]; one matrix product per block of points."""
        chosen = range(self.tables)[tables]
        columns = slice(chosen.start * self.k, chosen.stop * self.k)
        out = np.empty((len(points), len(chosen)), np.uint64)
        rows = max(1, BLOCK // (len(chosen) * self.k))
        for start in range(0, len(points), rows):
            block = np.asarray(points[start : start + rows], np.float32)
            cells = np.floor(block @ self.directions[:, columns] + self.offsets[columns]).astype(np.int64)
            words = cells.view(np.uint64).reshape(len(block), len(chosen), self.k)
            out[start : start + rows] = (words * self.factors[chosen.start : chosen.stop]).sum(2, dtype=np.uint64)
        return out

    def collision(self, distance: np.ndarray) -> np.ndarray:
        """Probability that two points at an L2 distance share all k integers of a table."""
        t = self.width / np.maximum(distance, 1e-12 * self.width)
        single = 2 * ndtr(t) - 1 - SLOPE / t * -np.expm1(-t * t / 2)
        return np.clip(single, 0, 1) ** self.k
