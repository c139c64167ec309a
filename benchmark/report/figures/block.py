"""Every figure that the results of one block of a table allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from benchmark.figures import series
from benchmark.figures.cost import Priced, accuracy_against_cost
from benchmark.figures.curves import by_group, learning_curves, metric_at_k
from benchmark.figures.intervals import forest, small_multiples
from benchmark.tables.model import Block, Results, Row, Table

GROUP_METRIC = "MRR@20"
CLOCK = 1e-3
"""Seconds are recorded to a millisecond."""
GROUPS = {"position": "events before the point", "popularity": "target's popularity, fifths of events"}


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
    first = next((row.label for row in rows if row.method == table.against), None)
    stem = f"table-{table.id}-{block.data}" + ("-masked" if block.masked else "")
    where = f"{block.label} ({block.points:,} {block.unit})"
    if costs := _costs(rows, metric):
        title = f"{metric} against cost: {where}"
        yield Drawn(f"{stem}-cost", title, accuracy_against_cost(costs, metric, title, first))
    if families := series.at_k(results, block):
        title = f"Metrics over the length of the list: {where}"
        yield Drawn(f"{stem}-k", title, metric_at_k(families, title, first))
    groups = {what: found for what in GROUPS if (found := series.grouped(results, block, what, GROUP_METRIC))}
    if groups and not block.masked:
        title = f"{GROUP_METRIC} by position and popularity of the target: {where}"
        yield Drawn(f"{stem}-groups", title, by_group(groups, GROUP_METRIC, GROUPS, title, first))
    if slices := series.slices(block, metric):
        title = f"{metric} per time slice; bars: the mean over slices: {where}"
        yield Drawn(f"{stem}-slices", title, small_multiples(slices, metric, title, first))
    if effects := series.differences(block, metric):
        title = f"Paired differences to {first}, 95% intervals: {where}"
        yield Drawn(f"{stem}-differences", title, forest(effects, f"difference of {metric}", title))
    if (curves := series.histories(results, block)) and not block.masked:
        title = f"Learning curves: {where}"
        yield Drawn(f"{stem}-learning", title, learning_curves(curves, title))


def _costs(rows: list[Row], metric: str) -> list[tuple[str, list[Priced], bool]]:
    """Seconds of fit, points ranked per second, peak memory; a cost that no row has is left out."""
    fit, speed, memory = [], [], []
    for row in rows:
        cell, cost = next(cell for cell in row.cells if cell.metric == metric), row.cost
        if cell.ours is None or cost is None:
            continue
        place = (cell.ours, cell.low, cell.high)
        if cost.fit_seconds is not None:
            fit.append(Priced(row.label, max(cost.fit_seconds, CLOCK), *place))
        if cost.recommend_seconds is not None and cost.points:
            speed.append(Priced(row.label, cost.points / max(cost.recommend_seconds, CLOCK), *place))
        if cost.peak_mb is not None:
            memory.append(Priced(row.label, cost.peak_mb, *place))
    found = [("seconds to fit, all slices", fit, False), ("lists ranked per second", speed, True),
             ("peak memory of the process, MB", memory, False)]  # fmt: skip
    return [(name, points, more) for name, points, more in found if points]
