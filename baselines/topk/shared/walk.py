"""Random walks item -> user -> item, the common part of P3alpha and RP3beta."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from baselines.topk.shared.neighbours import top_columns, top_products


def _degree_power(degree: np.ndarray, exponent: float) -> np.ndarray:
    """degree^exponent, 0 where the degree is 0."""
    return np.where(degree > 0, np.maximum(degree, 1.0) ** exponent, 0.0)


def walk_weights(liked: sp.csr_matrix, alpha: float, beta: float, top_k: int, normalize: bool) -> sp.csr_matrix:
    """W_ij = sum_u (1 / d_i)^alpha (1 / d_u)^alpha / d_j^beta over users u of both i and j; W_ii = 0.

    d are degrees in the graph of likes. Kept are the top_k of every row, then (rows divided by their
    sum if ``normalize``) the top_k of every column. CSR float32 [items, items]; scores = profile W.
    """
    by_item = liked.T.tocsr()
    item_degree, user_degree = (np.diff(part.indptr).astype(np.float64) for part in (by_item, liked))
    ones = sp.csr_matrix((np.ones(liked.nnz), liked.indices, liked.indptr), shape=liked.shape)
    to_users = sp.diags_array(_degree_power(item_degree, -alpha)) @ ones.T.tocsr()
    to_items = sp.diags_array(_degree_power(user_degree, -alpha)) @ ones
    weights = top_products(
        sp.csr_matrix(to_users),
        sp.csr_matrix(to_items),
        top_k,
        row_norm=np.ones(len(item_degree)),
        column_norm=_degree_power(item_degree, beta),
    )
    if normalize:
        sums = np.asarray(weights.sum(axis=1)).ravel()
        weights.data /= np.repeat(sums, np.diff(weights.indptr))
    return top_columns(weights, top_k)
