"""Blocks of the density table (paper, Table 5), from the output of ``emde density``."""

from __future__ import annotations

from typing import Any

from benchmark.data import registry
from benchmark.report import published
from benchmark.report.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand
from benchmark.report.tables.labels import label
from benchmark.report.tables.measured import Measured
from benchmark.report.tables.model import Block, Cell, Cost, Row
from benchmark.report.tables.ranking import judged, outdated
from benchmark.report.tables.stale import Stale
from benchmark.report.tables.verdict import t_interval


def block(declared: Declaration, chosen: BlockDeclaration, measured: Measured, planned: bool, stale: Stale) -> Block:
    """One vector set: published rows, and a row per estimator that was measured."""
    dataset = registry.get(chosen.data)
    result = measured.density.get(chosen.data)
    of_name = {row["method"]: row for row in (result or {}).get("rows", [])}
    meanings = {RUN: list(of_name), PUBLISHED: published.methods(chosen.data, published.DENSITY, declared.expected)}
    names = expand(chosen.rows or declared.rows, meanings)
    of_row = {name: of_name.get(chosen.results_of.get(name, name)) for name in names}
    why = {name: stale.density(result, row) if result and row else "" for name, row in of_row.items()}
    rows = [_row(declared, chosen, name, row, result, why[name]) for name, row in of_row.items()]
    caption = dataset.title
    if result:
        caption = (
            f"{dataset.title}: {result['points']:,} points x {result['dim']}, {result['kernel']} kernel, "
            f"h = {result['h']:.4f} ({result['rule']}), normalisation: {result['normalisation']}, "
            f"{result['queries']:,} queries"
        )
    if approximate := (result or {}).get("approximate") or dataset.approximate:
        caption += f"; {approximate}"
    return Block(
        data=chosen.data,
        label=chosen.label or chosen.data,
        title=dataset.title,
        protocol=published.DENSITY,
        splits=[],
        points=result["queries"] if result else None,
        unit="queries",
        comparable=dataset.comparable,
        approximate=approximate,
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
    stale: str,
) -> Row:
    cells = [_cell(declared, chosen, name, metric, row, stale) for metric in declared.metrics]
    if row is None or result is None:
        return Row(method=name, label=label(name), cells=cells, note="not run")
    seeds = len(row["pearson"]["seeds"])
    note = f"{row['bytes']:,} bytes, {seeds} seeds"
    return Row(
        method=name,
        label=label(name),
        seeded=seeds > 1,
        cells=cells,
        cost=_cost(row, result),
        parameters_from=row["source"],
        stale=stale,
        note=note,
    )


def _cost(row: dict[str, Any], result: dict[str, Any]) -> Cost | None:
    """None where the result does not say what it cost."""
    if "query_us" not in row:
        return None
    fit, seconds = row["fit_s"]["mean"], row["query_us"]["mean"] * result["queries"] / 1e6
    return Cost(
        fit_seconds=fit,
        recommend_seconds=seconds,
        fit_cpu_seconds=fit,
        recommend_cpu_seconds=seconds,
        peak_mb=result["peak_rss_mb"],
        peak_gpu_mb=None,
        points=result["queries"],
    )


def _cell(
    declared: Declaration, chosen: BlockDeclaration, name: str, metric: str, row: dict[str, Any] | None, stale: str
) -> Cell:
    known = published.lookup(chosen.data, published.DENSITY, name, metric)
    if row is None:
        return judged(declared, chosen, name, metric, known, None)
    values = row[metric.lower().replace(" ", "_")]["seeds"]
    filled = dict(zip(("low", "high"), t_interval(values)[1:], strict=True)) if len(values) > 1 else {}
    of_seed = {str(seed): value for seed, value in enumerate(values)}
    return judged(declared, chosen, name, metric, known, of_seed, outdated(stale)).model_copy(update=filled)
