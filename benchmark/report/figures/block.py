"""Every figure that the results of one block of a table allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from benchmark.report.figures import series
from benchmark.report.figures.cost import CostPoint, accuracy_against_cost
from benchmark.report.figures.curves import by_group, learning_curves, metric_at_k
from benchmark.report.figures.intervals import forest, small_multiples
from benchmark.report.tables.model import Block, Results, Row, Table

GROUP_METRIC = "MRR@20"
CLOCK = 1e-3
"""Seconds are recorded to a millisecond."""
GROUPS = {
    "position": "events before the point",
    "popularity": "target's popularity, fifths of events",
    "next item": "next item",
}
"""What points are grouped by -> label of the axis."""
GROUPED_BY = {
    "position": "position",
    "popularity": "popularity of the target",
    "next item": "whether it is a repetition",
}
"""The same in a title."""


@dataclass(frozen=True)
class Drawn:
    """A figure with a name for its files, and its description for those who do not see it."""

    name: str
    alt: str
    figure: Figure


def figures(results: Results, table: Table, block: Block) -> Iterator[Drawn]:
    """The figures of a block of rankings, most telling first; none where nothing was run."""
    metric = series.main_metric(block)
    if metric is None:
        return
    rows = series.ran(block)
    first, stem, where = _first(table, rows), _stem(table, block), _where(block)
    if families := series.at_k(results, block):
        title = f"Metrics over the length of the list: {where}"
        yield Drawn(f"{stem}-k", title, metric_at_k(families, title, first))
    compared = {what: series.grouped(results, block, what, GROUP_METRIC) for what in GROUPS}
    groups = {what: values for what, values in compared.items() if len(values) >= min(2, len(rows))}
    if groups and not block.masked:
        title = f"{GROUP_METRIC} by {', '.join(GROUPED_BY[what] for what in groups)}: {where}"
        yield Drawn(f"{stem}-groups", title, by_group(groups, GROUP_METRIC, GROUPS, title, first))
    if slices := series.slices(block, metric):
        title = f"{metric} per time slice; bars: the mean over slices: {where}"
        yield Drawn(f"{stem}-slices", title, small_multiples(slices, metric, title, first))
    if effects := series.differences(block, metric):
        title = f"Paired differences to {first}, 95% intervals: {where}"
        yield Drawn(f"{stem}-differences", title, forest({"": effects}, f"difference of {metric}", title))
    if (curves := series.histories(results, block)) and not block.masked:
        title = f"Learning curves: {where}"
        yield Drawn(f"{stem}-learning", title, learning_curves(curves, title))


def cost_figure(table: Table, block: Block) -> Drawn | None:
    """Accuracy against what it cost; None where no row of rankings says."""
    metric, rows = series.main_metric(block), series.ran(block)
    costs = _costs(rows, metric) if metric is not None and table.kind == "ranking" else []
    if not costs or metric is None:
        return None
    title = f"{metric} against cost: {_where(block)}"
    figure = accuracy_against_cost(costs, metric, title, _first(table, rows))
    return Drawn(f"{_stem(table, block)}-cost", title, figure)


def _first(table: Table, rows: list[Row]) -> str | None:
    """The label of the reference row, which stands out."""
    return next((row.label for row in rows if row.method == table.against), None)


def _stem(table: Table, block: Block) -> str:
    return f"table-{table.id}-{block.data}" + ("-masked" if block.masked else "")


def _where(block: Block) -> str:
    return f"{block.label} ({block.points:,} {block.unit})"


def _costs(rows: list[Row], metric: str) -> list[tuple[str, list[CostPoint], bool]]:
    """Seconds of fit, points ranked per second, peak memory; a cost that no row has is left out."""
    fit, speed, memory = [], [], []
    for row in rows:
        cell, cost = next(cell for cell in row.cells if cell.metric == metric), row.cost
        if cell.ours is None or cost is None:
            continue
        place = (cell.ours, cell.low, cell.high)
        if cost.fit_seconds is not None:
            fit.append(CostPoint(row.label, max(cost.fit_seconds, CLOCK), *place))
        if cost.recommend_seconds is not None and cost.points:
            speed.append(CostPoint(row.label, cost.points / max(cost.recommend_seconds, CLOCK), *place))
        if cost.peak_mb is not None:
            memory.append(CostPoint(row.label, cost.peak_mb, *place))
    costs = [("seconds to fit, all slices", fit, False), ("lists ranked per second", speed, True),
             ("peak memory of the process, MB", memory, False)]  # fmt: skip
    return [(name, points, more) for name, points, more in costs if points]
