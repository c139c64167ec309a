"""Lines of several methods: a metric over k, per position and popularity, learning curves."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullLocator

from benchmark.experiments.headline import first_training
from benchmark.report.figures.style import GREY, letters, log_scale, looks, panels, styled, titled

NAMED = 8
"""Lines with a colour and a name; more would not be told apart, the rest is grey."""
COLUMNS = 4

OTHERS: dict[str, Any] = {"color": GREY, "alpha": 0.5, "linewidth": 1}

Lines = Mapping[str, Mapping[Any, float]]
"""Label -> x -> y."""
Handles = dict[str, Line2D]
"""Text of the legend -> a line of that look; said by hand, as matplotlib leaves out labels that begin with "_"."""


@styled
def metric_at_k(families: Mapping[str, Mapping[str, Mapping[int, float]]], title: str, first: str | None) -> Figure:
    """One panel per family of metrics (HR, MRR): a line per method over the length k of the list.

    first  the label of the method that stands out
    """
    figure, grid = panels(1, len(families), 3.6, 3.2)
    handles: Handles = {}
    named = _named(next(iter(families.values())), first)
    for axes, (family, lines) in zip(grid[0], families.items(), strict=True):
        ks = sorted({k for line in lines.values() for k in line})
        handles |= _draw(axes, lines, ks, ks, named)
        log_scale(axes, "x")
        axes.set(xlabel="k, length of the list", ylabel=f"{family}@k")
        axes.set_xticks(ks, [str(k) for k in ks])
        axes.xaxis.set_minor_locator(NullLocator())
    return _finish(figure, handles, title)


@styled
def by_group(
    groups: Mapping[str, Lines], metric: str, axis: Mapping[str, str], title: str, first: str | None
) -> Figure:
    """One panel per grouping (position, popularity, next item): a line per method over its groups, in their order.

    axis  grouping -> label of its axis
    """
    figure, grid = panels(1, len(groups), 3.6, 3.2, sharey=True)
    handles: Handles = {}
    named = _named(next(iter(groups.values())), first)
    for axes, (what, lines) in zip(grid[0], groups.items(), strict=True):
        names = max((list(line) for line in lines.values()), key=len)
        handles |= _draw(axes, lines, names, list(range(len(names))), named)
        axes.set_xlabel(axis[what])
        axes.set_xticks(range(len(names)), [name.replace(" ", "\n", 1) for name in names])
    grid[0][0].set_ylabel(metric)
    return _finish(figure, handles, title)


def _named(lines: Lines, first: str | None) -> dict[str, dict[str, Any]]:
    """The looks, in all panels, of the best lines of one panel (by their largest value) and of the first one."""
    order = sorted(lines, key=lambda label: (label != first, -max(lines[label].values(), default=0)))
    return looks(order[:NAMED], first)


def _draw(
    axes: Axes, lines: Lines, names: Sequence[Any], places: Sequence[float], named: Mapping[str, dict[str, Any]]
) -> Handles:
    """The lines with a look of their own, named, and the others grey, named together."""
    handles: Handles = {}
    others = [label for label in lines if label not in named]
    for label in (*(label for label in named if label in lines), *others):
        known = [(x, lines[label][name]) for x, name in zip(places, names, strict=True) if name in lines[label]]
        (line,) = axes.plot(*zip(*known, strict=True), label=label, **named.get(label, OTHERS))
        handles[label if label in named else f"{len(others)} others"] = line
    axes.grid(alpha=0.2)
    return handles


def _finish(figure: Figure, handles: Handles, title: str) -> Figure:
    for drawn in figure.axes:
        drawn.set_ylim(bottom=0)
    figure.legend(list(handles.values()), list(handles), loc="outside right center")
    return titled(figure, title)


@styled
def learning_curves(curves: Mapping[str, Sequence[Sequence[Mapping[str, float]]]], title: str) -> Figure:
    """A column of panels per method: loss over epochs and, where one was watched, the validation metric below.

    curves  label -> runs -> epochs -> {"epoch": ..., "loss": ..., "valid_mrr" or "valid_recall": ...}; thin lines are
            runs, the thick one their mean over the epochs that all have. A second training on all of train
            ("refit"), whose epochs the first one chose, is not drawn
    """
    curves = {label: [first_training(run) for run in runs] for label, runs in curves.items()}
    watched = [name for name in ("loss", "valid") if any(name in runs[0][0] for runs in curves.values())]
    columns = min(COLUMNS, len(curves))
    bands = -(-len(curves) // columns)
    width = 2.7
    figure, grid = panels(bands * len(watched), columns, width, 2.1)
    for axes in grid.flat:
        axes.set_visible(False)
    for index, (label, runs) in enumerate(curves.items()):
        for row, name in enumerate(watched):
            if not all(name in epoch for run in runs for epoch in run):
                continue
            axes = grid[index // columns * len(watched) + row, index % columns]
            axes.set_visible(True)
            _curve(axes, runs, name)
            axes.set_title(textwrap.fill(f"{label} ({len(runs)} runs)" if len(runs) > 1 else label, letters(width)))
    return titled(figure, title)


def _curve(axes: Axes, runs: Sequence[Sequence[Mapping[str, float]]], name: str) -> None:
    known = [[(row["epoch"], row[name]) for row in run] for run in runs]
    colour = looks([name])[name]["color"]
    for run in known if len(known) > 1 else []:
        axes.plot(*np.transpose(run), color=colour, alpha=0.25, linewidth=1)
    shared = min(len(run) for run in known)
    axes.plot(*np.mean([run[:shared] for run in known], axis=0).T, color=colour, marker="o", linewidth=2)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.set(xlabel="epoch", ylabel="training loss" if name == "loss" else "validation metric")
    axes.grid(alpha=0.2)
