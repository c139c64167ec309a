"""What stood near the items of a session in train, as sketches (ours: counts that the layers need not learn).

A network learns every transition from examples and knows the rare ones by heart, so that it trusts what it has seen
once as much as what it has seen often. Here they are counted: near[a, b] sums, over all pairs of events of a and b in
one train session, 1 / d where b came d steps after a and BEFORE / d where it came before, as sequential rules do
(``baselines.session.sequential_rules``). Two sketches of a prefix add such rows up: that of its last item, and those of
all its items, each times 1 / its place from the end. Cells are log(1 + count / UNIT), so that a softmax of factor 1 is
the share of the counts.

While a network is trained, its example is one of those that were counted. All pairs of the example's own session are
taken away again: what is left is what the other sessions say, as it will be for a session that train does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Self

import numba
import numpy as np
import scipy.sparse as sp
import torch

from contracts import Sessions, for_chunks
from emde.inputs import Ranges

SKETCHES = 2
"""Of a prefix: near its last item, near all of its items."""
STEPS = 10
"""The farthest that two events may stand apart (session-rec's, for sequential rules)."""
BEFORE = 0.5
"""Weight of what came before, against what came after."""
KEPT = 200
"""Items kept for each, those of the largest counts; of equal ones the first."""
UNIT = 0.5
"""A count that adds log 2."""
NAME = "near."


class Rows(NamedTuple):
    """CSR [items, items]: indptr int64 [items + 1], items int32, counts float32 [kept]."""

    indptr: np.ndarray
    items: np.ndarray
    counts: np.ndarray


class CoOccurrence:
    """The counts of a train set, and the sketches of prefixes by them.

    rows   what stood near each item
    codes  uint8 / uint16 [items, R]    width  W
    """

    def __init__(self, rows: Rows, codes: np.ndarray, width: int) -> None:
        self.rows, self.codes, self.width = rows, codes, width

    @classmethod
    def of(cls, train: Sessions, codes: np.ndarray, width: int) -> Self:
        return cls(_count(train), codes, width)

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray], width: int) -> Self:
        """From a model's arrays, where ``state`` put them."""
        return cls(Rows(*(state[NAME + name] for name in Rows._fields)), state["codes"], width)

    def state(self) -> dict[str, np.ndarray]:
        return {NAME + name: column for name, column in self.rows._asdict().items()}

    def sketches(self, items: torch.Tensor, prefixes: Ranges, sessions: np.ndarray | None = None) -> torch.Tensor:
        """Float32 [B, SKETCHES * R * W] of prefixes, on their device; made on the CPU.

        items     int64 [events], those that ``prefixes`` are ranges of
        sessions  int64 [sessions + 1], ascending: where the sessions of ``items`` start. The prefixes are of sessions
                  that were counted, whose own pairs are left out; None: they are of others
        """
        starts, ends, events = prefixes.starts.cpu().numpy(), prefixes.ends.cpu().numpy(), items.cpu().numpy()
        stops = ends if sessions is None else sessions[np.searchsorted(sessions, starts, side="right")]
        out = np.zeros((len(starts), SKETCHES, self.codes.shape[1] * self.width), np.float32)
        asked = _Asked(events, starts, ends, stops, sessions is not None)
        told = self.rows, self.codes, self.width
        for_chunks(len(out), lambda first, stop: _sketch(first, stop, asked, *told, out), 64)
        return torch.log1p(torch.from_numpy(out) / UNIT).flatten(1).to(prefixes.starts.device)


def _count(train: Sessions) -> Rows:
    session, n = train.session_of_event, train.n_items
    after = sp.csr_matrix((n, n))
    for distance in range(1, min(STEPS, int(train.lengths.max(initial=1)) - 1) + 1):
        pairs = np.flatnonzero(session[:-distance] == session[distance:])
        columns = train.items[pairs], train.items[pairs + distance]
        after = after + sp.csr_matrix((np.full(len(pairs), 1 / distance), columns), shape=(n, n))
    near = (after + BEFORE * after.T).tocsr()
    owner = np.repeat(np.arange(n), np.diff(near.indptr))
    order = np.lexsort((near.indices, -near.data, owner))
    rank = np.arange(near.nnz) - near.indptr[owner]
    order = order[rank < KEPT]
    indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(near.indptr), KEPT))]).astype(np.int64)
    return Rows(indptr, near.indices[order].astype(np.int32), near.data[order].astype(np.float32))


class _Asked(NamedTuple):
    """Prefixes starts[i]:ends[i] of ``items``; their sessions end at stops[i], and ``own`` pairs are taken away."""

    items: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    stops: np.ndarray
    own: bool


class _Room(NamedTuple):
    """The counts of one sketch: counts float64 [items], stamps int64 [items], the sketch that a count is of, and the
    items that have one, touched int64 [items]."""

    counts: np.ndarray
    stamps: np.ndarray
    touched: np.ndarray


@numba.njit(cache=True, nogil=True)
def _sketch(first, stop, asked, rows, codes, width, out):
    """out[i, s, r * W + c]: the counts, weighed as sketch s does, of the items whose code is c in row r."""
    n = len(rows.indptr) - 1
    room = _Room(np.zeros(n), np.full(n, -1, np.int64), np.empty(n, np.int64))
    for i in range(first, stop):
        start, end = asked.starts[i], asked.ends[i]
        for part in range(out.shape[1]):
            stamp, size = out.shape[1] * i + part, 0
            for event in range(max(start, end - 1) if part == 0 else start, end):
                item, weight = asked.items[event], 1 / (end - event)
                for j in range(rows.indptr[item], rows.indptr[item + 1]):
                    size = _add(rows.items[j], weight * rows.counts[j], stamp, room, size)
                if asked.own:
                    size = _take_own(item, weight, start, asked.stops[i], asked.items, stamp, room, size)
            for item in room.touched[:size]:
                if room.counts[item] > 0:
                    for row in range(codes.shape[1]):
                        out[i, part, row * width + codes[item, row]] += room.counts[item]


@numba.njit(cache=True, nogil=True)
def _take_own(item, weight, start, stop, items, stamp, room, size):
    """Take away what the pairs of events start..stop-1 of ``items``, a session, added to the row of ``item``."""
    for place in range(start, stop):
        if items[place] == item:
            for other in range(max(start, place - STEPS), min(stop, place + STEPS + 1)):
                if other != place:
                    own = 1 / (other - place) if other > place else BEFORE / (place - other)
                    size = _add(items[other], -weight * own, stamp, room, size)
    return size


@numba.njit(cache=True, nogil=True)
def _add(item, amount, stamp, room, size):
    if room.stamps[item] != stamp:
        room.stamps[item], room.counts[item] = stamp, 0
        room.touched[size] = item
        size += 1
    room.counts[item] += amount
    return size
