"""What every density estimator must do; the registry finds them, so that a new one is tested at once."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.experiments import methods
from contracts import DensityEstimator, UserError
from emde.kernel import exact_density

NAMES = sorted(methods.catalogue("density"))
H = 0.8


def blobs(n: int = 600, seed: int = 0) -> np.ndarray:
    """A dense and a thin heap in three dimensions."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(0, 0.4, (2 * n // 3, 3))
    return np.concatenate([dense, rng.normal(3, 1.5, (n - len(dense), 3))]).astype(np.float32)


def build(name: str, **params) -> DensityEstimator:
    cls = methods.find("density", name)
    fields = {key: value for key, value in {"h": H, **params}.items() if key in cls.model_fields}
    estimator = cls.create(fields, name)
    assert isinstance(estimator, DensityEstimator)
    return estimator


@pytest.mark.parametrize("name", NAMES)
class TestEveryDensityEstimator:
    def test_knows_dense_from_thin(self, name: str) -> None:
        points, queries = blobs(), blobs(seed=1)
        truth = exact_density(points, queries, H, device="cpu")
        found = build(name).fit(points).query(queries)
        assert found.dtype == np.float64
        assert found.shape == (600,)
        assert np.corrcoef(found, truth)[0, 1] > 0.8

    def test_same_seed_same_answer_and_rows_are_independent(self, name: str) -> None:
        points = blobs()
        first, second = build(name, seed=3).fit(points), build(name, seed=3).fit(points)
        whole = first.query(points)
        np.testing.assert_array_equal(second.query(points), whole)
        np.testing.assert_allclose(first.query(points[40:60]), whole[40:60], rtol=1e-9)
        assert first.query(points[:0]).shape == (0,)

    def test_fit_forgets(self, name: str) -> None:
        points = blobs()
        again = build(name).fit(blobs(seed=5)).fit(points)
        np.testing.assert_array_equal(again.query(points), build(name).fit(points).query(points))

    def test_input_is_left_alone(self, name: str) -> None:
        points = blobs()
        build(name).fit(points).query(points)
        np.testing.assert_array_equal(points, blobs())

    def test_no_points_is_an_error(self, name: str) -> None:
        with pytest.raises(UserError, match="expected a matrix"):
            build(name).fit(np.zeros((0, 3)))

    def test_bad_parameters_are_named(self, name: str) -> None:
        with pytest.raises(UserError, match=f"{name}: unknown parameter 'nonsense'"):
            methods.find("density", name).create({"nonsense": 1}, name)

    def test_size_and_words(self, name: str) -> None:
        estimator = build(name).fit(blobs())
        assert estimator.nbytes > 0
        assert type(estimator).__doc__
        assert estimator.citation
        assert all(
            field.description for key, field in type(estimator).model_fields.items() if key not in ("seed", "kernel")
        )
