"""The dense Gram matrix X'X of sparse interactions, and what a kernel is handed of a sparse matrix."""

from __future__ import annotations

from typing import NamedTuple, Self

import numba
import numpy as np
import scipy.sparse as sp

from contracts import for_chunks


class Compressed(NamedTuple):
    """The rows of a CSR matrix, or the columns of a CSC one.

    indptr   int32 [rows + 1]
    indices  int32 [entries]
    values   float [entries]
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, matrix: sp.csr_matrix | sp.csc_matrix) -> Self:
        """The matrix's own arrays."""
        return cls(matrix.indptr, matrix.indices, matrix.data)


@numba.njit(cache=True, nogil=True)
def _gram_rows(start, stop, by_item, by_user, gram):
    item_ptr, users, item_values = by_item
    user_ptr, items, user_values = by_user
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
    by_item, by_user = Compressed.of(liked.tocsc()), Compressed.of(liked)
    gram = np.zeros((liked.shape[1], liked.shape[1]), dtype)
    for_chunks(liked.shape[1], lambda start, stop: _gram_rows(start, stop, by_item, by_user, gram), 64)
    return gram
