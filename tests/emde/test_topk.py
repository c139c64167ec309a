"""emde.topk: pure EMDE by hand, the user's split, dislikes, two communities."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from contracts import Interactions, UserError
from emde import PureEMDE, TopKEMDE
from emde.topk import _Rows, _split
from emde.train import Chosen
from tests.contract import rows_of

SMALL: dict[str, Any] = {
    "n": 6, "k": 4, "hidden": 32, "epochs": 3, "batch_size": 32, "dtype": "float32", "device": "cpu",
    "modalities": [{"group": "user", "iterations": 2, "dim": 16}, {"group": "random"}],
}  # fmt: skip


def communities(dislikes: bool = False) -> Interactions:
    rng = np.random.default_rng(0)
    liked = [(side * 10 + rng.choice(10, 7, replace=False)).tolist() for side in (0, 1) for _ in range(40)]
    if not dislikes:
        return Interactions(rows_of(liked, 20))
    disliked = [((1 - side) * 10 + rng.choice(10, 2, replace=False)).tolist() for side in (0, 1) for _ in range(40)]
    return Interactions(rows_of(liked, 20), rows_of(disliked, 20))


def test_dislikes_need_ratings() -> None:
    with pytest.raises(UserError, match="emde: 'dislikes': expected data with ratings"):
        TopKEMDE.create(SMALL | {"dislikes": True}).fit(communities())
    model = TopKEMDE.create(SMALL | {"dislikes": True}).fit(communities(dislikes=True))
    with pytest.raises(UserError, match="dislikes"):
        model.recommend(Interactions(rows_of([[0]], 20)), 3)


def test_dislikes_are_an_input() -> None:
    """Only what users dislike tells the communities apart: profiles without likes are told apart by it."""
    model = TopKEMDE.create(SMALL | {"dislikes": True, "epochs": 80, "lr": 0.005}).fit(communities(dislikes=True))
    hates = Interactions(rows_of([[], []], 20), rows_of([[3, 4], [13, 14]], 20))
    items, _ = model.recommend(hates, 5)
    assert (items[0] // 10).mean() > 0.5 > (items[1] // 10).mean()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_split_of_a_users_items(share: float) -> None:
    lists = [[0, 1], [2, 3, 4], list(range(10)), list(range(5, 20))]
    rows = _Rows(rows_of(lists, 20), None, torch.device("cpu"))
    batch = torch.tensor([2, 0, 3, 1])
    splits = set()
    for seed in range(5):
        given, wanted = _split(rows.of(Chosen(batch, batch)), share, torch.Generator().manual_seed(seed))
        for position, user in enumerate(batch.tolist()):
            one, other = (part.items[part.owner == position].tolist() for part in (given, wanted))
            assert sorted(one + other) == lists[user], "every item is on one side"
            assert len(one) == min(int(np.ceil(share * len(lists[user]) - 1e-6)), len(lists[user]) - 1)
            assert one
            assert other
        splits.add(str(given.items.tolist()))
    assert len(splits) == 5, "shuffled anew each time"


def test_one_profile_is_a_batch() -> None:
    """NumPy takes a tensor of one number for the number itself."""
    rows = _Rows(rows_of([[0, 1], [2, 3, 4]], 20), None, torch.device("cpu"))
    own = rows.of(Chosen(torch.tensor([1]), torch.tensor([1])))
    assert own.items.tolist() == [2, 3, 4]
    assert own.lengths.tolist() == [3]


def slow_pure(codes: np.ndarray, profile: list[int], width: int, floor: float, decoder: str) -> np.ndarray:
    sketch = np.zeros((codes.shape[1], width))
    for item in profile:
        sketch[np.arange(codes.shape[1]), codes[item]] += 1
    shares = sketch / max(len(profile), 1) + floor
    looked = shares[np.arange(codes.shape[1])[None], codes]  # [items, rows]
    means = {
        "gmean": np.exp(np.log(looked).mean(1)), "mean": looked.mean(1), "min": looked.min(1),
        "hmean": 1 / (1 / looked).mean(1),
    }  # fmt: skip
    return means[decoder]


@pytest.mark.parametrize("decoder", ["gmean", "mean", "min", "hmean"])
@pytest.mark.parametrize("popularity", [False, True])
def test_pure_emde_by_the_formula(decoder: str, popularity: bool) -> None:
    model = PureEMDE.create({"decoder": decoder, "popularity": popularity, "k": 4, "device": "cpu"}).fit(communities())
    lists = [[0], [1, 5], list(range(10)), []]
    items, scores = model.recommend(Interactions(rows_of(lists, 20)), 20)
    counts = np.bincount(communities().liked.indices, minlength=20)
    for row, profile in enumerate(lists):
        expected = slow_pure(model._state["codes"], profile, 16, model.floor, decoder)
        if popularity:
            expected = expected * counts
        np.testing.assert_allclose(scores[row], expected[items[row]], rtol=1e-4)
        assert (np.diff(expected[items[row]]) <= 1e-4 * expected.max()).all()


def test_an_item_is_nearest_to_itself() -> None:
    rng = np.random.default_rng(0)
    liked = sp.random(300, 60, 0.1, format="csr", random_state=rng, dtype=np.float32)
    model = PureEMDE.create({"device": "cpu"}).fit(Interactions(liked))
    assert len(np.unique(model._state["codes"], axis=0)) == 60
    items, _ = model.recommend(Interactions(sp.eye(60, format="csr", dtype=np.float32)), 1)
    assert items[:, 0].tolist() == list(range(60))
