"""Rules a -> b: mined by antecedent in O(catalogue) memory, pruned, stored as sorted rows, looked up.

The rules of one antecedent are accumulated in a row of their own, in the order of the train events,
so that sums are rounded, and ties pruned, as a pass over the train would do it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numba
import numpy as np
import scipy.sparse as sp

from baselines.session.shared.common import empty_lists, known, writable
from contracts import Sessions, for_chunks

Rescale = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(antecedents, consequents, weights) of some rules -> their new weights."""
Mine = Callable[[int, int, "_Rules"], None]
"""(first, stop, rules): fills the last with the rules of antecedents first..stop-1."""


class _Events(NamedTuple):
    """Train's events in order, and those of every item.

    items     int32 [events], in order
    offsets   int64 [sessions + 1], first event of each session
    indptr    int64 [items + 1], first entry of each item in the next two
    of_item   int64 [events], the events of every item, ascending
    sessions  int32 [events], the session each of these is in
    """

    items: np.ndarray
    offsets: np.ndarray
    indptr: np.ndarray
    of_item: np.ndarray
    sessions: np.ndarray


class _Shared(NamedTuple):
    """Train's distinct items, by item and by session.

    indptr    int32 [items + 1], first entry of each item in the next two
    sessions  int32 [entries], the sessions of every item, ascending
    times     float64 [entries], how often the item stands in each of these
    offsets   int32 [sessions + 1], first entry of each session in ``items``
    items     int32 [entries], the distinct items of every session
    """

    indptr: np.ndarray
    sessions: np.ndarray
    times: np.ndarray
    offsets: np.ndarray
    items: np.ndarray


class _Rules(NamedTuple):
    """Room for the rules of some antecedents, one after the other.

    ends     int64 [antecedents], behind the last rule of each
    items    int32 [rules], consequents
    weights  float64 [rules]
    """

    ends: np.ndarray
    items: np.ndarray
    weights: np.ndarray


@numba.njit(cache=True, nogil=True)
def _mine(first, stop, train, weights, symmetric, rules):
    """Rules of the antecedents first..stop-1, consequents in the order of their first co-occurrence.

    weights    float64 [steps + 1], weights[d]: weight of a rule over d steps
    symmetric  earlier events are consequents, too
    """
    items, offsets, indptr, events, sessions = train.items, train.offsets, train.indptr, train.of_item, train.sessions
    steps = len(weights) - 1
    slot = np.full(len(indptr) - 1, -1, np.int64)  # where the item stands in the output; stale if < row_start
    size = 0
    for a in range(first, stop):
        row_start = size
        start = indptr[a]
        while start < indptr[a + 1]:
            session = sessions[start]
            end = start + 1
            while end < indptr[a + 1] and sessions[end] == session:
                end += 1
            seen = start  # the occurrences of a before event j are start..seen-1
            for j in range(events[start], min(offsets[session + 1], events[end - 1] + steps + 1)):
                b = items[j]
                if symmetric and b == a:
                    for i in range(max(offsets[session], j - steps), j):
                        size = _add(slot, row_start, size, rules, items[i], weights[j - i])
                for r in range(seen - 1, start - 1, -1):
                    distance = j - events[r]
                    if distance > steps:
                        break
                    size = _add(slot, row_start, size, rules, b, weights[distance])
                if b == a:
                    seen += 1
            start = end
        rules.ends[a - first] = size


@numba.njit(cache=True, nogil=True)
def _add(slot, row_start, size, rules, item, weight):
    position = slot[item]
    if position < row_start:
        position = size
        slot[item] = position
        rules.items[position] = item
        rules.weights[position] = 0.0
        size += 1
    rules.weights[position] += weight
    return size


@numba.njit(cache=True, nogil=True)
def _mine_shared(first, stop, train, rules):
    """Rules a -> b, b != a, of the antecedents first..stop-1, weighted by the events of a in sessions that hold b."""
    indptr, sessions, times, offsets, items = train.indptr, train.sessions, train.times, train.offsets, train.items
    slot = np.full(len(indptr) - 1, -1, np.int64)
    size = 0
    for a in range(first, stop):
        row_start = size
        for i in range(indptr[a], indptr[a + 1]):
            for j in range(offsets[sessions[i]], offsets[sessions[i] + 1]):
                if items[j] != a:
                    size = _add(slot, row_start, size, rules, items[j], times[i])
        rules.ends[a - first] = size


def mine_rules(train: Sessions, weights: np.ndarray, symmetric: bool, pruning: float) -> dict[str, np.ndarray]:
    """Mine and prune the rules of every item.

    weights: float64 [steps + 1], weights[d] = weight of one co-occurrence d steps apart.
    pruning: 0 keeps all; below 1 drops that share of every antecedent's rules; else the number kept.
    Returns the state for ``look_up``: rows per antecedent sorted by weight, then item index.
    """
    event_index = np.arange(train.n_events, dtype=np.int64)
    by_item = sp.csr_matrix((event_index, train.items, train.offsets), shape=(len(train), train.n_items)).tocsc()
    events = _Events(
        writable(train.items), writable(train.offsets), by_item.indptr.astype(np.int64), by_item.data, by_item.indices
    )
    partners = np.bincount(train.items, train.lengths[train.session_of_event], train.n_items)
    return _mined(partners, lambda first, stop, rules: _mine(first, stop, events, weights, symmetric, rules), pruning)


def mine_shared(train: Sessions, pruning: float, rescale: Rescale) -> dict[str, np.ndarray]:
    """Mine, rescale and prune the rules a -> b, b != a, of weight: events of a in sessions that hold b.

    Rules first met in the same session are in the order of their item index. Else as ``mine_rules``.
    """
    columns = np.ones(train.n_events), train.items, train.offsets
    distinct = sp.csr_matrix(columns, shape=(len(train), train.n_items), copy=True)
    distinct.sum_duplicates()
    by_item = distinct.tocsc()
    shared = _Shared(by_item.indptr, by_item.indices, by_item.data, distinct.indptr, distinct.indices)
    owner = np.repeat(np.arange(len(train)), np.diff(distinct.indptr))
    partners = np.bincount(distinct.indices, np.diff(distinct.indptr)[owner], train.n_items)
    return _mined(partners, lambda first, stop, rules: _mine_shared(first, stop, shared, rules), pruning, rescale)


def _mined(partners: np.ndarray, mine: Mine, pruning: float, rescale: Rescale | None = None) -> dict[str, np.ndarray]:
    """The state for ``look_up``. partners: no antecedent has more rules than this, [items]."""
    n_items = len(partners)
    room = np.minimum(partners.astype(np.int64), n_items)
    parts: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def work(first: int, stop: int) -> None:
        capacity = int(room[first:stop].sum())
        rules = _Rules(np.zeros(stop - first, np.int64), np.empty(capacity, np.int32), np.empty(capacity, np.float64))
        mine(first, stop, rules)
        counts = np.diff(rules.ends, prepend=0)
        antecedents = np.repeat(np.arange(first, stop), counts)
        items, values = rules.items[: rules.ends[-1]], rules.weights[: rules.ends[-1]]
        if rescale is not None:
            values = rescale(antecedents, items, values)
        parts[first] = _pruned(antecedents, items, values, counts, first, pruning)

    for_chunks(n_items, work)
    ordered = [parts[first] for first in sorted(parts)]
    rows, items, scores = (np.concatenate(column) for column in zip(*ordered, strict=True))
    pointers = np.zeros(n_items + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=n_items), out=pointers[1:])
    return {"rules.indptr": pointers, "rules.items": items, "rules.scores": scores}


def _pruned(
    antecedents: np.ndarray, items: np.ndarray, values: np.ndarray, counts: np.ndarray, first: int, pruning: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The kept rules (antecedent, consequent, score float32), in the order of the ranked lists.

    Pruning ties go to the first co-occurrence (the sort is stable). Rules without a positive score
    count for pruning, as in session-rec, but are not stored: they never fill a list.
    """
    if pruning > 0:
        keep = np.full(len(counts), int(pruning)) if pruning >= 1 else counts - (counts * pruning).astype(np.int64)
        order = np.lexsort((-values, antecedents))
        starts = np.cumsum(counts) - counts
        rank = np.arange(len(order)) - np.repeat(starts, counts)
        order = order[rank < keep[antecedents - first]]
        antecedents, items, values = antecedents[order], items[order], values[order]
    scores = values.astype(np.float32)
    order = np.lexsort((items, -scores, antecedents))
    order = order[scores[order] > 0]
    return antecedents[order], items[order], scores[order]


def look_up(state: dict[str, np.ndarray], prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The first k rules of every prefix's last known item, as ranked lists."""
    indptr = state["rules.indptr"]
    last = known(prefixes, len(indptr) - 1).last_items()
    items, scores = empty_lists(len(last), k)
    rows = np.flatnonzero(last >= 0)
    starts, ends = indptr[last[rows]], indptr[last[rows] + 1]
    for rank in range(min(k, int((ends - starts).max(initial=0)))):
        live = starts + rank < ends
        rows, starts, ends = rows[live], starts[live], ends[live]
        items[rows, rank] = state["rules.items"][starts + rank]
        scores[rows, rank] = state["rules.scores"][starts + rank]
    return items, scores
