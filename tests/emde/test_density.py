"""emde.density: the estimate by hand, streams, merging, weights, torch, and the published facts on load_digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from contracts import UserError
from emde.coders import PROJECTIONS, RandomHash
from emde.density import SAMPLE, SketchDensity, combine
from emde.kernel import bandwidth, exact_density

SIZE = {"n": 8, "k": 3}


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_digits().data / 16


@pytest.fixture(scope="module")
def truth(digits) -> np.ndarray:
    return exact_density(digits, digits, bandwidth(*digits.shape), device="cpu")


def cloud(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)


@pytest.mark.parametrize("coder", ["dlsh", "pq", "opq", "random"])
def test_estimate_is_the_share_of_points_in_the_same_region(coder: str) -> None:
    points = cloud(200)
    sketch = SketchDensity(n=4, k=3, coder=coder).fit(points)
    assert sketch.counts.shape == (4, 8)
    assert (sketch.counts.sum(1) == 200).all()
    assert sketch.nbytes == 4 * 8 * 8
    codes = sketch.partition.encode(points)
    expected = [np.mean([(codes[:, depth] == codes[i, depth]).mean() for depth in range(4)]) for i in range(200)]
    np.testing.assert_allclose(sketch.query(points), expected, rtol=1e-12)
    assert sketch.query(np.zeros((0, 4))).shape == (0,)


def test_aggregates_by_hand() -> None:
    counts = np.array([[1.0, 4.0, 2.0], [0.0, 5.0, 5.0]])
    np.testing.assert_allclose(combine(counts, "mean"), [7 / 3, 10 / 3])
    np.testing.assert_allclose(combine(counts, "gmean"), [2.0, 0.0])
    np.testing.assert_allclose(combine(counts, "min"), [1.0, 0.0])


@pytest.mark.parametrize("coder", ["dlsh", "random"])
def test_a_stream_counts_as_the_whole(coder: str) -> None:
    points = cloud(300)
    whole = SketchDensity(**SIZE, coder=coder).fit(points)
    stream = SketchDensity(**SIZE, coder=coder).fit(points[:100])
    for start in range(100, 300, 50):
        stream.partial_fit(points[start : start + 50])
    parts = SketchDensity(**SIZE, coder=coder).fit(points[:100])
    parts.merge(parts.like().partial_fit(points[100:]))
    assert stream.total == parts.total == 300
    np.testing.assert_array_equal(stream.counts, parts.counts)
    # the stream's partition is that of its first block, as a random partition's it does not depend on the points
    if coder == "random":
        np.testing.assert_array_equal(stream.counts, whole.counts)


def test_weights() -> None:
    points = cloud(60)
    twice = SketchDensity(**SIZE).fit(np.repeat(points, 2, axis=0))
    heavy = SketchDensity(**SIZE).fit(points, np.full(60, 2.0))
    assert heavy.total == twice.total == 120
    np.testing.assert_allclose(heavy.query(points), heavy.like().partial_fit(points).query(points), rtol=1e-12)
    before = heavy.counts.copy()
    heavy.partial_fit(cloud(20, 2)).partial_fit(cloud(20, 2), -np.ones(20))
    np.testing.assert_array_equal(heavy.counts, before)
    with pytest.raises(UserError, match="weights: expected one for each of 60 points, found \\(3,\\)"):
        heavy.partial_fit(points, np.ones(3))


def test_fit_starts_anew_and_bad_input_is_named() -> None:
    sketch = SketchDensity(**SIZE)
    with pytest.raises(UserError, match="expected a fitted sketch"):
        sketch.query(cloud(3))
    with pytest.raises(UserError, match="expected a matrix"):
        sketch.fit(np.zeros((0, 4)))
    with pytest.raises(UserError, match="expected a matrix"):
        sketch.fit(np.zeros(4))
    assert sketch.fit(cloud(50)).fit(cloud(30)).total == 30
    with pytest.raises(UserError, match="over the same partition"):
        sketch.merge(SketchDensity(**SIZE).fit(cloud(30)))


def test_size_does_not_grow_and_large_sets_learn_from_a_sample() -> None:
    many = np.random.default_rng(0).standard_normal((SAMPLE + 5000, 2)).astype(np.float32)
    sketch = SketchDensity(n=3, k=2, seed=4).fit(many)
    assert sketch.nbytes == SketchDensity(n=3, k=2).fit(many[:10]).nbytes
    assert sketch.counts.sum() == 3 * len(many)


def test_blocks_do_not_matter(monkeypatch) -> None:
    points = cloud(500)
    whole = SketchDensity(**SIZE).fit(points)
    monkeypatch.setattr("emde.density.CELLS", 8 * 7)
    monkeypatch.setattr("emde.coders.PROJECTIONS", 24 * 3)
    assert PROJECTIONS > 24 * 500
    blocks = SketchDensity(**SIZE).fit(points)
    assert np.abs(blocks.counts - whole.counts).sum() <= 2 * 24  # a threshold is a projection: its own point may flip
    np.testing.assert_allclose(blocks.query(points), whole.query(points), rtol=0.05)


def test_random_partitions_know_equal_vectors_only() -> None:
    points = cloud(2000)
    coder = RandomHash(4, 200, 4, np.random.default_rng(0))
    codes = coder.encode(points)
    np.testing.assert_array_equal(coder.encode(points[::-1])[::-1], codes)
    np.testing.assert_array_equal(coder.encode(np.array([[0.0] * 4])), coder.encode(np.array([[-0.0] * 4])))
    near = coder.encode(np.nextafter(points, np.float32(9)))
    assert abs((near == codes).mean() - 1 / 16) < 0.01
    for column in codes.T:
        assert ((np.bincount(column, minlength=16) - 125) ** 2 / 125).sum() < 45  # chi-squared, 15 df, 1e-4


def mean_r(digits: np.ndarray, truth: np.ndarray, seeds: int, **params) -> float:
    found = [SketchDensity(**params, seed=seed).fit(digits).query(digits) for seed in range(seeds)]
    return float(np.mean([np.corrcoef(estimate, truth)[0, 1] for estimate in found]))


def test_random_quantiles_are_essential(digits, truth) -> None:
    """N = 1000, K = 7: .951 (sd .010 over seeds); thresholds at zero .77, at the median .22."""
    assert mean_r(digits, truth, 8, n=1000, k=7) == pytest.approx(0.95, abs=0.015)
    assert mean_r(digits, truth, 4, n=1000, k=7, spread=None) == pytest.approx(0.77, abs=0.02)
    assert mean_r(digits, truth, 4, n=1000, k=7, spread=0.0) == pytest.approx(0.22, abs=0.03)


@pytest.mark.slow
def test_r_rises_then_falls_with_k(digits, truth) -> None:
    """N = 100, mean of 40 seeds: the row of the specification."""
    row = [0.43, 0.57, 0.62, 0.66, 0.71, 0.72, 0.74, 0.74, 0.75, 0.74, 0.73, 0.72]
    for k, expected in enumerate(row, 1):
        assert mean_r(digits, truth, 40, n=100, k=k) == pytest.approx(expected, abs=0.04 if k >= 4 else 0.08), k
