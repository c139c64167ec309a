"""Accuracy against cost, with the front of the methods that no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from matplotlib.transforms import Bbox

from benchmark.report.figures.style import BLUE, GREY, ORANGE, log_scale, panels, styled, titled

Side = Literal["left", "center", "right"]
BESIDE: tuple[tuple[float, Side], ...] = ((5, "left"), (-5, "right"), (0, "center"))
OFFSETS = [(dx, dy, side) for dy in (0, 9, -9, 18, -18, 27, -27) for dx, side in BESIDE if dx or dy]
"""Where a label may stand, in points from its dot; the first place without an overlap is taken."""

NAMED = 40
"""Most methods of a panel that are all named; of more, those of the front."""


@dataclass(frozen=True)
class CostPoint:
    """A method's accuracy with its 95% interval, and one cost."""

    label: str
    cost: float
    value: float
    low: float | None = None
    high: float | None = None


def front(points: Sequence[CostPoint], more_is_better: bool = False) -> list[CostPoint]:
    """The Pareto front, cheapest first: no other point is at least as good in both and better in one."""
    sign = -1 if more_is_better else 1
    out: list[CostPoint] = []
    for point in sorted(points, key=lambda p: (sign * p.cost, -p.value)):
        if not out or point.value > out[-1].value:
            out.append(point)
    return out


@styled
def accuracy_against_cost(
    costs: Sequence[tuple[str, Sequence[CostPoint], bool]], metric: str, title: str, first: str | None
) -> Figure:
    """One panel per cost: (label of its axis, methods, whether more of it is better); logarithmic costs.

    first  the label of the method that stands out
    """
    figure, grid = panels(1, len(costs), 4.4, 4.0, sharey=True)
    for axes, (name, points, more) in zip(grid[0], costs, strict=True):
        best = front(points, more)
        _scale(axes, points)
        axes.plot([p.cost for p in best], [p.value for p in best], color=ORANGE, zorder=1, drawstyle="steps-post",
                  label="front: no method is better in both")  # fmt: skip
        for p in points:
            colour = BLUE if p.label == first else GREY
            if p.low is not None and p.high is not None:
                axes.plot([p.cost, p.cost], [p.low, p.high], color=colour, alpha=0.6, linewidth=1, zorder=2)
            axes.plot(p.cost, p.value, "o", color=colour, markersize=6 if p.label == first else 5, zorder=3)
        axes.set_xlabel(name)
        axes.grid(alpha=0.2)
    grid[0][0].set_ylabel(metric)
    titled(figure, title)
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # places the axes, which labels need to know
    for axes, (_, points, more) in zip(grid[0], costs, strict=True):
        _label(axes, points if len(points) <= NAMED else front(points, more), canvas.get_renderer())
    return figure


def _scale(axes: Axes, points: Sequence[CostPoint]) -> None:
    """Logarithmic where costs differ by more than a factor of ten, with numbers written out."""
    costs = [p.cost for p in points]
    if max(costs) > 10 * min(costs):
        log_scale(axes, "x")
        axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    axes.margins(x=0.18, y=0.1)


def _label(axes: Axes, points: Sequence[CostPoint], renderer: RendererAgg) -> None:
    """The methods' names beside their dots, where they cover neither a dot nor each other if possible."""
    scale = axes.figure.dpi / 72
    places = [axes.transData.transform((p.cost, p.value)) for p in points]
    covered = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in places]
    for p, (x, y) in sorted(zip(points, places, strict=True), key=lambda pair: -pair[0].value):
        text = axes.annotate(p.label, (p.cost, p.value), (0, 0), textcoords="offset points", va="center", fontsize=7.5)
        size = text.get_window_extent(renderer)
        offers = [(offset, _box(x, y, size, offset, scale)) for offset in OFFSETS]
        free = [place for place in offers
                if axes.bbox.fully_containsx(place[1].x0) and axes.bbox.fully_containsx(place[1].x1)
                and not any(place[1].overlaps(other) for other in covered)]  # fmt: skip
        (dx, dy, side), box = (free or offers)[0]
        text.set_position((dx, dy))
        text.set_horizontalalignment(side)
        text.set_in_layout(False)  # the axes stay where they are
        covered.append(box)


def _box(x: float, y: float, size: Bbox, offset: tuple[float, float, Side], scale: float) -> Bbox:
    """Where a label of a size would lie, in pixels, at an offset from the dot at (x, y)."""
    dx, dy, side = offset
    left = x + dx * scale - {"left": 0.0, "center": 0.5, "right": 1.0}[side] * size.width
    return Bbox.from_bounds(left, y + dy * scale - size.height / 2, size.width, size.height)
