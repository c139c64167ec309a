"""Blocks of the density table (paper, Table 5)."""

from __future__ import annotations

from typing import Any

from benchmark import published
from benchmark.data import registry
from benchmark.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand
from benchmark.tables.labels import label
from benchmark.tables.measured import Measured
from benchmark.tables.model import Block, Cost, Row
from benchmark.tables.ranking import judged
from benchmark.tables.verdict import t_interval

METRIC = "Pearson"


def block(declared: Declaration, chosen: BlockDeclaration, measured: Measured, planned: bool) -> Block:
    """One vector set: published rows, and a row per sketch size that was measured."""
    dataset = registry.get(chosen.data)
    result = measured.of_data("density").get(chosen.data)
    grid = {f"dlsh-n{row['n']}-k{row['k']}": row for row in (result or {}).get("rows", [])}
    meanings = {RUN: list(grid), PUBLISHED: published.methods(chosen.data, published.DENSITY, declared.expected)}
    names = expand(chosen.rows or declared.rows, meanings)
    rows = [_row(declared, chosen, name, grid.get(chosen.results_of.get(name, name)), result) for name in names]
    caption = dataset.title
    if result:
        caption = (
            f"{dataset.title}: {result['points']:,} points x {result['dim']}, {result['kernel']} kernel, "
            f"h = {result['h']:.4f}, {result['queries']:,} queries"
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
    known = published.lookup(chosen.data, published.DENSITY, name, METRIC)
    if row is None or result is None:
        return Row(
            method=name,
            label=label(name),
            cells=[judged(declared, chosen, name, METRIC, known, None, {})],
            note="not run",
        )
    values = {str(seed): value for seed, value in enumerate(row["seeds"])}
    filled = dict(zip(("low", "high"), t_interval(row["seeds"])[1:], strict=True)) if len(values) > 1 else {}
    cell = judged(declared, chosen, name, METRIC, known, values, filled)
    cost = Cost(
        fit_seconds=row["seconds"],
        recommend_seconds=None,
        fit_cpu_seconds=None,
        recommend_cpu_seconds=None,
        peak_mb=result["peak_rss_mb"],
        peak_gpu_mb=None,
        points=result["queries"],
    )
    shown = f"EMDE N = {row['n']}, K = {row['k']}" if name.startswith("dlsh-") else label(name)
    note = f"{len(values)} seeds; sketch of {row['sketch_bytes']:,} bytes"
    return Row(
        method=name, label=shown, seeded=True, cells=[cell], cost=cost, parameters_from=result["source"], note=note
    )
