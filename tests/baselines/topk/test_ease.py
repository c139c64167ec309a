from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from baselines.topk.ease import Ease, inverse_upper, weights_in_place, weights_on
from baselines.topk.shared.gram import gram_matrix
from contracts import Interactions, UserError, top_k
from tests.baselines.topk.conftest import ColdUserSplit


def textbook_weights(train: Interactions, l2: float) -> np.ndarray:
    """Steck's Algorithm 1 by a general inverse."""
    dense = train.liked.toarray().astype(np.float64)
    inverse = np.linalg.inv(dense.T @ dense + l2 * np.eye(train.n_items))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


@pytest.mark.parametrize("n_items", [1, 7, 63, 64, 65, 130])  # around the tile of 64
@pytest.mark.parametrize("l2", [0.5, 20.0])
def test_weights_match_the_textbook(n_items: int, l2: float) -> None:
    rng = np.random.default_rng(n_items)
    train = Interactions(sp.csr_matrix((rng.random((50, n_items)) < 0.3).astype(np.float32)))
    found = Ease(l2=l2).fit(train)._state["weights"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, textbook_weights(train, l2), atol=1e-6)


def test_weights_are_the_ridge_regression_of_each_item_on_the_others(tiny: Callable[..., Interactions]) -> None:
    train, l2 = tiny(1), 3.0
    dense = train.liked.toarray().astype(np.float64)
    weights = Ease(l2=l2).fit(train)._state["weights"]
    for target in range(train.n_items):
        others = np.delete(np.arange(train.n_items), target)
        part = dense[:, others]
        ridge = np.linalg.solve(part.T @ part + l2 * np.eye(len(others)), part.T @ dense[:, target])
        np.testing.assert_allclose(weights[others, target], ridge, atol=1e-6)
        assert weights[target, target] == 0.0


@pytest.mark.parametrize("n_users", [50, 9000])  # one block and several
def test_the_torch_path_gives_the_same_weights(n_users: int) -> None:
    """On the CPU here: the same code as on a GPU, which need not be there."""
    rng = np.random.default_rng(n_users)
    liked = sp.csr_matrix((rng.random((n_users, 30)) < 0.2).astype(np.float32))
    found = weights_on(torch.device("cpu"), liked, 3.0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, weights_in_place(liked, 3.0), atol=1e-6)
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        weights_on(torch.device("cpu"), liked, -1e6)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")
def test_on_a_gpu(tiny: Callable[..., Interactions]) -> None:
    train, profiles = tiny(2, n_users=500, n_items=90), tiny(3, n_users=300, n_items=90)
    here, there = (Ease(l2=20.0, device=device).fit(train) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there._state["weights"], here._state["weights"], atol=1e-6)
    np.testing.assert_array_equal(there.recommend(profiles, 5)[0], here.recommend(profiles, 5)[0])


def test_cuda_without_a_gpu_is_a_user_error(tiny: Callable[..., Interactions], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="device: expected a CUDA device for 'cuda'"):
        Ease(device="cuda").fit(tiny(0))


def test_lists_are_the_best_scores(tiny: Callable[..., Interactions]) -> None:
    train, profiles = tiny(2), tiny(3, n_users=600)  # several blocks of users
    model = Ease(l2=2.0).fit(train)
    items, scores = model.recommend(profiles, 5, profiles.liked)
    expected = top_k(profiles.liked @ model._state["weights"], 5, profiles.liked)
    np.testing.assert_array_equal(items, expected[0])
    np.testing.assert_array_equal(scores, expected[1])


def test_inverse_is_in_place() -> None:
    rng = np.random.default_rng(0)
    matrix = (lambda part: part.T @ part + np.eye(40))(rng.random((60, 40)))
    expected = np.linalg.inv(matrix)
    found = inverse_upper(matrix)
    assert np.shares_memory(found, matrix)
    np.testing.assert_allclose(np.triu(found), np.triu(expected), atol=1e-10)
    with pytest.raises(np.linalg.LinAlgError):
        inverse_upper(-np.eye(3))


def test_gram_matrix(tiny: Callable[..., Interactions]) -> None:
    liked = tiny(4, n_items=150).liked
    dense = liked.toarray()
    np.testing.assert_array_equal(gram_matrix(liked, np.float32), dense.T @ dense)


@pytest.mark.realdata
def test_movielens_100k(ml100k: ColdUserSplit) -> None:
    found = ml100k.score(Ease(l2=200.0).fit(ml100k.train))
    expected = {"Recall@20": 0.424726, "NDCG@20": 0.344731, "Recall@1": 0.046772, "NDCG@5": 0.219061}
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-5), key
