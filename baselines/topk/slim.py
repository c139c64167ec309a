"""SLIM: a sparse non-negative regression of every item on all others."""

from __future__ import annotations

from typing import ClassVar, Self

import numba
import numpy as np
from pydantic import Field

from baselines.topk.shared.gram import gram_matrix
from baselines.topk.shared.neighbours import keep_largest, padded_to_csr
from baselines.topk.shared.scoring import ItemItemRecommender
from contracts import PAD, Interactions, UserError, for_chunks, require_events
from contracts.finite import require_finite_values

MAX_ITER = 100
TOL = 1e-4
COMPACT = 4096
"""Largest set of active coordinates for which a compact Gram matrix is gathered (64 MB per thread)."""


@numba.njit(cache=True, nogil=True)
def _sweep(gram, products, coordinates, l1, l2, weights, fitted):
    """One pass of coordinate descent; fitted = gram @ weights is kept up to date.

    Returns (largest change of a weight, largest weight).
    """
    change = 0.0
    largest = 0.0
    for i in coordinates:
        old = weights[i]
        curvature = gram[i, i]
        push = products[i] - fitted[i] + old * curvature - l1
        new = push / (curvature + l2) if push > 0.0 else 0.0
        if new != old:
            weights[i] = new
            fitted += (new - old) * gram[i]
            change = max(change, abs(new - old))
        largest = max(largest, new)
    return change, largest


@numba.njit(cache=True, nogil=True)
def _duality_gap(products, target_norm, coordinates, l1, l2, weights, fitted):
    """How far the objective (times the number of rows) is from its minimum, at most.

    The elastic net is a lasso with sqrt(l2) I below X and zeros below y; its residual, scaled until
    no column correlates with it by more than l1, is a feasible dual point.
    """
    correlation = 0.0
    explained = 0.0
    fitted_norm = 0.0
    weight_norm = 0.0
    weight_sum = 0.0
    for i in coordinates:
        w = weights[i]
        correlation = max(correlation, products[i] - fitted[i] - l2 * w)
        explained += products[i] * w
        fitted_norm += fitted[i] * w
        weight_norm += w * w
        weight_sum += w
    residual = target_norm - 2.0 * explained + fitted_norm + l2 * weight_norm
    scale = min(1.0, l1 / correlation) if correlation > 0.0 else 1.0
    return 0.5 * (1.0 + scale * scale) * residual + l1 * weight_sum - scale * (target_norm - explained)


@numba.njit(cache=True, nogil=True)
def _compact_descent(gram, products, active, l1, l2, weights, max_iter, tol):
    """Descend on the active coordinates alone, in a small matrix that stays in cache."""
    size = len(active)
    small = np.empty((size, size), np.float32)
    small_products = np.empty(size, np.float32)
    small_weights = np.empty(size)
    for a in range(size):
        row = gram[active[a]]
        small_products[a] = products[active[a]]
        small_weights[a] = weights[active[a]]
        for b in range(size):
            small[a, b] = row[active[b]]
    fitted = np.zeros(size)
    for a in range(size):
        fitted += small_weights[a] * small[a]
    coordinates = np.arange(size)
    for _ in range(max_iter):
        change, largest = _sweep(small, small_products, coordinates, l1, l2, small_weights, fitted)
        if change <= tol * largest:
            break
    for a in range(size):
        weights[active[a]] = small_weights[a]


@numba.njit(cache=True, nogil=True)
def solve_column(gram, target, l1, l2, max_iter, tol, weights, fitted):
    """Weights of all items for one target, float64 [items], written into ``weights``.

    Minimises 1/2 |y - Xw|^2 + l1 sum w + l2/2 |w|^2 over w >= 0, w[target] = 0, from gram = X'X.
    Full sweeps alternate with sweeps over the non-zero weights; it ends when a full sweep moves
    nothing by more than tol and the duality gap is below tol |y|^2, or after max_iter full sweeps.
    """
    products = gram[target]
    # X and w are non-negative, so an item's push is at most products - l1: the others stay at zero.
    candidate = products > l1
    candidate[target] = False
    coordinates = np.flatnonzero(candidate)
    weights[:] = 0.0
    fitted[:] = 0.0
    for _ in range(max_iter):
        change, largest = _sweep(gram, products, coordinates, l1, l2, weights, fitted)
        if change <= tol * largest:
            gap = _duality_gap(products, products[target], coordinates, l1, l2, weights, fitted)
            if gap <= tol * products[target]:
                break
        active = np.flatnonzero(weights)
        if len(active) <= COMPACT:
            # Sweeps in cache are cheap: go on until even slow directions have settled.
            _compact_descent(gram, products, active, l1, l2, weights, 10 * max_iter, 0.01 * tol)
            fitted[:] = 0.0
            for i in active:
                if weights[i] > 0.0:
                    fitted += weights[i] * gram[i]


@numba.njit(cache=True, nogil=True)
def _columns(start, stop, gram, l1, l2, items_out, values_out):
    weights = np.zeros(gram.shape[0])
    fitted = np.zeros(gram.shape[0])
    for target in range(start, stop):
        solve_column(gram, target, l1, l2, MAX_ITER, TOL, weights, fitted)
        chosen = np.flatnonzero(weights)
        keep_largest(chosen, weights[chosen].astype(np.float32), items_out[target], values_out[target])


class Slim(ItemItemRecommender):
    """Elastic-net regression of each item's column on all other columns, weights non-negative.

    w_j = argmin_{w >= 0, w_j = 0}  1/(2N) |x_j - X w|^2 + alpha l1_ratio |w|_1 + alpha (1 - l1_ratio)/2 |w|^2,
    N = rows of X; the top_k largest weights are kept;  scores = profile W.

    l1_ratio: share of the penalty that makes weights zero; published best 6.74e-3 (ML-20M), 9.65e-4 (Netflix).
    alpha: size of the penalty per row; published best .001. top_k: published best 718, 1000.
    n_rows: N where it is not the number of train users. The framework's X has a row for every user of
    the data, empty for those it holds out, and its parameters were found so: to use them, give all
    users (938 on MovieLens-100K, where 738 would cost 5e-3 of Recall@20).
    Reference: Ning and Karypis, "SLIM: sparse linear methods for top-n recommender systems", ICDM
    2011; elastic net per column: Levy and Jack, LSRS workshop, RecSys 2013.
    Tolerance 1e-4 and at most 100 sweeps over all items, as in the framework. Differs from it: items
    in order (there at random), many sweeps over the non-zero weights between two over all; there the
    smallest weight of an item with no more than top_k of them is lost.
    Memory for n items: 4 n^2 bytes for one Gram matrix, whatever the number of threads.
    """

    citation: ClassVar[str] = "Ning and Karypis, ICDM 2011; Levy and Jack, LSRS at RecSys 2013"

    l1_ratio: float = Field(default=0.1, gt=0, le=1, description="Share of the L1 part in the penalty")
    alpha: float = Field(default=1e-3, gt=0, description="Penalty per row of the train matrix")
    top_k: int = Field(default=100, ge=1, description="Weights kept per item")
    n_rows: int | None = Field(
        default=None, ge=1, description="N, rows of X with the empty ones of held-out users (default: the train users)"
    )

    def fit(self, train: Interactions) -> Self:
        """Solve for the item-item weights."""
        require_events(train, "slim")
        n_items = train.n_items
        n_rows = self.n_rows or len(train)
        if n_rows < len(train):
            raise UserError(f"slim: parameter 'n_rows': expected at least the {len(train)} train users, found {n_rows}")
        l1, l2 = n_rows * self.alpha * self.l1_ratio, n_rows * self.alpha * (1.0 - self.l1_ratio)
        gram = gram_matrix(train.liked, np.float32)
        top_k = min(self.top_k, n_items)
        items = np.full((n_items, top_k), PAD, np.int32)
        values = np.zeros((n_items, top_k), np.float32)
        for_chunks(n_items, lambda start, stop: _columns(start, stop, gram, l1, l2, items, values), 16)
        require_finite_values(values, "slim: weights", "try a larger alpha")
        self.set_csr("weights", padded_to_csr(items, values, n_items).T.tocsr())
        return self
