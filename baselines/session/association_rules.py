"""Association rules of size two."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.rules import look_up, mine_rules
from contracts import SessionRecommender, Sessions, require_events


class AR(SessionRecommender):
    """Association rules: score(b | last item a) = pairs of train events (a, b) of one session.

    Every unordered pair of events counts for both a -> b and b -> a; the same item twice in a
    session gives the rule a -> a, counted twice. Only the last item of the prefix is used.

    As session-rec, unlike the paper, the counts are not normalised by the antecedent's (it would not
    change the ranking) and only the ``pruning`` largest rules of an item are kept; ties there go to
    the first co-occurrence in train.
    """

    citation: ClassVar[str] = (
        "Agrawal, Imielinski, Swami: Mining association rules between sets of items in large databases. SIGMOD 1993; "
        "Ludewig, Jannach: Evaluation of session-based recommendation algorithms. UMUAI 2018."
    )

    pruning: float = Field(
        20, ge=0, description="rules kept per item; below 1: the share dropped; 0: all are kept (session-rec: 20)"
    )

    def fit(self, train: Sessions) -> Self:
        require_events(train, "ar")
        weights = np.ones(int(train.lengths.max()) + 1)
        self._state = mine_rules(train, weights, symmetric=True, pruning=self.pruning)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return look_up(self._state, prefixes, k)
