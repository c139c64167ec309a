"""Blocks of the ablation table (paper, Table 6), from the output of ``emde ablations``.

A row is a level of a factor, "partition: opq", on one data set. Values are means over seeds on a tuning split.
"""

from __future__ import annotations

from typing import Any

from benchmark import published
from benchmark.data import registry
from benchmark.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand
from benchmark.tables.measured import Measured
from benchmark.tables.model import Block, Cell, PairedTest, Row
from benchmark.tables.ranking import judged


def block(declared: Declaration, chosen: BlockDeclaration, measured: Measured) -> Block:
    """One data set: a row per level."""
    dataset = registry.get(chosen.data)
    levels = {
        f"{level['factor']}: {level['label']}": level
        for level in measured.ablation.get("levels", [])
        if level["data"] == chosen.data
    }
    meanings = {RUN: list(levels), PUBLISHED: published.methods(chosen.data, published.ABLATION, declared.expected)}
    names = expand(chosen.rows or declared.rows, meanings)
    rows = [_row(declared, chosen, name, levels.get(name)) for name in names]
    ran = next((level for level in levels.values() if "metrics" in level), None)
    how = "not run"
    if ran:
        size = f"{ran['train']:,} train sessions, {ran['points']:,} evaluation points"
        how = f"split {ran['split']}, {size}, {ran['seeds']} seeds"
    return Block(
        data=chosen.data,
        label=chosen.label or chosen.data,
        title=dataset.title,
        protocol=published.ABLATION,
        splits=[ran["split"]] if ran else [],
        points=ran["points"] if ran else None,
        unit="evaluation points",
        comparable=dataset.comparable,
        approximate=dataset.approximate,
        shown=bool(levels),
        caption=f"{dataset.title} ({how})",
        rows=rows,
    )


def _row(declared: Declaration, chosen: BlockDeclaration, name: str, level: dict[str, Any] | None) -> Row:
    metrics = (level or {}).get("metrics", {})
    tests = (level or {}).get("difference", {})
    cells = [
        _cell(declared, chosen, name, metric, metrics.get(metric), tests.get(metric)) for metric in declared.metrics
    ]
    note = (level or {}).get("unavailable", "" if level else "not run")
    return Row(method=name, label=name, seeded=True if metrics else None, cells=cells, note=note)


def _cell(
    declared: Declaration,
    chosen: BlockDeclaration,
    name: str,
    metric: str,
    found: dict[str, Any] | None,
    test: dict[str, Any] | None,
) -> Cell:
    known = published.lookup(chosen.data, published.ABLATION, name, metric)
    if found is None:
        return judged(declared, chosen, name, metric, known, None, {})
    filled = {"low": found["low"], "high": found["high"], "test": None if test is None else PairedTest(**test)}
    return judged(declared, chosen, name, metric, known, {"mean": found["mean"]}, filled)
