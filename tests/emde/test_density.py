"""emde.density: golden values on load_digits, and the estimate by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from emde.density import SketchDensity, bandwidth, exact_density


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_digits().data / 16


@pytest.fixture(scope="module")
def truth(digits) -> np.ndarray:
    return exact_density(digits, digits, bandwidth(*digits.shape))


def test_golden_values(digits, truth) -> None:
    assert bandwidth(*digits.shape) == pytest.approx(0.8956513789, abs=1e-9)
    assert truth[0] == pytest.approx(0.0540210217798, abs=1e-8)
    assert truth[1] == pytest.approx(0.0426303909245, abs=1e-8)


def test_correlation(digits, truth) -> None:
    """N = 1000, K = 7: .951, sd .010 over seeds."""
    estimate = SketchDensity(digits, 1000, 7, np.random.default_rng(0)).query(digits)
    assert 0.92 < np.corrcoef(estimate, truth)[0, 1] < 0.98
    few = SketchDensity(digits, 10, 7, np.random.default_rng(0)).query(digits)
    assert np.corrcoef(few, truth)[0, 1] < np.corrcoef(estimate, truth)[0, 1]


def test_exact_by_hand() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    queries = np.array([[0.0, 0.0], [3.0, 4.0]])
    away = np.sqrt(18)
    expected = [(1 + np.exp(-5 / 2) + np.exp(-1 / 2)) / 3, (1 + np.exp(-5 / 2) + np.exp(-away / 2)) / 3]
    np.testing.assert_allclose(exact_density(points, queries, 2.0), expected, rtol=1e-12)
    gaussian = [(1 + np.exp(-25 / 8) + np.exp(-1 / 8)) / 3, (1 + np.exp(-25 / 8) + np.exp(-18 / 8)) / 3]
    np.testing.assert_allclose(exact_density(points, queries, 2.0, "gaussian"), gaussian, rtol=1e-12)


def test_blocks_of_queries_do_not_matter() -> None:
    points = np.random.default_rng(0).standard_normal((1500, 3))
    whole = exact_density(points, points, 0.7)
    np.testing.assert_allclose(whole[1100:1103], exact_density(points, points[1100:1103], 0.7), rtol=1e-12)


def test_estimate_is_the_share_of_points_in_the_same_region() -> None:
    points = np.random.default_rng(1).standard_normal((200, 4))
    density = SketchDensity(points, 8, 3, np.random.default_rng(0))
    assert density.counts.shape == (8, 8)
    assert (density.counts.sum(1) == 200).all()
    codes = density.coder.encode(points)
    expected = [np.mean([(codes[:, depth] == codes[i, depth]).mean() for depth in range(8)]) for i in range(200)]
    np.testing.assert_allclose(density.query(points), expected, rtol=1e-12)
    assert density.query(np.zeros((0, 4))).shape == (0,)
