"""Neighbour sessions: one index and one kernel for s-knn, vs-knn, stan and vstan.

The four methods differ only in numbers: a weight and a decay for every event of the prefix, how a
similarity is normalised, how fast a neighbour ages, and how far its items reach. Each method's file
computes those; the kernel below does the rest.

Sessions are numbered by their rank in the sampling order, so that every item's sessions are an
ascending list, the union of such lists comes out in sampling order by a merge, and a sample is
where the merge stops. Nothing is as large as the number of sessions but the index itself.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numba
import numpy as np
import scipy.sparse as sp

from baselines.session.shared.common import Prefixes, empty_lists
from contracts import Sessions, for_chunks
from contracts.ranking import insert


class Similarity(IntEnum):
    """Of a neighbour a and a prefix b, from x = sum of the weights of shared items; |a|, |b|: their distinct items."""

    DOT = 0
    """x / |b|"""
    COSINE = 1
    """x / (norm(weights) * sqrt(|a|))"""
    JACCARD = 2
    """x / (|a| + |b| - x)"""
    BINARY = 3
    """2 x / (2 x + |a| + |b|)"""


class Scheme(NamedTuple):
    """What distinguishes one neighbourhood method from another.

    weights     float64 [known prefix events], of an item in the similarity (at its last position)
    decays      float64 [known prefix events], factor of a neighbour whose most recent shared item this is
    similarity  a ``Similarity``
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


class Index(NamedTuple):
    """Who has which item, with sessions numbered in sampling order; a session's items are distinct.

    session_indptr  int64 [sessions + 1], first entry of each session
    session_items   int32 [entries]
    positions       int32 [entries], of the item's last event in its session
    times           float64 [sessions], of the last event
    item_indptr     int64 [items + 1], first entry of each item
    item_sessions   int32 [entries], ascending within an item
    """

    session_indptr: np.ndarray
    session_items: np.ndarray
    positions: np.ndarray
    times: np.ndarray
    item_indptr: np.ndarray
    item_sessions: np.ndarray

    @classmethod
    def of(cls, state: dict[str, np.ndarray]) -> Index:
        """What ``index_sessions`` put into a recommender's state."""
        return cls(*(state[name] for name in COLUMNS))


COLUMNS = ("session.indptr", "session.items", "session.positions", "session.times", "item.indptr", "item.sessions")
"""Names in a recommender's state of the columns of ``Index``."""


def index_sessions(train: Sessions, sampling: str = "recent", seed: int = 0) -> dict[str, np.ndarray]:
    """The columns of ``Index`` as a recommender's state.

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
    columns = (
        indptr,
        train.items[kept],
        position,
        train.last_times[order],
        by_item.indptr.astype(np.int64),
        by_item.indices.astype(np.int32),
    )
    return dict(zip(COLUMNS, columns, strict=True))


def item_idf(train: Sessions) -> np.ndarray:
    """ln(sessions / events of the item), float64 [items]; 0 for an item without events."""
    counts = np.bincount(train.items, minlength=train.n_items)
    return np.where(counts > 0, np.log(len(train) / np.maximum(counts, 1)), 0.0)


def rank_by_neighbours(
    state: dict[str, np.ndarray], prefixes: Prefixes, k: int, scheme: Scheme
) -> tuple[np.ndarray, np.ndarray]:
    """The ranked lists of ``scheme`` over an index; see ``_rank`` for the formula."""
    lists = empty_lists(len(prefixes), k)
    index = Index.of(state)
    n_sessions = len(index.times)
    sample = min(scheme.sample_size or n_sessions, n_sessions)
    # a plain number: handing an enum to a kernel costs 65 us a call
    scheme = scheme._replace(similarity=int(scheme.similarity), sample_size=sample, ageing=float(scheme.ageing))
    for_chunks(len(prefixes), lambda start, stop: _rank(start, stop, prefixes, scheme, index, lists))
    return lists


class _Sample(NamedTuple):
    """The candidate sessions of one prefix; room for ``sample_size`` of them.

    sessions  int32, ascending
    newest    int32, the first of the prefix's distinct items (most recent first) that a session shares
    sims      float64, the weights of the items a session shares; then its similarity
    """

    sessions: np.ndarray
    newest: np.ndarray
    sims: np.ndarray


class _Query(NamedTuple):
    """The distinct items of one prefix, most recent first; room for the longest prefix.

    events  int64, the last event of each item
    heads   int64, the next entry of the item's list of sessions
    ends    int64, the end of that list
    """

    events: np.ndarray
    heads: np.ndarray
    ends: np.ndarray


class _Scores(NamedTuple):
    """Of the prefix at work, without clearing anything between prefixes.

    met      int64 [items], the prefix an item was last met in
    scored   int64 [items], the prefix an item was last scored for
    totals   float64 [items], of the items scored for this prefix
    touched  int32 [items], these items
    """

    met: np.ndarray
    scored: np.ndarray
    totals: np.ndarray
    touched: np.ndarray


@numba.njit(cache=True, nogil=True)
def _rank(start, stop, prefixes, scheme, index, lists):
    """score(i) = item_factor(i) * sum over the k neighbours n with i of sim(n) * decay(n) * reach(i, n)."""
    offsets, item_factor = prefixes.offsets, scheme.item_factor
    longest = 0
    for row in range(start, stop):
        longest = max(longest, offsets[row + 1] - offsets[row])
    n_items = len(index.item_indptr) - 1
    scores = _Scores(
        np.full(n_items, -1, np.int64), np.full(n_items, -1, np.int64), np.zeros(n_items), np.empty(n_items, np.int32)
    )
    totals, touched = scores.totals, scores.touched
    query = _Query(np.empty(longest, np.int64), np.empty(longest, np.int64), np.empty(longest, np.int64))
    size = scheme.sample_size
    sample = _Sample(np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.float64))
    scratch = np.empty(size, np.float64)
    for row in range(start, stop):
        distinct, norm = _read(row, prefixes, scheme, index, scores, query)
        count = _merge(index.item_sessions, scheme.weights, query, distinct, sample)
        if count == 0:
            continue
        _compare(count, distinct, norm, scheme, index, sample)
        bound, at_bound = _cut(sample.sims, count, scheme.k, scratch)
        n_touched = _add_up(row, (count, bound, at_bound), scheme, index, sample, query, scores)
        listed = 0
        for t in range(n_touched):
            item = touched[t]
            total = totals[item] * item_factor[item] if len(item_factor) > 0 else totals[item]
            rounded = np.float32(total)  # lists are ordered by the scores they show
            if rounded > 0:
                listed = insert(lists.items[row], lists.scores[row], listed, item, rounded)


# The functions below take fields into local names: a field read in a loop costs a count of references.


@numba.njit(cache=True, nogil=True)
def _read(row, prefixes, scheme, index, scores, query):
    """Write the distinct items of a prefix into ``query``; return how many, and the norm of their weights."""
    items, offsets, weights, item_indptr = prefixes.items, prefixes.offsets, scheme.weights, index.item_indptr
    events, heads, ends, met = query.events, query.heads, query.ends, scores.met
    distinct = 0
    norm = 0.0
    for event in range(offsets[row + 1] - 1, offsets[row] - 1, -1):
        item = items[event]
        if met[item] != row:
            met[item] = row
            events[distinct] = event
            heads[distinct], ends[distinct] = item_indptr[item], item_indptr[item + 1]
            norm += weights[event] * weights[event]
            distinct += 1
    return distinct, np.sqrt(norm)


@numba.njit(cache=True, nogil=True)
def _compare(count, distinct, norm, scheme, index, sample):
    """From the weights shared with a session of the sample to its similarity, in ``sample.sims``."""
    sessions, sims, times, session_indptr = sample.sessions, sample.sims, index.times, index.session_indptr
    for c in range(count):
        session = sessions[c]
        size = session_indptr[session + 1] - session_indptr[session]
        sims[c] = _similarity(scheme.similarity, sims[c], size, distinct, norm)
        if scheme.ageing > 0:
            sims[c] *= np.exp((times[session] - times[sessions[0]]) / scheme.ageing)


@numba.njit(cache=True, nogil=True)
def _add_up(row, cut, scheme, index, sample, query, scores):
    """Add every neighbour to the scores of its items; return how many items were touched.

    cut  (sessions in the sample, the k-th largest similarity, how many equal to it are neighbours)
    """
    count, bound, at_bound = cut
    sessions, newest, sims, events = sample.sessions, sample.newest, sample.sims, query.events
    session_indptr, session_items, positions = index.session_indptr, index.session_items, index.positions
    decays, reach = scheme.decays, scheme.reach
    met, scored, totals, touched = scores.met, scores.scored, scores.totals, scores.touched
    n_touched = 0
    for c in range(count):
        if sims[c] < bound or sims[c] <= 0:
            continue
        if sims[c] == bound:
            if at_bound == 0:
                continue
            at_bound -= 1
        begin, end = session_indptr[sessions[c]], session_indptr[sessions[c] + 1]
        score = sims[c] * decays[events[newest[c]]]
        shared = 0  # position of the neighbour's last event whose item the prefix has
        if len(reach) > 0:
            for p in range(begin, end):
                if met[session_items[p]] == row and positions[p] > shared:
                    shared = positions[p]
        for p in range(begin, end):
            item = session_items[p]
            if scored[item] != row:
                scored[item] = row
                totals[item] = 0.0
                touched[n_touched] = item
                n_touched += 1
            totals[item] += score * reach[abs(positions[p] - shared)] if len(reach) > 0 else score
    return n_touched


@numba.njit(cache=True, nogil=True)
def _merge(item_sessions, weights, query, lists, sample):
    """Merge ``lists`` ascending session lists until the sample is full; return the sessions in it.

    Exhausted lists are dropped, the order of the others is kept by ``which``.
    """
    events, heads, ends = query.events, query.heads, query.ends
    sessions, newest, sums = sample.sessions, sample.newest, sample.sims
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
        if lists == 0 or count == len(sessions):
            return count
        if lists == 1:  # most often from the start: no comparing any more
            source = which[0]
            for head in range(heads[source], min(ends[source], heads[source] + len(sessions) - count)):
                sessions[count] = item_sessions[head]
                newest[count] = source
                sums[count] = weights[events[source]]
                count += 1
            return count
        smallest = following
        sessions[count] = smallest
        newest[count] = -1
        sums[count] = 0.0


@numba.njit(cache=True, nogil=True)
def _similarity(kind, shared, size, distinct, norm):
    if kind == Similarity.DOT:
        return shared / distinct
    if kind == Similarity.COSINE:
        return shared / (norm * np.sqrt(size)) if norm > 0 else 0.0
    if kind == Similarity.JACCARD:
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
