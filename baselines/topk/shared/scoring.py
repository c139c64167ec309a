"""From a function that scores a block of profiles to ranked lists, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from contracts import PAD, Interactions, for_chunks, top_k

BLOCK = 256
"""Users scored at once: 256 x 20,000 float32 scores = 20 MB per thread."""


def recommend_in_blocks(
    profiles: Interactions,
    k: int,
    exclude: sp.csr_matrix | None,
    score: Callable[[sp.csr_matrix], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Ranked lists (items int32 [n, k], scores float32 [n, k]) for all profiles, blocks in parallel.

    score: liked CSR [block, items] -> dense scores [block, items]; called from several threads.
    """
    n = len(profiles)
    items = np.full((n, k), PAD, np.int32)
    scores = np.zeros((n, k), np.float32)

    def rank(start: int, stop: int) -> None:
        hidden = None if exclude is None else exclude[start:stop]
        items[start:stop], scores[start:stop] = top_k(score(profiles.liked[start:stop]), k, hidden)

    for_chunks(n, rank, BLOCK)
    return items, scores


def product_by_row(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """rows [n, factors] times columns [factors, items], every row added up by itself and in one order.

    BLAS rounds a row by the shape of its batch, which would let a user's near-ties depend on the other
    users; the sparse product does not.
    """
    return sp.csr_matrix(rows) @ columns
