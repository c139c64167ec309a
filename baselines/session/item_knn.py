"""Item-based nearest neighbours."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.rules import look_up, mine_rules
from contracts import SessionRecommender, Sessions, require_events


class ItemKNN(SessionRecommender):
    """Item-KNN: score(b | last item a) = c(a, b) / ((n(a) + lambda_)^alpha (n(b) + lambda_)^(1 - alpha)), b != a.

    c(a, b): pairs of train events (a, b) of one session; n: train events of an item. Only the
    ``n_sims`` most similar items are kept (ties: first co-occurrence in train).

    As session-rec (and the GRU4Rec paper's baseline), repeated events count every time; the
    textbook's cosine counts a session once.
    """

    citation: ClassVar[str] = (
        "Sarwar, Karypis, Konstan, Riedl: Item-based collaborative filtering recommendation algorithms. WWW 2001; "
        "Hidasi, Karatzoglou, Baltrunas, Tikk: Session-based recommendations with recurrent neural networks. ICLR 2016."
    )

    n_sims: int = Field(100, ge=1, description="similar items kept per item (session-rec: 100)")
    lambda_: float = Field(20, ge=0, description="regularisation: discounts rare items (session-rec: 20)")
    alpha: float = Field(0.5, ge=0, le=1, description="balance of the supports; 0.5 = cosine (session-rec: 0.5)")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "item-knn")
        support = np.bincount(train.items, minlength=train.n_items) + self.lambda_

        def rescale(a: np.ndarray, b: np.ndarray, pairs: np.ndarray) -> np.ndarray:
            norm = support[a] ** self.alpha * support[b] ** (1 - self.alpha)
            return np.where(a == b, 0.0, pairs / norm)

        weights = np.ones(int(train.lengths.max()) + 1)
        self._state = mine_rules(train, weights, symmetric=True, pruning=self.n_sims, rescale=rescale)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return look_up(self._state, prefixes, k)
