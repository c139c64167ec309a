"""benchmark.protocol.breakdown: by hand, and the groups add up to the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.protocol.breakdown import NEXT_ITEM, UNKNOWN, breakdown, quintile_of_item, repeated
from benchmark.protocol.points import evaluation_points
from contracts import Sessions


def of_ranks(rank: np.ndarray) -> dict[str, np.ndarray]:
    hit = (rank > 0) & (rank <= 20)
    return {"HR@20": hit.astype(float), "MRR@20": hit / np.maximum(rank, 1)}


def test_by_hand() -> None:
    counts = np.array([60, 10, 10, 20])
    rank = np.array([1, 0, 4, 21, 2, 5])
    position = np.array([1, 1, 3, 4, 9, 10])
    target = np.array([0, -1, 1, 1, 3, 0])
    again = np.array([False, False, True, True, False, True])
    found = breakdown(of_ranks(rank), position, target, again, counts)
    assert found["position"] == {
        "1": {"points": 2, "HR@20": 0.5, "MRR@20": 0.5},
        "3-4": {"points": 2, "HR@20": 0.5, "MRR@20": 0.125},  # rank 21 is a miss at 20
        "5-9": {"points": 1, "HR@20": 1.0, "MRR@20": 0.5},
        "10+": {"points": 1, "HR@20": 1.0, "MRR@20": 0.2},
    }
    assert found["popularity"] == {
        UNKNOWN: {"points": 1, "HR@20": 0.0, "MRR@20": 0.0},
        "Q1": {"points": 2, "HR@20": 0.5, "MRR@20": 0.125},
        "Q2": {"points": 1, "HR@20": 1.0, "MRR@20": 0.5},
        "Q4": {"points": 2, "HR@20": 1.0, "MRR@20": pytest.approx(0.6)},
    }
    assert found["next item"] == {
        NEXT_ITEM[0]: {"points": 3, "HR@20": pytest.approx(2 / 3), "MRR@20": 0.5},
        NEXT_ITEM[1]: {"points": 3, "HR@20": pytest.approx(2 / 3), "MRR@20": pytest.approx(0.15)},
    }


@given(st.lists(st.lists(st.integers(-1, 4), min_size=1, max_size=9), min_size=1, max_size=5), st.integers(1, 3))
def test_repeated_is_whether_the_next_item_was_there_before(sessions: list[list[int]], min_prefix: int) -> None:
    lengths = [len(session) for session in sessions]
    items = np.array([item for session in sessions for item in session], np.int32)
    test = Sessions(items, np.arange(len(items), dtype=np.float64), np.cumsum([0, *lengths]), 5)
    wanted = [
        session[i] >= 0 and session[i] in session[:i] for session in sessions for i in range(min_prefix, len(session))
    ]
    assert repeated(evaluation_points(test, min_prefix)).tolist() == wanted


def test_what_train_does_not_know_is_not_a_repetition() -> None:
    test = Sessions(np.array([-1, -1, 2, 2], np.int32), np.arange(4.0), np.array([0, 4]), 5)
    assert repeated(evaluation_points(test)).tolist() == [False, False, True]


def test_quintiles_hold_a_fifth_of_the_events() -> None:
    counts = np.random.default_rng(0).integers(1, 50, 5000)
    quintile = quintile_of_item(counts)
    events = np.bincount(quintile, weights=counts, minlength=6)[1:]
    np.testing.assert_allclose(events / counts.sum(), 0.2, atol=0.001)
    assert (np.diff(quintile[np.lexsort((-np.arange(5000), counts))]) >= 0).all()
    assert set(quintile_of_item(np.zeros(3, int))) == {1}  # nothing known of any: nobody is popular


@given(st.lists(st.tuples(st.integers(0, 25), st.integers(1, 30), st.integers(-1, 6)), min_size=1), st.integers(0, 9))
def test_groups_add_up(rows: list[tuple[int, int, int]], seed: int) -> None:
    rank, position, target = np.array(rows).T
    counts = np.random.default_rng(seed).integers(1, 9, 7)
    for groups in breakdown(of_ranks(rank), position, target, rank % 2 == 0, counts).values():
        assert sum(group["points"] for group in groups.values()) == len(rows)
        hits = sum(group["points"] * group["HR@20"] for group in groups.values())
        assert hits == pytest.approx(((rank > 0) & (rank <= 20)).sum())
        total = sum(group["points"] * group["MRR@20"] for group in groups.values())
        assert total == pytest.approx(sum(1 / r for r in rank if 0 < r <= 20))
