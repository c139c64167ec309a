"""Figure 4 (r over N and K) and how r depends on the bandwidth, from the JSON of the stage ``density``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmark.report.figures.style import GREY, MARKERS, log_scale, ordered_colours, panels, styled
from contracts import UserError

COLUMNS = 3
"""Panels side by side."""


@styled
def figure_4(results: Sequence[dict[str, Any]]) -> Figure:
    """One panel per data set: r over N, a line per K, bands of one standard deviation between seeds."""

    def draw(axes: Axes, result: dict[str, Any]) -> None:
        for (k, cells), colour, marker in _lines(result["grid"]):
            mean, sd = _bands(cells)
            ns = [cell["n"] for cell in cells]
            axes.plot(ns, mean, color=colour, marker=marker, label=f"K = {k}")
            axes.fill_between(ns, mean - sd, mean + sd, color=colour, alpha=0.12, linewidth=0)
        log_scale(axes, "x")
        axes.set_title(f"{result['data']}\n{result['points']:,} x {result['dim']}, h = {result['h']:.3g}")

    return _figure(results, draw, "N, number of depths", "figure 4")


@styled
def bandwidth_figure(results: Sequence[dict[str, Any]]) -> Figure:
    """One panel per data set: r at the largest N over the bandwidth, a line per K; the table's h is marked."""

    def draw(axes: Axes, result: dict[str, Any]) -> None:
        shares = [step["of_median"] for step in result["sweep"]]
        by_k = [{**row, "share": step["of_median"]} for step in result["sweep"] for row in step["rows"]]
        for (k, cells), colour, marker in _lines(by_k):
            mean, sd = _bands(cells)
            axes.plot(shares, mean, color=colour, marker=marker, label=f"K = {k}")
            axes.fill_between(shares, mean - sd, mean + sd, color=colour, alpha=0.12, linewidth=0)
        log_scale(axes, "x")
        axes.axvline(result["h"] / result["median_distance"], color=GREY, linestyle="--", linewidth=1, zorder=0,
                     label="h of the table")  # fmt: skip
        lonely = [share for share, step in zip(shares, result["sweep"], strict=True) if step["self_share"] > 0.5]
        if lonely:
            axes.axvspan(min(shares) / 1.2, max(lonely) * 1.1, color=GREY, alpha=0.15, linewidth=0,
                         label="own term > half")  # fmt: skip
        axes.set_title(f"{result['data']}: N = {by_k[0]['n']:,}")

    swept = [result for result in results if result["sweep"]]
    return _figure(swept, draw, "bandwidth h / median distance", "the bandwidth")


def _figure(results: Sequence[dict[str, Any]], draw, x: str, what: str) -> Figure:
    if not results:
        raise UserError(f"{what}: expected results of the stage density, found none; run: emde density --data NAME")
    columns = min(COLUMNS, len(results))
    rows = -(-len(results) // columns)
    figure, grid = panels(rows, columns, 3.3, 2.7, sharey=True)
    for axes, result in zip(grid.flat, results, strict=False):
        draw(axes, result)
        axes.axhline(0, color=GREY, linewidth=0.6, zorder=0)
        axes.grid(alpha=0.2)
        axes.set_xlabel(x)
        axes.set_ylim(-0.15, 1.02)
    for axes in grid.flat[len(results) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("Pearson r with the exact density")
    handles = {
        label: handle for axes in grid.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    title = "mean of seeds,\nband: one sd"
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", title=title, alignment="left")
    return figure


def _lines(cells: Sequence[dict[str, Any]]):
    ks = sorted({cell["k"] for cell in cells})
    grouped = [(k, [cell for cell in cells if cell["k"] == k]) for k in ks]
    return zip(grouped, ordered_colours(len(ks)), MARKERS, strict=False)


def _bands(cells: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    correlations = [cell["pearson"] for cell in cells]
    return np.array([value["mean"] for value in correlations]), np.array([value["sd"] or 0.0 for value in correlations])
