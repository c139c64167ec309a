"""How the depths of a sketch become one score: geometric mean, minimum, mean."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score

from benchmark.report.figures.style import BLUE, GREEN, MARKERS, ORANGE, log_scale, panels, styled
from benchmark.report.illustrated.picture import Picture
from emde.density import Aggregate, SketchDensity, combine

NS, K, SHOWN, SEEDS = (1, 3, 10, 30, 100), 5, 10, 5
FLOOR = 1e-3
"""Added to every share, as the recommender does: one empty region must not make a product zero."""
WAYS: dict[Aggregate, str] = {"gmean": "geometric mean", "min": "minimum", "mean": "mean"}


@styled
def picture() -> Picture:
    """Average precision of finding a user's kind of digit among all, from a sketch of ten examples."""
    points, labels = load_digits(return_X_y=True)
    precisions = np.array([precision(points / 16, labels, seed) for seed in range(SEEDS)])  # [seeds, N, ways]
    figure, grid = panels(1, 1, 5.6, 3.2)
    axes = grid[0, 0]
    for way, (name, colour, marker) in enumerate(zip(WAYS.values(), (BLUE, ORANGE, GREEN), MARKERS, strict=False)):
        mean, sd = precisions[:, :, way].mean(0), precisions[:, :, way].std(0, ddof=1)
        axes.plot(NS, mean, color=colour, marker=marker, label=name)
        axes.fill_between(NS, mean - sd, mean + sd, color=colour, alpha=0.15, linewidth=0)
    log_scale(axes, "x")
    axes.set(xlabel="N, number of depths", ylabel="mean average precision")
    axes.set_xticks(NS, [str(n) for n in NS])
    axes.minorticks_off()
    axes.grid(alpha=0.2)
    axes.legend()
    best = dict(zip(WAYS, precisions.mean(0)[-1], strict=True))
    text = (
        f"A user has chosen {SHOWN} pictures of one digit; which of the other 1,787 are of the same kind? The "
        "sketch of the ten is looked up at every picture: N shares, one per depth. Count-min would take their "
        "minimum, because there an error can only be an excess. Here an error can be a lack, too: one hyperplane "
        "that happens to part a good item from the ten makes the minimum zero, whatever the other depths say.",
        "The geometric mean multiplies the evidence of all depths, as if they were independent: a single bad depth "
        "costs a factor, not everything, and low shares count for more than in the mean. Mean average precision "
        f"with N = {NS[-1]} depths of K = {K} bits, over ten digits and {SEEDS} seeds: geometric mean "
        f"{best['gmean']:.2f}, mean {best['mean']:.2f}, minimum {best['min']:.2f}.",
    )
    alt = "Mean average precision over the number of depths: geometric mean above mean, and both above the minimum."
    return Picture("gmean", "Geometric mean against minimum", text, alt, figure)


def precision(points: np.ndarray, labels: np.ndarray, seed: int) -> np.ndarray:
    """Mean over the ten digits of the average precision: float64 [N, ways]."""
    rng = np.random.default_rng(seed)
    out = np.zeros((len(NS), len(WAYS)))
    for row, n in enumerate(NS):
        empty = SketchDensity(n=n, k=K, seed=seed).fit(points).like()
        for digit in range(10):
            shown = rng.choice(np.flatnonzero(labels == digit), SHOWN, replace=False)
            others = np.setdiff1d(np.arange(len(points)), shown)
            sketch = empty.like().partial_fit(points[shown])
            shares = sketch.counts_at(points[others]) / SHOWN + FLOOR
            for column, way in enumerate(WAYS):
                out[row, column] += average_precision_score(labels[others] == digit, combine(shares, way)) / 10
    return out
