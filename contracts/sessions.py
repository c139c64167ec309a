"""Ragged session columns: the only form in which session data reaches a method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

UNKNOWN = -1
"""Item index of an event whose item is not in the train catalogue."""


@dataclass(frozen=True)
class Sessions:
    """Sessions as ragged columns; session ``s`` owns events ``offsets[s]:offsets[s + 1]``.

    items       int32 [events], 0..n_items-1 in order of first appearance in train, -1 = not in train
    times       float64 [events], seconds (UTC)
    offsets     int64 [sessions + 1], ascending, offsets[0] = 0
    n_items     size of the train catalogue
    groups      name -> int32 [sessions]: the user (...) a session belongs to
    attributes  name -> CSR [n_items, tokens]: what is known of an item besides its sessions
    vectors     name -> float32 [n_items, d]: given item vectors (text, image, ...); a zero row = unknown
    weights     float32 [events], how strong each event is (a purchase more than a click); None: all alike
    ever        as ``attributes``, of those that were cut at the end of train: every value they had at any time
    """

    items: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    n_items: int
    groups: Mapping[str, np.ndarray] = field(default_factory=dict)
    attributes: Mapping[str, sp.csr_matrix] = field(default_factory=dict)
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    weights: np.ndarray | None = None
    ever: Mapping[str, sp.csr_matrix] = field(default_factory=dict)

    def __post_init__(self) -> None:
        expected = {"items": np.int32, "times": np.float64, "offsets": np.int64}
        for name, dtype in expected.items():
            own = getattr(self, name).dtype
            if own != dtype:
                raise TypeError(f"Sessions.{name}: expected {np.dtype(dtype)}, found {own}")
        if self.weights is not None and (self.weights.dtype != np.float32 or len(self.weights) != len(self.items)):
            raise ValueError(f"Sessions.weights: expected one float32 per event, found {self.weights.dtype}"
                             f" x {len(self.weights)} for {len(self.items)} events")  # fmt: skip
        if len(self.items) != len(self.times) or len(self.items) != self.offsets[-1]:
            raise ValueError(
                f"Sessions: {len(self.items)} items, {len(self.times)} times and "
                f"offsets ending at {self.offsets[-1]} must agree"
            )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_events(self) -> int:
        return len(self.items)

    @cached_property
    def lengths(self) -> np.ndarray:
        """Events per session, int64 [sessions]."""
        return np.diff(self.offsets)

    @cached_property
    def last_times(self) -> np.ndarray:
        """Time of each session's last event, float64 [sessions] (empty sessions: 0)."""
        last = np.maximum(self.offsets[1:] - 1, 0)
        times = self.times[last] if self.n_events else np.zeros(len(self))
        return np.where(self.lengths > 0, times, 0.0)

    @cached_property
    def session_of_event(self) -> np.ndarray:
        """Session index of every event, int64 [events]."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, rows: np.ndarray) -> Sessions:
        """The sessions ``rows`` (indices), in that order."""
        rows = np.asarray(rows, dtype=np.int64)
        return self.windows(self.offsets[rows], self.offsets[rows + 1], rows)

    def windows(self, starts: np.ndarray, ends: np.ndarray, rows: np.ndarray) -> Sessions:
        """One session per event range ``starts[i]:ends[i]``; ``rows[i]`` is the session it is cut from."""
        lengths = ends - starts
        offsets = np.zeros(len(starts) + 1, dtype=np.int64)
        np.cumsum(lengths, out=offsets[1:])
        index = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], lengths)
        return replace(
            self,
            items=self.items[index],
            times=self.times[index],
            offsets=offsets,
            groups={name: column[rows] for name, column in self.groups.items()},
            weights=None if self.weights is None else self.weights[index],
        )

    @classmethod
    def from_lists(
        cls, sessions: Iterable[Sequence[int]], n_items: int, times: Iterable[Sequence[float]] | None = None
    ) -> Sessions:
        """Build from Python lists of item indices; without times, event ``i`` of all happens at ``i`` seconds."""
        rows = [np.asarray(session, dtype=np.int32) for session in sessions]
        offsets = np.zeros(len(rows) + 1, dtype=np.int64)
        np.cumsum([len(row) for row in rows], out=offsets[1:])
        items = np.concatenate(rows) if rows else np.zeros(0, np.int32)
        stamps = (
            np.arange(len(items), dtype=np.float64)
            if times is None
            else np.array([time for row in times for time in row], dtype=np.float64)
        )
        return cls(items, stamps, offsets, n_items)


def blocks(lengths: np.ndarray, rows: int, events: int) -> Iterator[tuple[int, int]]:
    """Consecutive (start, stop) of at most ``rows`` sessions and ``events`` events; a longer session stands alone.

    lengths  int64 [sessions], events of each
    """
    behind = np.cumsum(lengths)
    start = 0
    while start < len(behind):
        most = events + (int(behind[start - 1]) if start else 0)
        fitting = int(np.searchsorted(behind, most, side="right"))
        stop = min(start + rows, max(start + 1, fitting))
        yield start, stop
        start = stop
