"""als, bpr: the adapters around implicit compute what their docstrings say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from baselines.topk.als import Als
from baselines.topk.bpr import Bpr
from baselines.topk.shared.scoring import product_by_row
from contracts import Interactions
from contracts.errors import NotFinite
from tests.baselines.topk.conftest import ColdUserSplit


def test_als_solves_each_profile_by_the_normal_equations(tiny: Callable[..., Interactions]) -> None:
    """p = (Q'Q + Q' (C - I) Q + l I)^-1 Q' C x, by a dense solver."""
    model = Als(factors=4, regularization=0.3, alpha=5.0).fit(tiny(0))
    profiles = tiny(1)
    items, scores = model.recommend(profiles, 20)
    vectors = model._state["item_factors"].astype(np.float64)
    for row, liked in enumerate(profiles.liked.toarray()):
        confidence = np.where(liked > 0, 5.0, 1.0)
        left = vectors.T @ (confidence[:, None] * vectors) + 0.3 * np.eye(4)
        user = np.linalg.solve(left, vectors.T @ (confidence * liked))
        np.testing.assert_allclose(scores[row], (vectors @ user)[items[row]], atol=1e-4)


def test_als_reaches_a_stationary_point(tiny: Callable[..., Interactions]) -> None:
    """After enough iterations every item's vector solves its own normal equations, given the users'."""
    train = tiny(2)
    model = Als(factors=3, regularization=0.5, alpha=2.0, iterations=200).fit(train)
    vectors = model._state["item_factors"].astype(np.float64)
    likes = train.liked.toarray()

    def solve(other: np.ndarray, cells: np.ndarray) -> np.ndarray:
        confidence = np.where(cells > 0, 2.0, 1.0)
        return np.stack(
            [np.linalg.solve(other.T @ (c[:, None] * other) + 0.5 * np.eye(3), other.T @ (c * x))
             for c, x in zip(confidence, cells, strict=True)]
        )  # fmt: skip

    np.testing.assert_allclose(solve(solve(vectors, likes), likes.T), vectors, atol=0.02)


def test_bpr_scores_by_the_mean_of_the_profile(tiny: Callable[..., Interactions]) -> None:
    model = Bpr(factors=4, iterations=5).fit(tiny(0))
    profiles = tiny(1)
    items, scores = model.recommend(profiles, 20)
    vectors, bias = model._state["item_factors"][:, :-1], model._state["item_factors"][:, -1]
    for row, liked in enumerate(profiles.liked.toarray()):
        user = liked @ vectors / max(liked.sum(), 1)
        np.testing.assert_allclose(scores[row], (vectors @ user + bias)[items[row]], rtol=1e-4, atol=1e-6)


def test_bpr_puts_liked_pairs_first() -> None:
    """Without a profile the biases decide: everybody likes item 0."""
    train = Interactions(sp.csr_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0]] * 50, np.float32)))
    model = Bpr(factors=2, learning_rate=0.1, iterations=200).fit(train)
    items, _ = model.recommend(Interactions(sp.csr_matrix((1, 4), dtype=np.float32)), 4)
    assert items[0, 0] == 0


def test_a_training_that_diverges_is_one_line(tiny: Callable[..., Interactions]) -> None:
    with pytest.raises(NotFinite, match=r"bpr: the training diverged.*: try a smaller learning_rate"):
        Bpr(factors=4, learning_rate=1e20, iterations=30).fit(tiny(0))


def test_product_by_row(tiny: Callable[..., Interactions]) -> None:
    rng = np.random.default_rng(0)
    rows, columns = rng.standard_normal((9, 5)), rng.standard_normal((5, 7))
    np.testing.assert_allclose(product_by_row(rows, columns), rows @ columns, atol=1e-12)


@pytest.mark.realdata
@pytest.mark.parametrize(("model", "low", "high"), [(Als(factors=30), 0.35, 0.45), (Bpr(), 0.25, 0.42)])
def test_movielens_100k(ml100k: ColdUserSplit, model, low: float, high: float) -> None:
    """Between popularity (.176) and EASE (.425)."""
    assert low < ml100k.score(model.fit(ml100k.train))["Recall@20"] < high
