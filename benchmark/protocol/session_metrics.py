"""Session metrics, one value per evaluation point (session protocol, sections 3 and 4).

L = the first k of the ranked list, y = the next item, T = all remaining events with duplicates.
A metric is a function of ``Hits``; METRICS names them. The value of a run is the mean over its points.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmark.protocol.metric import Metric
from benchmark.protocol.points import Points
from contracts.ranking import PAD

KS = (1, 5, 10, 20)


@dataclass(frozen=True)
class Hits:
    """What metrics need to know of ranked lists.

    next_rank    int64 [points], 1-based rank of y in the list, 0 where it is not listed
    relevant     bool [points, K], the listed item is one of the remaining items
    n_events     int64 [points], remaining events |T|
    n_distinct   int64 [points], distinct remaining items
    """

    next_rank: np.ndarray
    relevant: np.ndarray
    n_events: np.ndarray
    n_distinct: np.ndarray


def hits(items: np.ndarray, points: Points) -> Hits:
    """Compare ranked lists int32 [points, K] with what came next."""
    y = points.next_items
    at = (items == y[:, None]) & (y >= 0)[:, None]
    next_rank = np.where(at.any(1), at.argmax(1) + 1, 0)
    # An item remains at a point if its last event in the session is not before the target. Every (session, item) as
    # one integer, sorted, with that last event: memory grows with the events, not with pairs (point, later event).
    test, stride = points.test, points.test.n_items + 1
    keys = test.session_of_event * stride + test.items + 1
    known, behind = np.unique(keys[::-1], return_index=True)
    last = test.n_events - 1 - behind
    listed = points.session[:, None] * stride + items + 1
    known_at = np.minimum(np.searchsorted(known, listed), len(known) - 1)
    relevant = (known[known_at] == listed) & (last[known_at] >= points.target[:, None]) & (items != PAD)
    # as many distinct items remain as events from the target on are the last of their item
    before = np.concatenate([[0], np.cumsum(np.bincount(last, minlength=test.n_events))])
    n_distinct = before[points.end] - before[points.target]
    return Hits(next_rank, relevant, points.end - points.target, n_distinct)


def hit_rate(h: Hits, k: int) -> np.ndarray:
    """HR@k = [y in L]."""
    return ((h.next_rank > 0) & (h.next_rank <= k)).astype(np.float64)


def reciprocal_rank(h: Hits, k: int) -> np.ndarray:
    """MRR@k = 1 / rank of y if it is within k, else 0."""
    return hit_rate(h, k) / np.maximum(h.next_rank, 1)


def precision(h: Hits, k: int) -> np.ndarray:
    """P@k = |set(T) & L| / k."""
    return h.relevant[:, :k].sum(1) / k


def recall(h: Hits, k: int) -> np.ndarray:
    """R@k = |set(T) & L| / |T|, T counted with duplicates, as published by session-rec."""
    return h.relevant[:, :k].sum(1) / h.n_events


def average_precision(h: Hits, k: int) -> np.ndarray:
    """MAP@k as session-rec computes it: H (H + 1) / (2 k |T|), H = hits among the top k - 1.

    It ignores the order inside the list; ``MAP_textbook`` does not.
    """
    n_hits = h.relevant[:, : k - 1].sum(1)
    return n_hits * (n_hits + 1) / (2 * k * h.n_events)


def _ndcg(h: Hits, k: int, discount: np.ndarray, ideal: np.ndarray) -> np.ndarray:
    best = np.concatenate([[0.0], np.cumsum(discount)])
    return (h.relevant[:, :k] * discount[: h.relevant[:, :k].shape[1]]).sum(1) / best[np.minimum(ideal, k)]


def ndcg(h: Hits, k: int) -> np.ndarray:
    """NDCG@k as session-rec computes it: gain 1 at rank 1, 1 / log2(rank) from 2; ideal over min(k, |T|) events."""
    return _ndcg(h, k, 1 / np.maximum(np.log2(np.arange(1, k + 1)), 1), h.n_events)


def recall_distinct(h: Hits, k: int) -> np.ndarray:
    """R_distinct@k = |set(T) & L| / |set(T)|."""
    return h.relevant[:, :k].sum(1) / h.n_distinct


def average_precision_textbook(h: Hits, k: int) -> np.ndarray:
    """MAP_textbook@k = sum over hits of the precision at their rank / min(k, |set(T)|)."""
    listed = h.relevant[:, :k]
    at_rank = np.cumsum(listed, 1) / np.arange(1, listed.shape[1] + 1)
    return (listed * at_rank).sum(1) / np.minimum(k, h.n_distinct)


def ndcg_textbook(h: Hits, k: int) -> np.ndarray:
    """NDCG_textbook@k: gain 1 / log2(rank + 1), ideal over min(k, |set(T)|) items (Jarvelin & Kekalainen 2002)."""
    return _ndcg(h, k, 1 / np.log2(np.arange(2, k + 2)), h.n_distinct)


METRICS: dict[str, Callable[[Hits, int], np.ndarray]] = {
    "HR": hit_rate,
    "MRR": reciprocal_rank,
    "P": precision,
    "R": recall,
    "MAP": average_precision,
    "NDCG": ndcg,
    "R_distinct": recall_distinct,
    "MAP_textbook": average_precision_textbook,
    "NDCG_textbook": ndcg_textbook,
}


def per_point(items: np.ndarray, points: Points, ks: Sequence[int] = KS) -> dict[str, np.ndarray]:
    """Every metric at every k: "HR@20" -> float64 [points]."""
    h = hits(items, points)
    return {str(Metric(name, k)): metric(h, k) for k in ks for name, metric in METRICS.items()}


def of_lists(items: np.ndarray, n_items: int, counts: np.ndarray, ks: Sequence[int] = KS) -> dict[str, float]:
    """Coverage@k and Popularity@k, which belong to a run and not to a point.

    Coverage: distinct listed items / train items. Popularity: mean popularity of listed items (train
    events ``counts`` relative to the most popular item); padding counts as zero.
    """
    out = {}
    relative = np.append(counts / counts.max(), 0.0)  # the last entry is what PAD = -1 points to
    for k in ks:
        listed = items[:, :k]
        out[str(Metric("Coverage", k))] = len(np.unique(listed[listed != PAD])) / n_items
        out[str(Metric("Popularity", k))] = float(relative[listed].mean())
    return out


def tie_bounds(items: np.ndarray, scores: np.ndarray, points: Points, ks: Sequence[int] = KS) -> dict[str, list[float]]:
    """How far ties inside the stored lists decide: metric -> [every tie lost, every tie won], for HR and MRR.

    A target that shares its score with others could stand anywhere among them. Lost: it stands behind
    all listed items of its score; a target that is not listed stays a miss. Won: before them; where the
    list is shorter than asked (all other items score zero), an unlisted target stands right behind it.
    Ties between a full list's last item and unlisted ones cannot be seen from the list.
    """
    h = hits(items, points)
    is_listed = h.next_rank > 0
    own = np.where(is_listed, scores[np.arange(len(items)), np.maximum(h.next_rank - 1, 0)], np.nan)
    listed = items != PAD
    above = ((scores > own[:, None]) & listed).sum(1)
    equal = ((scores == own[:, None]) & listed).sum(1)
    size = listed.sum(1)
    short = (size < items.shape[1]) & (points.next_items >= 0)
    won = np.where(is_listed, above + 1, np.where(short, size + 1, 0))
    lost = np.where(is_listed, above + equal, 0)
    out = {}
    for k in ks:
        for name, metric in (("HR", hit_rate), ("MRR", reciprocal_rank)):
            bounds = [Hits(rank, h.relevant, h.n_events, h.n_distinct) for rank in (lost, won)]
            out[str(Metric(name, k))] = [float(metric(bound, k).mean()) for bound in bounds]
    return out
