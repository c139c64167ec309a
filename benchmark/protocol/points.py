"""Evaluation points of test sessions (session protocol, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.data.load import SessionSplit
from contracts import Sessions


@dataclass(frozen=True)
class Points:
    """One point per prefix: input = the events before ``target``, next item = the event ``target``.

    session, position  int64 [points]: test session, and number of events before the target
    start, target, end int64 [points]: event indices; the remaining events are target..end-1
    """

    test: Sessions
    session: np.ndarray
    position: np.ndarray
    start: np.ndarray
    target: np.ndarray
    end: np.ndarray

    def __len__(self) -> int:
        return len(self.target)

    @property
    def next_items(self) -> np.ndarray:
        """The item to predict, int32 [points]; -1 where train does not know it (always a miss)."""
        return self.test.items[self.target]

    def prefixes(self, start: int, stop: int) -> Sessions:
        """The inputs of points start..stop-1 as sessions."""
        rows = slice(start, stop)
        return self.test.windows(self.start[rows], self.target[rows], self.session[rows])


def evaluation_points(test: Sessions, min_prefix: int = 1) -> Points:
    """All prefixes of at least ``min_prefix`` events that have a next event, in test order."""
    session = test.session_of_event
    start, end = test.offsets[session], test.offsets[session + 1]
    target = np.arange(test.n_events)
    keep = target - start >= min_prefix
    return Points(test, session[keep], (target - start)[keep], start[keep], target[keep], end[keep])


def points_of(split: SessionSplit) -> Points:
    """The evaluation points of a split's test sessions."""
    return evaluation_points(split.test, split.min_prefix)
