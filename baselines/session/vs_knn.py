"""Vector multiplication session-based nearest neighbours."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import Prefixes, distance_weight, known
from baselines.session.shared.knn import Scheme, Similarity, index_sessions, item_idf, rank_by_neighbours
from contracts import SessionRecommender, Sessions, require_events

Weighting = Literal["div", "quadratic", "log", "same", "linear", "linear_clipped"]


class VSKNN(SessionRecommender):
    """VS-KNN: S-KNN in which recent events of the prefix weigh more.

    score(i) = (1 + idf_weighting * idf(i)) * sum of sim(b, a) * decay(a) over the k neighbours a with i

    * Event p = 1..L of the prefix weighs ``weighting``: ``div`` p / L, ``quadratic`` (p / L)^2, ``log``
      1 / log10(L - p + 1.7), ``same`` 1, ``linear`` 1 - 0.1 (L - p) for p <= 10, else 0. An item
      that repeats has the weight of its last position.
    * sim ``vec``: sum of the weights of the shared items / distinct items of the prefix; ``cosine``:
      that sum / (norm of the weights * sqrt(distinct items of a)). Only positive similarities count.
    * decay: ``weighting_score`` of s, the steps back (1 = last event) of the most recent shared item:
      ``div`` 1 / s, ``quadratic`` 1 / s^2, ``log`` 1 / log10(s + 1.7), ``same`` 1, ``linear`` 1 - 0.1 s
      up to s = 100, else 0.
    * idf(i) = ln(train sessions / train events of i).
    Candidates, cut and ties as in S-KNN.

    As session-rec, which joins two variants of the paper: V-SKNN weighs the prefix, S-SKNN decays
    the score. Its ``linear`` weighting is 0 from the 11th event of the prefix on, and its ``linear`` score
    decay turns negative beyond 10 steps; ``linear_clipped`` is the clean max(0, 1 - 0.1 (L - p)) and
    max(0, 1 - 0.1 s).
    """

    citation: ClassVar[str] = (
        "Ludewig, Jannach: Evaluation of session-based recommendation algorithms. User Modeling and User-Adapted "
        "Interaction 28, 2018."
    )

    k: int = Field(100, ge=1, description="neighbour sessions (session-rec: 100)")
    sample_size: int = Field(1000, ge=0, description="candidate sessions; 0 = all (session-rec: 1000)")
    sampling: Literal["recent", "random"] = Field("recent", description="which candidates (session-rec: recent)")
    similarity: Literal["vec", "cosine"] = Field("vec", description="of prefix and neighbour (session-rec: vec)")
    weighting: Weighting = Field("div", description="weight of a prefix event by position (session-rec: div)")
    weighting_score: Weighting = Field(
        "div", description="decay with the steps back of the most recent shared item (session-rec: div)"
    )
    idf_weighting: float = Field(
        0.0, ge=0, description="weight of the items' idf; 0 (false) = none (session-rec: none)"
    )
    seed: int = Field(0, ge=0, description="of random sampling")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "vs-knn")
        self._state = index_sessions(train, self.sampling, self.seed)
        self._state["item_factor"] = (
            1.0 + self.idf_weighting * item_idf(train) if self.idf_weighting > 0 else np.zeros(0)
        )
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        clean = known(prefixes, len(self._state["item.indptr"]) - 1)
        scheme = Scheme(
            weights=position_weight(self.weighting, clean),
            decays=distance_weight(self.weighting_score, clean.steps_back() + 1),
            similarity=Similarity.DOT if self.similarity == "vec" else Similarity.COSINE,
            k=self.k,
            sample_size=self.sample_size,
            item_factor=self._state["item_factor"],
        )
        return rank_by_neighbours(self._state, clean, k, scheme)


def position_weight(kind: str, prefixes: Prefixes) -> np.ndarray:
    """Weight of every prefix event by its position p of L (1-based); float64 [known events]."""
    length = np.repeat(prefixes.lengths, prefixes.lengths).astype(np.float64)
    back = prefixes.steps_back()
    position = length - back
    if kind == "div":
        return position / length
    if kind == "quadratic":
        return (position / length) ** 2
    if kind == "linear":
        return np.where(position <= 10, 1.0 - 0.1 * back, 0.0)
    return distance_weight(kind, back)
