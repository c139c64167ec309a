"""emde.decode: sums over rows equal looking up every item's probabilities; on a device and in the kernel."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

import emde.decode
from contracts import top_k
from emde.decode import ItemLookup, popularity_prior
from emde.sketch import normalize, sketch

CPU = torch.device("cpu")
WHERE = ("kernel", "device")
DECODERS = ("gmean", "min", "mean", "hmean", "popularity")


def naive(p: np.ndarray, codes: np.ndarray, decoder: str, prior: np.ndarray | None = None) -> np.ndarray:
    """[B, items]: gather p[b, r, codes[i, r]], then the textbook mean over r in float64."""
    looked = np.stack([p[:, row, codes[:, row]] for row in range(codes.shape[1])], axis=-1).astype(np.float64)
    if decoder == "gmean":
        return np.exp(np.log(looked).mean(-1))
    if decoder == "mean":
        return looked.mean(-1)
    if decoder == "hmean":
        return 1 / (1 / looked).mean(-1)
    if decoder == "min":
        return looked.min(-1)
    return np.log(looked).sum(-1) + prior


@hypothesis_settings(max_examples=25)
@given(
    seed=st.integers(0, 1000), batch=st.integers(1, 4), items=st.integers(1, 30), rows=st.integers(1, 12),
    k=st.integers(1, 9), decoder=st.sampled_from(["gmean", "mean", "hmean", "min", "popularity"]),
)  # fmt: skip
def test_against_a_gather(seed, batch, items, rows, k, decoder) -> None:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 1 << k, (items, rows)).astype(np.uint8 if k <= 8 else np.uint16)
    p = rng.dirichlet(np.ones(1 << k), (batch, rows)).astype(np.float32) + np.float32(1e-6)
    prior = rng.standard_normal(items).astype(np.float32)
    found = ItemLookup(codes, 1 << k, CPU).score(torch.from_numpy(p), decoder, torch.from_numpy(prior))
    assert found.shape == (batch, items)
    np.testing.assert_allclose(found.numpy(), naive(p, codes, decoder, prior), rtol=2e-4, atol=1e-6)


def test_zero_probabilities_stay_finite() -> None:
    p = torch.zeros(1, 2, 4)
    p[0, :, 0] = 1.0
    lookup = ItemLookup(np.array([[0, 0], [0, 1], [3, 3]], np.uint8), 4, CPU)
    for decoder in ("gmean", "hmean", "min", "mean", "popularity"):
        scores = lookup.score(p, decoder, torch.zeros(3))[0]
        assert torch.isfinite(scores).all()
        assert scores[0] > scores[1] >= scores[2]


def test_an_item_never_seen_comes_last_by_popularity() -> None:
    """Also where all its buckets are empty, which divides its share of nothing by nothing."""
    prior = popularity_prior(np.array([[0, 1], [0, 1], [2, 3]], np.uint8), 4, np.array([5, 1, 0]))
    assert np.isfinite(prior).all()
    assert prior[2] < prior[:2].min()


def test_popularity_prior_by_hand() -> None:
    """Items 0 and 1 share a bucket of row 0, 1 and 2 one of row 1; shares 1/8, 3/8, 4/8."""
    codes = np.array([[0, 1], [0, 2], [3, 2]], np.uint8)
    found = popularity_prior(codes, 4, np.array([1, 3, 4]))
    expected = [
        np.log(1 / 8) - np.log(4 / 8) - np.log(1 / 8),
        np.log(3 / 8) - np.log(4 / 8) - np.log(7 / 8),
        np.log(4 / 8) - np.log(4 / 8) - np.log(7 / 8),
    ]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_popularity_decoder_by_hand() -> None:
    """With uniform p the score is the prior up to a constant; without a prior it is refused."""
    lookup = ItemLookup(np.array([[0, 1], [2, 3]], np.uint8), 4, CPU)
    p = torch.full((1, 2, 4), 0.25)
    scores = lookup.score(p, "popularity", torch.tensor([-1.0, 2.0]))
    np.testing.assert_allclose(scores[0], [2 * np.log(0.25) - 1, 2 * np.log(0.25) + 2], rtol=1e-6)
    with pytest.raises(ValueError, match="log_prior"):
        lookup.score(p, "popularity")


@pytest.mark.parametrize("decoder", ["gmean", "min", "mean", "hmean"])
def test_an_items_own_sketch_ranks_it_first(decoder: str) -> None:
    rng = np.random.default_rng(0)
    n_items, rows, width = 300, 10, 128
    codes = rng.integers(0, width, (n_items, rows)).astype(np.uint8)
    assert len(np.unique(codes, axis=0)) == n_items
    items = torch.arange(n_items)
    own = sketch(torch.from_numpy(codes), items, items, torch.ones(n_items), (n_items, rows, width))
    scores = ItemLookup(codes, width, CPU).score(normalize(own, 1) + 1e-3, decoder)
    assert top_k(scores.numpy(), 1)[0][:, 0].tolist() == list(range(n_items))


def look_up(where: str, codes: np.ndarray, width: int) -> ItemLookup:
    """``device``: with what ranks on a GPU, which needs none."""
    found = ItemLookup(codes, width, CPU)
    if where == "device":
        found._rank = found._best_on_device
    return found


@pytest.mark.parametrize("where", WHERE)
@hypothesis_settings(max_examples=40)
@given(
    seed=st.integers(0, 1000), batch=st.integers(1, 70), items=st.integers(1, 60), rows=st.integers(1, 12),
    k=st.sampled_from([1, 5, 20, 80]), decoder=st.sampled_from(["gmean", "mean", "hmean", "min", "popularity"]),
    hide=st.booleans(), factored=st.booleans(),
)  # fmt: skip
def test_the_best_are_those_of_the_whole_score_matrix(
    where, seed, batch, items, rows, k, decoder, hide, factored
) -> None:
    """Fused or in parts: the list of the naive scores, exclusions and factors included, up to rounding."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 16, (items, rows)).astype(np.uint8)
    p = rng.dirichlet(np.ones(16), (batch, rows)).astype(np.float32) + np.float32(1e-6)
    prior = rng.standard_normal(items).astype(np.float32)
    exclude = sp.random(batch, items, 0.3, format="csr", random_state=rng) if hide else None
    factor = rng.random(items, dtype=np.float32) + 0.1 if factored else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emde.decode, "ITEMS_AT_ONCE", 7)
        found = look_up(where, codes, 16).best(
            torch.from_numpy(p), decoder, k, torch.from_numpy(prior), exclude,
            None if factor is None else torch.from_numpy(factor),
        )  # fmt: skip
    expected = naive(p, codes, decoder, prior) * (1 if factor is None else factor)
    listed, scores = top_k(expected, k, exclude)
    assert found[0].dtype == np.int32
    np.testing.assert_array_equal(found[0] >= 0, listed >= 0)
    np.testing.assert_allclose(found[1], scores, rtol=2e-4, atol=2e-5)
    own = np.take_along_axis(expected, np.maximum(found[0], 0).astype(np.int64), axis=1)
    np.testing.assert_allclose(np.where(found[0] >= 0, own, 0), found[1], rtol=2e-4, atol=2e-5)
    for row in range(batch):
        kept = found[0][row][found[0][row] >= 0]
        assert len(set(kept)) == len(kept)
        assert exclude is None or not set(kept) & set(exclude[row].indices)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("factored", [False, True])
def test_what_ranks_on_a_device_gives_the_lists_of_the_kernel(decoder, hide, factored, monkeypatch) -> None:
    """The same items in the same order, ties (every item has twins, in other blocks too) and padding included."""
    monkeypatch.setattr(emde.decode, "ITEMS_AT_ONCE", 64)
    rng = np.random.default_rng(0)
    codes = np.tile(rng.integers(0, 128, (100, 13)).astype(np.uint8), (3, 1))
    p = torch.softmax(torch.from_numpy(2 * rng.standard_normal((40, 13, 128), dtype=np.float32)), -1)
    prior = torch.from_numpy(np.tile(rng.standard_normal(100).astype(np.float32), 3))
    exclude = sp.random(40, 300, 0.2, format="csr", random_state=rng) if hide else None
    factor = torch.from_numpy(np.tile(rng.random(100, dtype=np.float32), 3)) if factored else None
    for k in (1, 20, 310):
        kernel, device = (look_up(where, codes, 128).best(p, decoder, k, prior, exclude, factor) for where in WHERE)
        np.testing.assert_array_equal(kernel[0], device[0])
        np.testing.assert_allclose(kernel[1], device[1], rtol=1e-6)


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("decoder", DECODERS)
def test_ties_go_to_the_first_item(where, decoder) -> None:
    """Forty items of eight codes: equal scores everywhere, on both sides of the cut."""
    codes = np.tile(np.arange(8, dtype=np.uint8)[:, None], (5, 3))
    p = torch.softmax(torch.randn(3, 3, 8, generator=torch.Generator().manual_seed(0)), -1)
    prior = torch.zeros(40)
    lookup = look_up(where, codes, 8)
    listed, scores = lookup.best(p, decoder, 12, prior)
    full = np.argsort(-lookup.score(p[:, :, :], decoder, prior).numpy()[:, :8], axis=1)
    for row in range(3):
        expected = [code + 8 * copy for code in full[row] for copy in range(5)][:12]
        assert listed[row].tolist() == expected
    np.testing.assert_array_equal(scores[:, 0], scores[:, 4])


def test_a_gpu_takes_the_sums_in_the_way_that_is_the_faster_one(monkeypatch) -> None:
    """Both ways are the same sums; where the device must repeat itself, nothing is timed."""
    codes = np.random.default_rng(0).integers(0, 128, (50, 13)).astype(np.uint8)
    values = torch.randn(13 * 128, 4, generator=torch.Generator().manual_seed(0))
    lookup = ItemLookup(codes, 128, CPU)
    one, other = (way(values, slice(10, 40)) for way in (lookup.looked_up, lookup.multiplied))
    assert one.shape == (30, 4)
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(torch, "ones", lambda *shape, device: values)
    for seconds, deterministic, chosen in (
        ([1.0, 2.0], False, "looked_up"), ([2.0, 1.0], False, "multiplied"), ([], True, "looked_up"),
    ):  # fmt: skip
        left = list(seconds)
        monkeypatch.setattr(emde.decode, "best_seconds", lambda work, device, left=left: left.pop(0))
        monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda fixed=deterministic: fixed)
        lookup = ItemLookup(codes, 128, torch.device("cuda"))
        assert lookup._sums == getattr(lookup, chosen)
        assert not left


@pytest.mark.gpu
def test_the_same_lists_on_a_gpu() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 128, (5000, 10)).astype(np.uint8)
    p = torch.softmax(torch.from_numpy(3 * rng.standard_normal((40, 10, 128), dtype=np.float32)), -1)
    here = ItemLookup(codes, 128, CPU).best(p, "gmean", 20)
    for way in ("looked_up", "multiplied"):
        lookup = ItemLookup(codes, 128, torch.device("cuda"))
        lookup._sums = getattr(lookup, way)
        there = lookup.best(p.cuda(), "gmean", 20)
        np.testing.assert_allclose(here[1], there[1], rtol=1e-4)
        assert (here[0] == there[0]).mean() > 0.99
