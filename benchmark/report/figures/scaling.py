"""Scaling curves: cost of training and of a query while one size grows (``benchmark.speed.scaling``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from benchmark.report.figures.style import BLUE, GREEN, GREY, MARKERS, ORANGE, PURPLE, RED, log_scale, panels, styled

COLOURS = {"emde": BLUE, "emde codes": PURPLE, "vs-knn": ORANGE, "gru4rec": GREEN, "ease": RED}
NAMES = {
    "emde": "EMDE",
    "emde codes": "EMDE: graph and codes",
    "vs-knn": "VS-KNN",
    "gru4rec": "GRU4Rec",
    "ease": "EASE",
}
COSTS = (("train ms/example", "training, ms per example"), ("query ms/query", "recommending, ms per query"))


@styled
def curves(rows: Sequence[dict[str, Any]]) -> Figure:
    """A column of panels per size, training above and queries below; both scales logarithmic."""
    axes_names = list(dict.fromkeys(row["axis"] for row in rows))
    figure, grid = panels(2, len(axes_names), 2.3, 2.3, sharey="row", sharex="col")
    for column, name in enumerate(axes_names):
        for row, (cost, label) in enumerate(COSTS):
            axes = grid[row, column]
            for (method, colour), marker in zip(COLOURS.items(), MARKERS, strict=False):
                _line(axes, rows, method, name, cost, color=colour, marker=marker, label=NAMES[method])
            if cost.startswith("query"):
                _line(axes, rows, "emde", name, "lookup ms/query", color=GREY, marker="x", label="EMDE: look-up alone")
                axes.set_xlabel(name)
            log_scale(axes, "xy")
            first = next(one["method"] for one in rows if one["axis"] == name)  # the others' sizes would crowd
            sizes = sorted({one["size"] for one in rows if one["axis"] == name and one["method"] == first})
            axes.set_xticks(
                sizes, [f"{size:,}" if size < 1000 else f"{size:.0e}".replace("e+0", "e") for size in sizes]
            )
            axes.minorticks_off()
            axes.grid(alpha=0.2)
            if column == 0:
                axes.set_ylabel(label)
    handles = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles))
    return figure


def _line(axes: Any, rows: Sequence[dict[str, Any]], method: str, axis: str, cost: str, **look: Any) -> None:
    points = [(row["size"], row[cost]) for row in rows
              if (row["method"], row["axis"]) == (method, axis) and row.get(cost)]  # fmt: skip
    if points:
        axes.plot(*zip(*points, strict=True), **look)
