"""Where a method is good: metrics by position in the session, by popularity of the target, and for repeated items.

Everything follows from the metrics of the points, hence from the stored lists; a group's value is the
mean over its points.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmark.protocol.points import Points

METRICS = ("HR@20", "MRR@20")
POSITIONS = {"1": 1, "2": 2, "3-4": 3, "5-9": 5, "10+": 10}
"""Groups of prefixes, and the fewest events of each."""
QUINTILES = 5
UNKNOWN = "not in train"
NEXT_ITEM = ("new in session", "already in session")
"""Whether the target stands among the session's events before it."""


def quintile_of_item(counts: np.ndarray) -> np.ndarray:
    """Popularity quintile of every item, 1 = the least popular; int64 [items].

    counts  train events of every item, [items]. Items in ascending popularity (of equals the later
            item first) are cut where their train events reach a fifth of all events, two fifths, ...:
            quintiles have about as many events, not as many items. An item lies where its middle event does.
    """
    order = np.lexsort((-np.arange(len(counts)), counts))
    ordered = counts[order].astype(np.float64)
    middle = np.cumsum(ordered) - ordered / 2
    out = np.empty(len(counts), np.int64)
    total = max(float(ordered.sum()), 1.0)
    out[order] = 1 + np.minimum((QUINTILES * middle / total).astype(np.int64), QUINTILES - 1)
    return out


def repeated(points: Points) -> np.ndarray:
    """Whether each point's next item stands in its prefix already, bool [points].

    An item that train does not know (-1) never does: which of them it is, is not known either.
    """
    order = np.lexsort((np.arange(points.test.n_events), points.test.items, points.test.session_of_event))
    items, session = points.test.items[order], points.test.session_of_event[order]
    before = np.zeros(points.test.n_events, bool)
    before[order[1:]] = (items[1:] == items[:-1]) & (session[1:] == session[:-1]) & (items[1:] >= 0)
    return before[points.target]


def breakdown(
    values: Mapping[str, np.ndarray], position: np.ndarray, target: np.ndarray, again: np.ndarray, counts: np.ndarray
) -> dict[str, dict[str, dict[str, float]]]:
    """Three groupings of the points: {"position": {"1": {"points": n, "HR@20": ...}, ...}, "popularity": {"Q1": ...},
    "next item": {"new in session": ...}}.

    values    metric -> [points], of which METRICS are taken
    position  int [points], events in the prefix
    target    int [points], the next item; -1 = not in train
    again     bool [points], whether it stands in the prefix (``repeated``)
    counts    train events of every item, [items]
    Groups without points are left out.
    """
    by_position = np.searchsorted(list(POSITIONS.values()), position, side="right") - 1
    quintile = np.append(quintile_of_item(counts), 0)  # the last entry is what -1 points to
    names = [UNKNOWN, *(f"Q{number}" for number in range(1, QUINTILES + 1))]
    return {
        "position": _grouped(by_position, list(POSITIONS), values),
        "popularity": _grouped(quintile[target], names, values),
        "next item": _grouped(again.astype(np.int64), list(NEXT_ITEM), values),
    }


def _grouped(group: np.ndarray, names: list[str], values: Mapping[str, np.ndarray]) -> dict[str, Any]:
    sizes = np.bincount(group, minlength=len(names))
    sums = {metric: np.bincount(group, weights=values[metric], minlength=len(names)) for metric in METRICS}
    return {
        name: {"points": int(size), **{metric: float(sums[metric][i] / size) for metric in METRICS}}
        for i, (name, size) in enumerate(zip(names, sizes, strict=True))
        if size
    }
