"""Random sampling: the mean kernel over a uniform sample of the points."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field, PrivateAttr

from baselines.density.shared.kernel import checked, mean_kernel
from contracts import DensityEstimator, KernelName


class Sampling(DensityEstimator):
    """Mean kernel over m points drawn without replacement: unbiased, relative variance 1 / (m density)."""

    citation: ClassVar[str] = "the plain baseline of Charikar and Siminelakis, FOCS 2017"

    m: int = Field(1000, ge=1, description="points kept")
    h: float = Field(1.0, gt=0, description="bandwidth")
    kernel: KernelName = "laplacian"
    seed: int = Field(0, ge=0)

    _sample: np.ndarray = PrivateAttr(default_factory=lambda: np.zeros((0, 0), np.float32))

    def fit(self, points: np.ndarray) -> Self:
        points = checked(points, "sampling")
        rows = np.random.default_rng(self.seed).choice(len(points), min(self.m, len(points)), replace=False)
        self._sample = points[np.sort(rows)]
        return self

    def query(self, points: np.ndarray) -> np.ndarray:
        return mean_kernel(self._sample, points, self.h, self.kernel)

    @property
    def nbytes(self) -> int:
        return self._sample.nbytes
