"""EMDE as a density estimator (paper 4.2, Table 5, Figure 4).

N independent partitions of space into 2^K regions, and a histogram of the points over each. The density at x
is the mean over partitions ("depths") of the count in x's region, divided by the number of points.
"""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol, Self

import numpy as np
from pydantic import Field, PrivateAttr

from contracts import DensityEstimator, UserError
from emde.coders import DLSH, CoderName, ProductQuantizer, RandomHash

Aggregate = Literal["mean", "gmean", "min"]
SAMPLE = 1 << 16
"""Points that a partition is learned from, at most."""
CELLS = 1 << 22
"""Codes held at once: bounds the memory of a block of points."""


class Partition(Protocol):
    """What cuts space: vectors [m, d] -> codes [m, N] below 2^K."""

    n: int
    k: int

    def encode(self, vectors: np.ndarray) -> np.ndarray: ...


class SketchDensity(DensityEstimator):
    """N histograms of width 2^K over random partitions: a size that does not depend on the number of points.

    Points may come all at once (``fit``), in blocks (``partial_fit``), or on several machines (``merge``).
    The partition is learned from the first points seen; every later one is only counted.
    """

    citation: ClassVar[str] = "Dabrowski et al., An efficient manifold density estimator, arXiv 2006.01894"

    n: int = Field(100, ge=1, description="N, depths (paper's Figure 4: more is better)")
    k: int = Field(7, ge=1, le=16, description="K, bits per code; width 2^K")
    coder: CoderName = Field("dlsh", description="dlsh, pq, opq, or random (= count-min) partitions (paper 3.3.2)")
    spread: float | None = Field(
        0.5,
        ge=0,
        le=0.5,
        description="dlsh: hyperplanes cut at quantiles from .5 - spread to .5 + spread (0: median), null: at zero; "
        "all but .5, the paper's, do harm",
    )
    aggregate: Aggregate = Field("mean", description="over depths: mean (paper 4.2), gmean, or min (count-min)")
    seed: int = Field(0, ge=0)

    _partition: Partition | None = PrivateAttr(None)
    _counts: np.ndarray = PrivateAttr(default_factory=lambda: np.zeros((0, 0)))
    _total: float = PrivateAttr(0.0)

    def fit(self, points: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Forget everything, learn a partition from the points [m, d], and count them."""
        self._partition = None
        return self.partial_fit(points, weights)

    def partial_fit(self, points: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Count more points, each with its weight (default 1; a negative one takes points away)."""
        points = self._checked(points)
        if weights is not None and np.shape(weights) != (len(points),):
            raise UserError(
                f"density: weights: expected one for each of {len(points)} points, found {np.shape(weights)}"
            )
        if self._partition is None:
            self._partition = self._learn(points)
            self._counts, self._total = np.zeros((self.n, 1 << self.k)), 0.0
        for rows in self._blocks(len(points)):
            of_block = None if weights is None else np.repeat(np.asarray(weights, np.float64)[rows], self.n)
            cells = self._cells(points[rows])
            self._counts += np.bincount(cells.ravel(), of_block, self._counts.size).reshape(self._counts.shape)
        self._total += len(points) if weights is None else float(np.sum(weights))
        return self

    def merge(self, other: SketchDensity) -> Self:
        """Add the counts of a sketch over the same partition (see ``like``)."""
        if other._partition is not self.partition:
            raise UserError("density: merge: expected a sketch over the same partition (made by like()), found another")
        self._counts += other._counts
        self._total += other._total
        return self

    def like(self) -> SketchDensity:
        """An empty sketch over the same partition: what it counts can be merged."""
        empty = self.model_copy()
        empty._partition = self.partition
        empty._counts, empty._total = np.zeros_like(self._counts), 0.0
        return empty

    def query(self, points: np.ndarray) -> np.ndarray:
        """Estimated density, float64 [m]: a share of the points, not a kernel value."""
        points = self._checked(points, empty=True)
        out = np.empty(len(points))
        for rows in self._blocks(len(points)):
            out[rows] = combine(self.counts_at(points[rows]), self.aggregate)
        return out / self._total

    def counts_at(self, points: np.ndarray) -> np.ndarray:
        """The count of each point's region at every depth, float64 [m, N]."""
        return self.counts.ravel()[self._cells(points)]

    @property
    def partition(self) -> Partition:
        """The fitted partition; raises UserError before ``fit``."""
        if self._partition is None:
            raise UserError("density: expected a fitted sketch, found one without points; call fit first")
        return self._partition

    @property
    def counts(self) -> np.ndarray:
        """The histograms, float64 [N, 2^K]."""
        assert self.partition
        return self._counts

    @property
    def total(self) -> float:
        """Sum of the weights of all points counted."""
        return self._total

    @property
    def nbytes(self) -> int:
        """Bytes of the counters. The partition is apart: it is made again from its seed, or shared by sketches."""
        return self._counts.nbytes

    def _learn(self, points: np.ndarray) -> Partition:
        rng = np.random.default_rng(self.seed)
        if len(points) > SAMPLE:
            points = points[np.sort(rng.choice(len(points), SAMPLE, replace=False))]
        if self.coder == "dlsh":
            return DLSH(points, self.n, self.k, rng, self.spread)
        if self.coder == "random":
            return RandomHash(points.shape[1], self.n, self.k, rng)
        return ProductQuantizer(points, self.n, self.k, rng, rotate=self.coder == "opq")

    def _cells(self, points: np.ndarray) -> np.ndarray:
        """Indices into the flat counters, int64 [m, N]."""
        return self.partition.encode(points) + np.arange(self.n, dtype=np.int64) * (1 << self.k)

    def _blocks(self, total: int) -> list[slice]:
        rows = max(1, CELLS // self.n)
        return [slice(start, min(start + rows, total)) for start in range(0, total, rows)]

    def _checked(self, points: np.ndarray, empty: bool = False) -> np.ndarray:
        points = np.asarray(points, np.float32)
        if points.ndim != 2 or (len(points) == 0 and not empty):
            raise UserError(f"density: points: expected a matrix [points, dimensions], found shape {points.shape}")
        return points


def combine(counts: np.ndarray, aggregate: Aggregate) -> np.ndarray:
    """Counts [m, N] of each point's regions as one number per point [m]; a geometric mean with a zero is zero."""
    if aggregate == "gmean":
        with np.errstate(divide="ignore"):
            return np.exp(np.log(np.maximum(counts, 0)).mean(axis=1))
    return counts.min(axis=1) if aggregate == "min" else counts.mean(axis=1)
