"""benchmark.protocol.session_metrics: by hand, and against definitions read aloud over Python lists."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.protocol.points import evaluation_points
from benchmark.protocol.session_metrics import METRICS, hits, of_lists, per_point, tie_bounds
from contracts import Sessions

KS = (1, 2, 3, 5)


def points_of(lists: list[list[int]], n_items: int = 12):
    return evaluation_points(Sessions.from_lists(lists, n_items))


def slow_point(listed: list[int], remaining: list[int], k: int) -> dict[str, float]:
    """Session protocol, section 3 and 4, one point. ``listed`` may hold -1 at its end; -1 remains unknown."""
    top = [item for item in listed[:k] if item != -1]
    y, distinct = remaining[0], set(remaining)
    rank = top.index(y) + 1 if y in top else 0
    hits = [item in distinct for item in top]
    early = sum(item in distinct for item in [item for item in listed[: k - 1] if item != -1])

    def gain(rank: int) -> float:
        return 1.0 if rank == 1 else 1 / math.log2(rank)

    return {
        "HR": float(rank > 0),
        "MRR": 1 / rank if rank else 0.0,
        "P": sum(hits) / k,
        "R": sum(hits) / len(remaining),
        "MAP": early * (early + 1) / (2 * k * len(remaining)),
        "NDCG": sum(gain(r) for r, hit in enumerate(hits, 1) if hit)
        / sum(gain(r) for r in range(1, min(k, len(remaining)) + 1)),
        "R_distinct": sum(hits) / len(distinct),
        "MAP_textbook": sum(sum(hits[:r]) / r for r, hit in enumerate(hits, 1) if hit) / min(k, len(distinct)),
        "NDCG_textbook": sum(1 / math.log2(r + 1) for r, hit in enumerate(hits, 1) if hit)
        / sum(1 / math.log2(r + 1) for r in range(1, min(k, len(distinct)) + 1)),
    }


def test_one_point_by_hand() -> None:
    # next 5; remaining 5, 7, 5, 9 (four events, three items); hits at ranks 2 (item 7), 3 (5), 5 (9)
    # (the points behind the first are not looked at)
    found = per_point(np.array([[1, 7, 5, 2, 9]] * 4, np.int32), points_of([[3, 5, 7, 5, 9]]), KS)
    value = {name: column[0] for name, column in found.items()}
    assert value["HR@2"] == 0
    assert value["HR@3"] == 1
    assert value["MRR@5"] == pytest.approx(1 / 3)
    assert value["P@5"] == pytest.approx(3 / 5)
    assert value["R@5"] == pytest.approx(3 / 4)  # |T| with duplicates
    assert value["R_distinct@5"] == pytest.approx(1.0)
    assert value["MAP@5"] == pytest.approx(2 * 3 / (2 * 5 * 4))  # two hits among the top 4
    assert value["MAP@1"] == 0
    ideal = 1 + 1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(4)
    assert value["NDCG@5"] == pytest.approx((1 / math.log2(2) + 1 / math.log2(3) + 1 / math.log2(5)) / ideal)
    assert value["MAP_textbook@5"] == pytest.approx((1 / 2 + 2 / 3 + 3 / 5) / 3)
    gains = 1 / math.log2(3) + 1 / math.log2(4) + 1 / math.log2(6)
    assert value["NDCG_textbook@5"] == pytest.approx(gains / (1 + 1 / math.log2(3) + 1 / math.log2(4)))


def test_published_ndcg_does_not_discount_the_second_rank() -> None:
    """1 / log2(2) = 1: a hit at rank 2 is worth as much as one at rank 1."""
    first, second = (
        per_point(np.array([row], np.int32), points_of([[0, 5]]), KS) for row in ([5, 1, 2, 3, 4], [1, 5, 2, 3, 4])
    )
    assert first["NDCG@5"][0] == second["NDCG@5"][0] == 1.0
    assert first["NDCG_textbook@5"][0] > second["NDCG_textbook@5"][0]


def test_published_map_ignores_the_last_rank_and_the_order() -> None:
    points = points_of([[0, 5]])
    late, early, last = (
        per_point(np.array([row], np.int32), points, KS)["MAP@5"][0]
        for row in ([1, 2, 3, 5, 4], [5, 1, 2, 3, 4], [1, 2, 3, 4, 5])
    )  # fmt: skip
    assert late == early == pytest.approx(1 * 2 / (2 * 5 * 1))
    assert last == 0


def test_unknown_targets_and_padding_are_misses() -> None:
    """-1 in the list is padding, -1 in the session an item that train does not know: they never meet."""
    points = points_of([[3, -1, 4], [2, -1]])
    items = np.array([[4, -1, -1, -1, -1], [4, -1, -1, -1, -1], [-1, -1, -1, -1, -1]], np.int32)
    found = per_point(items, points, KS)
    assert found["HR@5"].tolist() == [0, 1, 0]
    assert found["P@5"].tolist() == [0.2, 0.2, 0]
    assert found["R@5"].tolist() == [0.5, 1, 0]


SESSIONS = st.lists(st.lists(st.integers(-1, 7), min_size=2, max_size=7), min_size=1, max_size=5)


@given(SESSIONS, st.integers(0, 10_000))
def test_against_definitions(lists, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = points_of(lists, 8)
    items = np.stack([rng.permutation(8)[:5] for _ in range(len(points))]).astype(np.int32)
    for row in items:
        row[rng.integers(0, 6) :] = -1
    found = per_point(items, points, KS)
    assert set(found) == {f"{name}@{k}" for name in METRICS for k in KS}
    for i in range(len(points)):
        remaining = points.test.items[points.target[i] : points.end[i]].tolist()
        for k in KS:
            for name, value in slow_point(items[i].tolist(), remaining, k).items():
                assert found[f"{name}@{k}"][i] == pytest.approx(value, abs=1e-12), (name, k, items[i], remaining)


def test_memory_grows_with_the_clicks_of_a_session_not_with_their_square() -> None:
    """20,000 clicks have 2e8 pairs of a point and a later click: gigabytes, if they were listed."""
    rng = np.random.default_rng(0)
    points = points_of([[0, 1, 2], rng.integers(-1, 30, 20_000).tolist(), [3, 4]], 30)
    items = np.tile(np.arange(20, dtype=np.int32), (len(points), 1))
    tracemalloc.start()
    found = hits(items, points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert found.n_events[2:-1].tolist() == list(range(19_999, 0, -1))
    for point in (2, 9_000, 20_000):
        remaining = points.test.items[points.target[point] : points.end[point]]
        assert found.n_distinct[point] == len(set(remaining.tolist()))
        assert found.relevant[point].tolist() == np.isin(items[point], remaining).tolist()


def test_of_lists_by_hand() -> None:
    items = np.array([[0, 1, 2], [1, 3, -1]], np.int32)
    found = of_lists(items, 10, np.array([4, 8, 2, 0, 1, 1, 1, 1, 1, 1]), ks=(1, 3))
    assert found["Coverage@1"] == 2 / 10
    assert found["Coverage@3"] == 4 / 10
    assert found["Popularity@1"] == pytest.approx((0.5 + 1) / 2)
    assert found["Popularity@3"] == pytest.approx((0.5 + 1 + 0.25 + 1 + 0 + 0) / 6)


def test_tie_bounds_by_hand() -> None:
    items = np.array(
        [
            [7, 5, 6, 4],  # next 5 shares its score with 6: rank 2 or 3
            [5, 6, 7, 4],  # next 5 alone at the top
            [7, 6, -1, -1],  # next 5 not listed, the list is short: miss, or rank 3
            [7, 6, 4, 3],  # next 5 not listed, the list is full: a miss
            [7, 6, -1, -1],  # next unknown: a miss however ties fall
        ],
        np.int32,
    )
    scores = np.array([[3, 2, 2, 1], [3, 2, 2, 2], [2, 1, 0, 0], [4, 3, 2, 1], [2, 1, 0, 0]], np.float32)
    points = points_of([[0, 5], [0, 5], [0, 5], [0, 5], [0, -1]])
    bounds = tie_bounds(items, scores, points, ks=(1, 2, 3, 4))
    assert bounds["HR@2"] == [1 / 5, 2 / 5]
    assert bounds["HR@3"] == [2 / 5, 3 / 5]
    assert bounds["MRR@4"] == [pytest.approx((1 / 3 + 1) / 5), pytest.approx((1 / 2 + 1 + 1 / 3) / 5)]
    assert bounds["MRR@1"] == [1 / 5, 1 / 5]


@given(SESSIONS, st.integers(0, 10_000))
def test_tie_bounds_enclose_the_value(lists, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = points_of(lists, 8)
    items = np.stack([rng.permutation(8)[:5] for _ in range(len(points))]).astype(np.int32)
    scores = -np.sort(-rng.integers(1, 4, items.shape), axis=1).astype(np.float32)
    for row in range(len(items)):
        size = rng.integers(0, 6)
        items[row, size:], scores[row, size:] = -1, 0
    values, bounds = per_point(items, points, KS), tie_bounds(items, scores, points, KS)
    for name, (lost, won) in bounds.items():
        assert lost - 1e-12 <= values[name].mean() <= won + 1e-12
    untied = np.arange(40, 0, -1, dtype=np.float32)[: items.shape[1]] * np.ones((len(items), 1), np.float32)
    full = np.stack([rng.permutation(8)[:5] for _ in range(len(points))]).astype(np.int32)
    for lost, won in tie_bounds(full, untied, points, KS).values():
        assert lost == won
