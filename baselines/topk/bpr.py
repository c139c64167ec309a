"""BPR: matrix factorisation trained on pairs of a liked and another item, by the ``implicit`` library."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from baselines.topk.shared.factors import create, fit_factors
from baselines.topk.shared.scoring import product_by_row, recommend_in_blocks
from contracts import Interactions, TopKRecommender, require_events


class Bpr(TopKRecommender):
    """Bayesian personalised ranking: a liked item is to score above one drawn at random.

    max  sum over (u, i liked, j not) of  ln sigmoid(p_u . q_i + b_i - p_u . q_j - b_j) - regularization |.|^2,
    by stochastic gradient steps. A profile's user vector is the mean of its items' vectors: the model has
    none for users that it did not see.  score(i) = p . q_i + b_i.

    seed: of initial vectors and drawn pairs. One thread trains: several would race for the same
    vectors, and no two runs would be equal.
    Reference: Rendle, Freudenthaler, Gantner, Schmidt-Thieme, "BPR: Bayesian personalized ranking from
    implicit feedback", UAI 2009. The mean for unseen users: as in the top-k framework's
    factorisation models.
    The training is that of the ``implicit`` library (Frederickson); this class is an adapter.
    """

    citation: ClassVar[str] = "Rendle, Freudenthaler, Gantner, Schmidt-Thieme, UAI 2009; implementation: implicit"

    factors: int = Field(default=100, ge=1, description="Dimensions of user and item vectors")
    learning_rate: float = Field(default=0.01, gt=0, description="Step size")
    regularization: float = Field(default=0.01, ge=0, description="Weight of the squared norms")
    iterations: int = Field(default=100, ge=1, description="Passes over as many pairs as there are likes")
    seed: int = Field(default=0, ge=0, description="Seed of initial vectors and pairs")

    def fit(self, train: Interactions) -> Self:
        """Learn item vectors, float32 [items, factors + 1]; the last column is the item's bias."""
        from implicit.cpu.bpr import BayesianPersonalizedRanking

        require_events(train, "bpr")
        model = create(
            BayesianPersonalizedRanking,
            factors=self.factors,
            learning_rate=self.learning_rate,
            regularization=self.regularization,
            iterations=self.iterations,
            num_threads=1,
            random_state=self.seed,
        )
        self._state["item_factors"] = fit_factors(model, train.liked, "bpr", "try a smaller learning_rate")
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by their products with the mean of each profile's item vectors, plus their biases."""
        item_factors = self._state["item_factors"]
        by_factor = np.ascontiguousarray(item_factors.T)

        def score(liked: sp.csr_matrix) -> np.ndarray:
            users = liked @ item_factors / np.maximum(np.diff(liked.indptr), 1)[:, None]
            users[:, -1] = 1.0  # of the bias
            return product_by_row(users, by_factor)

        return recommend_in_blocks(profiles, k, exclude, score)
