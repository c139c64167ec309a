"""What stood near and after the items of a session in train, as sketches (ours: counts that the layers need not learn).

A network learns every transition from examples and knows the rare ones by heart, so that it trusts what it has seen
once as much as what it has seen often. Here they are counted:

near        near[a, b] sums, over all pairs of events of a and b in one train session, 1 / d where b came d steps after
            a and BEFORE / d where it came before, as sequential rules do (``baselines.session.sequential_rules``)
followed    followed[c, b]: how often b came right after the events c, one or two in a row, as in context trees

Of a prefix there is a sketch of each: near its last item; near all its items, each times 1 / its place from the end;
after its last item; after its last two. Cells are log(1 + count / UNIT), so that a softmax of factor 1 is the share of
the counts.

While a network is trained, its example is one of those that were counted. All pairs of the example's own session are
taken away again: what is left is what the other sessions say, as it will be for a session that train does not have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numba
import numpy as np
import scipy.sparse as sp
import torch

from contracts import Sessions, for_chunks
from contracts.ranking import best_of_each
from emde.inputs import Events, Ranges

NEAR = 2
"""Sketches of what stood near: the last item, all items."""
LONGEST = 2
"""The most events in a row of which is counted what followed."""
SKETCHES = NEAR + LONGEST
"""Of a prefix."""
STEPS = 10
"""The farthest that two events may stand apart (session-rec's, for sequential rules)."""
BEFORE = 0.5
"""Weight of what came before, against what came after."""
KEPT = 200
"""Items kept for each item or pair of items, those of the largest counts; of equal ones the first."""
UNIT = 0.5
"""A count that adds log 2."""
NAME = "counts."


class Counts(NamedTuple):
    """Items and how often each was counted, for contexts: one or two items in a row.

    contexts  int64 [contexts], ascending: one item, or the first times the size of the catalogue plus the second
    indptr int64 [contexts + 1], items int32 [kept], counts float32 [kept]: as in CSR
    """

    contexts: np.ndarray
    indptr: np.ndarray
    items: np.ndarray
    counts: np.ndarray


class CoOccurrence:
    """The counts of a train set, and the sketches of prefixes by them.

    tables  what stood near each item; what came after each item; what came after each two in a row
    codes   uint8 / uint16 [items, R]    width  W
    """

    def __init__(self, tables: Sequence[Counts], codes: np.ndarray, width: int) -> None:
        self.tables, self.codes, self.width = tuple(tables), codes, width

    @classmethod
    def of(cls, train: Sessions, codes: np.ndarray, width: int) -> Self:
        return cls([_near(train), *(_followed(train, 1 + more) for more in range(LONGEST))], codes, width)

    @classmethod
    def load(cls, state: Mapping[str, np.ndarray], width: int) -> Self:
        """From a model's arrays, where ``state`` put them."""
        tables = [Counts(*(state[_name(table, of)] for of in Counts._fields)) for table in range(1 + LONGEST)]
        return cls(tables, state["codes"], width)

    def state(self) -> dict[str, np.ndarray]:
        return {
            _name(table, of): column
            for table, counts in enumerate(self.tables)
            for of, column in counts._asdict().items()
        }

    def sketches(self, events: Events, prefixes: Ranges, sessions: np.ndarray | None = None) -> torch.Tensor:
        """Float32 [B, SKETCHES * R * W] of prefixes, on their device; made on the CPU.

        events    those that ``prefixes`` are ranges of
        sessions  int64 [sessions + 1], ascending: where the sessions of ``events`` start. The prefixes are of sessions
                  that were counted, whose own pairs are left out; None: they are of others
        """
        starts, ends = prefixes.starts.cpu().numpy(), prefixes.ends.cpu().numpy()
        stops = ends if sessions is None else sessions[np.searchsorted(sessions, starts, side="right")]
        out = np.zeros((len(starts), SKETCHES, self.codes.shape[1] * self.width), np.float32)
        asked = _Asked(events.items_here, starts, ends, stops, sessions is not None)
        told = self.tables, self.codes, self.width
        for_chunks(len(out), lambda first, stop: _sketch(first, stop, asked, *told, out), 64)
        return torch.log1p(torch.from_numpy(out) / UNIT).flatten(1).to(prefixes.starts.device)


def _name(table: int, column: str) -> str:
    return f"{NAME}{table}.{column}"


def _near(train: Sessions) -> Counts:
    session, n = train.session_of_event, train.n_items
    after = sp.csr_matrix((n, n))
    for distance in range(1, min(STEPS, int(train.lengths.max(initial=1)) - 1) + 1):
        pairs = np.flatnonzero(session[:-distance] == session[distance:])
        columns = train.items[pairs], train.items[pairs + distance]
        after = after + sp.csr_matrix((np.full(len(pairs), 1 / distance), columns), shape=(n, n))
    return _largest(np.arange(n), (after + BEFORE * after.T).tocsr())


def _followed(train: Sessions, length: int) -> Counts:
    session, items = train.session_of_event, train.items.astype(np.int64)
    first = np.flatnonzero(session[:-length] == session[length:])
    context = items[first]
    for step in range(1, length):
        context = context * train.n_items + items[first + step]
    contexts, row = np.unique(context, return_inverse=True)
    columns, shape = (row, items[first + length]), (len(contexts), train.n_items)
    return _largest(contexts, sp.csr_matrix((np.ones(len(first)), columns), shape=shape))


def _largest(contexts: np.ndarray, counted: sp.csr_matrix) -> Counts:
    """The KEPT largest of each row of [contexts, items]."""
    owner = np.repeat(np.arange(len(contexts)), np.diff(counted.indptr))
    order = best_of_each(owner, counted.indices, counted.data, KEPT)
    indptr = np.concatenate([[0], np.cumsum(np.minimum(np.diff(counted.indptr), KEPT))]).astype(np.int64)
    return Counts(contexts, indptr, counted.indices[order].astype(np.int32), counted.data[order].astype(np.float32))


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
def _sketch(first, stop, asked, tables, codes, width, out):
    """out[i, s, r * W + c]: the counts, weighed as sketch s does, of the items whose code is c in row r."""
    n = len(codes)
    room = _Room(np.zeros(n), np.full(n, -1, np.int64), np.empty(n, np.int64))
    for i in range(first, stop):
        start, end, whole = asked.starts[i], asked.ends[i], asked.stops[i]
        for part in range(out.shape[1]):
            stamp, size, length = out.shape[1] * i + part, 0, 1 + part - NEAR
            if part < NEAR:
                for event in range(max(start, end - 1) if part == 0 else start, end):
                    weight = 1 / (end - event)
                    size = _add_counts(tables[0], asked.items[event], weight, stamp, room, size)
                    if asked.own:
                        size = _take_near(event, weight, start, whole, asked.items, stamp, room, size)
            elif end - start >= length:
                context = asked.items[end - length]
                for event in range(end - length + 1, end):
                    context = context * n + asked.items[event]
                size = _add_counts(tables[length], context, 1, stamp, room, size)
                if asked.own:
                    size = _take_followed(end, length, start, whole, asked.items, stamp, room, size)
            for item in room.touched[:size]:
                if room.counts[item] > 0:
                    for row in range(codes.shape[1]):
                        out[i, part, row * width + codes[item, row]] += room.counts[item]


@numba.njit(cache=True, nogil=True)
def _take_near(event, weight, start, stop, items, stamp, room, size):
    """Take away what the pairs of events start..stop-1 of ``items``, a session, added to the row of items[event]."""
    for place in range(start, stop):
        if items[place] == items[event]:
            for other in range(max(start, place - STEPS), min(stop, place + STEPS + 1)):
                if other != place:
                    own = 1 / (other - place) if other > place else BEFORE / (place - other)
                    size = _add(items[other], -weight * own, stamp, room, size)
    return size


@numba.njit(cache=True, nogil=True)
def _take_followed(end, length, start, stop, items, stamp, room, size):
    """Take away what events start..stop-1, a session, added after a context: the ``length`` events before ``end``."""
    for place in range(start + length, stop):
        if np.array_equal(items[place - length : place], items[end - length : end]):
            size = _add(items[place], -1, stamp, room, size)
    return size


@numba.njit(cache=True, nogil=True)
def _add_counts(table, context, weight, stamp, room, size):
    row = np.searchsorted(table.contexts, context)
    if row < len(table.contexts) and table.contexts[row] == context:
        for j in range(table.indptr[row], table.indptr[row + 1]):
            size = _add(table.items[j], weight * table.counts[j], stamp, room, size)
    return size


@numba.njit(cache=True, nogil=True)
def _add(item, amount, stamp, room, size):
    if room.stamps[item] != stamp:
        room.stamps[item], room.counts[item] = stamp, 0
        room.touched[size] = item
        size += 1
    room.counts[item] += amount
    return size
