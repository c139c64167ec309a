from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import ElasticNet

from baselines.topk import slim
from baselines.topk.shared.gram import gram_matrix
from baselines.topk.slim import Slim, solve_column
from contracts import Interactions, UserError
from tests.baselines.topk.conftest import ColdUserSplit


def sklearn_column(likes: np.ndarray, target: int, alpha: float, l1_ratio: float, tol: float = 1e-12) -> np.ndarray:
    inputs = likes.copy()
    inputs[:, target] = 0.0
    model = ElasticNet(
        alpha=alpha, l1_ratio=l1_ratio, positive=True, fit_intercept=False, max_iter=100_000, tol=tol, copy_X=False
    )
    return model.fit(inputs, likes[:, target]).coef_


def solved(gram: np.ndarray, target: int, n_rows: int, alpha: float, l1_ratio: float, tol: float) -> np.ndarray:
    weights, fitted = np.zeros(len(gram)), np.zeros(len(gram))
    l1, l2 = n_rows * alpha * l1_ratio, n_rows * alpha * (1 - l1_ratio)
    solve_column(gram, target, l1, l2, 100_000, tol, weights, fitted)
    return weights


@pytest.mark.parametrize(("alpha", "l1_ratio"), [(1e-3, 0.1), (0.01, 0.5), (0.05, 1.0), (0.3, 0.007)])
def test_columns_match_sklearn(tiny: Callable[..., Interactions], alpha: float, l1_ratio: float) -> None:
    train = tiny(0, n_users=80, n_items=30)
    likes = train.liked.toarray().astype(np.float64)
    gram = gram_matrix(train.liked, np.float32)
    n_rows = len(likes)
    for target in range(train.n_items):
        found = solved(gram, target, n_rows, alpha, l1_ratio, 1e-12)
        np.testing.assert_allclose(found, sklearn_column(likes, target, alpha, l1_ratio), atol=1e-6)


def test_columns_match_sklearn_without_a_compact_matrix(
    tiny: Callable[..., Interactions], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = tiny(0, n_users=80, n_items=30)
    likes = train.liked.toarray().astype(np.float64)
    gram = gram_matrix(train.liked, np.float32)
    for target in range(0, train.n_items, 5):
        weights, fitted = np.zeros(30), np.zeros(30)
        solve_column.py_func(gram, target, 0.8, 3.2, 1000, 1e-12, weights, fitted)
        plain = weights.copy()
        monkeypatch.setattr(slim, "COMPACT", 0)
        solve_column.py_func(gram, target, 0.8, 3.2, 1000, 1e-12, weights, fitted)
        monkeypatch.undo()
        np.testing.assert_allclose(weights, plain, atol=1e-8)
        np.testing.assert_allclose(weights, sklearn_column(likes, target, 4.0 / 80, 0.2), atol=1e-6)


@pytest.mark.parametrize("empty_rows", [0, 25])
@pytest.mark.parametrize("stated", [False, True])
def test_fit_minimises_the_objective_over_all_rows(
    tiny: Callable[..., Interactions], empty_rows: int, stated: bool
) -> None:
    """Empty rows may be there, or be counted by n_rows: the same weights."""
    train = tiny(1, n_users=120, n_items=40)
    whole = sp.csr_matrix(sp.vstack([train.liked, sp.csr_matrix((empty_rows, 40), dtype=np.float32)]))
    likes = whole.toarray().astype(np.float64)
    given = {"n_rows": 120 + empty_rows} if stated else {}
    model = Slim(alpha=2e-3, l1_ratio=0.2, top_k=40, **given).fit(train if stated else Interactions(whole))
    found = model.get_csr("weights").toarray()
    for target in range(40):
        expected = sklearn_column(likes, target, 2e-3, 0.2)
        np.testing.assert_allclose(found[:, target], expected, atol=1e-3)  # the default tolerance
    assert (found >= 0).all()
    assert (np.diag(found) == 0).all()


def test_fewer_rows_than_users_is_a_user_error(tiny: Callable[..., Interactions]) -> None:
    with pytest.raises(UserError, match=r"slim: parameter 'n_rows': expected at least the 30 train users, found 29"):
        Slim(n_rows=29).fit(tiny(0))


def test_top_k_keeps_the_largest(tiny: Callable[..., Interactions]) -> None:
    train = tiny(2, n_users=120, n_items=40)
    full = Slim(top_k=40).fit(train).get_csr("weights").toarray()
    cut = Slim(top_k=3).fit(train).get_csr("weights").toarray()
    np.testing.assert_array_equal(np.sort(cut, axis=0)[-3:], np.sort(full, axis=0)[-3:])
    assert (np.count_nonzero(cut, axis=0) <= 3).all()


@pytest.mark.realdata
def test_movielens_100k(ml100k: ColdUserSplit) -> None:
    # The framework's matrix has a row for every user; those held out are empty and count in N.
    train = ml100k.train
    assert len(train) == 738
    model = Slim(l1_ratio=0.1, alpha=1e-3, top_k=100, n_rows=938).fit(train)
    found = ml100k.score(model)
    # scikit-learn's ElasticNet, random selection, column by column on the same matrix
    for key, value in {"Recall@20": 0.305978, "NDCG@20": 0.276221, "NDCG@5": 0.181899}.items():
        assert found[key] == pytest.approx(value, abs=2e-3), key
    likes = np.vstack([train.liked.toarray(), np.zeros((200, train.n_items))])
    weights = model.get_csr("weights")
    for target in range(0, train.n_items, 140):
        column = np.zeros(train.n_items)
        expected = sklearn_column(likes, target, 1e-3, 0.1, tol=1e-8)
        kept = np.argsort(expected, kind="stable")[-100:]
        column[kept] = expected[kept]
        np.testing.assert_allclose(np.sort(weights[:, [target]].toarray().ravel()), np.sort(column), atol=1e-3)
