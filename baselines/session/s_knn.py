"""Session-based nearest neighbours."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from baselines.session.shared.common import known
from baselines.session.shared.knn import Scheme, Similarity, index_sessions, rank_by_neighbours
from contracts import SessionRecommender, Sessions, require_events


class SKNN(SessionRecommender):
    """S-KNN: score(i) = sum of sim(b, a) over the k sessions a, most similar to the prefix b, that contain i.

    Candidates: train sessions that share an item with the prefix; of these the ``sample_size`` most
    recent by the time of their last event (equal times: the later session of train first). Similarity
    of the item sets: ``jaccard`` n / |a or b|, ``cosine`` n / sqrt(|a| |b|), ``binary``
    2 n / (2 n + |a| + |b|), n = shared items. Equal similarities at the cut of the k neighbours: most
    recent first. Items of the prefix may be listed.

    session-rec's cosine is n / sqrt(|a|) * sqrt(|b|): it differs by a factor |b|, constant for a prefix,
    and ranks equally. Its jaccard and tanimoto are the same. Its ties fall in arbitrary order.
    ``random`` samples by one seeded permutation of the train sessions, not anew for every prefix.
    """

    citation: ClassVar[str] = (
        "Jannach, Ludewig: When recurrent neural networks meet the neighborhood for session-based recommendation. "
        "RecSys 2017."
    )

    k: int = Field(100, ge=1, description="neighbour sessions (session-rec: 100)")
    sample_size: int = Field(1000, ge=0, description="candidate sessions; 0 = all (session-rec: 1000)")
    sampling: Literal["recent", "random"] = Field("recent", description="which candidates (session-rec: recent)")
    similarity: Literal["jaccard", "cosine", "binary"] = Field(
        "jaccard", description="of two item sets (session-rec: jaccard)"
    )
    seed: int = Field(0, ge=0, description="of random sampling")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "s-knn")
        self._state = index_sessions(train, self.sampling, self.seed)
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        clean = known(prefixes, len(self._state["item.indptr"]) - 1)
        ones = np.ones(len(clean.items))
        scheme = Scheme(ones, ones, Similarity[self.similarity.upper()], self.k, self.sample_size)
        return rank_by_neighbours(self._state, clean, k, scheme)
