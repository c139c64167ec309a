"""Tree-based kernel density estimation (scikit-learn)."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from pydantic import Field, PrivateAttr

from baselines.density.shared.kernel import checked
from contracts import DensityEstimator, KernelName

SKLEARN = {"laplacian": "exponential", "gaussian": "gaussian"}


class TreeKDE(DensityEstimator):
    """Ball tree whose nodes are opened until the relative error is met; close to exact search in many dimensions."""

    citation: ClassVar[str] = "Gray and Moore, N-body problems in statistical learning, NIPS 2000; scikit-learn"

    error: float = Field(0.1, ge=0, description="relative error aimed at")
    h: float = Field(1.0, gt=0, description="bandwidth")
    kernel: KernelName = "laplacian"

    _tree: Any = PrivateAttr(None)
    _log_norm: float = PrivateAttr(0.0)
    _nbytes: int = PrivateAttr(0)

    def fit(self, points: np.ndarray) -> Self:
        from sklearn.neighbors import KernelDensity  # seconds to load

        points = checked(points, "tree-kde").astype(np.float64)
        settings = {"bandwidth": self.h, "kernel": SKLEARN[self.kernel], "algorithm": "ball_tree"}
        # scikit-learn normalises its kernels; at a lone point the density is the norm's inverse
        self._log_norm = float(KernelDensity(**settings).fit(points[:1]).score_samples(points[:1])[0])
        self._tree = KernelDensity(**settings, rtol=self.error, atol=0).fit(points)
        self._nbytes = points.nbytes
        return self

    def query(self, points: np.ndarray) -> np.ndarray:
        if not len(points):
            return np.zeros(0)
        scores = self._tree.score_samples(np.asarray(points, np.float64))
        return np.exp(scores - self._log_norm)

    @property
    def nbytes(self) -> int:
        """The points; the tree's nodes add a few per cent."""
        return self._nbytes
