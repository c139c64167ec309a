"""STAN with the ideas of VS-KNN."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field

from baselines.session.shared.common import Prefixes, fading
from baselines.session.shared.knn import Scheme, index_sessions, item_idf
from baselines.session.stan import STAN
from contracts import Sessions, require_events


class VSTAN(STAN):
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

    lambda_ipw: float | None = Field(
        1.02, gt=0, description="steps back of the last shared item over which a neighbour fades (session-rec: 1.02)"
    )
    lambda_idf: float = Field(5.0, ge=0, description="weight of the items' idf; 0 (false) = none (session-rec: 5)")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "vstan")
        self._state = index_sessions(train)
        self._state["item_factor"] = 1.0 + self.lambda_idf * item_idf(train)
        return self

    def _scheme(self, clean: Prefixes) -> Scheme:
        decays = fading(clean.steps_back(), self.lambda_ipw)
        return super()._scheme(clean)._replace(decays=decays, item_factor=self._state["item_factor"])
