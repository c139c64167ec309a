"""Sequence and time aware neighbourhood."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import DAY, Prefixes, fading, known
from baselines.session.shared.knn import Scheme, Similarity, index_sessions, rank_by_neighbours
from contracts import SessionRecommender, Sessions, require_events


class STAN(SessionRecommender):
    """STAN: score(i) = sum over the k most similar sessions a that contain i of sim(b, a) * exp(-d(i, a) / lambda_inh).

    sim(b, a) = cos(b, a) * exp(-(t_b - t_a) / (lambda_snh days)), t = time of the last event. cos: event
    p = 1..L of the prefix b weighs exp((p - L) / lambda_spw) (a repeated item: its last position), items
    of a weigh 1. d(i, a): events between i and the last event of a whose item b has, both at their
    last positions. Candidates: the ``sample_size`` most recent sessions sharing an item; ties as in S-KNN.

    As session-rec. Here scores are divided by exp(-(t_b - t_c) / (lambda_snh days)), c = the most recent
    candidate: a constant for a prefix, which keeps old trains from fading to zero and makes the
    lists independent of t_b.
    """

    citation: ClassVar[str] = (
        "Garg, Gupta, Malhotra, Vig, Shroff: Sequence and time aware neighborhood for session-based recommendations. "
        "SIGIR 2019."
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

    def fit(self, train: Sessions) -> Self:
        require_events(train, "stan")
        self._state = index_sessions(train)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        clean = known(prefixes, len(self._state["item.indptr"]) - 1)
        return rank_by_neighbours(self._state, clean, k, self._scheme(clean))

    def _scheme(self, clean: Prefixes) -> Scheme:
        return Scheme(
            weights=fading(clean.steps_back(), self.lambda_spw),
            decays=np.ones(len(clean.items)),
            similarity=Similarity.COSINE,
            k=self.k,
            sample_size=self.sample_size,
            ageing=(self.lambda_snh or 0.0) * DAY,
            reach=fading(np.arange(self._state["session.positions"].max() + 1), self.lambda_inh),
        )
