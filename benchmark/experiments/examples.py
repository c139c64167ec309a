"""A few ranked lists with item names, so that a reader can see what a method recommends."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.protocol.points import Points
from contracts.ranking import PAD

COUNT, LENGTH, SEEN = 5, 10, 10
"""Examples of a run, items of a list, last items shown of what the method knew."""


def of_sessions(split: SessionSplit, points: Points, items: np.ndarray) -> list[dict[str, Any]]:
    """The last point of the first sessions with at least three events (of any, where none has so many)."""
    last = np.flatnonzero(np.diff(points.session, append=-1) != 0)
    long = last[points.position[last] >= 2]
    out = []
    for point in (long if len(long) else last)[:COUNT]:
        seen = points.test.items[points.start[point] : points.target[point]]
        following = points.test.items[points.target[point] : points.end[point]]
        where = {"unit": int(points.session[point]), "position": int(points.position[point])}
        out.append({**where, **_lists(split, seen, following, items[point])})
    return out


def of_users(split: TopKSplit, items: np.ndarray) -> list[dict[str, Any]]:
    """The first test users with held-out items."""
    users = np.flatnonzero(np.diff(split.heldout.indptr) > 0)[:COUNT]
    return [
        {"unit": int(user), "position": int(split.profiles.liked[user].nnz)}
        | _lists(split, split.profiles.liked[user].indices, split.heldout[user].indices, items[user])
        for user in users
    ]


def _lists(
    split: SessionSplit | TopKSplit, seen: np.ndarray, following: np.ndarray, ranked: np.ndarray
) -> dict[str, Any]:
    wanted = set(following.tolist())
    return {
        "seen": [name(split, item) for item in seen[-SEEN:]],
        "next": [name(split, item) for item in following[:SEEN]],
        "list": [{"item": name(split, item), "hit": int(item) in wanted} for item in ranked[:LENGTH] if item != PAD],
    }


def name(split: SessionSplit | TopKSplit, item: int) -> str:
    """The item's name, or its raw id; items that train does not know are "unknown"."""
    if item < 0:
        return "unknown"
    named = split.item_names[item] if split.item_names is not None else None
    return str(named or split.item_ids[item])
