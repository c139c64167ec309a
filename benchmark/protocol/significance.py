"""Paired tests over sessions or users, corrected for their number.

A unit's contribution is its share of the reported value, scaled so that the mean over units *is* the
reported value (a mean over points, then over slices). Hence the mean paired difference of two methods is
the difference that the table shows, and a unit counts as a whole however many points it has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05


@dataclass(frozen=True)
class Tested:
    """Two-sided tests of one column of paired differences."""

    difference: float
    low: float
    high: float
    effect: float | None
    units: int
    t_p: float
    wilcoxon_p: float


def contributions(sums: np.ndarray, points: np.ndarray, split: np.ndarray) -> np.ndarray:
    """Each unit's contribution to the mean over slices of the mean over points, float64 [units].

    sums    float [units], sum of the metric over the unit's points
    points  int [units]; split int [units], 0..n-1, the slice it belongs to
    """
    in_split = np.bincount(split, weights=points)
    return sums / in_split[split] * (len(sums) / np.count_nonzero(in_split))


def paired(ours: np.ndarray, theirs: np.ndarray) -> Tested:
    """t and Wilcoxon signed-rank tests of two columns of contributions, [units] each, in the same order."""
    d = ours - theirs
    n = len(d)
    mean, sd = float(d.mean()), float(d.std(ddof=1)) if n > 1 else 0.0
    error = sd / n**0.5
    if error == 0:
        p = 1.0 if mean == 0 else 0.0
        return Tested(mean, mean, mean, None, n, p, wilcoxon(d))
    half = float(stats.t.ppf(0.975, n - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, n - 1))
    return Tested(mean, mean - half, mean + half, mean / sd, n, p, wilcoxon(d))


def wilcoxon(d: np.ndarray) -> float:
    """Two-sided p of the signed-rank test: zeros dropped, normal approximation corrected for ties.

    As scipy.stats.wilcoxon(method="asymptotic", correction=False), which takes ten times as long.
    """
    d = d[np.abs(d) > 1e-12]
    n = len(d)
    if n == 0:
        return 1.0
    _, group, count = np.unique(np.round(np.abs(d), 12), return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[group]
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((count.astype(float) ** 3 - count).sum()) / 48
    z = (float(rank[d > 0].sum()) - n * (n + 1) / 4) / variance**0.5
    return float(2 * stats.norm.sf(abs(z)))


def holm(p: np.ndarray) -> np.ndarray:
    """p values corrected by Holm's step-down procedure, [tests]; NaN stays NaN and counts for nothing."""
    out = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    out[order] = np.minimum(1.0, np.maximum.accumulate(factors * p[order]))
    return out


def leaders(values: list[float | None], columns: list[np.ndarray | None]) -> list[str]:
    """ "best", "second" or "" for every row of one metric (larger is better).

    Best are the largest value and all that do not differ from it significantly (paired t, Holm-corrected
    over the rows); second the same among the rest. Without contributions only equal values are tied.
    """
    marks = [""] * len(values)
    for mark in ("best", "second"):
        rest = {i: value for i, value in enumerate(values) if value is not None and not marks[i]}
        if not rest:
            break
        top = max(rest, key=rest.__getitem__)
        others = [i for i in rest if i != top]
        p = np.array([1.0 if rest[i] == rest[top] else _p(columns[i], columns[top]) for i in others])
        tied = [i for i, corrected in zip(others, holm(p), strict=True) if corrected >= LEVEL]
        for i in [top, *tied]:
            marks[i] = mark
    return marks


def _p(ours: np.ndarray | None, theirs: np.ndarray | None) -> float:
    return paired(ours, theirs).t_p if ours is not None and theirs is not None else 0.0
