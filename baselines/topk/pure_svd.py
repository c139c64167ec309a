"""PureSVD: profiles projected on the leading singular vectors."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from scipy.sparse.linalg import svds

from baselines.topk.shared.scoring import product_by_row, recommend_in_blocks
from contracts import Interactions, TopKRecommender, require_events


class PureSvd(TopKRecommender):
    """Truncated singular value decomposition of likes, unobserved cells as zeros.

    X ~ U S V' with ``factors`` singular values;  scores = profile V V'.

    factors: published best 33 (ML-20M), 55 (Netflix). At most min(users, items) - 1 are used.
    seed: of the start vector of the Lanczos iteration; the result depends on it only by rounding.
    Reference: Cremonesi, Koren, Turrin, "Performance of recommender algorithms on top-n
    recommendation tasks", RecSys 2010, section 3.3.1 (their equation 5 needs no user factors).
    Differs from the framework: there a randomised, approximate decomposition and, for unseen users,
    scores divided by sqrt(profile length), which changes no order.
    """

    citation: ClassVar[str] = "Cremonesi, Koren, Turrin, RecSys 2010, section 3.3.1"

    factors: int = Field(default=50, ge=1, description="Singular values kept")
    seed: int = Field(default=0, ge=0, description="Seed of the Lanczos start vector")

    def fit(self, train: Interactions) -> Self:
        """Compute V, float32 [items, factors]."""
        require_events(train, "pure-svd")
        smaller = min(train.liked.shape)
        if smaller == 1:
            _, _, vt = np.linalg.svd(train.liked.toarray(), full_matrices=False)
        else:
            start = np.random.default_rng(self.seed).standard_normal(smaller)
            _, _, vt = svds(train.liked.astype(np.float64), k=min(self.factors, smaller - 1), v0=start)
        self._state["item_factors"] = np.ascontiguousarray(vt.T, dtype=np.float32)
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by the profile's projection."""
        item_factors = self._state["item_factors"]
        by_factor = np.ascontiguousarray(item_factors.T)
        return recommend_in_blocks(profiles, k, exclude, lambda liked: product_by_row(liked @ item_factors, by_factor))
