"""``emde costs``: what the results of a profile took, from the record of costs beside them.

    index.html, costs.csv, costs.md   costs beside accuracy, and every run's time, memory, machine and versions
    figures/*-cost.pdf, .png          accuracy against cost
    plots/<data>-cost.csv             the same for ``dvc plots show``

Nothing of it is an output of the pipeline: a second run takes other seconds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.experiments.parameters import Method
from benchmark.report.figures.block import cost_figure
from benchmark.report.figures.series import main_metric
from benchmark.report.figures.style import save
from benchmark.report.site.build import costs_page
from benchmark.report.tables import render, text
from benchmark.report.tables.model import Block, Results, Row
from contracts import Kind, UserError
from contracts.runtime.files import write_whole

COLUMNS = ("data", "method", "metric", "accuracy", "fit seconds", "fit CPU seconds", "ranking seconds",
           "ranking CPU seconds", "peak MB", "peak GPU MB")  # fmt: skip


def plot_file(data: str) -> str:
    """The data of DVC's plots of a data set, below the folder of a profile's costs."""
    return f"plots/{data}-cost.csv"


def write(
    results: Results, rows: Mapping[Kind, Mapping[str, Method]], made: Path, site: Path, out: Path
) -> dict[str, Any]:
    """Write all of it; returns the page and the table in Markdown.

    results  with costs (``benchmark.report.tables.collect``)
    made     results/generated; site: that of the profile, to which the page links
    Raises UserError where nothing was run.
    """
    chosen = _blocks(results)
    lines = [line for block in chosen.values() for line in _lines(block)]
    if not (lines or results.runs or results.density or results.ablation):
        how = f"make repro PROFILE={results.profile}"
        raise UserError(f"{results.profile}: expected results that cost something, found none; run: {how}")
    write_whole(out / "costs.csv", _csv(lines))
    table = render.grid(COLUMNS, [[_short(value) for value in line] for line in lines])
    write_whole(out / "costs.md", table)
    for data, block in chosen.items():
        write_whole(out / plot_file(data), _csv(_lines(block)))
    for of_table, blocks in text.shown(results):
        for block in blocks:
            if (drawn := cost_figure(of_table, block)) is not None:
                save(drawn.figure, out / "figures", drawn.name)
    return {"page": str(costs_page(results, rows, made, site, out)), "text": table}


def _blocks(results: Results) -> dict[str, Block]:
    """Data set -> the block with the most rows that were run."""
    widest: dict[str, Block] = {}
    for table in results.tables:
        for block in table.blocks if table.kind in ("ranking", "density") else []:
            if block.shown and not block.masked:
                widest[block.data] = max(widest.get(block.data, block), block, key=lambda each: len(_priced(each)))
    return widest


def _priced(block: Block) -> list[Row]:
    return [row for row in block.rows if row.cost is not None]


def _lines(block: Block) -> list[Sequence[Any]]:
    metric = main_metric(block) or next((cell.metric for row in block.rows for cell in row.cells), "")
    out: list[Sequence[Any]] = []
    for row in _priced(block):
        value = next((cell.ours for cell in row.cells if cell.metric == metric), None)
        if value is not None and (cost := row.cost) is not None:
            took = [cost.fit_seconds, cost.fit_cpu_seconds, cost.recommend_seconds, cost.recommend_cpu_seconds]
            out.append([block.data, row.label, metric, value, *took, cost.peak_mb, cost.peak_gpu_mb])
    return out


def _csv(lines: Sequence[Sequence[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([COLUMNS, *lines])
    return stream.getvalue()


def _short(value: Any) -> str:
    return render.escape(value) if isinstance(value, str) else text.number(value, 4 if value and value < 1 else 2)
