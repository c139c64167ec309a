"""Ranked lists from scores, with one rule for ties everywhere.

Order: score descending, then item index ascending (= first appearance in train).
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from contracts.errors import NotFinite

PAD = -1
"""Item index that fills a list shorter than k (its score is 0)."""
CUT = 20
"""Length of the lists by which epochs are compared on held-out data."""


class Lists(NamedTuple):
    """Ranked lists, best first.

    items   int32 [n, k], -1 pads
    scores  float32 [n, k], 0 pads
    """

    items: np.ndarray
    scores: np.ndarray


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
def _top_k_rows(scores, indptr, indices, lists):
    """Fills the lists; returns the first row that holds NaN or infinity, -1 where none does."""
    n_items = scores.shape[1]
    excluded = np.full(n_items, -1, np.int64)
    for row in range(scores.shape[0]):
        for position in range(indptr[row], indptr[row + 1]):
            excluded[indices[position]] = row
        size = 0
        for item in range(n_items):
            score = scores[row, item]
            if score != score or score == np.inf:  # the former: NaN
                return row
            if excluded[item] != row and score > -np.inf:
                size = insert(lists.items[row], lists.scores[row], size, item, score)
    return -1


def top_k(scores: np.ndarray, k: int, exclude=None) -> Lists:
    """The k best items of every row of dense ``scores`` [rows, items].

    exclude: CSR [rows, items]; its stored entries are never listed. A score of -inf is never listed.
    Raises NotFinite where a score is NaN or infinite.
    """
    # ranked in the precision they are stored in: a stored list then shows its own ties
    with np.errstate(over="ignore"):  # infinite then, and refused
        scores = np.ascontiguousarray(scores, np.float32)
    rows = scores.shape[0]
    lists = Lists(np.full((rows, k), PAD, np.int32), np.zeros((rows, k), np.float32))
    if exclude is None:
        indptr, indices = np.zeros(rows + 1, np.int32), np.zeros(0, np.int32)
    else:
        indptr, indices = exclude.indptr, exclude.indices
    bad = _top_k_rows(scores, indptr, indices, lists)
    if bad >= 0:
        raise NotFinite(f"scores: expected finite numbers, found NaN or infinity in row {bad}: the model diverged")
    return lists


def best_of_each(owners: np.ndarray, items: np.ndarray, scores: np.ndarray, k: int) -> np.ndarray:
    """Indices int64 of the k best of each owner's (item, score) pairs [n]: owners ascending, then the best first."""
    order = np.lexsort((items, -scores, owners))
    owner = owners[order]
    return order[np.arange(len(order)) - np.searchsorted(owner, owner) < k]


def ranks_of(listed: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Rank (from 1) of each target [n] in its list [n, k], int64 [n]; 0 where it is not listed."""
    hits = listed == targets[:, None]
    return np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)


def validation_row(ranks: np.ndarray) -> dict[str, float]:
    """MRR@20 (by which an epoch is chosen) and HR@20 of ranks as ``ranks_of`` gives them; 0 without any."""
    hits = (ranks > 0) & (ranks <= CUT)
    n = max(len(ranks), 1)
    return {"valid_mrr": float((1 / ranks[hits]).sum() / n), "valid_hr": float(hits.sum() / n)}
