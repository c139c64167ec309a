"""Neighbour sessions: one index and one kernel for s-knn, vs-knn, stan and vstan.

The four methods differ only in numbers: a weight and a decay for every event of the prefix, how a
similarity is normalised, how fast a neighbour ages, and how far its items reach. Each method's file
computes those; the kernel below does the rest.

Sessions are numbered by their rank in the sampling order, so that every item's sessions are an
ascending list, the union of such lists comes out in sampling order by a merge, and a sample is
where the merge stops. Nothing is as large as the number of sessions but the index itself.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np
import scipy.sparse as sp

from baselines.session.shared.common import Prefixes, empty_lists
from contracts import Sessions, for_chunks
from contracts.ranking import insert

DOT, COSINE, JACCARD, BINARY = range(4)
"""Similarity from x = sum of the weights of shared items: x / |b|; x / (norm(weights) * sqrt(|a|));
x / (|a| + |b| - x); 2 x / (2 x + |a| + |b|). |a|, |b|: distinct items of neighbour and prefix."""


class Scheme(NamedTuple):
    """What distinguishes one neighbourhood method from another.

    weights     float64 [known prefix events], of an item in the similarity (at its last position)
    decays      float64 [known prefix events], factor of a neighbour whose most recent shared item this is
    similarity  DOT, COSINE, JACCARD or BINARY
    k           neighbours
    sample_size candidate sessions; 0 = all
    ageing      seconds in which a neighbour's similarity falls by 1 / e; 0 = never
    reach       float64 [longest train session], factor of an item by its distance to the last shared
                item of the neighbour; empty = always 1
    item_factor float64 [items], factor of an item's score; empty = always 1
    """

    weights: np.ndarray
    decays: np.ndarray
    similarity: int
    k: int
    sample_size: int
    ageing: float = 0.0
    reach: np.ndarray = np.zeros(0)
    item_factor: np.ndarray = np.zeros(0)


def index_sessions(train: Sessions, sampling: str = "recent", seed: int = 0) -> dict[str, np.ndarray]:
    """Who has which item, with sessions numbered in sampling order.

    recent: last event's time descending, then session index descending. random: one seeded
    permutation of all sessions, whose first n members of any set are a uniform sample of it.
    """
    if sampling == "recent":
        order = np.lexsort((-np.arange(len(train)), -train.last_times))
    else:
        order = np.random.default_rng(seed).permutation(len(train))
    rank = np.empty(len(train), np.int64)
    rank[order] = np.arange(len(train))
    n_items = train.n_items
    key = rank[train.session_of_event] * n_items + train.items
    by_key = np.argsort(key, kind="stable")
    is_last = np.diff(key[by_key], append=-1) != 0  # of a repeated item, the last position counts
    kept = by_key[is_last]
    position = (kept - train.offsets[train.session_of_event[kept]]).astype(np.int32)
    indptr = np.zeros(len(train) + 1, np.int64)
    np.cumsum(np.bincount(rank[train.session_of_event[kept]], minlength=len(train)), out=indptr[1:])
    by_item = sp.csr_matrix((position, train.items[kept], indptr), shape=(len(train), n_items)).tocsc()
    return {
        "session.indptr": indptr,
        "session.items": train.items[kept],
        "session.positions": position,
        "session.times": train.last_times[order],
        "item.indptr": by_item.indptr.astype(np.int64),
        "item.sessions": by_item.indices.astype(np.int32),
    }


def item_idf(train: Sessions) -> np.ndarray:
    """ln(sessions / events of the item), float64 [items]; 0 for an item without events."""
    counts = np.bincount(train.items, minlength=train.n_items)
    return np.where(counts > 0, np.log(len(train) / np.maximum(counts, 1)), 0.0)


def rank_by_neighbours(
    state: dict[str, np.ndarray], prefixes: Prefixes, k: int, scheme: Scheme
) -> tuple[np.ndarray, np.ndarray]:
    """The ranked lists of ``scheme`` over an index; see ``_rank`` for the formula."""
    items, scores = empty_lists(len(prefixes), k)
    n_sessions = len(state["session.times"])
    sample = min(scheme.sample_size or n_sessions, n_sessions)

    def work(start: int, stop: int) -> None:
        _rank(
            start, stop, prefixes.items, prefixes.offsets, scheme.weights, scheme.decays,
            state["session.indptr"], state["session.items"], state["session.positions"], state["session.times"],
            state["item.indptr"], state["item.sessions"], scheme.similarity, scheme.k, sample,
            float(scheme.ageing), scheme.reach, scheme.item_factor, items, scores,
        )  # fmt: skip

    for_chunks(len(prefixes), work)
    return items, scores


@numba.njit(cache=True, nogil=True)
def _rank(
    start, stop, prefix_items, prefix_offsets, weights, decays,
    session_indptr, session_items, positions, times, item_indptr, item_sessions,
    similarity, k, sample_size, ageing, reach, item_factor, items_out, scores_out,
):  # fmt: skip
    """score(i) = item_factor(i) * sum over the k neighbours n with i of sim(n) * decay(n) * reach(i, n)."""
    longest = 0
    for row in range(start, stop):
        longest = max(longest, prefix_offsets[row + 1] - prefix_offsets[row])
    n_items = len(item_indptr) - 1
    last_row = np.full(n_items, -1, np.int64)  # the prefix an item was last met in
    scored = np.full(n_items, -1, np.int64)  # the prefix an item was last scored for
    totals = np.zeros(n_items, np.float64)
    touched = np.empty(n_items, np.int32)
    events = np.empty(longest, np.int64)
    heads, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    found, newest = np.empty(sample_size, np.int32), np.empty(sample_size, np.int32)
    sims, scratch = np.empty(sample_size, np.float64), np.empty(sample_size, np.float64)
    for row in range(start, stop):
        distinct = 0
        norm = 0.0
        for event in range(prefix_offsets[row + 1] - 1, prefix_offsets[row] - 1, -1):
            item = prefix_items[event]
            if last_row[item] != row:
                last_row[item] = row
                events[distinct] = event
                heads[distinct], ends[distinct] = item_indptr[item], item_indptr[item + 1]
                norm += weights[event] * weights[event]
                distinct += 1
        count = _merge(item_sessions, events, weights, heads, ends, distinct, found, newest, sims)
        if count == 0:
            continue
        norm = np.sqrt(norm)
        for c in range(count):
            session = found[c]
            size = session_indptr[session + 1] - session_indptr[session]
            sims[c] = _similarity(similarity, sims[c], size, distinct, norm)
            if ageing > 0:
                sims[c] *= np.exp((times[session] - times[found[0]]) / ageing)
        bound, at_bound = _cut(sims, count, k, scratch)

        n_touched = 0
        for c in range(count):
            if sims[c] < bound or sims[c] <= 0:
                continue
            if sims[c] == bound:
                if at_bound == 0:
                    continue
                at_bound -= 1
            begin, end = session_indptr[found[c]], session_indptr[found[c] + 1]
            score = sims[c] * decays[events[newest[c]]]
            shared = 0  # position of the neighbour's last event whose item the prefix has
            if len(reach) > 0:
                for p in range(begin, end):
                    if last_row[session_items[p]] == row and positions[p] > shared:
                        shared = positions[p]
            for p in range(begin, end):
                item = session_items[p]
                if scored[item] != row:
                    scored[item] = row
                    totals[item] = 0.0
                    touched[n_touched] = item
                    n_touched += 1
                totals[item] += score * reach[abs(positions[p] - shared)] if len(reach) > 0 else score
        size = 0
        for t in range(n_touched):
            item = touched[t]
            total = totals[item] * item_factor[item] if len(item_factor) > 0 else totals[item]
            rounded = np.float32(total)  # lists are ordered by the scores they show
            if rounded > 0:
                size = insert(items_out[row], scores_out[row], size, item, rounded)


@numba.njit(cache=True, nogil=True)
def _merge(item_sessions, events, weights, heads, ends, lists, found, newest, sums):
    """Merge ``lists`` ascending session lists until ``found`` is full; return how many were found.

    sums: the weights of the items a session shares; newest: the first list it stands in (lists come
    most recent item first). Exhausted lists are dropped, the order of the others is kept by ``which``.
    """
    which = np.arange(lists)
    count = 0
    smallest = np.int64(-1)
    while True:
        # One pass: take ``smallest`` from every list that has it, and find the next smallest.
        following = np.int64(2**62)
        live = 0
        for slot in range(lists):
            source = which[slot]
            head = heads[source]
            if smallest >= 0 and item_sessions[head] == smallest:
                if newest[count] < 0:
                    newest[count] = source
                sums[count] += weights[events[source]]
                head += 1
                heads[source] = head
            if head < ends[source]:
                which[live] = source
                live += 1
                if item_sessions[head] < following:
                    following = np.int64(item_sessions[head])
        lists = live
        if smallest >= 0:
            count += 1
        if lists == 0 or count == len(found):
            return count
        if lists == 1:  # most often from the start: no comparing any more
            source = which[0]
            for head in range(heads[source], min(ends[source], heads[source] + len(found) - count)):
                found[count] = item_sessions[head]
                newest[count] = source
                sums[count] = weights[events[source]]
                count += 1
            return count
        smallest = following
        found[count] = smallest
        newest[count] = -1
        sums[count] = 0.0


@numba.njit(cache=True, nogil=True)
def _similarity(kind, shared, size, distinct, norm):
    if kind == DOT:
        return shared / distinct
    if kind == COSINE:
        return shared / (norm * np.sqrt(size)) if norm > 0 else 0.0
    if kind == JACCARD:
        return shared / (size + distinct - shared)
    return 2.0 * shared / (2.0 * shared + size + distinct)


@numba.njit(cache=True, nogil=True)
def _cut(values, count, k, scratch):
    """(the k-th largest of values[:count], how many equal to it belong to the k largest)."""
    if count <= k:
        return -np.inf, 0
    scratch[:count] = values[:count]
    low, high = 0, count - 1
    while low < high:  # Hoare's selection, descending
        pivot = scratch[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while scratch[i] > pivot:
                i += 1
            while scratch[j] < pivot:
                j -= 1
            if i <= j:
                scratch[i], scratch[j] = scratch[j], scratch[i]
                i += 1
                j -= 1
        if k - 1 <= j:
            high = j
        elif k - 1 >= i:
            low = i
        else:
            break
    bound = scratch[k - 1]
    above = 0
    for c in range(count):
        above += values[c] > bound
    return bound, k - above
