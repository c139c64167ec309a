"""What the session baselines share: cleaned prefixes, decays, and lists filled up by popularity."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from contracts import PAD, Sessions
from contracts.ranking import Lists, insert

DAY = 86_400.0
"""Seconds."""


class Prefixes(NamedTuple):
    """Prefixes without the events whose item train does not know.

    items    int32 [known events]
    offsets  int64 [n + 1]
    """

    items: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Known events per prefix, int64 [n]."""
        return np.diff(self.offsets)

    def steps_back(self) -> np.ndarray:
        """0 for a prefix's last event, 1 for the one before it ...; int64 [known events]."""
        ends = np.repeat(self.offsets[1:], self.lengths)
        return ends - 1 - np.arange(len(self.items))

    def last_items(self) -> np.ndarray:
        """Last known item of each prefix, int32 [n]; -1 where there is none."""
        if not len(self.items):
            return np.full(len(self), PAD, np.int32)
        last = self.items[np.maximum(self.offsets[1:] - 1, 0)]
        return np.where(self.lengths > 0, last, np.int32(PAD))


def known(prefixes: Sessions, n_items: int) -> Prefixes:
    """Drop unknown items: the positions of the remaining events are counted as if those had not happened."""
    valid = (prefixes.items >= 0) & (prefixes.items < n_items)
    if valid.all():
        return Prefixes(writable(prefixes.items), writable(prefixes.offsets))
    before = np.concatenate(([0], np.cumsum(valid)))
    return Prefixes(prefixes.items[valid], before[prefixes.offsets])


def writable(array: np.ndarray) -> np.ndarray:
    """The array, or a copy of a read-only (memory-mapped) one: kernels are compiled anew for each kind."""
    return np.require(array, requirements=["C", "W"])


def empty_lists(rows: int, k: int) -> Lists:
    """``rows`` ranked lists with nothing in them."""
    return Lists(np.full((rows, k), PAD, np.int32), np.zeros((rows, k), np.float32))


def by_popularity(counts: np.ndarray) -> np.ndarray:
    """Items with a positive count, the largest first, ties by item index; int32."""
    order = np.argsort(-counts, kind="stable")
    return order[: np.count_nonzero(counts > 0)].astype(np.int32)


def recommend_popular(state: dict[str, np.ndarray], prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The same list for every prefix that has a known item: ``items`` and ``scores`` of the state."""
    items, scores = empty_lists(len(prefixes), k)
    rows = np.flatnonzero(known(prefixes, int(state["n_items"][0])).lengths)
    width = min(k, len(state["items"]))
    items[rows, :width] = state["items"][:width]
    scores[rows, :width] = state["scores"][:width]
    return items, scores


@numba.njit(cache=True, nogil=True)
def fill(items, scores, size, popular, values, factor, marks, row):
    """Put the popular items that row has not scored (``marks[item] != row``) into its sorted list.

    popular: by values descending, then item; an item's score is factor * its value.
    """
    for item in popular:
        score = np.float32(factor * values[item])
        if score <= 0 or (size == len(items) and score < scores[size - 1]):
            break
        if marks[item] != row:
            size = insert(items, scores, size, item, score)


def fading(distance: np.ndarray, scale: float | None) -> np.ndarray:
    """exp(-distance / scale), float64; ones without a scale."""
    if scale is None:
        return np.ones(len(distance))
    return np.exp(-distance / scale)


def distance_weight(kind: str, distance: np.ndarray) -> np.ndarray:
    """Weight of something some steps away, by session-rec's names; float64, shape of ``distance``."""
    i = distance.astype(np.float64)
    if kind == "div":
        return 1.0 / i
    if kind == "quadratic":
        return 1.0 / (i * i)
    if kind == "log":
        return 1.0 / np.log10(i + 1.7)
    if kind == "linear":
        return np.where(i <= 100, 1.0 - 0.1 * i, 0.0)
    if kind == "linear_clipped":
        return np.maximum(0.0, 1.0 - 0.1 * i)
    if kind == "same":
        return np.ones_like(i)
    raise ValueError(f"unknown weighting {kind!r}")
