"""The dense Gram matrix X'X of sparse interactions."""

from __future__ import annotations

import numba
import numpy as np
import scipy.sparse as sp

from contracts import for_chunks


@numba.njit(cache=True, nogil=True)
def _gram_rows(start, stop, item_ptr, users, item_values, user_ptr, items, user_values, gram):
    for item in range(start, stop):
        row = gram[item]
        for position in range(item_ptr[item], item_ptr[item + 1]):
            user = users[position]
            value = item_values[position]
            for other in range(user_ptr[user], user_ptr[user + 1]):
                row[items[other]] += value * user_values[other]


def gram_matrix(liked: sp.csr_matrix, dtype: type[np.floating]) -> np.ndarray:
    """X'X as a dense C-ordered matrix [items, items], rows in parallel.

    Never forms the sparse product, which would need several times the memory of the dense result.
    Binary X: entries are counts, exact in float32 below 2^24 users.
    """
    by_item = liked.tocsc()
    gram = np.zeros((liked.shape[1], liked.shape[1]), dtype)

    def fill(start: int, stop: int) -> None:
        _gram_rows(
            start,
            stop,
            by_item.indptr,
            by_item.indices,
            by_item.data,
            liked.indptr,
            liked.indices,
            liked.data,
            gram,
        )

    for_chunks(liked.shape[1], fill, 64)
    return gram
