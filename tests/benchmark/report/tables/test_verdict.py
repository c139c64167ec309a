"""Verdicts: deterministic methods by tolerance, seeded ones by the interval over seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.report.tables.model import Expected, Verdict
from benchmark.report.tables.verdict import Tolerance, judge, over_seeds, t_interval

TOLERANCE = Tolerance(absolute=0.001, close=0.05)


def published(value: float) -> Expected:
    return Expected(value=value, source="a paper", origin="paper")


@pytest.mark.parametrize(
    ("ours", "expected", "verdict"),
    [
        (0.3524, 0.3524, Verdict.REPRODUCED),
        (0.35344, 0.3524, Verdict.REPRODUCED),  # 0.00104 = tolerance and rounding
        (0.3536, 0.3524, Verdict.CLOSE),
        (0.3348, 0.3524, Verdict.CLOSE),
        (0.3346, 0.3524, Verdict.DIFFERS),
        (0.0030, 0.0020, Verdict.DIFFERS),  # within 0.001, yet half as much again
        (0.00214, 0.0020, Verdict.REPRODUCED),
    ],
)
def test_one_run(ours: float, expected: float, verdict: Verdict) -> None:
    assert judge(ours, published(expected), TOLERANCE, None)[0] == verdict


def test_seeds_decide_by_their_interval() -> None:
    seeds = over_seeds({"0": 0.350, "1": 0.352, "2": 0.354})
    assert seeds is not None
    half = stats.t.ppf(0.975, 2) * 0.002 * np.sqrt(1 + 1 / 3)
    assert (seeds.sd, seeds.low, seeds.high) == pytest.approx((0.002, 0.352 - half, 0.352 + half))
    assert judge(0.352, published(0.3610), TOLERANCE, seeds)[0] == Verdict.REPRODUCED
    assert judge(0.352, published(0.3640), TOLERANCE, seeds) == (
        Verdict.CLOSE, "within 5%, outside the 95% interval of 3 seeds",
    )  # fmt: skip
    assert judge(0.352, published(0.3800), TOLERANCE, seeds)[0] == Verdict.DIFFERS


def test_wild_seeds_reproduce_nothing() -> None:
    seeds = over_seeds({"0": 0.1, "1": 0.6})
    assert judge(0.35, published(0.5), TOLERANCE, seeds)[0] == Verdict.DIFFERS


def test_one_seed_has_no_interval() -> None:
    assert over_seeds({"0": 0.35}) is None
    assert over_seeds({"0": 0.35, "1": 0.35}) is None  # a seed that changes nothing


def test_equal_or_not() -> None:
    exact = Tolerance(absolute=0, close=0, rounding=0)
    assert judge(0.95, published(0.95), exact, None) == (Verdict.REPRODUCED, "equal")
    assert judge(0.9, published(0.95), exact, None) == (Verdict.DIFFERS, "not equal")


def test_t_interval_is_scipys() -> None:
    values = [0.1, 0.2, 0.4, 0.3]
    sd, low, high = t_interval(values)
    expected = stats.ttest_1samp(values, 0).confidence_interval()
    assert (sd, low, high) == pytest.approx((np.std(values, ddof=1), expected.low, expected.high))
