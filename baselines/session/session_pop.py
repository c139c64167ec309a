"""The items of the session itself, then the most popular ones."""

from __future__ import annotations

from typing import ClassVar, Self

import numba
import numpy as np
from pydantic import Field

from baselines.session.shared.common import by_popularity, empty_lists, fill, known
from contracts import SessionRecommender, Sessions, for_chunks, require_events
from contracts.ranking import insert


class SessionPop(SessionRecommender):
    """Session popularity: score(i) = events of i in the prefix + n(i) / (1 + largest n), n = train events.

    n counts only for the ``top_n`` most popular items, so popularity orders equal counts and fills the list.

    session-rec adds n / (1 + n), which ranks equally; the form here keeps large n apart in float32.
    """

    citation: ClassVar[str] = (
        "Hidasi, Karatzoglou, Baltrunas, Tikk: Session-based recommendations with recurrent neural networks. ICLR 2016."
    )

    top_n: int = Field(100, ge=0, description="items whose popularity counts; 0 = all (session-rec: 100)")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "session-pop")
        counts = np.bincount(train.items, minlength=train.n_items)
        popular = by_popularity(counts)[: self.top_n or None]
        share = np.zeros(train.n_items)
        share[popular] = counts[popular] / (1.0 + counts.max())
        self._state = {"popular": popular, "share": share}
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        popular, share = self._state["popular"], self._state["share"]
        clean = known(prefixes, len(share))
        items, scores = empty_lists(len(clean), k)

        def work(start: int, stop: int) -> None:
            _rank(start, stop, clean.items, clean.offsets, popular, share, items, scores)

        for_chunks(len(clean), work)
        return items, scores


@numba.njit(cache=True, nogil=True)
def _rank(start, stop, prefix_items, prefix_offsets, popular, share, items_out, scores_out):
    totals = np.zeros(len(share), np.float64)
    marks = np.full(len(share), -1, np.int64)
    for row in range(start, stop):
        first, end = prefix_offsets[row], prefix_offsets[row + 1]
        if first == end:
            continue
        for event in range(first, end):
            item = prefix_items[event]
            if marks[item] != row:
                marks[item] = row
                totals[item] = share[item]
            totals[item] += 1.0
        size = 0
        for event in range(first, end):
            item = prefix_items[event]
            if totals[item] > 0:  # each item once
                size = insert(items_out[row], scores_out[row], size, item, np.float32(totals[item]))
                totals[item] = 0.0
        fill(items_out[row], scores_out[row], size, popular, share, 1.0, marks, row)
