"""RACE: repeated arrays of counts over plain locality-sensitive hashes."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, PrivateAttr

from baselines.density.shared.kernel import BLOCK, SLOPE, EuclideanHash, checked
from contracts import DensityEstimator


class Race(DensityEstimator):
    """Mean over n arrays of the count in q's bucket: estimates the density of the hash's own collision kernel.

    k Euclidean hashes of bucket width sqrt(2/pi) k h per array collide with probability exp(-c / h) to first
    order in the distance c: RACE's kernel is near the Laplacian one. Buckets are folded into ``width``
    counters; what two buckets share by chance is taken off.
    """

    citation: ClassVar[str] = "Coleman and Shrivastava, Sub-linear RACE sketches for approximate KDE, WWW 2020"

    n: int = Field(100, ge=1, description="arrays (the paper's L)")
    k: int = Field(2, ge=1, description="hashes concatenated per array: near 1 the kernel has a heavy tail")
    width: int = Field(1024, ge=2, description="counters per array (the paper's R)")
    h: float = Field(1.0, gt=0, description="bandwidth of the Laplacian kernel that the buckets follow")
    seed: int = Field(0, ge=0)

    _hash: EuclideanHash = PrivateAttr()
    _counts: np.ndarray = PrivateAttr(default_factory=lambda: np.zeros((0, 0)))

    def fit(self, points: np.ndarray) -> Self:
        points = checked(points, "race")
        rng = np.random.default_rng(self.seed)
        self._hash = EuclideanHash(points.shape[1], self.n, self.k, SLOPE * self.k * self.h, rng)
        self._counts = np.zeros((self.n, self.width))
        for block in self._blocks(points):
            counts = np.bincount(self._cells(block).ravel(), minlength=self._counts.size)
            self._counts += counts.reshape(self._counts.shape)
        return self

    def query(self, points: np.ndarray) -> np.ndarray:
        flat, total = self._counts.ravel(), self._counts[0].sum()
        means = [flat[self._cells(block)].mean(axis=1) for block in self._blocks(points)]
        share = np.concatenate([*means, np.zeros(0)]) / total
        return (share - 1 / self.width) / (1 - 1 / self.width)

    def _cells(self, points: np.ndarray) -> np.ndarray:
        """Indices into the flat counters, int64 [m, n]: the hash's upper bits, its best ones, modulo the width."""
        folded = (self._hash(points) >> np.uint64(32)) % np.uint64(self.width)
        return folded.astype(np.int64) + np.arange(self.n) * self.width

    def _blocks(self, points: np.ndarray) -> list[np.ndarray]:
        rows = max(1, BLOCK // self.n)
        return [points[start : start + rows] for start in range(0, len(points), rows)]

    @property
    def nbytes(self) -> int:
        return self._counts.nbytes
