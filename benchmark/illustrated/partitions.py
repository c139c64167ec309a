"""One partition is coarse; many of them intersect in small cells."""

from __future__ import annotations

import numpy as np

from benchmark.figures.style import GREY, RED, SEQUENTIAL, bare, panels, styled
from benchmark.illustrated.picture import Picture
from emde.density import SketchDensity

DEPTHS, BITS = (1, 2, 8, 32), 6
SIDE, PIXELS = 3.2, 260


def cloud(rng: np.random.Generator, n: int = 400) -> np.ndarray:
    """Points in the plane: two heaps and an arc."""
    angle = rng.uniform(0, np.pi, n // 2)
    arc = np.stack([2.2 * np.cos(angle), 2.2 * np.sin(angle) - 0.6], axis=1) + 0.12 * rng.standard_normal((n // 2, 2))
    heaps = rng.choice([[-1.2, -1.4], [1.0, -1.2]], n - n // 2) + 0.3 * rng.standard_normal((n - n // 2, 2))
    return np.concatenate([arc, heaps])


@styled
def picture() -> Picture:
    """The estimate of a sketch of 1, 2, 8 and 32 depths over the same points."""
    points = cloud(np.random.default_rng(0))
    axis = np.linspace(-SIDE, SIDE, PIXELS)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    figure, axes_grid = panels(1, len(DEPTHS), 2.6, 3.0)
    sizes = []
    for axes, n in zip(axes_grid[0], DEPTHS, strict=True):
        sketch = SketchDensity(n=n, k=BITS, seed=5).fit(points)
        codes = sketch.partition.encode(grid)
        cells, areas = np.unique(codes, axis=0, return_counts=True)
        around = np.average(np.sqrt(areas), weights=areas) * 2 * SIDE / PIXELS  # of the cell of a random pixel
        sizes.append((n, len(cells), around))
        axes.imshow(
            sketch.query(grid).reshape(PIXELS, PIXELS), origin="lower", extent=[-SIDE, SIDE] * 2, cmap=SEQUENTIAL
        )
        axes.scatter(*points.T, s=2, color=RED if n == 1 else GREY, linewidths=0)
        bare(axes).set_title(f"N = {n}, {n << BITS} counters")
        axes.set_xlabel(f"{len(cells):,} cells, side {around:.2f}")
    first, last = sizes[0], sizes[-1]
    text = (
        f"One depth of K = {BITS} lines has {1 << BITS} counters, of which {first[1]} are a region of this window; "
        f"everything within one looks alike, so that a place cannot be told from another one {first[2]:.1f} away.",
        f"The regions of several depths intersect. {last[0]} depths have {last[0] << BITS:,} counters and cut the "
        f"window into {last[1]:,} cells of side {last[2]:.2f}: counters grow with N, the number of cells with its "
        "square (in d dimensions with its d-th power). That is why many coarse partitions are better than one fine "
        "one.",
    )
    alt = (
        "Estimated densities of 400 points by 1, 2, 8 and 32 depths: from a few polygons to a smooth map of the points."
    )
    return Picture("partitions", "One partition, then many: the resolution of intersections", text, alt, figure)
