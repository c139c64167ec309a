"""Why hyperplanes are cut at random quantiles: against zero and the median."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from benchmark.figures.style import BLUE, GREY, RED, bare, panels, styled
from benchmark.illustrated.picture import Picture
from benchmark.metrics_density import pearson
from emde.coders import DLSH, Threshold
from emde.density import SketchDensity
from emde.kernel import bandwidth, exact_density

N, K, SEEDS = 1000, 7, 4
CHOICES: dict[Threshold, str] = {"zero": "zero", "median": "the median", "quantile": "a random quantile"}


@styled
def picture() -> Picture:
    """Above: twelve hyperplanes over a cloud beside the origin. Below: estimates of the digits' densities."""
    rng = np.random.default_rng(0)
    plane = np.concatenate([rng.normal((2, 1), 0.25, (60, 2)), rng.normal((3.2, 2.6), 0.7, (120, 2))])
    digits = load_digits().data / 16
    h = bandwidth(*digits.shape)
    truth = exact_density(digits, digits, h, device="cpu")
    figure, grid = panels(2, len(CHOICES), 3.2, 2.8)
    r: dict[str, float] = {}
    for (above, below), (threshold, name) in zip(grid.T, CHOICES.items(), strict=True):
        draw_lines(above, plane, DLSH(plane, 1, 12, np.random.default_rng(2), threshold))
        above.set_title(f"cut at {name}")
        found = [SketchDensity(n=N, k=K, threshold=threshold, seed=s).fit(digits).query(digits) for s in range(SEEDS)]
        r[threshold] = float(np.mean([pearson(estimate, truth) for estimate in found]))
        below.scatter(truth, found[0], s=4, color=BLUE, alpha=0.4, linewidths=0)
        below.set_title(f"digits, N = {N:,}, K = {K}: r = {r[threshold]:.2f}")
        below.set_xlabel(f"exact density (h = {h:.2f})")
    grid[1, 0].set_ylabel("sketch's density")
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
        f"density, mean of {SEEDS} seeds, is {r['zero']:.2f} at zero, {r['median']:.2f} at the median and "
        f"{r['quantile']:.2f} at random quantiles.",
    )
    alt = (
        "Hyperplanes through the origin, through the middle, and spread over a cloud; scatter plots of estimates below."
    )
    return Picture("thresholds", "Why a random quantile", text, alt, figure)


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
