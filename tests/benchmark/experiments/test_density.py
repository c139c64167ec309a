"""Metrics, the grid of Figure 4, the cache of exact densities, the figures and the illustrated page."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats

from benchmark.experiments import exact
from benchmark.experiments.density import normalised
from benchmark.experiments.density_grid import pearson_grid, region_counts
from benchmark.protocol import density_metrics
from benchmark.report.figures import density as figures
from benchmark.report.figures.style import rendered
from benchmark.report.illustrated import page as illustrated
from contracts import UserError
from contracts.runtime.cache import VARIABLE
from emde.coders import DLSH
from emde.kernel import exact_densities


def cloud(n: int = 200, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 5)).astype(np.float32)


def test_correlations_agree_with_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(50), rng.integers(0, 9, 50).astype(float)
    assert density_metrics.pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic)
    assert density_metrics.spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic)
    assert density_metrics.pearson(np.ones(50), b) == 0


def test_best_scale_is_the_best() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(40) + 0.1
    estimate = truth * rng.lognormal(0, 0.5, 40) * 7
    estimate[:3] = 0
    best = density_metrics.relative_error(estimate, truth)
    tried = [np.mean(np.abs(s * estimate - truth) / truth) for s in np.geomspace(0.001, 10, 4000)]
    assert best <= min(tried) + 1e-12
    assert best == pytest.approx(min(tried), abs=1e-3)
    assert density_metrics.relative_error(5 * truth, truth) == pytest.approx(0)
    assert density_metrics.relative_error(0 * truth, truth) == 1


def test_summary() -> None:
    assert density_metrics.summary([1.0, 3.0]) == {"mean": 2.0, "sd": pytest.approx(2**0.5), "seeds": [1.0, 3.0]}
    assert density_metrics.summary([1.0])["sd"] is None


def test_grid_is_the_correlation_of_sketches_over_the_same_planes(monkeypatch) -> None:
    """By hand, depth after depth; blocks of depths as DLSH is asked for them."""
    monkeypatch.setattr("benchmark.experiments.density_grid.DEPTHS", 3)
    points, queries = cloud(), np.arange(0, 200, 3)
    truths = exact_densities(points, points[queries], [0.5, 2.0])
    found = pearson_grid(points, queries, truths, [1, 4, 5], [2, 5], np.random.default_rng(7))
    rng = np.random.default_rng(7)
    codes = np.concatenate([DLSH(points, depths, 5, rng).encode(points) for depths in (1, 3, 1)], axis=1)
    for row, n in enumerate((1, 4, 5)):
        for column, k in enumerate((2, 5)):
            low = codes[:, :n] % (1 << k)
            counts = np.array([(low == low[query]).sum() for query in queries])
            for which, truth in enumerate(truths):
                assert found[which, row, column] == pytest.approx(np.corrcoef(counts, truth)[0, 1])


def test_region_counts() -> None:
    codes = np.array([[0, 1], [0, 0], [1, 1]], np.uint8)
    np.testing.assert_array_equal(region_counts(codes, 2, np.array([0, 2])), [4, 3])


def test_exact_densities_are_computed_once(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    points = cloud()
    first = exact.densities(points, points[:9], [0.5])
    np.testing.assert_array_equal(first, exact_densities(points, points[:9], [0.5]))
    (path,) = (tmp_path / "density").iterdir()
    monkeypatch.setattr("emde.kernel.exact_densities", lambda *_: pytest.fail("computed again"))
    np.testing.assert_array_equal(exact.densities(points, points[:9], [0.5]), first)
    monkeypatch.undo()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    path.write_bytes(path.read_bytes()[:-5])
    np.testing.assert_array_equal(exact.densities(points, points[:9], [0.5]), first)
    assert "computing it again" in caplog.text
    moved = points.copy()
    moved[0, 0] += 1
    for changed in ((moved, points[:9], [0.5]), (points, points[:8], [0.5]), (points, points[:9], [0.6])):
        exact.densities(*changed)
    exact.densities(points, points[:9], [0.5], "gaussian")
    assert len(list((tmp_path / "density").iterdir())) == 5


def test_normalised() -> None:
    points = cloud() * np.array([1, 10, 0.1, 3, 0]) + 5
    assert normalised(points, False).dtype == np.float32
    np.testing.assert_array_equal(normalised(points, False), points.astype(np.float32))
    np.testing.assert_allclose(normalised(points, True).std(axis=0), [1, 1, 1, 1, 0], atol=1e-3)


def result(data: str) -> dict:
    cells = [{"n": n, "k": k, "pearson": {"mean": n / 20 + k / 100, "sd": 0.1}} for n in (1, 10) for k in (3, 7)]
    sweep = [{"h": share, "of_median": share, "self_share": 0.6 - share, "rows": cells[2:]} for share in (0.05, 0.5)]
    return {"data": data, "points": 100, "dim": 3, "h": 0.4, "median_distance": 2.0, "grid": cells, "sweep": sweep}


@pytest.mark.parametrize("draw", [figures.figure_4, figures.bandwidth_figure])
def test_figures_have_a_panel_per_data_set(draw) -> None:
    figure = draw([result(name) for name in ("a", "b", "c", "d")])
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title(loc="left")[:1] for axes in shown] == ["a", "b", "c", "d"]
    lines = {line.get_label(): line.get_ydata() for line in shown[0].get_lines()}
    assert {"K = 3", "K = 7"} <= set(lines)
    np.testing.assert_allclose(lines["K = 7"][-1], 0.57)
    assert all(axes.get_xlabel() for axes in shown)
    again = draw([result(name) for name in ("a", "b", "c", "d")])
    assert rendered(figure, "png") == rendered(again, "png")
    with pytest.raises(UserError, match="expected results of the stage density, found none"):
        draw([])


@pytest.mark.slow
def test_illustrated_page(tmp_path, project) -> None:
    page = illustrated.write(tmp_path).read_text()
    text = (tmp_path / "README.md").read_text()
    names = re.findall(r"!\[[^\]]+\]\((\w+)\.png\)", text)
    assert names == ["globe", "partitions", "thresholds", "purchases", "count_min", "gmean"]
    kept = (project / "docs/illustrated/README.md").read_text()
    shown = [re.findall(r"^(?:#|!).*", of, re.MULTILINE) for of in (kept, text)]
    assert shown[0] == shown[1], "docs/illustrated is of other code: emde illustrated --out docs/illustrated"
    assert page.count("data:image/png;base64,") == len(names)
    assert not re.search(r"(src|href)=.?https?:|<script|@import", page)
    thresholds = re.search(r"is ([.\d]+) at zero, ([.\d]+) at the median and ([.\d]+) at random", text)
    assert thresholds is not None
    np.testing.assert_allclose([float(r) for r in thresholds.groups()], [0.77, 0.22, 0.95], atol=0.02)
    for name in names:
        assert (tmp_path / f"{name}.png").stat().st_size < 400_000
