"""emde.graph: pycleora driven step by step, against a sparse-matrix twin."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from contracts import Sessions
from emde import graph


def twin(lists: list[list[int]], n_items: int, dim: int, iterations: int, seed: int) -> np.ndarray:
    """z <- rows of D^-1 H' diag(1 / n^2) H z, each divided by its norm; H counts multiplicities, n = events."""
    lists = [row for row in lists if row]
    rows = np.repeat(np.arange(len(lists)), [len(row) for row in lists])
    columns = np.concatenate(lists)
    h = sp.csr_matrix((np.ones(len(columns)), (rows, columns)), shape=(len(lists), n_items))
    sizes = np.array([len(row) for row in lists], float)
    a = (h.T @ sp.diags(1 / sizes**2) @ h).toarray()
    known = a.sum(1) > 0
    markov = a[known][:, known] / a[known].sum(1, keepdims=True)
    z = np.random.default_rng(seed).uniform(-1, 1, (n_items, dim))[known]
    for _ in range(iterations):
        z = markov @ z
        z /= np.linalg.norm(z, axis=1, keepdims=True)
    out = np.zeros((n_items, dim))
    out[known] = z
    return out


def edges_of(lists: list[list[int]], n_items: int) -> list[str]:
    return graph.session_edges(Sessions.from_lists(lists, n_items))


@pytest.mark.parametrize("iterations", [0, 1, 2, 4])
def test_against_the_twin(iterations: int) -> None:
    rng = np.random.default_rng(1)
    lists = [rng.integers(0, 30, rng.integers(1, 9)).tolist() for _ in range(60)] + [rng.integers(0, 30, 40).tolist()]
    vectors, known = graph.propagate(edges_of(lists, 33), 33, 24, iterations, seed=5)
    assert vectors.dtype == np.float32
    assert known.tolist() == [any(item in row for row in lists) for item in range(33)]
    assert (vectors[~known] == 0).all()
    np.testing.assert_allclose(vectors, twin(lists, 33, 24, iterations, 5), atol=1e-4)
    if iterations:
        np.testing.assert_allclose(np.linalg.norm(vectors[known], axis=1), 1, atol=1e-5)


@hypothesis_settings(max_examples=30)
@given(st.lists(st.lists(st.integers(0, 7), max_size=20), min_size=1, max_size=6).filter(any))
def test_against_the_twin_on_odd_graphs(lists) -> None:
    """Repeats, loops, components, and groups longer than pycleora's default trim of 16."""
    vectors, _ = graph.propagate(edges_of(lists, 8), 8, 16, 3, seed=0)
    np.testing.assert_allclose(vectors, twin(lists, 8, 16, 3, 0), atol=1e-4)


def test_hyperedges() -> None:
    groups = np.array([3, 1, 3, 1, 8, 3])
    items = np.array([5, 6, -1, 6, 7, 4])
    assert graph.hyperedges(groups, items) == ["6 6", "5 4", "7"]


def test_no_edges() -> None:
    vectors, known = graph.propagate([], 4, 3, 2, seed=0)
    assert vectors.shape == (4, 3)
    assert not known.any()
    assert graph.hyperedges(np.array([0, 1]), np.array([-1, -1])) == []
    assert graph.attribute_edges(sp.csr_matrix((4, 3))) == []


def test_edges_of_every_kind() -> None:
    sessions = Sessions.from_lists([[0, 1], [2], [1, 3]], 4)
    by_user = Sessions(sessions.items, sessions.times, sessions.offsets, 4, {"user": np.array([9, 4, 9], np.int32)})
    assert graph.session_edges(sessions) == ["0 1", "2", "1 3"]
    assert graph.group_edges(by_user, "user") == ["2", "0 1 1 3"]
    liked = sp.csr_matrix(np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 0, 1]]))
    assert graph.user_edges(liked) == ["0 2", "1 3"]
    tokens = sp.csr_matrix(np.array([[1, 0, 1], [1, 0, 0], [0, 0, 1], [0, 0, 0]]))
    assert graph.attribute_edges(tokens) == ["0 1", "0 2"]
