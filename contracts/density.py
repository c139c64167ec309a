"""What every density estimator is: hyper-parameters, fit, query."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Literal, Self

import numpy as np

from contracts.recommender import Estimator, Kind

KernelName = Literal["laplacian", "gaussian"]
"""laplacian exp(-|x - q|_2 / h), gaussian exp(-|x - q|_2^2 / (2 h^2)); neither is normalised."""


class DensityEstimator(Estimator):
    """Estimates how many points lie around a place, up to a constant factor."""

    kind: ClassVar[Kind] = "density"

    @abstractmethod
    def fit(self, points: np.ndarray) -> Self:
        """Learn from points [n, d]; raises UserError where there are none."""

    @abstractmethod
    def query(self, points: np.ndarray) -> np.ndarray:
        """Density at each of the points [m, d]: float64 [m]. Rows do not depend on each other."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of what a query needs."""
