"""contracts.Sessions and Interactions: ragged columns against plain Python lists."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from contracts import UNKNOWN, Interactions, Sessions, blocks

LISTS = [[3, 1, 2], [], [0], [1, 1, UNKNOWN, 4]]
TIMES = [[10.0, 11.0, 12.0], [], [5.0], [7.0, 7.0, 8.0, 9.5]]


def make() -> Sessions:
    plain = Sessions.from_lists(LISTS, 5, TIMES)
    groups = {"user": np.array([7, 8, 9, 7], np.int32)}
    return Sessions(plain.items, plain.times, plain.offsets, 5, groups, {"colour": sp.eye(5, format="csr")})


def as_lists(sessions: Sessions) -> list[list[int]]:
    return [sessions.items[a:b].tolist() for a, b in zip(sessions.offsets, sessions.offsets[1:], strict=False)]


def test_from_lists() -> None:
    sessions = make()
    assert sessions.items.dtype == np.int32
    assert sessions.times.dtype == np.float64
    assert sessions.offsets.dtype == np.int64
    assert sessions.offsets.tolist() == [0, 3, 3, 4, 8]
    assert as_lists(sessions) == LISTS
    assert len(sessions) == 4
    assert sessions.n_events == 8
    assert sessions.lengths.tolist() == [3, 0, 1, 4]
    assert sessions.last_times.tolist() == [12.0, 0.0, 5.0, 9.5]
    assert sessions.session_of_event.tolist() == [0, 0, 0, 2, 3, 3, 3, 3]


def test_without_times_events_follow_each_other() -> None:
    assert Sessions.from_lists([[1, 2], [3]], 4).times.tolist() == [0.0, 1.0, 2.0]


def test_nothing_at_all() -> None:
    for lists in ([], [[]], [[], []]):
        empty = Sessions.from_lists(lists, 3)
        assert len(empty) == len(lists)
        assert empty.n_events == 0
        assert empty.last_times.tolist() == [0.0] * len(lists)
        assert len(empty.take(np.arange(len(lists)))) == len(lists)


def test_no_sessions_with_times() -> None:
    assert len(Sessions.from_lists([], 3, [])) == 0


def test_take_reorders_repeats_and_keeps_groups() -> None:
    taken = make().take(np.array([3, 0, 3, 1]))
    assert as_lists(taken) == [LISTS[3], LISTS[0], LISTS[3], []]
    assert taken.times.tolist() == TIMES[3] + TIMES[0] + TIMES[3]
    assert taken.groups["user"].tolist() == [7, 7, 7, 8]
    assert taken.attributes.keys() == {"colour"}
    assert taken.n_items == 5
    assert taken.offsets.dtype == np.int64


def test_windows() -> None:
    cut = make().windows(np.array([0, 5, 4]), np.array([2, 8, 4]), np.array([0, 3, 3]))
    assert as_lists(cut) == [[3, 1], [1, UNKNOWN, 4], []]
    assert cut.times.tolist() == [10.0, 11.0, 7.0, 8.0, 9.5]
    assert cut.groups["user"].tolist() == [7, 7, 7]


@given(
    st.lists(st.lists(st.integers(-1, 9), max_size=6), min_size=1, max_size=8).flatmap(
        lambda rows: st.tuples(st.just(rows), st.lists(st.integers(0, len(rows) - 1), max_size=10))
    )
)
def test_take_is_indexing(case) -> None:
    rows, index = case
    taken = Sessions.from_lists(rows, 10).take(np.array(index, np.int64))
    assert as_lists(taken) == [rows[i] for i in index]
    assert taken.lengths.tolist() == [len(rows[i]) for i in index]


@pytest.mark.parametrize(
    ("field", "dtype"), [("items", np.int64), ("times", np.float32), ("offsets", np.int32), ("items", np.float64)]
)
def test_wrong_types_are_named(field: str, dtype: type) -> None:
    columns = {"items": np.zeros(2, np.int32), "times": np.zeros(2), "offsets": np.array([0, 2])}
    columns[field] = columns[field].astype(dtype)
    with pytest.raises(TypeError, match=rf"Sessions\.{field}: expected .* found {np.dtype(dtype)}"):
        Sessions(**columns, n_items=3)


@pytest.mark.parametrize(("items", "times", "end"), [(2, 3, 2), (2, 2, 3), (3, 2, 2)])
def test_lengths_must_agree(items: int, times: int, end: int) -> None:
    with pytest.raises(ValueError, match=f"{items} items, {times} times and offsets ending at {end}"):
        Sessions(np.zeros(items, np.int32), np.zeros(times), np.array([0, end]), 3)


def test_interactions() -> None:
    liked = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], np.float32))
    disliked = sp.csr_matrix(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], np.float32))
    both = Interactions(liked, disliked, {"genre": sp.eye(3, format="csr")})
    assert len(both) == both.n_items == 3
    taken = both.take(np.array([2, 0]))
    assert taken.liked.toarray().tolist() == [[0, 1, 0], [1, 0, 1]]
    assert taken.disliked.toarray().tolist() == [[0, 0, 0], [0, 1, 0]]
    assert taken.attributes.keys() == {"genre"}
    assert Interactions(liked).take(slice(1, 3)).disliked is None
    with pytest.raises(ValueError, match=r"liked is \(3, 3\), disliked \(2, 3\)"):
        Interactions(liked, disliked[:2])


def test_blocks_by_hand() -> None:
    lengths = np.array([2, 2, 1, 9, 0, 3, 1])
    assert list(blocks(lengths, 3, 5)) == [(0, 3), (3, 4), (4, 7)]
    assert list(blocks(lengths, 2, 100)) == [(0, 2), (2, 4), (4, 6), (6, 7)]
    assert list(blocks(np.zeros(0, np.int64), 2, 5)) == []
