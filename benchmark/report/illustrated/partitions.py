"""One partition is coarse; many of them intersect in small cells."""

from __future__ import annotations

import numpy as np

from benchmark.report.figures.style import GREY, RED, SEQUENTIAL, bare, panels, styled
from benchmark.report.illustrated.picture import Picture
from emde.coders import DLSH
from emde.density import SketchDensity

DEPTHS, BITS = (1, 4, 16, 128), 8
SIDE, PIXELS = 3.2, 260


def cloud(rng: np.random.Generator, n: int = 400) -> np.ndarray:
    """Points in the plane: two heaps and an arc."""
    angle = rng.uniform(0, np.pi, n // 2)
    arc = np.stack([2.2 * np.cos(angle), 2.2 * np.sin(angle) - 0.6], axis=1) + 0.12 * rng.standard_normal((n // 2, 2))
    heaps = rng.choice([[-1.2, -1.4], [1.0, -1.2]], n - n // 2) + 0.3 * rng.standard_normal((n - n // 2, 2))
    return np.concatenate([arc, heaps])


@styled
def picture() -> Picture:
    """The estimate of a sketch of 1, 4, 16 and 128 depths over the same points."""
    points = cloud(np.random.default_rng(0))
    axis = np.linspace(-SIDE, SIDE, PIXELS)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    figure, axes_grid = panels(1, len(DEPTHS), 2.6, 3.0)
    sizes = []
    for axes, n in zip(axes_grid[0], DEPTHS, strict=True):
        sketch = SketchDensity(n=n, k=BITS, seed=5).fit(points)
        assert isinstance(sketch.partition, DLSH)
        cells = cells_of(sketch.partition)
        sizes.append((n, cells, 2 * SIDE / np.sqrt(cells)))
        axes.imshow(
            sketch.query(grid).reshape(PIXELS, PIXELS), origin="lower", extent=[-SIDE, SIDE] * 2, cmap=SEQUENTIAL
        )
        axes.scatter(*points.T, s=2, color=RED if n == 1 else GREY, linewidths=0)
        bare(axes).set_title(f"N = {n}, {n << BITS:,} counters")
        axes.set_xlabel(f"{cells:,} cells of side {sizes[-1][2]:.2f}")
    first, last = sizes[0], sizes[-1]
    text = (
        f"One depth of K = {BITS} lines has {1 << BITS} counters, of which {first[1]} are a region of this window; "
        f"everything within one looks alike: the resolution is about {first[2]:.1f}.",
        f"The regions of several depths intersect. {last[0]} depths have {last[0] << BITS:,} counters and cut the "
        f"window into {last[1]:,} cells of side {last[2]:.2f}: counters grow with N, the number of cells with its "
        "square (in d dimensions with its d-th power). That is why many coarse partitions are better than one fine "
        "one.",
    )
    alt = "Estimated densities of 400 points by 1, 4, 16 and 128 depths: from a few polygons to a smooth map."
    return Picture("partitions", "One partition, then many: the resolution of intersections", text, alt, figure)


def cells_of(coder: DLSH) -> int:
    """Cells into which the lines v . r = b cut the window: 1 + lines in it + their crossings in it."""
    a, b = coder.directions.T.astype(np.float64), coder.bias.astype(np.float64)
    inside = np.abs(b) < SIDE * np.abs(a).sum(axis=1)
    a, b = a[inside], b[inside]
    i, j = np.triu_indices(len(b), 1)
    determinant = a[i, 0] * a[j, 1] - a[i, 1] * a[j, 0]
    x = (b[i] * a[j, 1] - b[j] * a[i, 1]) / determinant
    y = (a[i, 0] * b[j] - a[j, 0] * b[i]) / determinant
    return 1 + len(b) + int(np.count_nonzero((np.abs(x) < SIDE) & (np.abs(y) < SIDE)))
