from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from baselines.topk.pure_svd import PureSvd
from contracts import Interactions
from tests.baselines.topk.conftest import ColdUserSplit


def projection(train: Interactions, factors: int) -> np.ndarray:
    _, _, vt = np.linalg.svd(train.liked.toarray().astype(np.float64), full_matrices=False)
    return vt[:factors].T @ vt[:factors]


@pytest.mark.parametrize("factors", [1, 4, 12])
def test_scores_are_the_projected_profile(tiny: Callable[..., Interactions], factors: int) -> None:
    train, profiles = tiny(0), tiny(1)
    found = PureSvd(factors=factors).fit(train)._state["item_factors"]
    np.testing.assert_allclose(found @ found.T, projection(train, factors), atol=1e-5)
    items, scores = PureSvd(factors=factors).fit(train).recommend(profiles, 3)
    expected = profiles.liked @ projection(train, factors)
    np.testing.assert_allclose(scores, -np.sort(-expected, axis=1)[:, :3], atol=1e-5)
    np.testing.assert_allclose(np.take_along_axis(expected, items.astype(int), axis=1), scores, atol=1e-5)


def test_a_user_alone_is_ranked_as_among_others(tiny: Callable[..., Interactions]) -> None:
    # at full rank all scores are 0 or 1 up to rounding: any dependence on the batch would show
    train = tiny(3)
    model = PureSvd(factors=1000).fit(train)
    items, scores = model.recommend(train, 20)
    for user in range(len(train)):
        alone = model.recommend(train.take(slice(user, user + 1)), 20)
        np.testing.assert_array_equal(alone[0][0], items[user])
        np.testing.assert_array_equal(alone[1][0], scores[user])


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (2, 2), (3, 8)])
def test_more_factors_than_the_matrix_has(shape: tuple[int, int]) -> None:
    train = Interactions(sp.csr_matrix(np.ones(shape, np.float32)))
    items, _ = PureSvd(factors=50).fit(train).recommend(train, shape[1])
    assert (np.sort(items, axis=1) == np.arange(shape[1])).all()


@pytest.mark.realdata
def test_movielens_100k(ml100k: ColdUserSplit) -> None:
    found = ml100k.score(PureSvd(factors=50).fit(ml100k.train))
    expected = ml100k.score_weights(projection(ml100k.train, 50))
    for key in ("Recall@1", "NDCG@5", "Recall@20", "NDCG@20"):
        assert found[key] == pytest.approx(expected[key], abs=1e-3), key
    assert found["Recall@20"] > 0.37
