"""Dots with intervals: effects as a forest plot, and slices as small multiples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from benchmark.figures.style import BLUE, GREEN, GREY, RED, panels, styled

Effect = tuple[str, float, float, float]
"""(label, mean, low, high)"""


@styled
def forest(effects: Sequence[Effect], axis: str, title: str) -> Figure:
    """Effects with their intervals, the first on top: green above 0, red below, grey where 0 is inside."""
    figure, grid = panels(1, 1, 6.2, 0.9 + 0.26 * len(effects))
    axes = grid[0][0]
    for place, (_, mean, low, high) in enumerate(effects):
        colour, marker = (GREEN, "^") if low > 0 else (RED, "v") if high < 0 else (GREY, "o")
        axes.plot([low, high], [place, place], color=colour, linewidth=2)
        axes.plot(mean, place, marker, color=colour, markersize=6)
    axes.axvline(0, color=GREY, linewidth=1, zorder=0)
    axes.set_yticks(range(len(effects)), [label for label, *_ in effects])
    axes.set(xlabel=axis, ylim=(len(effects) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.2)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


@styled
def small_multiples(values: Mapping[str, Mapping[str, float]], metric: str, title: str, first: str | None) -> Figure:
    """One panel per slice, a dot per method (best on average on top); the line is the method's mean over slices.

    values  label -> slice -> value
    """
    order = sorted(values, key=lambda label: -float(np.mean(list(values[label].values()))))
    names = list(dict.fromkeys(name for found in values.values() for name in found))
    figure, grid = panels(1, len(names), 1.9, 1.1 + 0.22 * len(order), sharex=True, sharey=True)
    for axes, name in zip(grid[0], names, strict=True):
        for place, label in enumerate(order):
            colour = BLUE if label == first else GREY
            mean = float(np.mean(list(values[label].values())))
            axes.plot([mean, mean], [place - 0.35, place + 0.35], color=colour, linewidth=1)
            if name in values[label]:
                axes.plot(values[label][name], place, "o", color=colour, markersize=5)
        axes.set_title(f"slice {name}")
        axes.set_xlabel(metric)
        axes.grid(axis="x", alpha=0.2)
    grid[0][0].set_yticks(range(len(order)), order)
    grid[0][0].invert_yaxis()
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure
