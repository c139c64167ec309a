"""benchmark.protocol.points: every prefix with a next event, by hand and by a loop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmark.protocol.points import evaluation_points
from contracts import Sessions

LISTS = [[4, 5, 6], [7], [], [8, -1, 8]]


def slow(lists: list[list[int]], min_prefix: int) -> list[tuple[int, int, list[int], list[int]]]:
    """(session, position, prefix, remaining events)."""
    return [
        (session, cut, row[:cut], row[cut:]) for session, row in enumerate(lists) for cut in range(min_prefix, len(row))
    ]


def read(lists: list[list[int]], min_prefix: int) -> list[tuple[int, int, list[int], list[int]]]:
    points = evaluation_points(Sessions.from_lists(lists, 9), min_prefix)
    prefixes = points.prefixes(0, len(points))
    return [
        (
            int(points.session[i]),
            int(points.position[i]),
            prefixes.items[prefixes.offsets[i] : prefixes.offsets[i + 1]].tolist(),
            points.test.items[points.target[i] : points.end[i]].tolist(),
        )
        for i in range(len(points))
    ]


def test_by_hand() -> None:
    assert read(LISTS, 1) == [
        (0, 1, [4], [5, 6]),
        (0, 2, [4, 5], [6]),
        (3, 1, [8], [-1, 8]),
        (3, 2, [8, -1], [8]),
    ]
    assert read(LISTS, 2) == [(0, 2, [4, 5], [6]), (3, 2, [8, -1], [8])]
    assert evaluation_points(Sessions.from_lists(LISTS, 9)).next_items.tolist() == [5, 6, -1, 8]


@given(st.lists(st.lists(st.integers(-1, 8), max_size=7), max_size=8), st.integers(1, 4))
def test_against_a_loop(lists, min_prefix: int) -> None:
    assert read(lists, min_prefix) == slow(lists, min_prefix)


def test_prefixes_in_parts_keep_times() -> None:
    points = evaluation_points(Sessions.from_lists(LISTS, 9))
    part = points.prefixes(1, 3)
    assert part.items.tolist() == [4, 5, 8]
    assert part.times.tolist() == [0.0, 1.0, 4.0]
    assert part.offsets.tolist() == [0, 2, 3]
    assert len(points.prefixes(4, 4)) == 0
