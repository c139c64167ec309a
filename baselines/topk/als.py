"""Implicit ALS: matrix factorisation of likes with confidences, by the ``implicit`` library."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from baselines.topk.shared.factors import create, fit_factors
from baselines.topk.shared.scoring import product_by_row, recommend_in_blocks
from contracts import Interactions, TopKRecommender, n_threads, require_events


class Als(TopKRecommender):
    """Alternating least squares on all cells, liked ones with more weight.

    min over P, Q  sum_{u,i} c_ui (x_ui - p_u . q_i)^2 + regularization (|P|^2 + |Q|^2),
    c_ui = alpha where x_ui = 1 and 1 elsewhere;  scores = p_u . q_i with p_u solved exactly for the
    profile given Q: a user need not have been seen in training.

    alpha: the library's; the paper's confidence 1 + alpha r is alpha + 1 here.
    seed: of the random start. Rows are solved independently: the number of threads changes nothing.
    Reference: Hu, Koren, Volinsky, "Collaborative filtering for implicit feedback datasets", ICDM
    2008; a few conjugate-gradient steps per row: Takacs, Pilaszy, Tikk, RecSys 2011.
    The training is that of the ``implicit`` library (Frederickson); this class is an adapter.
    """

    citation: ClassVar[str] = "Hu, Koren, Volinsky, ICDM 2008; implementation: implicit"

    factors: int = Field(default=100, ge=1, description="Dimensions of user and item vectors")
    regularization: float = Field(default=0.01, ge=0, description="Weight of the squared norms")
    alpha: float = Field(default=1.0, gt=0, description="Weight of a liked cell; others have 1")
    iterations: int = Field(default=15, ge=1, description="Times users and items are solved in turn")
    seed: int = Field(default=0, ge=0, description="Seed of the initial vectors")

    def _library_model(self, threads: int):
        from implicit.cpu.als import AlternatingLeastSquares

        return create(
            AlternatingLeastSquares,
            factors=self.factors,
            regularization=self.regularization,
            alpha=self.alpha,
            iterations=self.iterations,
            num_threads=threads,
            random_state=self.seed,
        )

    def fit(self, train: Interactions) -> Self:
        """Learn item vectors, float32 [items, factors]."""
        require_events(train, "als")
        self._state["item_factors"] = fit_factors(
            self._library_model(n_threads()), train.liked, "als", "try a larger regularization"
        )
        return self

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Solve each profile's user vector and rank items by their products with it."""
        model = self._library_model(1)  # blocks run in parallel already
        model.item_factors = self._state["item_factors"]
        model.YtY  # noqa: B018 - computed once here, not by every block
        by_factor = np.ascontiguousarray(model.item_factors.T)

        def score(liked: sp.csr_matrix) -> np.ndarray:
            return product_by_row(model.recalculate_user(np.arange(liked.shape[0]), liked), by_factor)

        return recommend_in_blocks(profiles, k, exclude, score)
