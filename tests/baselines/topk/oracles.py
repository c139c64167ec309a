"""Slow second implementations of the framework's item-item models, dense and in float64.

Written from its formulas, step by step, with numpy's sort for every cut. The framework leaves open how ties at a cut
fall, and so does numpy's default sort, which differs between processors; here, as in the package, entries are compared
in float32 and ties go to the higher index.
"""

from __future__ import annotations

import numpy as np


def cut_rows(dense: np.ndarray, k: int) -> np.ndarray:
    """Keep the k largest entries of every row."""
    kept = np.zeros_like(dense)
    for row, values in enumerate(dense):
        best = np.argsort(values.astype(np.float32), kind="stable")[::-1][:k]
        kept[row, best] = values[best]
    return kept


def walk_oracle(likes: np.ndarray, alpha: float, beta: float, top_k: int, normalize: bool) -> np.ndarray:
    """RP3beta (beta = 0: P3alpha) from the two transition matrices themselves."""
    with np.errstate(divide="ignore", invalid="ignore"):
        user_to_item = np.nan_to_num(likes / likes.sum(axis=1, keepdims=True)) ** alpha * (likes > 0)
        item_to_user = np.nan_to_num(likes.T / likes.T.sum(axis=1, keepdims=True)) ** alpha * (likes.T > 0)
        popularity = likes.sum(axis=0)
        penalty = np.where(popularity > 0, popularity**-beta, 0.0)
    weights = item_to_user @ user_to_item * penalty
    np.fill_diagonal(weights, 0.0)
    weights = cut_rows(weights, top_k)
    if normalize:
        sums = weights.sum(axis=1, keepdims=True)
        weights = np.divide(weights, sums, out=weights, where=sums > 0)
    return cut_rows(weights.T, top_k).T


def text_weights(likes: np.ndarray, scheme: str) -> np.ndarray:
    """TF-IDF or BM25 (K1 1.2, B .75) of the transposed matrix, cell by cell."""
    n_users, n_items = likes.shape
    if scheme == "none":
        return likes.copy()
    mean_length = likes.sum() / n_items
    weighted = np.zeros_like(likes)
    for user in range(n_users):
        idf = np.log(n_items / (1 + np.count_nonzero(likes[user])))
        for item in np.flatnonzero(likes[user]):
            tf = likes[user, item]
            if scheme == "tf-idf":
                weighted[user, item] = np.sqrt(tf) * idf
            else:
                length = 1 - 0.75 + 0.75 * likes[:, item].sum() / mean_length
                weighted[user, item] = tf * (1.2 + 1) / (1.2 * length + tf) * idf
    return weighted


def cosine_oracle(likes: np.ndarray, top_k: int, shrink: float, scheme: str) -> np.ndarray:
    """Weights [items, items]; column j holds the nearest neighbours of item j."""
    columns = text_weights(likes, scheme)
    norm = np.linalg.norm(columns, axis=0)
    similarity = columns.T @ columns / (np.outer(norm, norm) + shrink + 1e-6)
    np.fill_diagonal(similarity, 0.0)
    return cut_rows(similarity.T, top_k).T
