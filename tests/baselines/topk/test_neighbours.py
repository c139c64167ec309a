from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from baselines.topk.shared.neighbours import keep_largest, top_columns, top_products, top_rows


def kept_of(values: list[float], k: int) -> list[int]:
    items = np.full(k, -1, np.int32)
    kept = np.zeros(k, np.float32)
    keep_largest(np.arange(len(values), dtype=np.int32), np.array(values, np.float32), items, kept)
    return items.tolist()


def test_ties_at_the_cut_go_to_the_higher_index() -> None:
    assert kept_of([2, 1, 2, 3, 2], 2) == [3, 4]
    assert kept_of([2, 1, 2, 3, 2], 3) == [2, 3, 4]
    assert kept_of([1, 1, 1], 2) == [1, 2]
    assert kept_of([1, 2], 4) == [0, 1, -1, -1]
    assert kept_of([], 1) == [-1]


@pytest.mark.parametrize("k", [1, 3, 40, 100])
def test_rows_and_columns_against_sorting(k: int) -> None:
    dense = np.random.default_rng(k).random((40, 40)).astype(np.float32)
    dense[dense < 0.3] = 0.0
    matrix = sp.csr_matrix(dense)
    for found, axis in ((top_rows(matrix, k), 1), (top_columns(matrix, k), 0)):
        order = np.argsort(-dense, axis=axis, kind="stable")
        rank = np.argsort(order, axis=axis)
        np.testing.assert_array_equal(found.toarray(), np.where(rank < k, dense, 0.0))


@pytest.mark.parametrize("k", [1, 5, 90])
def test_products_against_a_dense_product(k: int) -> None:
    rng = np.random.default_rng(k)
    dense = rng.random((60, 90)) * (rng.random((60, 90)) < 0.2)
    row_norm, column_norm = rng.random(90) + 0.5, rng.random(90) + 0.5
    full = dense.T @ dense / (np.outer(row_norm, column_norm) + 0.3)
    np.fill_diagonal(full, 0.0)
    right = sp.csr_matrix(dense)
    found = top_products(right.T.tocsr(), right, k, row_norm, column_norm, 0.3).toarray()
    expected = np.where(full >= -np.sort(-full, axis=1)[:, [k - 1]], full, 0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
