"""Rating tables as sparse matrices, and the random holdout of the framework."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmark.data.registry import Dataset
from benchmark.data.tables import Array, RatingTable

POSITIVE = 4.0
"""The least rating that is a positive, where a data set's option ``positive`` says nothing else."""
MIN_POSITIVES = 5
HOLDOUT = 0.2
SEED = 98765
"""Seed of the framework; every draw starts again from it."""


def threshold(dataset: Dataset) -> float:
    """The least rating that is a positive."""
    return float(dataset.options.get("positive", POSITIVE))


def positives_are(dataset: Dataset) -> str:
    """What a positive is, in words; own data may have no ratings."""
    every = "rating" not in dataset.options.get("columns", {"rating": ""})
    return "every row" if every else f"rating >= {threshold(dataset)}"


@dataclass(frozen=True)
class Ratings:
    """Positives and negatives as CSR over all users and items, ids ascending."""

    liked: sp.csr_matrix
    disliked: sp.csr_matrix
    user_ids: Array
    item_ids: Array


def codes(column: Array) -> tuple[Array, Array]:
    """Index of each value among the distinct ones, ascending; and these."""
    appearance, ids = pd.factorize(column)
    ids = np.asarray(ids)
    order = np.argsort(ids, kind="stable")
    rank = np.empty(len(ids), np.int32)
    rank[order] = np.arange(len(ids), dtype=np.int32)
    return rank[appearance], ids[order]


def to_matrices(table: RatingTable, rows: Array | None = None, least: float = POSITIVE) -> Ratings:
    """Users with at least five positives; liked = rating >= least, disliked = rating < least.

    rows: mask of the ratings to use (all by default).
    """
    positive = table.ratings >= least
    users, user_ids = codes(table.users)
    items, item_ids = codes(table.items)
    used = np.ones(len(table), bool) if rows is None else rows
    enough = np.bincount(users[used & positive], minlength=len(user_ids)) >= MIN_POSITIVES
    used = used & enough[users]
    new_user = (np.cumsum(enough) - 1).astype(np.int32)
    shape = (int(enough.sum()), len(item_ids))
    liked, disliked = (
        binary(new_user[users[part]], items[part], shape) for part in (used & positive, used & ~positive)
    )
    return Ratings(liked, disliked, user_ids[enough], item_ids)


def binary(rows: Array, columns: Array, shape: tuple[int, int]) -> sp.csr_matrix:
    """A 0/1 CSR matrix with sorted indices."""
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1.0
    return matrix


def hold_out(liked: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(fold-in, held-out): 20% of the items of each user who has at least five, chosen at random.

    Users in row order, items in index order, one RandomState(98765) over all of them.
    """
    random = np.random.RandomState(SEED)
    held = np.zeros(liked.nnz, bool)
    for start, stop in zip(liked.indptr[:-1], liked.indptr[1:], strict=True):
        if stop - start >= MIN_POSITIVES:
            chosen = random.choice(stop - start, size=int(HOLDOUT * (stop - start)), replace=False)
            held[start + chosen] = True
    return part(liked, ~held), part(liked, held)


def hold_out_one(liked: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(rest, held-out): one random item of each user with at least two; the same random state."""
    random = np.random.RandomState(SEED)
    held = np.zeros(liked.nnz, bool)
    for start, stop in zip(liked.indptr[:-1], liked.indptr[1:], strict=True):
        if stop - start >= 2:
            held[start + random.randint(stop - start)] = True
    return part(liked, ~held), part(liked, held)


def part(matrix: sp.csr_matrix, entries: Array) -> sp.csr_matrix:
    """The stored entries chosen by a mask."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return binary(rows[entries], matrix.indices[entries], matrix.shape)


def items_of(matrix: sp.csr_matrix) -> Array:
    """Columns with at least one entry, ascending."""
    return np.flatnonzero(np.bincount(matrix.indices, minlength=matrix.shape[1]))
