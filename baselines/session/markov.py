"""First-order Markov chain."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.rules import look_up, mine_rules
from contracts import SessionRecommender, Sessions, require_events


class Markov(SessionRecommender):
    """Markov chain: score(b | last item a) = train events b that directly follow an a.

    As session-rec: counts instead of transition probabilities (the ranking is the same), and only
    the ``pruning`` most frequent transitions of an item (ties: first seen in train).
    """

    citation: ClassVar[str] = (
        "Ludewig, Jannach: Evaluation of session-based recommendation algorithms. User Modeling and User-Adapted "
        "Interaction 28, 2018."
    )

    pruning: float = Field(
        20, ge=0, description="transitions kept per item; below 1: the share dropped; 0: all are kept (session-rec: 20)"
    )

    def fit(self, train: Sessions) -> Self:
        require_events(train, "markov")
        self._state = mine_rules(train, np.array([0.0, 1.0]), symmetric=False, pruning=self.pruning)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return look_up(self._state, prefixes, k)
