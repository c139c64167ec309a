"""Ranked lists from scores, with one rule for ties everywhere.

Order: score descending, then item index ascending (= first appearance in train).
"""

from __future__ import annotations

import numba
import numpy as np

PAD = -1
"""Item index that fills a list shorter than k (its score is 0)."""


@numba.njit(cache=True, nogil=True)
def insert(items, scores, size, item, score):
    """Put (item, score) into the sorted list ``items[:size], scores[:size]``; return the new size.

    Call with items in ascending index order and a tie keeps the earlier item in front.
    For any other order ties are settled by comparing the items.
    """
    capacity = len(items)
    if size == capacity:
        last = scores[capacity - 1]
        if score < last or (score == last and item > items[capacity - 1]):
            return size
        size -= 1
    position = size
    while position > 0 and (
        scores[position - 1] < score or (scores[position - 1] == score and items[position - 1] > item)
    ):
        items[position] = items[position - 1]
        scores[position] = scores[position - 1]
        position -= 1
    items[position] = item
    scores[position] = score
    return size + 1


@numba.njit(cache=True, nogil=True)
def _top_k_rows(scores, k, indptr, indices, items_out, scores_out):
    n_items = scores.shape[1]
    excluded = np.full(n_items, -1, np.int64)
    for row in range(scores.shape[0]):
        for position in range(indptr[row], indptr[row + 1]):
            excluded[indices[position]] = row
        size = 0
        for item in range(n_items):
            score = scores[row, item]
            if excluded[item] != row and score > -np.inf:
                size = insert(items_out[row], scores_out[row], size, item, score)


def top_k(scores: np.ndarray, k: int, exclude=None) -> tuple[np.ndarray, np.ndarray]:
    """The k best items of every row of dense ``scores`` [rows, items].

    exclude: CSR [rows, items]; its stored entries are never listed. A score of -inf is never listed.
    Returns (items int32 [rows, k], scores float32 [rows, k]); short lists are padded with -1 / 0.
    """
    # ranked in the precision they are stored in: a stored list then shows its own ties
    scores = np.ascontiguousarray(scores, np.float32)
    rows = scores.shape[0]
    items = np.full((rows, k), PAD, np.int32)
    values = np.zeros((rows, k), np.float32)
    if exclude is None:
        indptr, indices = np.zeros(rows + 1, np.int32), np.zeros(0, np.int32)
    else:
        indptr, indices = exclude.indptr, exclude.indices
    _top_k_rows(scores, k, indptr, indices, items, values)
    return items, values
