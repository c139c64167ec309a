"""STAN with the ideas of VS-KNN."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import DAY, fading, known
from baselines.session.shared.knn import COSINE, Scheme, index_sessions, item_idf, rank_by_neighbours
from contracts import SessionRecommender, Sessions, require_events


class VSTAN(SessionRecommender):
    """VSTAN: STAN, each neighbour's part times exp((p - L) / lambda_ipw) and each item's times 1 + lambda_idf * idf.

    p: the last position in the prefix (1..L) of an item the neighbour has. idf(i) = ln(train sessions
    / train events of i). Everything else, and what differs from the paper, as in STAN.

    session-rec has a ``similarity`` parameter, also among the tuned ones, that is never read: the
    similarity is always the cosine. It is not offered here.
    """

    citation: ClassVar[str] = (
        "Ludewig, Mauro, Latifi, Jannach: Empirical analysis of session-based recommendation algorithms. User Modeling "
        "and User-Adapted Interaction 31, 2021."
    )

    k: int = Field(100, ge=1, description="neighbour sessions (session-rec: no default; documented as 100)")
    sample_size: int = Field(5000, ge=0, description="candidate sessions; 0 = all (session-rec: 5000)")
    lambda_spw: float | None = Field(
        1.02, gt=0, description="events of the prefix over which weight fades; None = never (session-rec: 1.02)"
    )
    lambda_snh: float | None = Field(
        5.0, gt=0, description="days over which a neighbour fades; None = never (session-rec: 5)"
    )
    lambda_inh: float | None = Field(
        2.05, gt=0, description="events over which a neighbour's items fade; None = never (session-rec: 2.05)"
    )
    lambda_ipw: float | None = Field(
        1.02, gt=0, description="steps back of the last shared item over which a neighbour fades (session-rec: 1.02)"
    )
    lambda_idf: float = Field(5.0, ge=0, description="weight of the items' idf; 0 (false) = none (session-rec: 5)")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "vstan")
        self._state = index_sessions(train)
        self._state["item_factor"] = 1.0 + self.lambda_idf * item_idf(train)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        clean = known(prefixes, len(self._state["item.indptr"]) - 1)
        back = clean.steps_back()
        scheme = Scheme(
            weights=fading(back, self.lambda_spw),
            decays=fading(back, self.lambda_ipw),
            similarity=COSINE,
            k=self.k,
            sample_size=self.sample_size,
            ageing=(self.lambda_snh or 0.0) * DAY,
            reach=fading(np.arange(self._state["session.positions"].max() + 1), self.lambda_inh),
            item_factor=self._state["item_factor"],
        )
        return rank_by_neighbours(self._state, clean, k, scheme)
