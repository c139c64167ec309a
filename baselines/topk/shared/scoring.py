"""From a function that scores a block of profiles to ranked lists, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp

from contracts import PAD, Interactions, TopKRecommender, for_chunks, top_k
from contracts.ranking import Lists

Scores = Any
"""A matrix [rows, items], in NumPy or torch."""
BLOCK = 256
"""Users scored at once: 256 x 20,000 float32 scores = 20 MB per thread."""


def recommend_in_blocks(
    profiles: Interactions,
    k: int,
    exclude: sp.csr_matrix | None,
    score: Callable[[sp.csr_matrix], Scores],
    lists: Callable[[Scores, int, sp.csr_matrix | None], Lists] = top_k,
) -> tuple[np.ndarray, np.ndarray]:
    """Ranked lists (items int32 [n, k], scores float32 [n, k]) for all profiles, blocks in parallel.

    score: liked CSR [block, items] -> dense scores [block, items]; called from several threads.
    lists: the best of them; ``contracts.runtime.best.best`` for tensors, which leaves a device's scores where they are.
    """
    n = len(profiles)
    items = np.full((n, k), PAD, np.int32)
    scores = np.zeros((n, k), np.float32)

    def rank(start: int, stop: int) -> None:
        hidden = None if exclude is None else exclude[start:stop]
        items[start:stop], scores[start:stop] = lists(score(profiles.liked[start:stop]), k, hidden)

    for_chunks(n, rank, BLOCK)
    return items, scores


class ItemItemRecommender(TopKRecommender):
    """Ranks items by the profile items' summed weights towards them; ``fit`` sets the CSR "weights" [items, items]."""

    def recommend(
        self, profiles: Interactions, k: int, exclude: sp.csr_matrix | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank items by profile W."""
        weights = self.get_csr("weights")
        return recommend_in_blocks(profiles, k, exclude, lambda liked: (liked @ weights).toarray())


def product_by_row(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """rows [n, factors] times columns [factors, items], every row added up by itself and in one order.

    BLAS rounds a row by the shape of its batch, which would let a user's near-ties depend on the other
    users; the sparse product does not.
    """
    return sp.csr_matrix(rows) @ columns
