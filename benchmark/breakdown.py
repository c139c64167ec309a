"""Where a method is good: HR and MRR by position in the session and by popularity of the target.

Everything follows from the stored ranks of the next items; a group's values are means over its points.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark.points import Points

K = 20
POSITIONS = {"1": 1, "2": 2, "3-4": 3, "5-9": 5, "10+": 10}
"""Groups of prefixes, and the fewest events of each."""
QUINTILES = 5
UNKNOWN = "not in train"


def quintile_of_item(counts: np.ndarray) -> np.ndarray:
    """Popularity quintile of every item, 1 = the least popular; int64 [items].

    counts  train events of every item, [items]. Items in ascending popularity (ties: the later item
            first) are cut where their train events reach a fifth of all events, two fifths, ...: each
            quintile has about as many events, not as many items. An item lies where its middle event does.
    """
    order = np.lexsort((-np.arange(len(counts)), counts))
    ordered = counts[order].astype(np.float64)
    middle = np.cumsum(ordered) - ordered / 2
    out = np.empty(len(counts), np.int64)
    total = max(float(ordered.sum()), 1.0)
    out[order] = 1 + np.minimum((QUINTILES * middle / total).astype(np.int64), QUINTILES - 1)
    return out


def breakdown(next_rank: np.ndarray, position: np.ndarray, target: np.ndarray, counts: np.ndarray) -> dict[str, Any]:
    """Two groupings of the points: {"position": {"1": {"points", "HR@20", "MRR@20"}, ...}, "popularity": {...}}.

    next_rank  int [points], 1-based rank of the next item in its list, 0 = not listed
    position   int [points], events in the prefix
    target     int [points], the next item; -1 = not in train
    counts     train events of every item, [items]
    Groups without points are left out.
    """
    hit = (next_rank > 0) & (next_rank <= K)
    reciprocal = np.where(hit, 1.0 / np.maximum(next_rank, 1), 0.0)
    lower = np.array(list(POSITIONS.values()))
    by_position = np.searchsorted(lower, position, side="right") - 1
    quintile = np.append(quintile_of_item(counts), 0)  # the last entry is what -1 points to
    names = [UNKNOWN, *(f"Q{q}" for q in range(1, QUINTILES + 1))]
    return {
        "position": _grouped(by_position, list(POSITIONS), hit, reciprocal),
        "popularity": _grouped(quintile[target], names, hit, reciprocal),
    }


def of_points(next_rank: np.ndarray, points: Points, counts: np.ndarray) -> dict[str, Any]:
    """The breakdown of ranks that belong to evaluation points."""
    return breakdown(next_rank, points.position, points.next_items, counts)


def _grouped(group: np.ndarray, names: list[str], hit: np.ndarray, reciprocal: np.ndarray) -> dict[str, Any]:
    sizes, hits, sums = (
        np.bincount(group, weights=weights, minlength=len(names)) for weights in (None, hit, reciprocal)
    )
    return {
        name: {"points": int(size), f"HR@{K}": float(h / size), f"MRR@{K}": float(s / size)}
        for name, size, h, s in zip(names, sizes, hits, sums, strict=True)
        if size
    }
