"""Item-item weights as a sparse product of which only the largest entries are ever stored."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import scipy.sparse as sp

from baselines.topk.shared.gram import Compressed
from contracts import PAD, for_chunks


class _Norms(NamedTuple):
    """What products are divided by: row norm times column norm, plus ``shrink``; float64 [items]."""

    rows: np.ndarray
    columns: np.ndarray
    shrink: float


@numba.njit(cache=True, nogil=True)
def _threshold(values, k):
    """(t, surplus): keep all values above t and, but for the first ``surplus``, those equal to it."""
    t = np.partition(values, len(values) - k)[len(values) - k]
    surplus = -k
    for value in values:
        if value >= t:
            surplus += 1
    return t, surplus


@numba.njit(cache=True, nogil=True)
def keep_largest(indices, values, indices_out, values_out):
    """Copy the largest values and their indices, in the given order, as many as there is room for.

    Ties at the cut go to the last: the framework sorts upwards and reads from the end, so that its
    undefined choice leans that way (on MovieLens-100K, P3alpha with alpha = 1 moves by 6e-3).
    """
    k, t, surplus = len(indices_out), np.float32(-np.inf), 0
    if len(values) > k:
        t, surplus = _threshold(values, k)
    size = 0
    for position in range(len(values)):
        value = values[position]
        if value == t and surplus > 0:
            surplus -= 1
        elif value >= t:
            indices_out[size] = indices[position]
            values_out[size] = value
            size += 1


@numba.njit(cache=True, nogil=True)
def _product_rows(start, stop, left, right, norms, items_out, values_out):
    left_ptr, left_users, left_values = left
    right_ptr, right_items, right_values = right
    row_norm, column_norm, shrink = norms
    n_items = len(column_norm)
    total = np.zeros(n_items)
    items = np.empty(n_items, np.int32)
    values = np.empty(n_items, np.float32)
    for item in range(start, stop):
        total[:] = 0.0
        for position in range(left_ptr[item], left_ptr[item + 1]):
            user, value = left_users[position], left_values[position]
            for other in range(right_ptr[user], right_ptr[user + 1]):
                total[right_items[other]] += value * right_values[other]
        total[item] = 0.0
        size = 0
        for other in range(n_items):
            if total[other] != 0.0:
                items[size] = other
                values[size] = total[other] / (row_norm[item] * column_norm[other] + shrink)
                size += 1
        keep_largest(items[:size], values[:size], items_out[item], values_out[item])


@numba.njit(cache=True, nogil=True)
def _largest_rows(start, stop, matrix, items_out, values_out):
    indptr, indices, values = matrix
    for row in range(start, stop):
        first, last = indptr[row], indptr[row + 1]
        keep_largest(indices[first:last], values[first:last], items_out[row], values_out[row])


def padded_to_csr(items: np.ndarray, values: np.ndarray, n_columns: int) -> sp.csr_matrix:
    """CSR float32 from lists padded with -1 (items int32 [rows, k], values [rows, k])."""
    used = items != PAD
    indptr = np.concatenate([[0], np.cumsum(used.sum(axis=1))])
    return sp.csr_matrix((values[used], items[used], indptr), shape=(len(items), n_columns))


def top_products(
    left: sp.csr_matrix,
    right: sp.csr_matrix,
    k: int,
    row_norm: np.ndarray,
    column_norm: np.ndarray,
    shrink: float = 0.0,
) -> sp.csr_matrix:
    """The k largest entries of every row of (left right)_ij / (row_norm_i column_norm_j + shrink), i != j.

    left [items, users], right [users, items], both non-negative; norms float64 [items].
    Sums are float64, entries float32 before they are compared, so that equal entries whose sums were
    rounded differently are mostly still ties, which go to the higher index. Rows run in parallel; the
    memory is k entries per row and one dense row per thread.
    """
    n_items = left.shape[0]
    k = min(k, n_items)
    items = np.full((n_items, k), PAD, np.int32)
    values = np.zeros((n_items, k), np.float32)
    by_item, by_user = (Compressed.of(matrix.astype(np.float64)) for matrix in (left, right))
    norms = _Norms(row_norm, column_norm, float(shrink))
    for_chunks(n_items, lambda start, stop: _product_rows(start, stop, by_item, by_user, norms, items, values), 64)
    return padded_to_csr(items, values, n_items)


def top_rows(matrix: sp.csr_matrix, k: int) -> sp.csr_matrix:
    """The k largest stored entries of every row; ties go to the last stored."""
    n_rows, n_columns = matrix.shape
    k = min(k, n_columns)
    items = np.full((n_rows, k), PAD, np.int32)
    values = np.zeros((n_rows, k), matrix.dtype)
    for_chunks(n_rows, lambda start, stop: _largest_rows(start, stop, Compressed.of(matrix), items, values), 256)
    return padded_to_csr(items, values, n_columns)


def top_columns(matrix: sp.csr_matrix, k: int) -> sp.csr_matrix:
    """The k largest stored entries of every column, as CSR; ties go to the higher row."""
    return top_rows(matrix.T.tocsr(), k).T.tocsr()
