"""Context trees: Markov chains of every order at once."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

import numba
import numpy as np
from pydantic import Field

from baselines.session.shared.common import by_popularity, empty_lists, fill, known, writable
from contracts import SessionRecommender, Sessions, for_chunks, require_events
from contracts.ranking import insert


class _Tree(NamedTuple):
    """Train events sorted by their reversed histories: every node of the tree is a contiguous range.

    items      int32 [events], in the order of train
    events     int64 [events], sorted: the event's number in train
    depths     int32 [events], sorted: events of its session up to it
    following  int32 [events], sorted: the item after it; -1 where there is none
    counted    int64 [events + 1], sorted: how many before it have one after them
    indptr     int64 [items + 1], first sorted event of each item
    """

    items: np.ndarray
    events: np.ndarray
    depths: np.ndarray
    following: np.ndarray
    counted: np.ndarray
    indptr: np.ndarray


COLUMNS = ("items", "node.events", "node.depths", "node.next", "node.counted", "node.indptr")
"""Names in the fitted state of the columns of ``_Tree``."""


class CT(SessionRecommender):
    """CT: the next item by mixing the followers of the last 0, 1, 2, ... items, as far back as train has seen them.

    q_0 = p_0, q_d = w_d p_d + (1 - w_d) q_(d-1) with w_d = 2^-d; p_d(i) = (1 + c_d(i)) / (2 + n_d): of
    the train events n_d that follow the prefix's last d items, c_d(i) are i (d = 0: all events).
    Score = the part of the deepest q that depends on i; the rest is the same for all items. An item
    that never followed a context is ranked by its popularity (d = 0), so lists are always full.

    As session-rec, whose totals start at 1 (hence 2 + n). The paper's weights adapt to how well a
    node predicts; session-rec computes such weights but predicts with 2^-d. The paper's online
    updating of the tree is left out in both.

    The tree is not built. Events sorted by their reversed histories hold every node as a
    contiguous range, found by bisection: O(events) memory where nodes would take O(events * depth).
    """

    citation: ClassVar[str] = "Mi, Faltings: Context tree for adaptive session-based recommendation. arXiv 1806.03733."

    history_maxlen: int = Field(50, ge=1, description="longest context, in events (session-rec: 50)")

    def fit(self, train: Sessions) -> Self:
        require_events(train, "ct")
        order = sort_histories(train, self.history_maxlen)
        available = np.arange(train.n_events) - train.offsets[train.session_of_event] + 1
        following = np.append(train.items[1:], np.int32(-1))
        following[train.offsets[1:][train.lengths > 0] - 1] = -1
        counts = np.bincount(train.items, minlength=train.n_items)
        popular = by_popularity(counts)
        self._state = {
            "items": writable(train.items),
            "node.events": order.astype(np.int64),
            "node.depths": available[order].astype(np.int32),
            "node.next": following[order],
            "node.counted": np.concatenate(([0], np.cumsum(following[order] >= 0))),
            "node.indptr": np.concatenate(([0], np.cumsum(counts))),
            "popular.items": popular,
            "counts": counts.astype(np.float64),
        }
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        state = self._state
        clean = known(prefixes, len(state["counts"]))
        lists = empty_lists(len(clean), k)
        tree = _Tree(*(state[name] for name in COLUMNS))
        depth = min(self.history_maxlen, int(clean.lengths.max(initial=0)))

        def work(start: int, stop: int) -> None:
            _rank(start, stop, clean, depth, tree, state["popular.items"], state["counts"], lists)

        for_chunks(len(clean), work)
        return lists


def sort_histories(train: Sessions, depth: int) -> np.ndarray:
    """Events ordered by their item, then the item before it in the session, ... (none < any); int64 [events].

    Prefix doubling: a round doubles the length of the histories that the ranks tell apart.
    """
    event = np.arange(train.n_events)
    starts = train.offsets[train.session_of_event]
    rank = train.items.astype(np.int64)
    order = np.argsort(rank, kind="stable")
    longest = min(depth, int(train.lengths.max()))
    length = 1
    while length < longest:
        earlier = event - length
        before = np.where(earlier >= starts, rank[np.maximum(earlier, 0)], -1)
        key = rank * (int(rank.max()) + 2) + before + 1
        order = np.argsort(key, kind="stable")
        rank[order] = np.cumsum(np.diff(key[order], prepend=key[order[0]]) != 0)
        length *= 2
    return order


@numba.njit(cache=True, nogil=True)
def _rank(start, stop, prefixes, max_depth, tree, popular, counts, lists):
    following, counted = tree.following, tree.counted
    n_items = len(counts)
    lows, highs = np.empty(max_depth + 1, np.int64), np.empty(max_depth + 1, np.int64)
    share = np.empty(max_depth + 1, np.float64)
    totals = np.zeros(n_items, np.float64)
    marks = np.full(n_items, -1, np.int64)
    touched = np.empty(n_items, np.int32)
    for row in range(start, stop):
        end = prefixes.offsets[row + 1]
        length = min(end - prefixes.offsets[row], max_depth)
        if length == 0:
            continue
        deepest = _descend(prefixes.items, end, length, tree, lows, highs)
        # score = sum over d of share[d] * c_d, with the weights of the mixture unrolled
        rest = 1.0
        for d in range(deepest, 0, -1):
            weight = 2.0**-d
            share[d] = rest * weight / (2.0 + counted[highs[d]] - counted[lows[d]])
            rest *= 1.0 - weight
        by_count = rest / (2.0 + len(tree.items))
        n_touched = 0
        for d in range(1, deepest + 1):
            for position in range(lows[d], highs[d]):
                item = following[position]
                if item < 0:
                    continue
                if marks[item] != row:
                    marks[item] = row
                    totals[item] = by_count * counts[item]
                    touched[n_touched] = item
                    n_touched += 1
                totals[item] += share[d]
        size = 0
        for t in range(n_touched):
            size = insert(lists.items[row], lists.scores[row], size, touched[t], np.float32(totals[touched[t]]))
        fill(lists.items[row], lists.scores[row], size, popular, counts, by_count, marks, row)


@numba.njit(cache=True, nogil=True)
def _descend(prefix_items, end, length, tree, lows, highs):
    """Ranges of the events whose last d items are the prefix's, d = 1..deepest; returns deepest."""
    last = prefix_items[end - 1]
    low, high = tree.indptr[last], tree.indptr[last + 1]
    deepest = 0
    while low < high:
        deepest += 1
        lows[deepest], highs[deepest] = low, high
        if deepest == length:
            break
        item = prefix_items[end - 1 - deepest]
        low = _bisect(low, high, item, deepest, tree)
        high = _bisect(low, high, item + 1, deepest, tree)
    return deepest


@numba.njit(cache=True, nogil=True)
def _bisect(low, high, item, back, tree):
    """First position of low..high whose event has an item >= ``item`` standing ``back`` events before it."""
    while low < high:
        middle = (low + high) // 2
        earlier = tree.items[tree.events[middle] - back] if back < tree.depths[middle] else -1
        if earlier < item:
            low = middle + 1
        else:
            high = middle
    return low
