"""The most popular items, for everybody."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import by_popularity, recommend_popular
from contracts import SessionRecommender, Sessions, require_events


class Pop(SessionRecommender):
    """Popularity: score(i) = number of train events of item i, whatever the prefix.

    session-rec scores n / (n + 1), which ranks equally but merges large counts in float32; the
    count itself is kept here. As with every method here, a prefix without a known item gets an empty list.
    """

    citation: ClassVar[str] = (
        "Ludewig, Mauro, Latifi, Jannach: Empirical analysis of session-based recommendation algorithms. UMUAI 2021."
    )

    top_n: int = Field(0, ge=0, description="only the top_n most popular items are ever listed; 0 = all")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "pop")
        counts = np.bincount(train.items, minlength=train.n_items)
        items = by_popularity(counts)[: self.top_n or None]
        self._state = {"items": items, "scores": counts[items].astype(np.float32), "n_items": np.array([train.n_items])}
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return recommend_popular(self._state, prefixes, k)
