"""Why hyperplanes are cut at random quantiles: against zero and the median."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from benchmark.protocol.density_metrics import pearson
from benchmark.report.figures.style import BLUE, GREY, RED, bare, panels, styled
from benchmark.report.illustrated.picture import Picture
from emde.coders import DLSH
from emde.density import SketchDensity
from emde.kernel import bandwidth, exact_density

N, K, SEEDS = 1000, 7, 4
CHOICES: dict[float | None, str] = {None: "zero", 0.0: "the median", 0.5: "a random quantile"}
"""Spread of the thresholds -> its name."""
DEPTHS = 100
"""Whose regions are counted."""


@styled
def picture() -> Picture:
    """Above: twelve hyperplanes over a cloud beside the origin. Then estimates of the digits' densities, and how many
    digits the regions hold."""
    rng = np.random.default_rng(0)
    plane = np.concatenate([rng.normal((2, 1), 0.25, (60, 2)), rng.normal((3.2, 2.6), 0.7, (120, 2))])
    digits = load_digits().data / 16
    h = bandwidth(*digits.shape)
    truth = exact_density(digits, digits, h, device="cpu")
    figure, grid = panels(3, len(CHOICES), 3.2, 2.8)
    r: dict[float | None, float] = {}
    used: dict[float | None, float] = {}
    for (above, below, sizes), (spread, name) in zip(grid.T, CHOICES.items(), strict=True):
        draw_lines(above, plane, DLSH(plane, 1, 12, np.random.default_rng(2), spread))
        above.set_title(f"cut at {name}")
        estimates = [SketchDensity(n=N, k=K, spread=spread, seed=s).fit(digits).query(digits) for s in range(SEEDS)]
        r[spread] = float(np.mean([pearson(estimate, truth) for estimate in estimates]))
        below.scatter(truth, estimates[0], s=4, color=BLUE, alpha=0.4, linewidths=0)
        below.set_title(f"digits, N = {N:,}, K = {K}: r = {r[spread]:.2f}")
        below.set_xlabel(f"exact density (h = {h:.2f})")
        shares = region_shares(DLSH(digits, DEPTHS, K, np.random.default_rng(0), spread).encode(digits), 1 << K)
        used[spread] = float((shares > 0).sum(axis=1).mean())
        sizes.plot(np.arange(1, (1 << K) + 1), 100 * shares.mean(axis=0), color=BLUE)
        sizes.set_title(f"{used[spread]:.0f} of {1 << K} regions in use")
        sizes.set(xlabel="regions of a depth, largest first", ylim=(0, 25))
    grid[1, 0].set_ylabel("sketch's density")
    grid[2, 0].set_ylabel("% of the digits")
    text = (
        "A hyperplane asks on which side of a threshold a point's projection lies. Cut at zero, all planes pass "
        "through the origin: a cloud that lies beside it is hardly cut at all, and points are told apart by "
        "direction only. Cut at the median, every plane halves the points: it goes through the middle of the "
        "cloud, where regions become small and counts low, while the sparse outside falls into few large regions: "
        "the count hardly tells dense from sparse.",
        "Cut at the quantile of a random share, planes are everywhere, in proportion to the points: the chance "
        "that a plane separates two neighbours grows with how many points lie between them. That is what makes "
        "counts follow the density.",
        f"Below, the 1,797 handwritten digits (8 x 8 pixels), N = {N:,}, K = {K}: the correlation with the exact "
        f"density, mean of {SEEDS} seeds, is {r[None]:.2f} at zero, {r[0.0]:.2f} at the median and "
        f"{r[0.5]:.2f} at random quantiles.",
        f"A recommender asks for something else: that items can be told apart. Items of one region score alike at that "
        f"depth, and random quantiles put many into few regions: {used[0.5]:.0f} of {1 << K} are in use, the largest "
        f"far ahead (last row). Cut at the median, {used[0.0]:.0f} are, and none is large: so a recommender may "
        "want the thresholds that are the worst for densities (parameter spread).",
    )
    alt = (
        "Hyperplanes through the origin, through the middle, and spread over a cloud; scatter plots of estimates; "
        "sizes of regions."
    )
    return Picture("thresholds", "Why a random quantile", text, alt, figure)


def region_shares(codes: np.ndarray, width: int) -> np.ndarray:
    """Share of the points in the regions of every depth, largest first, float64 [N, W]; codes [points, N]."""
    cells = codes.astype(np.int64) + np.arange(codes.shape[1]) * width
    counts = np.bincount(cells.ravel(), minlength=codes.shape[1] * width).reshape(-1, width)
    return -np.sort(-counts, axis=1) / len(codes)


def draw_lines(axes, points: np.ndarray, coder: DLSH) -> None:
    """The points and the lines v . r = b of a coder in the plane."""
    axes.scatter(*points.T, s=5, color=GREY, linewidths=0)
    axes.plot(0, 0, marker="+", color="black", markersize=9)
    for direction, bias in zip(coder.directions.T, coder.bias, strict=True):
        foot = direction * bias / (direction @ direction)
        along = np.array([-direction[1], direction[0]]) / np.linalg.norm(direction)
        ends = foot + np.array([[-20.0], [20.0]]) * along
        axes.plot(*ends.T, color=RED, linewidth=0.9)
    bare(axes)
    axes.set(xlim=(-1.5, 5.5), ylim=(-1.5, 5), aspect="equal")
