"""What must hold of the whole method: codes, sketches, and that more knowledge ranks better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from benchmark import load_split, per_point, points_of
from benchmark.data.load import SessionSplit
from contracts import Interactions, Sessions
from emde import EMDE, PureEMDE, TopKEMDE
from emde.model import NETWORK
from tests.contract import rows_of

SMALL: dict[str, Any] = {
    "n": 5, "k": 4, "hidden": 32, "epochs": 2, "batch_size": 32, "dtype": "float32", "device": "cpu",
    "modalities": [{"group": "session", "iterations": 2, "dim": 16}, {"group": "random"}],
}  # fmt: skip
RANDOM = {"group": "random"}


def cycle(weights: np.ndarray | None = None) -> Sessions:
    plain = Sessions.from_lists([[(start + step) % 12 for step in range(4)] for start in range(12)], 12)
    return Sessions(plain.items, plain.times, plain.offsets, 12, weights=weights)


def test_order_matters_only_through_time() -> None:
    """Events of one time, the last aside, may come in any order: a sketch has none."""
    model = EMDE.create(SMALL).fit(cycle())
    times = [[5.0, 5.0, 5.0, 9.0]]
    first, other = (Sessions.from_lists([items], 12, times) for items in ([1, 2, 3, 4], [3, 1, 2, 4]))
    np.testing.assert_allclose(model.sketches(first), model.sketches(other), atol=1e-7)
    moved = Sessions.from_lists([[1, 2, 4, 3]], 12, times)
    assert not np.allclose(model.sketches(first), model.sketches(moved))


def weight_shapes(train: Sessions) -> dict[str, tuple[int, ...]]:
    state = EMDE.create(SMALL).fit(train)._state
    return {name: value.shape for name, value in state.items() if name.startswith(NETWORK)}


@pytest.mark.parametrize(("items", "length"), [(400, 4), (12, 40)])
def test_weights_grow_neither_with_the_catalogue_nor_with_sessions(items: int, length: int) -> None:
    """Only the codes, a few bytes an item, know how many items there are."""
    lists = [[(start + step) % items for step in range(length)] for start in range(items)]
    shapes = weight_shapes(Sessions.from_lists(lists, items))
    assert shapes
    assert shapes == weight_shapes(cycle())


def test_rows_of_input_sketches_have_norm_one_or_zero() -> None:
    model = EMDE.create(SMALL).fit(cycle())
    inputs = model.sketches(Sessions.from_lists([[1, 2, 3], [4], []], 12)).reshape(3, 2, 10, 16)
    norms = np.linalg.norm(inputs.numpy(), axis=-1)
    np.testing.assert_allclose(norms[0], 1, atol=1e-6)
    np.testing.assert_allclose(norms[1], np.repeat([[0.0], [1.0]], 10, 1), atol=1e-6)
    assert (norms[2] == 0).all()


def test_stronger_events_weigh_more() -> None:
    """Weight 3 is the same event three times; equal weights are no weights."""
    strong = np.ones(48, np.float32)
    model = EMDE.create(SMALL).fit(cycle(strong))
    plain = EMDE.create(SMALL).fit(cycle())
    for name, array in plain._state.items():
        assert array.tobytes() == model._state[name].tobytes(), name
    thrice = Sessions.from_lists([[1, 1, 1, 2, 3]], 12, [[4.0, 4.0, 4.0, 4.0, 9.0]])
    once = Sessions.from_lists([[1, 2, 3]], 12, [[4.0, 4.0, 9.0]])
    weighted = Sessions(once.items, once.times, once.offsets, 12, weights=np.array([3, 1, 1], np.float32))
    np.testing.assert_allclose(model.sketches(weighted), model.sketches(thrice), atol=1e-6)
    assert not np.allclose(model.sketches(weighted), model.sketches(once))
    with pytest.raises(ValueError, match=r"Sessions\.weights: expected one float32 per event"):
        Sessions(once.items, once.times, once.offsets, 12, weights=np.ones(2, np.float32))


def test_stronger_likes_weigh_more() -> None:
    rng = np.random.default_rng(0)
    liked = rows_of([rng.choice(30, 8, replace=False).tolist() for _ in range(60)], 30)
    model = PureEMDE.create({"device": "cpu"}).fit(Interactions(liked))
    profile = rows_of([[4, 17]], 30)
    for strong, weak in ((4, 17), (17, 4)):
        weights = profile.copy()
        weights.data[:] = np.where(weights.indices == strong, 5.0, 1.0)
        items, scores = model.recommend(Interactions(profile, weights=weights), 30)
        of = dict(zip(items[0].tolist(), scores[0].tolist(), strict=True))
        assert of[strong] > of[weak]
    both = Interactions(liked, weights=liked)
    fitted = [TopKEMDE.create(SMALL).fit(data)._state for data in (Interactions(liked), both)]
    assert all(array.tobytes() == fitted[1][name].tobytes() for name, array in fitted[0].items())
    with pytest.raises(ValueError, match="weights and liked must have the same stored entries"):
        Interactions(liked, weights=liked[:, ::-1].tocsr())


@pytest.mark.parametrize(("k", "dtype"), [(4, np.uint8), (9, np.uint16)])
def test_codes_are_small_and_spread(k: int, dtype: type) -> None:
    """Balanced on average: an item's bucket holds some of the others, not most of them, and no code is kept wide."""
    codes = EMDE.create(SMALL | {"k": k, "n": 40, "epochs": 0}).fit(cycle())._state["codes"]
    assert codes.dtype == dtype
    for part in (codes[:, :40], codes[:, 40:]):
        assert np.mean([len(np.unique(column)) for column in part.T]) > 4


def test_sparse_and_dense_first_layer_give_one_model() -> None:
    prefixes = Sessions.from_lists([[0], [3, 4], [1, 1, 5]], 12)
    found = []
    for sparse in (1, 0):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("emde.first_layer.SPARSE_BELOW", {torch.float32: 1.1 * sparse})
            found.append(EMDE.create(SMALL).fit(cycle()))
        assert found[-1]._state["network.first.sparse"] == sparse
    for name, array in found[0]._state.items():
        if not name.endswith("sparse"):
            np.testing.assert_allclose(array, found[1]._state[name], atol=1e-3, err_msg=name)
    np.testing.assert_allclose(*(model.recommend(prefixes, 12)[1] for model in found), atol=1e-4)


@pytest.mark.gpu
def test_cpu_and_gpu_agree() -> None:
    prefixes = Sessions.from_lists([[0], [3, 4], [1, 1, 5]], 12)
    scores = []
    for settings in ({"device": "cpu"}, {"device": "cuda"}, {"device": "cuda", "graphs": True}):
        items, found = EMDE.create(SMALL | settings).fit(cycle()).recommend(prefixes, 12)
        scores.append(np.take_along_axis(found, np.argsort(items, axis=1), axis=1))
    np.testing.assert_allclose(scores[0], scores[1], rtol=2e-2)
    np.testing.assert_allclose(scores[1], scores[2], rtol=2e-2)


@pytest.mark.slow
def test_more_knowledge_ranks_better(sample) -> None:
    """On generated data interactions, alone or with the other modalities, rank better than random codes."""
    from benchmark.experiments import settings

    split = load_split("sample-sessions")
    assert isinstance(split, SessionSplit)
    points, found = points_of(split), []
    for method in ("emde-mm", "emde", "emde-random"):
        model = settings.load().recommender("session", method, "sample-sessions", {}, None, "cpu")
        items, _ = model.fit(split.train).recommend(points.prefixes(0, len(points)), 20)
        found.append({name: float(values.mean()) for name, values in per_point(items, points).items()})
    for name in ("HR@20", "MRR@20"):
        assert min(found[0][name], found[1][name]) > found[2][name], (name, found)
