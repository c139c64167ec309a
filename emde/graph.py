"""Upstream item embeddings: Cleora on hypergraphs of items (paper 3.3.1, 4.1.1).

Nodes are items; a hyperedge is a group of items that belong together: a session, all events of a
user, the items that carry one attribute token. Starting from deterministic pseudo-random vectors,
each iteration replaces an item's vector by the average of its neighbours' and normalises it:

    z_0 in [-1, 1]^d,    z_{t+1} = rows of (D^-1 A) z_t, each divided by its L2 norm.

The propagation is pycleora's (by the paper's authors). Measured on 3.2.1: a hyperedge of n items adds
1 / n^2 to A for every ordered pair in it (the item with itself included), items counted with multiplicity.
z_0 is drawn here, not by pycleora: its initialize_deterministically(1024) gives vectors of unrelated items
cosines from -0.8 to 0.9 (independent ones: +-0.08), nearly all of them in some ten dimensions. On
rsc15-100k nearest neighbours after two iterations then reach HR@20 .38 instead of .60 (docs/findings.md).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from pycleora import SparseMatrix

from contracts import Sessions


def hyperedges(groups: np.ndarray, items: np.ndarray) -> list[str]:
    """One string of space-separated items per group; ``groups`` and ``items`` are parallel int columns.

    Unknown items (-1) are left out. Groups come in ascending order, items in the order given.
    """
    known = items >= 0
    groups, items = groups[known], items[known]
    order = np.argsort(groups, kind="stable")
    names = np.char.mod("%d", items[order])
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    ends = [*starts[1:], len(names)] if len(starts) else []
    return [" ".join(names[start:end]) for start, end in zip(starts, ends, strict=True)]


def propagate(edges: list[str], n_items: int, dim: int, iterations: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cleora vectors of the items that occur in ``edges``.

    Returns (vectors float32 [n_items, dim], known bool [n_items]); unknown items have zero vectors.
    One worker: with several, sums differ by up to 2e-6 from run to run and flip hash bits.
    """
    vectors = np.zeros((n_items, dim), np.float32)
    known = np.zeros(n_items, bool)
    if not edges:
        return vectors, known
    longest = max(edge.count(" ") for edge in edges) + 1
    graph = SparseMatrix.from_iterator(
        iter(edges), "complex::reflexive::item", hyperedge_trim_n=longest + 1, num_workers=1
    )
    ids = np.array(graph.entity_ids, dtype=np.int64)
    z = np.random.default_rng(seed).uniform(-1, 1, (n_items, dim)).astype(np.float32)[ids]
    for _ in range(iterations):
        z = graph.left_markov_propagate(z, num_workers=1)
        z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    vectors[ids] = z
    known[ids] = True
    return vectors, known


def follow(train: Sessions) -> sp.csr_matrix:
    """float32 CSR [items, items]: how often the column's item came right after the row's in a session."""
    known = np.flatnonzero(train.items >= 0)
    a, b = known[:-1], known[1:]
    same = train.session_of_event[a] == train.session_of_event[b]
    pairs = (train.items[a[same]], train.items[b[same]])
    return sp.csr_matrix((np.ones(same.sum(), np.float32), pairs), shape=(train.n_items, train.n_items))


def propagate_directed(matrix: sp.csr_matrix, dim: int, iterations: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same iteration on a directed graph [items, items]: each item averages its successors and itself.

    Cleora's hyperedges know no direction; here items are alike that are followed by the same ones. An item
    counts once among its own successors, as in Cleora's reflexive graphs. Returns what ``propagate`` does;
    items without any edge are unknown.
    """
    known = np.asarray(matrix.sum(0)).ravel() + np.asarray(matrix.sum(1)).ravel() > 0
    averages = (matrix + sp.identity(matrix.shape[0], np.float32, "csr")).tocsr()
    averages = sp.diags_array((1 / np.asarray(averages.sum(1)).ravel()).astype(np.float32)) @ averages
    z = np.random.default_rng(seed).uniform(-1, 1, (matrix.shape[0], dim)).astype(np.float32)
    for _ in range(iterations):
        z = averages @ z
        z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    z[~known] = 0
    return z, known


def session_edges(train: Sessions) -> list[str]:
    """Hyperedges of the items of each session."""
    return hyperedges(train.session_of_event, train.items)


def role_edges(train: Sessions) -> list[str]:
    """Every step of a session as a hyperedge of two nodes: the item that is left, i, and what follows, n_items + j."""
    followed = follow(train).tocoo()
    names = np.char.mod("%d", followed.row), np.char.mod("%d", followed.col + train.n_items)
    steps = np.repeat(np.char.add(np.char.add(names[0], " "), names[1]), followed.data.astype(np.int64))
    return list(steps)


def group_edges(train: Sessions, group: str) -> list[str]:
    """Hyperedges of all items of each user (or whatever ``train.groups[group]`` names)."""
    return hyperedges(np.asarray(train.groups[group], np.int64)[train.session_of_event], train.items)


def user_edges(liked: sp.csr_matrix) -> list[str]:
    """Hyperedges of the items each user liked."""
    rows = np.repeat(np.arange(liked.shape[0]), np.diff(liked.indptr))
    return hyperedges(rows, liked.indices)


def attribute_edges(attribute: sp.csr_matrix) -> list[str]:
    """Hyperedges of the items that carry each token: the bipartite item-token graph with the tokens contracted."""
    tokens = attribute.tocsc()
    columns = np.repeat(np.arange(tokens.shape[1]), np.diff(tokens.indptr))
    return hyperedges(columns, tokens.indices)
