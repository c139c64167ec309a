"""contracts.ranking against sorting in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from contracts import PAD, top_k
from contracts.errors import NotFinite
from contracts.ranking import best_of_each, insert, ranks_of, validation_row

SCORES = st.sampled_from([-np.inf, -2.5, -1.0, 0.0, 0.5, 0.5000001, 1.0, 3.0])
"""Few values: most rows hold ties; 0.5 and 0.5000001 differ in float32, too."""


def slow_top_k(scores: np.ndarray, k: int, hidden: list[set[int]]) -> tuple[list[list[int]], list[list[float]]]:
    items, values = [], []
    for row, out in zip(scores.astype(np.float32).tolist(), hidden, strict=True):
        order = sorted((-score, item) for item, score in enumerate(row) if item not in out and score > -np.inf)[:k]
        pad = k - len(order)
        items.append([item for _, item in order] + [PAD] * pad)
        values.append([-negative for negative, _ in order] + [0.0] * pad)
    return items, values


def test_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.9, -np.inf, -3.0], [-np.inf] * 5])
    items, values = top_k(scores, 4)
    assert items.dtype == np.int32
    assert values.dtype == np.float32
    assert items.tolist() == [[1, 2, 0, 4], [PAD] * 4]
    assert values.tolist() == [[np.float32(0.9), np.float32(0.9), np.float32(0.1), -3.0], [0.0] * 4]
    exclude = sp.csr_matrix(([0.0, 1.0], ([0, 0], [1, 4])), shape=(2, 5))  # a stored zero excludes, too
    assert top_k(scores, 4, exclude)[0].tolist() == [[2, 0, PAD, PAD], [PAD] * 4]


def test_ties_are_settled_in_the_precision_that_is_shown() -> None:
    """Equal as float32, different as float64: the earlier item first, as the stored scores say."""
    items, values = top_k(np.array([[1.0, 1.0 + 1e-12]]), 2)
    assert items.tolist() == [[0, 1]]
    assert values[0, 0] == values[0, 1]


@pytest.mark.parametrize("score", [np.nan, np.inf, 1e39])
def test_not_a_number_is_refused(score: float) -> None:
    """Left out of the list, it would look like an item that does not fit."""
    with pytest.raises(NotFinite, match="scores: expected finite numbers, found NaN or infinity in row 1"):
        top_k(np.array([[0.0, 1.0], [1.0, score], [0.0, -np.inf]]), 3)


def test_no_rows_and_more_than_there_is() -> None:
    assert top_k(np.zeros((0, 3)), 2)[0].shape == (0, 2)
    assert top_k(np.zeros((1, 2)), 5)[0].tolist() == [[0, 1, PAD, PAD, PAD]]


@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 12)), elements=SCORES),
    st.integers(1, 15),
    st.data(),
)
def test_against_sorting(scores: np.ndarray, k: int, data) -> None:
    shown = data.draw(hnp.arrays(np.bool_, scores.shape) | st.none())
    hidden = [set()] * len(scores) if shown is None else [set(np.flatnonzero(row).tolist()) for row in shown]
    found = top_k(scores, k, None if shown is None else sp.csr_matrix(shown))
    items, values = slow_top_k(scores, k, hidden)
    assert found[0].tolist() == items
    assert found[1].tolist() == values


@given(st.lists(st.tuples(st.integers(0, 30), SCORES), max_size=20, unique_by=lambda pair: pair[0]), st.integers(1, 8))
def test_insert_in_any_order(pairs, capacity: int) -> None:
    items, scores = np.full(capacity, PAD, np.int32), np.zeros(capacity, np.float32)
    size = 0
    for item, score in pairs:
        size = insert(items, scores, size, item, np.float32(score))
    expected = sorted((-np.float32(score), item) for item, score in pairs)[:capacity]
    assert size == len(expected)
    assert items[:size].tolist() == [item for _, item in expected]
    assert scores[:size].tolist() == [-negative for negative, _ in expected]
    assert (items[size:] == PAD).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), SCORES), max_size=30), st.integers(1, 4))
def test_best_of_each_owner(rows, k: int) -> None:
    unique = list({(owner, item): score for owner, item, score in rows}.items())
    owners = np.array([owner for (owner, _), _ in unique], np.int64)
    items = np.array([item for (_, item), _ in unique], np.int64)
    scores = np.array([score for _, score in unique])
    found = [(int(owners[i]), int(items[i])) for i in best_of_each(owners, items, scores, k)]
    expected = []
    for owner in range(4):
        mine = sorted((-score, item) for (whose, item), score in unique if whose == owner)
        expected += [(owner, item) for _, item in mine[:k]]
    assert found == expected


def test_validation_by_hand() -> None:
    listed = np.array([[4, 2, 7], [1, 3, PAD], [5, 6, 0]])
    ranks = ranks_of(listed, np.array([2, 9, 5]))
    assert ranks.tolist() == [2, 0, 1]
    assert validation_row(np.append(ranks, 21)) == {"valid_mrr": (1 / 2 + 1) / 4, "valid_hr": 2 / 4}
    assert validation_row(ranks[:0]) == {"valid_mrr": 0, "valid_hr": 0}
