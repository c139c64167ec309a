"""Blocks of the density table (paper, Table 5), from the output of ``emde density``."""

from __future__ import annotations

from typing import Any

from benchmark import published
from benchmark.data import registry
from benchmark.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand
from benchmark.tables.labels import label
from benchmark.tables.measured import Measured
from benchmark.tables.model import Block, Cell, Cost, Row
from benchmark.tables.ranking import judged
from benchmark.tables.verdict import t_interval


def block(declared: Declaration, chosen: BlockDeclaration, measured: Measured, planned: bool) -> Block:
    """One vector set: published rows, and a row per estimator that was measured."""
    dataset = registry.get(chosen.data)
    result = measured.density.get(chosen.data)
    found = {row["method"]: row for row in (result or {}).get("rows", [])}
    meanings = {RUN: list(found), PUBLISHED: published.methods(chosen.data, published.DENSITY, declared.expected)}
    names = expand(chosen.rows or declared.rows, meanings)
    rows = [_row(declared, chosen, name, found.get(chosen.results_of.get(name, name)), result) for name in names]
    caption = dataset.title
    if result:
        caption = (
            f"{dataset.title}: {result['points']:,} points x {result['dim']}, {result['kernel']} kernel, "
            f"h = {result['h']:.4f} ({result['rule']}), normalisation: {result['normalisation']}, "
            f"{result['queries']:,} queries"
        )
    return Block(
        data=chosen.data,
        label=chosen.label or chosen.data,
        title=dataset.title,
        protocol=published.DENSITY,
        splits=[],
        points=result["queries"] if result else None,
        unit="queries",
        comparable=dataset.comparable,
        approximate=dataset.approximate,
        shown=bool(result) or planned,
        caption=caption,
        rows=rows,
    )


def _row(
    declared: Declaration,
    chosen: BlockDeclaration,
    name: str,
    row: dict[str, Any] | None,
    result: dict[str, Any] | None,
) -> Row:
    cells = [_cell(declared, chosen, name, metric, row) for metric in declared.metrics]
    if row is None or result is None:
        return Row(method=name, label=label(name), cells=cells, note="not run")
    seconds = row["query_us"]["mean"] * result["queries"] / 1e6
    cost = Cost(
        fit_seconds=row["fit_s"]["mean"],
        recommend_seconds=seconds,
        fit_cpu_seconds=row["fit_s"]["mean"],
        recommend_cpu_seconds=seconds,
        peak_mb=result["peak_rss_mb"],
        peak_gpu_mb=None,
        points=result["queries"],
    )
    seeds = len(row["pearson"]["seeds"])
    note = f"{row['bytes']:,} bytes, {row['query_us']['mean']:.3g} us per query, {seeds} seeds"
    return Row(
        method=name,
        label=label(name),
        seeded=seeds > 1,
        cells=cells,
        cost=cost,
        parameters_from=row["source"],
        note=note,
    )


def _cell(declared: Declaration, chosen: BlockDeclaration, name: str, metric: str, row: dict[str, Any] | None) -> Cell:
    known = published.lookup(chosen.data, published.DENSITY, name, metric)
    if row is None:
        return judged(declared, chosen, name, metric, known, None, {})
    values = row[metric.lower().replace(" ", "_")]["seeds"]
    filled = dict(zip(("low", "high"), t_interval(values)[1:], strict=True)) if len(values) > 1 else {}
    return judged(
        declared, chosen, name, metric, known, {str(seed): value for seed, value in enumerate(values)}, filled
    )
