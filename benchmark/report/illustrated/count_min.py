"""What a count-min sketch answers, and what EMDE does: the same counters over other partitions."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from benchmark.protocol.density_metrics import pearson
from benchmark.report.figures.style import BLUE, ORANGE, panels, styled
from benchmark.report.illustrated.picture import Picture
from emde.density import SketchDensity
from emde.kernel import bandwidth, exact_density

N, K = 200, 9


@styled
def picture() -> Picture:
    """Half of the digits are sold, a few often; asked: how often this one, and how much around an unseen one."""
    rng = np.random.default_rng(0)
    digits = rng.permutation(load_digits().data / 16)
    items, unseen = np.split(digits, [len(digits) // 2])
    sold = np.minimum(rng.zipf(1.8, len(items)), 60).astype(float)
    events = np.repeat(items, sold.astype(int), axis=0)
    around = exact_density(events, unseen, bandwidth(*digits.shape), device="cpu")
    sketches = {
        "count-min": SketchDensity(n=N, k=K, coder="random", aggregate="min").fit(items, sold),
        "EMDE": SketchDensity(n=N, k=K).fit(items, sold),
    }
    figure, grid = panels(2, 2, 3.6, 2.7)
    r = {}
    for row, colour, (name, sketch) in zip(grid, (ORANGE, BLUE), sketches.items(), strict=True):
        for axes, queries, truth in zip(row, (items, unseen), (sold, around), strict=True):
            estimate = sketch.query(queries) * sketch.total
            r[name, axes is row[0]] = pearson(estimate, truth)
            axes.scatter(truth, estimate, s=6, color=colour, alpha=0.5, linewidths=0)
            axes.set_title(f"{name}: r = {r[name, axes is row[0]]:.2f}")
        row[0].set_ylabel("answer of the sketch")
    grid[1, 0].set_xlabel("sales of this very item")
    grid[1, 1].set_xlabel("exact density of sales around an unseen item")
    text = (
        f"Both sketches have {N} x {1 << K} counters and add the same {len(events):,} sales. They differ in where a "
        "sale is counted. Count-min takes a random region per item and answers with the least of its counters: it "
        f"knows how often each item was sold (r = {r['count-min', True]:.2f}), and nothing about an item it never "
        f"saw (r = {r['count-min', False]:.2f}): similar items share no counters.",
        "EMDE's regions are pieces of the space of item vectors, and it answers with the mean. It does not know "
        f"single items (r = {r['EMDE', True]:.2f}), but how much was sold around a place (r = "
        f"{r['EMDE', False]:.2f}), the place of an unseen item included. The paper's best models use both: item "
        "vectors, and one modality of random codes.",
    )
    alt = "Scatter plots: count-min is exact for items sold and blind for unseen ones; EMDE the other way round."
    return Picture("count_min", "Count-min against EMDE", text, alt, figure)
