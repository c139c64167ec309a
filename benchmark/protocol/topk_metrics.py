"""Top-k metrics per user, derived from stored ranked lists.

Two families stand side by side. The plain names are the definitions of Ferrari Dacrema et al.
("the framework", whose split and numbers the paper's Table 3 uses): they divide by all held-out
items (TOIS 39(2), 2021, arXiv 1911.07698; their code's Base/Evaluation/metrics.py). The suffixed names are
those of most of the literature (Liang et al., WWW 2018, section 4.2), where a list of k is not blamed for
held-out items that could not fit into it. h_j = 1 if the item at rank j is held out, n = number of the user's
held-out items.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp

from benchmark.protocol.metric import Metric

KS = (1, 5, 10, 20, 50, 100)
SAMPLED = (("Recall", "HR"), ("NDCG", "NDCG"), ("MRR", "MRR"))
SAMPLED_KS = (1, 5, 10, 20)
"""Beyond, a list of 100 candidates says nothing."""


def _ideal(n_heldout: np.ndarray) -> np.ndarray:
    """DCG of a list that begins with ``n_heldout`` hits, float64 [n]."""
    return np.cumsum(_discount(int(n_heldout.max(initial=1))))[n_heldout - 1]


def _discount(k: int) -> np.ndarray:
    """1 / ln(rank + 1) for ranks 1..k; the base of the logarithm cancels in NDCG."""
    return 1.0 / np.log(np.arange(2, k + 2))


def recall(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """Recall@k = sum_j h_j / n, of all held-out items: cannot reach 1 where n > k."""
    return hits.sum(axis=1) / n_heldout


def recall_min(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """Recall@k(min) = sum_j h_j / min(n, k), of the hits that a list of k could have had."""
    return hits.sum(axis=1) / np.minimum(n_heldout, hits.shape[1])


def precision(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """Precision@k = sum_j h_j / k; a place left empty counts as a miss."""
    return hits.sum(axis=1) / hits.shape[1]


def ndcg(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """NDCG@k = sum_{j<=k} h_j / ln(j + 1)  /  sum_{j<=n} 1 / ln(j + 1): the ideal list holds all n, however long."""
    return hits @ _discount(hits.shape[1]) / _ideal(n_heldout)


def ndcg_trunc(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """NDCG@k(trunc): the same against an ideal list of k."""
    return hits @ _discount(hits.shape[1]) / _ideal(np.minimum(n_heldout, hits.shape[1]))


def average_precision(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """MAP@k = sum_j h_j P@j / min(n, k), P@j = sum_{i<=j} h_i / j."""
    k = hits.shape[1]
    precision_at = np.cumsum(hits, axis=1) / np.arange(1, k + 1)
    return (hits * precision_at).sum(axis=1) / np.minimum(n_heldout, k)


def reciprocal_rank(hits: np.ndarray, n_heldout: np.ndarray) -> np.ndarray:
    """MRR@k = 1 / min{j: h_j = 1}, 0 without a hit."""
    return np.where(hits.any(axis=1), 1.0 / (np.argmax(hits, axis=1) + 1), 0.0)


METRICS: dict[tuple[str, str], Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    ("Recall", ""): recall,
    ("NDCG", ""): ndcg,
    ("Precision", ""): precision,
    ("MAP", ""): average_precision,
    ("MRR", ""): reciprocal_rank,
    ("Recall", "min"): recall_min,
    ("NDCG", "trunc"): ndcg_trunc,
}
"""(name, form) -> compute(hits bool [n, k], n_heldout int64 [n], all > 0) -> float64 [n]."""


def hit_matrix(items: np.ndarray, heldout: sp.csr_matrix) -> np.ndarray:
    """bool [n, k]: is the listed item one of the row's held-out items? Padding (-1) never is."""
    n, n_items = heldout.shape
    rows = np.repeat(np.arange(n, dtype=np.int64), np.diff(heldout.indptr))
    wanted = np.sort(rows * n_items + heldout.indices)
    listed = np.arange(n, dtype=np.int64)[:, None] * n_items + items
    position = np.searchsorted(wanted, listed)
    is_heldout = np.take(np.append(wanted, -1), position) == listed
    return is_heldout & (items >= 0)


def per_user(items: np.ndarray, heldout: sp.csr_matrix, ks: Sequence[int] = KS) -> dict[str, np.ndarray]:
    """Every metric at every k for every user.

    items    int32 [n, k_max], ranked lists, best first, -1 = empty place; k_max >= max(ks)
    heldout  CSR [n, items]; stored entries are the held-out items, at most once each
    Returns key -> float64 [n]. A user without held-out items is NaN everywhere: the mean over users
    is ``np.nanmean``, which leaves them out as the framework does.
    Raises ValueError where shapes disagree or the lists are shorter than max(ks).
    """
    if items.shape[0] != heldout.shape[0]:
        raise ValueError(f"per_user: {items.shape[0]} ranked lists, but {heldout.shape[0]} rows of held-out items")
    if items.shape[1] < max(ks):
        raise ValueError(f"per_user: lists of {items.shape[1]} items, expected at least {max(ks)} for k = {max(ks)}")
    n_heldout = np.diff(heldout.indptr).astype(np.int64)
    counted = n_heldout > 0
    hits = hit_matrix(items[:, : max(ks)], heldout)[counted]
    columns: dict[str, np.ndarray] = {}
    for (name, form), compute in METRICS.items():
        for k in ks:
            column = np.full(len(n_heldout), np.nan)
            column[counted] = compute(hits[:, :k], n_heldout[counted])
            columns[str(Metric(name, k, form))] = column
    return columns


def sampled(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Metrics of a protocol that ranks one held-out item among a few candidates, under names that say so.

    values: of ``per_user``. HR is Recall: with one held-out item a user is hit or not. Such numbers are
    not estimates of those over all items and may order methods otherwise (Krichene and Rendle, On
    Sampled Metrics for Item Recommendation, KDD 2020); they serve to compare with papers that used them.
    """
    pairs = [(Metric(ours, k), Metric(theirs, k, "sampled")) for ours, theirs in SAMPLED for k in SAMPLED_KS]
    return {str(new): values[str(old)] for old, new in pairs}
