"""emde.kernel: golden values, by hand, and the published densities of shuttle."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from emde.kernel import bandwidth, exact_densities, exact_density, median_distance


def test_golden_values_of_digits() -> None:
    digits = load_digits().data / 16
    h = bandwidth(*digits.shape)
    assert h == pytest.approx(0.8956513789, abs=1e-9)
    found = exact_density(digits, digits[:2], h, device="cpu")
    np.testing.assert_allclose(found, [0.0540210217798, 0.0426303909245], rtol=0, atol=1e-12)


@pytest.mark.realdata
def test_golden_value_of_mnist(mirror) -> None:
    import gzip

    content = gzip.decompress((mirror / "mnist" / "t10k-images-idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(content, np.uint8, offset=16).reshape(-1, 784) / 255
    assert bandwidth(*images.shape) == pytest.approx(0.9883797930, abs=1e-9)
    found = exact_density(images, images[9:10], bandwidth(*images.shape), device="cpu")[0]
    assert found == pytest.approx(0.000184976730041, rel=1e-8)


@pytest.mark.realdata
def test_golden_value_of_shuttle(mirror) -> None:
    points = np.loadtxt(mirror / "shuttle" / "shuttle.csv", delimiter=",")
    assert bandwidth(*points.shape) == pytest.approx(0.4397371264, abs=1e-9)
    found = exact_density(points, points[84:85], bandwidth(*points.shape), device="cpu")[0]
    assert found == pytest.approx(0.0690930339902, rel=1e-8)


@pytest.mark.slow
@pytest.mark.realdata
def test_every_published_density_of_shuttle(mirror) -> None:
    """shuttle_gaussian.txt: six digits of each of the 43,500 rows."""
    points = np.loadtxt(mirror / "shuttle" / "shuttle.csv", delimiter=",")
    shipped = np.loadtxt(mirror / "shuttle" / "shuttle_gaussian.txt", delimiter=",")
    assert len(np.unique(shipped[:, 1])) == len(points) == 43_500
    found = exact_density(points, points[shipped[:, 1].astype(int)], 0.4397371264, "gaussian", device="cpu")
    np.testing.assert_allclose(found, shipped[:, 0], rtol=1e-5)


def test_by_hand() -> None:
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    queries = np.array([[0.0, 0.0], [3.0, 4.0]])
    away = np.sqrt(18)
    expected = [(1 + np.exp(-5 / 2) + np.exp(-1 / 2)) / 3, (1 + np.exp(-5 / 2) + np.exp(-away / 2)) / 3]
    np.testing.assert_allclose(exact_density(points, queries, 2.0), expected, rtol=1e-12)
    gaussian = [(1 + np.exp(-25 / 8) + np.exp(-1 / 8)) / 3, (1 + np.exp(-25 / 8) + np.exp(-18 / 8)) / 3]
    np.testing.assert_allclose(exact_density(points, queries, 2.0, "gaussian"), gaussian, rtol=1e-12)


@pytest.mark.parametrize("kernel", ["laplacian", "gaussian"])
def test_blocks_and_bandwidths_do_not_matter(kernel, monkeypatch) -> None:
    points = np.random.default_rng(0).standard_normal((300, 3))
    whole = exact_densities(points, points, [0.7, 2.0], kernel)
    monkeypatch.setattr("emde.kernel.CELLS", 300 * 7)
    np.testing.assert_allclose(exact_densities(points, points, [0.7, 2.0], kernel), whole, rtol=1e-12)
    np.testing.assert_allclose(exact_density(points, points[5:8], 2.0, kernel), whole[1, 5:8], rtol=1e-12)


def test_near_points_keep_their_digits() -> None:
    """|x|^2 - 2 x.q + |q|^2 loses what two near points far from the centre differ by."""
    points = np.array([[1e4, 0.0], [1e4 + 1e-5, 0.0], [-3e4, 1.0]])
    expected = (1 + np.exp(-1e-5 / 1e-5)) / 3
    assert exact_density(points, points[:1], 1e-5)[0] == pytest.approx(expected, rel=1e-6)


def test_median_distance() -> None:
    points = np.random.default_rng(0).standard_normal((400, 5))
    distances = np.linalg.norm(points[:, None] - points, axis=2)[~np.eye(400, dtype=bool)]
    assert median_distance(points, np.random.default_rng(1)) == pytest.approx(np.median(distances), rel=0.01)


@pytest.mark.gpu
def test_gpu_agrees() -> None:
    points = np.random.default_rng(0).standard_normal((500, 8))
    on_gpu = exact_density(points, points, 0.5, device="cuda")
    np.testing.assert_allclose(on_gpu, exact_density(points, points, 0.5, device="cpu"), rtol=1e-10)
