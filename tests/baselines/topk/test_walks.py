"""P3alpha and RP3beta against the transition matrices multiplied out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from baselines.topk.p3alpha import P3Alpha
from baselines.topk.rp3beta import RP3Beta
from contracts import Interactions, top_k
from tests.baselines.topk.conftest import ColdUserSplit
from tests.baselines.topk.oracles import walk_oracle

SETTINGS = [(1.0, 0.0, False), (0.6, 0.3, False), (0.6, 0.3, True), (1.7, 0.9, True), (0.0, 1.0, True)]


def dense_likes(train: Interactions) -> np.ndarray:
    return train.liked.toarray().astype(np.float64)


@pytest.mark.parametrize(("alpha", "beta", "normalize"), SETTINGS)
def test_uncut_weights_match_the_oracle(
    tiny: Callable[..., Interactions], alpha: float, beta: float, normalize: bool
) -> None:
    train = tiny(0)
    model = RP3Beta(alpha=alpha, beta=beta, top_k=1000, normalize=normalize).fit(train)
    expected = walk_oracle(dense_likes(train), alpha, beta, train.n_items, normalize)
    np.testing.assert_allclose(model.get_csr("weights").toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize(("alpha", "beta", "normalize"), SETTINGS)
def test_cut_weights_match_the_oracle(
    tiny: Callable[..., Interactions], alpha: float, beta: float, normalize: bool
) -> None:
    train = tiny(1, n_users=400, n_items=60)  # dense enough that ties at the cut are rare
    model = RP3Beta(alpha=alpha, beta=beta, top_k=10, normalize=normalize).fit(train)
    found = model.get_csr("weights").toarray()
    expected = walk_oracle(dense_likes(train), alpha, beta, 10, normalize)
    agree = np.isclose(found, expected, rtol=1e-5).all(axis=0)
    assert agree.mean() > (0.9 if alpha else 0.3)  # alpha = 0 counts users: many exact ties
    assert (np.diff(model.get_csr("weights").tocsc().indptr) <= 10).all()


def test_p3alpha_is_rp3beta_without_beta(tiny: Callable[..., Interactions]) -> None:
    train = tiny(2)
    for normalize in (False, True):
        walk = P3Alpha(alpha=0.8, top_k=5, normalize=normalize).fit(train)
        penalised = RP3Beta(alpha=0.8, beta=0.0, top_k=5, normalize=normalize).fit(train)
        np.testing.assert_array_equal(walk.get_csr("weights").toarray(), penalised.get_csr("weights").toarray())


def test_lists_are_the_best_scores(tiny: Callable[..., Interactions]) -> None:
    train, profiles = tiny(3), tiny(4, n_users=300)
    for model in (P3Alpha(top_k=5).fit(train), RP3Beta(top_k=5).fit(train)):
        items, scores = model.recommend(profiles, 6, profiles.liked)
        expected = top_k(profiles.liked @ model.get_csr("weights").toarray(), 6, profiles.liked)
        np.testing.assert_array_equal(items, expected[0])
        np.testing.assert_allclose(scores, expected[1], rtol=1e-6)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("alpha", "beta", "normalize"),
    [(0.6, 0.0, False), (0.6, 0.3, False), (0.6, 0.3, True), (1.0, 0.0, False)],  # the last: ties at almost every cut
)
def test_movielens_100k(ml100k: ColdUserSplit, alpha: float, beta: float, normalize: bool) -> None:
    found = ml100k.score(RP3Beta(alpha=alpha, beta=beta, top_k=100, normalize=normalize).fit(ml100k.train))
    expected = ml100k.score_weights(walk_oracle(dense_likes(ml100k.train), alpha, beta, 100, normalize))
    for key in ("Recall@1", "NDCG@5", "Recall@20", "NDCG@20"):
        assert found[key] == pytest.approx(expected[key], abs=1e-4), key
    assert found["Recall@20"] > 0.35
