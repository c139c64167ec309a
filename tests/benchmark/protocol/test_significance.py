"""benchmark.protocol.significance: paired tests against scipy, Holm, and marks that respect ties."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.protocol.significance import contributions, holm, leaders, paired, wilcoxon


def columns(n: int = 400, seed: int = 0, shift: float = 0.25) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated columns with many ties, the first larger by ``shift`` on average."""
    rng = np.random.default_rng(seed)
    theirs = rng.integers(0, 4, n) / 4
    return theirs + shift + rng.integers(-2, 3, n) / 4, theirs


@pytest.mark.parametrize("seed", range(3))
def test_tests_are_scipys(seed: int) -> None:
    ours, theirs = columns(seed=seed)
    found = paired(ours, theirs)
    assert found.t_p == pytest.approx(stats.ttest_rel(ours, theirs).pvalue)
    expected = stats.wilcoxon(ours - theirs, method="asymptotic", correction=False, zero_method="wilcox")
    assert found.wilcoxon_p == pytest.approx(expected.pvalue)
    interval = stats.ttest_rel(ours, theirs).confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.effect == pytest.approx(found.difference / np.std(ours - theirs, ddof=1))


def test_float_noise_does_not_untie_ranks() -> None:
    d = np.tile([0.1 + 0.2, 0.3, -0.3, 0.3, 0.0], 20)
    assert d[0] != d[1]
    assert wilcoxon(d) == pytest.approx(stats.wilcoxon(np.round(d, 10), method="asymptotic", correction=False).pvalue)


def test_no_difference_at_all() -> None:
    column = np.arange(5.0)
    same = paired(column, column)
    assert (same.difference, same.t_p, same.wilcoxon_p, same.effect) == (0, 1, 1, None)
    moved = paired(column + 1, column)
    assert (moved.difference, moved.low, moved.high, moved.t_p) == (1, 1, 1, 0)


def test_the_mean_of_contributions_is_the_reported_value() -> None:
    """A mean over points in each slice, then over slices: as the tables compute it."""
    rng = np.random.default_rng(1)
    points, split = rng.integers(1, 9, 300), np.repeat([0, 1, 2], [200, 70, 30])
    sums = rng.random(300) * points
    reported = np.mean([sums[split == s].sum() / points[split == s].sum() for s in range(3)])
    assert contributions(sums, points, split).mean() == pytest.approx(reported)


def test_holm() -> None:
    """The textbook example: 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])) == pytest.approx([1, 1])
    with_gap = holm(np.array([0.01, np.nan, 0.02]))
    assert np.isnan(with_gap[1])
    assert with_gap[[0, 2]] == pytest.approx([0.02, 0.02])
    assert len(holm(np.zeros(0))) == 0


def test_marks_respect_ties() -> None:
    rng = np.random.default_rng(0)
    base = rng.random(2000)
    near, far, last = base + rng.normal(-0.001, 0.3, 2000), base - 0.1, base - 0.2
    own = [last, near, base, far]
    values: list[float | None] = [float(column.mean()) for column in own]
    assert leaders(values, list(own)) == ["", "best", "best", "second"]
    assert leaders([*values, None], [*own, None]) == ["", "best", "best", "second", ""]


def test_marks_without_values_per_unit_are_of_single_rows() -> None:
    assert leaders([0.3, 0.5, 0.4, 0.1], [None] * 4) == ["", "best", "second", ""]
    assert leaders([0.3, 0.5, 0.5, None], [None] * 4) == ["second", "best", "best", ""]
