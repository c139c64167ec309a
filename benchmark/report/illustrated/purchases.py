"""A sketch adds up what a user buys."""

from __future__ import annotations

import numpy as np

from benchmark.report.figures.style import INK, RED, SEQUENTIAL, panels, styled
from benchmark.report.illustrated.picture import Picture
from emde.density import SketchDensity

CATALOGUE = {
    "tent": (0.9, 0.2), "sleeping bag": (0.8, 0.1), "camp stove": (0.85, 0.32), "hiking boots": (0.72, 0.2),
    "rucksack": (0.68, 0.08), "rain jacket": (0.6, 0.24), "road bike": (0.95, 0.62), "bike helmet": (0.84, 0.56),
    "running shoes": (0.62, 0.46), "yoga mat": (0.45, 0.55), "dumbbells": (0.5, 0.68), "whisk": (0.12, 0.2),
    "frying pan": (0.2, 0.12), "chef's knife": (0.15, 0.32), "cookbook": (0.28, 0.26), "espresso machine": (0.25, 0.42),
    "tea kettle": (0.1, 0.46), "novel": (0.2, 0.75), "poetry": (0.08, 0.84), "travel guide": (0.5, 0.3),
    "sketchbook": (0.3, 0.88), "watercolours": (0.42, 0.92), "headphones": (0.6, 0.85), "guitar": (0.72, 0.92),
}  # fmt: skip
"""Items with a place on an imagined map of taste: near ones are bought by the same people."""
BOUGHT = ("tent", "hiking boots", "camp stove", "cookbook")
N, K = 8, 3


@styled
def picture() -> Picture:
    """The map with the purchases; the sketch after one, two and all of them; the density of every item."""
    names, places = list(CATALOGUE), np.array(list(CATALOGUE.values()))
    bought = np.array([names.index(name) for name in BOUGHT])
    empty = SketchDensity(n=N, k=K, seed=3).fit(places).like()
    parts = [empty.like().partial_fit(places[[item]]) for item in bought]
    figure, grid = panels(1, 5, 2.0, 3.6, width_ratios=[3.2, 1, 1, 1, 3.2])
    whole = empty.like()
    for axes, stop in zip(grid[0, 1:4], (1, 2, len(bought)), strict=True):
        while whole.total < stop:
            whole.merge(parts[int(whole.total)])
        draw_sketch(axes, whole.counts, len(bought))
        axes.set_title(f"{stop} bought", fontsize=9)
    grid[0, 1].set_ylabel("depth")
    density = whole.query(places)
    for axes, title in ((grid[0, 0], "the catalogue; ringed: bought"), (grid[0, 4], "density from the sketch")):
        values = np.zeros(len(places)) if axes is grid[0, 0] else density
        axes.scatter(*places.T, c=values, cmap=SEQUENTIAL, vmax=density.max(), s=40)
        axes.scatter(*places[bought].T, s=110, facecolors="none", edgecolors=RED, linewidths=1.5)
        for name, (x, y) in CATALOGUE.items():
            axes.annotate(name, (x, y), xytext=(0, 6), textcoords="offset points", ha="center", fontsize=6.5, color=INK)
        axes.set(title=title, xlim=(-0.06, 1.08), ylim=(0, 1.02), xticks=[], yticks=[])
    ranked = [names[item] for item in np.argsort(-density, kind="stable") if item not in bought]
    text = (
        f"Items have places, here on an imagined map of taste. {N} depths of {1 << K} regions were cut once, for "
        "all users. A user's sketch is a table of counters: each purchase adds one to a single counter of every "
        "depth.",
        "Sketches add up. That of a month is the sum of those of its days; a returned item is subtracted; what "
        "lies in the past can be faded by a factor. The size never changes: a user of four purchases and one of "
        "four thousand have sketches of the same size, which a network can take as its input.",
        "Looked up at every item (right), the sketch says how much this user's purchases concentrate there. The "
        f"best items not bought yet: {', '.join(ranked[:3])}; the worst: {', '.join(ranked[-2:])}.",
    )
    alt = (
        "A map of 24 items with four purchases, the counters after one, two and four, and the resulting item densities."
    )
    return Picture("purchases", "A sketch adds up a user's purchases", text, alt, figure)


def draw_sketch(axes, counts: np.ndarray, top: float) -> None:
    """A table of counters with their values."""
    axes.imshow(counts, cmap="Blues", vmin=0, vmax=1.3 * top, aspect="auto")
    for depth, region in np.argwhere(counts):
        axes.text(region, depth, f"{counts[depth, region]:.0f}", ha="center", va="center", fontsize=7)
    axes.set(xticks=[], yticks=[], xlabel="region")
