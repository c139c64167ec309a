"""baselines.density: each estimator against its own formula."""

from __future__ import annotations

import numpy as np
import pytest

from baselines.density.hbe import HBE
from baselines.density.race import Race
from baselines.density.sampling import Sampling
from baselines.density.shared.kernel import EuclideanHash, mean_kernel
from baselines.density.tree_kde import TreeKDE
from emde.kernel import exact_density

H = 0.7


def cloud(n: int = 400, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 4)).astype(np.float32)


@pytest.mark.parametrize("kernel", ["laplacian", "gaussian"])
def test_a_sample_of_everything_is_exact(kernel) -> None:
    points = cloud()
    found = Sampling(m=10_000, h=H, kernel=kernel).fit(points).query(cloud(50, 1))
    np.testing.assert_allclose(found, exact_density(points, cloud(50, 1), H, kernel, "cpu"), rtol=1e-6)
    np.testing.assert_allclose(mean_kernel(points, cloud(50, 1), H, kernel), found, rtol=1e-12)


@pytest.mark.parametrize("kernel", ["laplacian", "gaussian"])
def test_tree_without_error_is_exact(kernel) -> None:
    points = cloud()
    found = TreeKDE(error=0, h=H, kernel=kernel).fit(points).query(cloud(50, 1))
    np.testing.assert_allclose(found, exact_density(points, cloud(50, 1), H, kernel, "cpu"), rtol=1e-9)
    rough = TreeKDE(error=0.3, h=H, kernel=kernel).fit(points).query(cloud(50, 1))
    np.testing.assert_allclose(rough, found, rtol=0.3)


def test_sampling_and_hbe_are_unbiased() -> None:
    points, queries = cloud(), cloud(20, 1)
    truth = exact_density(points, queries, H, device="cpu")
    sampled = np.mean([Sampling(m=40, h=H, seed=s).fit(points).query(queries) for s in range(300)], axis=0)
    np.testing.assert_allclose(sampled, truth, rtol=0.15)
    # an error so small that every query draws from every table: no adaptive stop, no bias
    hashed = np.mean([HBE(tables=100, error=1e-3, h=H, seed=s).fit(points).query(queries) for s in range(100)], axis=0)
    np.testing.assert_allclose(hashed, truth, rtol=0.1)


def test_hbe_meets_its_error() -> None:
    points, queries = cloud(2000), cloud(200, 1)
    truth = exact_density(points, queries, H, device="cpu")
    errors = []
    for aim in (0.4, 0.1):
        found = HBE(error=aim, tables=4000, share=0.2, h=H).fit(points).query(queries)
        errors.append(np.mean(np.abs(found / truth - 1)))
        assert errors[-1] < aim
    assert errors[1] < errors[0] / 2


def test_hbe_stops_early_where_it_is_dense() -> None:
    dense = np.zeros((500, 3), np.float32)
    model = HBE(error=0.2, tables=1000, h=H).fit(dense)
    drawn = []
    original = model._draw
    object.__setattr__(model, "_draw", lambda points, first, last: drawn.append(last) or original(points, first, last))
    np.testing.assert_allclose(model.query(dense[:3]), 1.0)  # all points at distance 0 collide always
    assert drawn == [25]
    model.query(np.full((1, 3), 50, np.float32))  # far from everything
    assert drawn[-1] == 1000


def test_collisions_happen_as_often_as_said() -> None:
    hashed = EuclideanHash(4, 4000, 2, 1.5, np.random.default_rng(0))
    left, right = cloud(10, 2), cloud(10, 3)
    observed = (hashed(left) == hashed(right)).mean(axis=1)
    expected = hashed.collision(np.linalg.norm(left - right, axis=1))
    np.testing.assert_allclose(observed, expected, atol=4 * np.sqrt(0.25 / 4000))
    assert hashed.collision(np.zeros(1))[0] == pytest.approx(1)
    np.testing.assert_array_equal(hashed(left, slice(7, 9)), hashed(left)[:, 7:9])


def test_race_is_the_mean_collision_probability() -> None:
    points, queries = cloud(), cloud(20, 1)
    model = Race(n=4000, k=2, width=64, h=H).fit(points)
    distances = np.linalg.norm(queries[:, None].astype(float) - points, axis=2)
    expected = model._hash.collision(distances).mean(axis=1)
    np.testing.assert_allclose(model.query(queries), expected, rtol=0.15)
    assert model.nbytes == 4000 * 64 * 8
    kernel = np.exp(-distances / H).mean(axis=1)
    assert np.corrcoef(model.query(queries), kernel)[0, 1] > 0.98
