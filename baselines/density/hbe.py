"""HBE: hashing-based estimators, importance sampling over LSH tables with adaptive relative error."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, PrivateAttr

from baselines.density.shared.kernel import SLOPE, EuclideanHash, checked, kernel_values
from contracts import DensityEstimator, KernelName

BETA = 0.5
"""Collisions follow the kernel to this power: the estimator is then scale-free for the Laplacian kernel."""


class HBE(DensityEstimator):
    """Importance sampling from LSH buckets; sparse places draw from more tables than dense ones.

    A table hashes every point with probability ``share`` (Backurs et al.: a fraction of the points suffices) and
    keeps, of each bucket, its size and one random member x. Then

        Z = k(x, q) / p(x, q) * size / (points hashed),   p = probability that x and q collide,

    is unbiased for the density at q (0 where q's bucket is empty). Densities are guessed from 1 downwards, halving
    (adaptive mean relaxation, Siminelakis et al., Algorithm 2): at the guess mu the mean is taken over
    min(tables, 1 / (error^2 sqrt(mu))) tables, and stands if it reaches mu.
    """

    citation: ClassVar[str] = (
        "Siminelakis et al., Rehashing kernel evaluation in high dimensions, ICML 2019; "
        "Backurs et al., Space and time efficient kernel density estimation, NeurIPS 2019"
    )

    error: float = Field(0.2, gt=0, description="relative error aimed at")
    tables: int = Field(1000, ge=1, description="tables built: the most that a query draws from")
    share: float = Field(0.2, gt=0, le=1, description="probability that a table hashes a point")
    k: int = Field(4, ge=1, description="hashes concatenated per table")
    h: float = Field(1.0, gt=0, description="bandwidth")
    kernel: KernelName = "laplacian"
    seed: int = Field(0, ge=0)

    _hash: EuclideanHash = PrivateAttr()
    _points: np.ndarray = PrivateAttr(default_factory=lambda: np.zeros((0, 0), np.float32))
    _tables: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = PrivateAttr(default_factory=list)
    _hashed: np.ndarray = PrivateAttr(default_factory=lambda: np.zeros(0))

    def fit(self, points: np.ndarray) -> Self:
        self._points = points = checked(points, "hbe")
        rng = np.random.default_rng(self.seed)
        self._hash = EuclideanHash(points.shape[1], self.tables, self.k, SLOPE * self.k * self.h / BETA, rng)
        self._tables, hashed = [], []
        for table in range(self.tables):
            # in random order: the first member of a bucket is a random one
            rows = rng.permutation(len(points))[: max(1, rng.binomial(len(points), self.share))]
            values = self._hash(points[rows], slice(table, table + 1))[:, 0]
            buckets, first, sizes = np.unique(values, return_index=True, return_counts=True)
            self._tables.append((buckets, rows[first].astype(np.int32), sizes.astype(np.int32)))
            hashed.append(len(rows))
        self._hashed = np.array(hashed, np.float64)
        return self

    def query(self, points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, np.float32)
        sums, out = np.zeros(len(points)), np.zeros(len(points))
        open_rows, done, guess = np.arange(len(points)), 0, 1.0
        while len(open_rows):
            needed = min(self.tables, int(np.ceil(1 / (self.error**2 * np.sqrt(guess)))))
            sums[open_rows] += self._draw(points[open_rows], done, needed)
            done = needed
            out[open_rows] = sums[open_rows] / done
            if done == self.tables:
                break
            open_rows = open_rows[out[open_rows] < guess]
            guess /= 2
        return out

    def _draw(self, points: np.ndarray, first: int, last: int) -> np.ndarray:
        """Sum of Z over the tables first..last - 1, one for each point."""
        total = np.zeros(len(points))
        if first == last:
            return total
        values = self._hash(points, slice(first, last))
        for table in range(first, last):
            buckets, members, sizes = self._tables[table]
            query_buckets = values[:, table - first]
            place = np.minimum(np.searchsorted(buckets, query_buckets), len(buckets) - 1)
            rows = np.flatnonzero(buckets[place] == query_buckets)
            place = place[rows]
            squares = ((points[rows] - self._points[members[place]]).astype(np.float64) ** 2).sum(1)
            weight = kernel_values(squares, self.h, self.kernel) / self._hash.collision(np.sqrt(squares))
            total[rows] += weight * sizes[place] / self._hashed[table]
        return total

    @property
    def nbytes(self) -> int:
        """The tables and the points they refer to (all of them, or those that a table kept)."""
        kept = np.zeros(len(self._points), bool)
        for _, members, _ in self._tables:
            kept[members] = True
        return sum(part.nbytes for table in self._tables for part in table) + int(kept.sum()) * self._points[0].nbytes
