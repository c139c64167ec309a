"""Item-based nearest neighbours."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.rules import look_up, mine_shared
from contracts import SessionRecommender, Sessions, require_events


class ItemKNN(SessionRecommender):
    """Item-KNN: score(b | last item a) = c(a, b) / ((n(a) + lambda_)^alpha (n(b) + lambda_)^(1 - alpha)), b != a.

    c(a, b): train events of a in sessions that hold b; n: train events of an item. Only the ``n_sims``
    most similar items are kept (ties: the first shared session in train, then the item index).

    As session-rec: a session counts once per event of a, however often b stands in it, so that c is not
    symmetric; the textbook's cosine counts a session once.
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
            return pairs / norm

        self._state = mine_shared(train, pruning=self.n_sims, rescale=rescale)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return look_up(self._state, prefixes, k)
