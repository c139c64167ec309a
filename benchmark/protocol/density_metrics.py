"""Metrics of a density estimate against the exact density, and their summary over seeds (Table 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata


def pearson(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Pearson's r over queries; 0 where the estimate is constant."""
    a, b = estimate - estimate.mean(), truth - truth.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / norm) if norm > 0 else 0.0


def spearman(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Spearman's rank correlation: Pearson's r of the ranks, ties averaged."""
    return pearson(rankdata(estimate), rankdata(truth))


def best_scale(estimate: np.ndarray, truth: np.ndarray) -> float:
    """The factor s >= 0 with the least mean |s estimate - truth| / truth: a weighted median of truth / estimate."""
    ratio = estimate / truth
    ratio = np.sort(ratio[ratio > 0])[::-1]  # 1 / ratio ascending
    if not len(ratio):
        return 0.0
    half = np.searchsorted(np.cumsum(ratio), ratio.sum() / 2)
    return float(1 / ratio[min(half, len(ratio) - 1)])


def relative_error(estimate: np.ndarray, truth: np.ndarray) -> float:
    """Mean |s estimate - truth| / truth at the best scale s: sketches know densities up to a factor only."""
    return float(np.mean(np.abs(best_scale(estimate, truth) * estimate - truth) / truth))


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "pearson": pearson,
    "spearman": spearman,
    "relative_error": relative_error,
}


def summary(values: Sequence[float]) -> dict[str, Any]:
    """{"mean", "sd" (between seeds; None for one), "seeds": every value}."""
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd, "seeds": [float(value) for value in values]}
