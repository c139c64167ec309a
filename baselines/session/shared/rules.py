"""Rules a -> b: mined by antecedent in O(catalogue) memory, pruned, stored as sorted rows, looked up.

The rules of one antecedent are accumulated in a row of their own, in the order of the train events,
so that sums are rounded, and ties pruned, as a pass over the train would do it.
"""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import scipy.sparse as sp

from baselines.session.shared.common import empty_lists, known, writable
from contracts import Sessions, for_chunks

Rescale = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(antecedents, consequents, weights) of some rules -> their new weights."""


@numba.njit(cache=True, nogil=True)
def _mine(first, stop, indptr, events, sessions, offsets, items, weights, symmetric, row_ends, out_items, out_weights):
    """Rules of the antecedents first..stop-1, consequents in the order of their first co-occurrence.

    indptr / events / sessions: the events of every item, ascending, and the session each is in.
    weights[d]: weight of a rule over d steps. symmetric: earlier events are consequents, too.
    """
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
                        size = _add(slot, row_start, size, out_items, out_weights, items[i], weights[j - i])
                for r in range(seen - 1, start - 1, -1):
                    distance = j - events[r]
                    if distance > steps:
                        break
                    size = _add(slot, row_start, size, out_items, out_weights, b, weights[distance])
                if b == a:
                    seen += 1
            start = end
        row_ends[a - first] = size


@numba.njit(cache=True, nogil=True)
def _add(slot, row_start, size, out_items, out_weights, item, weight):
    position = slot[item]
    if position < row_start:
        position = size
        slot[item] = position
        out_items[position] = item
        out_weights[position] = 0.0
        size += 1
    out_weights[position] += weight
    return size


def mine_rules(
    train: Sessions, weights: np.ndarray, symmetric: bool, pruning: float, rescale: Rescale | None = None
) -> dict[str, np.ndarray]:
    """Mine, rescale and prune the rules of every item.

    weights: float64 [steps + 1], weights[d] = weight of one co-occurrence d steps apart.
    pruning: 0 keeps all; below 1 drops that share of every antecedent's rules; else the number kept.
    Returns the state for ``look_up``: rows per antecedent sorted by weight, then item index.
    """
    n_items = train.n_items
    event_index = np.arange(train.n_events, dtype=np.int64)
    by_item = sp.csr_matrix((event_index, train.items, train.offsets), shape=(len(train), n_items)).tocsc()
    indptr, events = by_item.indptr.astype(np.int64), by_item.data
    partners = np.bincount(train.items, weights=train.lengths[train.session_of_event], minlength=n_items)
    room = np.minimum(partners.astype(np.int64), n_items)  # no antecedent has more rules than this
    train_items, offsets = writable(train.items), writable(train.offsets)
    parts: dict[int, tuple[np.ndarray, np.ndarray, np.ndarray]] = {}

    def work(first: int, stop: int) -> None:
        capacity = int(room[first:stop].sum())
        items, values = np.empty(capacity, np.int32), np.empty(capacity, np.float64)
        ends = np.zeros(stop - first, np.int64)
        _mine(
            first, stop, indptr, events, by_item.indices, offsets, train_items,
            weights, symmetric, ends, items, values,
        )  # fmt: skip
        counts = np.diff(ends, prepend=0)
        antecedents = np.repeat(np.arange(first, stop), counts)
        items, values = items[: ends[-1]], values[: ends[-1]]
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
