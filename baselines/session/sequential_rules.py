"""Sequential rules."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import distance_weight
from baselines.session.shared.rules import look_up, mine_rules
from contracts import SessionRecommender, Sessions, require_events


class SR(SessionRecommender):
    """Sequential rules: score(b | last item a) = sum of w(d) over train events b that follow an a by d <= steps.

    w(d): ``div`` 1 / d, ``quadratic`` 1 / d^2, ``log`` 1 / log10(d + 1.7), ``same`` 1, ``linear``
    1 - 0.1 d. Only the last item of the prefix is used.

    As session-rec: the sums are not divided by the number of sessions of a (the paper does; it does
    not change the ranking), only the ``pruning`` largest rules of an item are kept (ties: first
    co-occurrence in train), and ``linear`` turns negative beyond 10 steps up to 100, 0 from there;
    ``linear_clipped`` is the clean max(0, 1 - 0.1 d).
    """

    citation: ClassVar[str] = (
        "Kamehkhosh, Jannach, Ludewig: A comparison of frequent pattern techniques and a deep learning method for "
        "session-based recommendation. TempRec workshop at RecSys 2017."
    )

    steps: int = Field(10, ge=1, description="how far back an antecedent may stand (session-rec: 10)")
    weighting: Literal["div", "quadratic", "log", "same", "linear", "linear_clipped"] = Field(
        "div", description="weight of a rule by the distance of its items (session-rec: div)"
    )
    pruning: float = Field(
        20, ge=0, description="rules kept per item; below 1: the share dropped; 0: all are kept (session-rec: 20)"
    )

    def fit(self, train: Sessions) -> Self:
        require_events(train, "sr")
        steps = min(self.steps, int(train.lengths.max()))
        weights = np.concatenate(([0.0], distance_weight(self.weighting, np.arange(1, steps + 1))))
        self._state = mine_rules(train, weights, symmetric=False, pruning=self.pruning)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return look_up(self._state, prefixes, k)
