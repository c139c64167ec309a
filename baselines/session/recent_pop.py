"""The most popular items of the last days."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import DAY, by_popularity, recommend_popular
from contracts import SessionRecommender, Sessions, require_events


class RecentPop(SessionRecommender):
    """Recent popularity: score(i) = train events of i since midnight (UTC), ``num_days`` days before the last day.

    Two differences from session-rec: it cuts at midnight of the machine's zone, and it goes on
    counting every evaluated event, so that its lists depend on all points evaluated before. Lists
    here depend on the train set alone.
    """

    citation: ClassVar[str] = (
        "Ludewig, Mauro, Latifi, Jannach: Empirical analysis of session-based recommendation algorithms. User Modeling "
        "and User-Adapted Interaction 31, 2021."
    )

    num_days: int = Field(1, ge=0, description="whole days before the last one (session-rec: 1)")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "recent-pop")
        since = (np.floor(train.times.max() / DAY) - self.num_days) * DAY
        counts = np.bincount(train.items[train.times >= since], minlength=train.n_items)
        items = by_popularity(counts)
        self._state = {"items": items, "scores": counts[items].astype(np.float32), "n_items": np.array([train.n_items])}
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return recommend_popular(self._state, prefixes, k)
