from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp

from baselines.topk.item_knn import ItemKnn, weighted
from contracts import Interactions
from tests.baselines.topk.conftest import ColdUserSplit
from tests.baselines.topk.oracles import cosine_oracle, text_weights

SCHEMES = ["none", "tf-idf", "bm25"]


def test_cosine_by_hand() -> None:
    # items 0 and 1 share one of 2 x 1 users, items 0 and 2 none
    train = Interactions(sp.csr_matrix(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]], np.float32)))
    weights = ItemKnn(top_k=2, shrink=0).fit(train).get_csr("weights").toarray()
    cosine = 1 / (np.sqrt(2) + 1e-6)
    np.testing.assert_allclose(weights, [[0, cosine, 0], [cosine, 0, 0], [0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_weighting(tiny: Callable[..., Interactions], scheme: str) -> None:
    liked = tiny(0).liked
    np.testing.assert_allclose(
        weighted(liked, scheme).toarray(), text_weights(liked.toarray().astype(np.float64), scheme), rtol=1e-12
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("shrink", [0.0, 7.0])
def test_uncut_similarities_match_the_oracle(tiny: Callable[..., Interactions], scheme: str, shrink: float) -> None:
    train = tiny(1)
    model = ItemKnn(top_k=1000, shrink=shrink, feature_weighting=scheme).fit(train)
    expected = cosine_oracle(train.liked.toarray().astype(np.float64), train.n_items, shrink, scheme)
    np.testing.assert_allclose(model.get_csr("weights").toarray(), expected, rtol=1e-5, atol=1e-12)


def test_every_column_keeps_its_nearest(tiny: Callable[..., Interactions]) -> None:
    train = tiny(2)
    found = ItemKnn(top_k=4, shrink=3).fit(train).get_csr("weights").toarray()
    full = cosine_oracle(train.liked.toarray().astype(np.float64), train.n_items, 3, "none")
    np.testing.assert_allclose(np.sort(found, axis=0)[-4:], np.sort(full, axis=0)[-4:], rtol=1e-5)
    assert (np.count_nonzero(found, axis=0) <= 4).all()


@pytest.mark.realdata
@pytest.mark.parametrize(("shrink", "scheme"), [(0.0, "none"), (100.0, "none"), (100.0, "tf-idf"), (100.0, "bm25")])
def test_movielens_100k(ml100k: ColdUserSplit, shrink: float, scheme: str) -> None:
    found = ml100k.score(ItemKnn(top_k=100, shrink=shrink, feature_weighting=scheme).fit(ml100k.train))
    likes = ml100k.train.liked.toarray().astype(np.float64)
    expected = ml100k.score_weights(cosine_oracle(likes, 100, shrink, scheme))
    for key in ("Recall@1", "NDCG@5", "Recall@20", "NDCG@20"):
        assert found[key] == pytest.approx(expected[key], abs=5e-4), key
    assert found["Recall@20"] > 0.34
