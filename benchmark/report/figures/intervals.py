"""Dots with intervals: effects as a forest plot, and slices as small multiples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures.style import BLUE, GREEN, GREY, RED, panels, styled, titled


class Effect(NamedTuple):
    """A difference with its 95% interval.

    decided  whether it differs from 0 after Holm's correction
    """

    label: str
    mean: float
    low: float
    high: float
    decided: bool


@styled
def forest(columns: Mapping[str, Sequence[Effect]], axis: str, title: str) -> Figure:
    """Effects with their intervals, the first on top: green above 0, red below, grey where that is undecided.

    columns  heading -> effects, one panel each, effects of one label in one row
    """
    labels = list(dict.fromkeys(effect.label for effects in columns.values() for effect in effects))
    figure, grid = panels(1, len(columns), 6.2 if len(columns) == 1 else 4.2, 0.9 + 0.26 * len(labels), sharey=True)
    for axes, (heading, effects) in zip(grid[0], columns.items(), strict=True):
        _effects(axes, effects, labels, axis)
        axes.set_title(heading)
    return titled(figure, title)


@styled
def forests(effects: Mapping[str, Sequence[Effect]], axis: str, title: str) -> Figure:
    """A forest for every data set, below each other on one axis."""
    heights = [0.5 + 0.22 * len(part) for part in effects.values()]
    figure = Figure(figsize=(6.6, 0.5 + sum(heights)), layout="constrained")
    grid = figure.subplots(len(effects), 1, squeeze=False, sharex=True, height_ratios=heights)
    for (axes,), (name, part) in zip(grid, effects.items(), strict=True):
        _effects(axes, part, [effect.label for effect in part], "")
        axes.set_title(name)
    grid[-1][0].set_xlabel(axis)
    return titled(figure, title)


def _effects(axes: Axes, effects: Sequence[Effect], labels: Sequence[str], axis: str) -> None:
    for effect in effects:
        place = labels.index(effect.label)
        colour, marker = (GREY, "o") if not effect.decided else (GREEN, "^") if effect.mean > 0 else (RED, "v")
        axes.plot([effect.low, effect.high], [place, place], color=colour, linewidth=2)
        axes.plot(effect.mean, place, marker, color=colour, markersize=6)
    axes.axvline(0, color=GREY, linewidth=1, zorder=0)
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel=axis, ylim=(len(labels) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.2)


@styled
def small_multiples(values: Mapping[str, Mapping[str, float]], metric: str, title: str, first: str | None) -> Figure:
    """One panel per slice, a dot per method (best on average on top); the line is the method's mean over slices.

    values  label -> slice -> value
    """
    order = sorted(values, key=lambda label: -float(np.mean(list(values[label].values()))))
    names = list(dict.fromkeys(name for by_slice in values.values() for name in by_slice))
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
    return titled(figure, title)
