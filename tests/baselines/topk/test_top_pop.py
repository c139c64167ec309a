from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from baselines.topk.top_pop import TopPop
from contracts import Interactions
from tests.baselines.topk.conftest import ColdUserSplit


def test_counts_by_hand() -> None:
    train = Interactions(sp.csr_matrix(np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 1, 0, 0]], np.float32)))
    items, scores = TopPop().fit(train).recommend(train, 4)
    assert items.tolist() == [[1, 3, 0, 2]] * 3  # 3, 2, 1 and 0 users
    assert scores[0].tolist() == [3.0, 2.0, 1.0, 0.0]
    hidden = sp.csr_matrix(np.array([[0, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], np.float32))
    items, _ = TopPop().fit(train).recommend(train, 4, hidden)
    assert items.tolist() == [[3, 0, 2, -1], [1, 3, 0, 2], [-1, -1, -1, -1]]


@pytest.mark.realdata
def test_movielens_100k(ml100k: ColdUserSplit) -> None:
    found = ml100k.score(TopPop().fit(ml100k.train))
    assert found["Recall@20"] == pytest.approx(0.176470, abs=2e-3)
    assert found["NDCG@20"] == pytest.approx(0.149774, abs=2e-3)
