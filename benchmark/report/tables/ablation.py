"""Blocks of the ablation table (paper, Table 6), from the output of ``emde ablations``.

A row is a level of a factor, "partition: opq", on one data set. Values are means over seeds on a tuning split.
"""

from __future__ import annotations

from typing import Any

from benchmark.data import registry
from benchmark.report import published
from benchmark.report.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand
from benchmark.report.tables.measured import Measured
from benchmark.report.tables.model import Block, Cell, PairedTest, Row
from benchmark.report.tables.ranking import judged, outdated
from benchmark.report.tables.stale import Stale
from benchmark.report.tables.text import counted


def block(declared: Declaration, chosen: BlockDeclaration, measured: Measured, stale: Stale) -> Block:
    """One data set: a row per level."""
    dataset = registry.get(chosen.data)
    levels = {
        f"{level['factor']}: {level['label']}": level
        for level in measured.ablation.get("levels", [])
        if level["data"] == chosen.data
    }
    meanings = {RUN: list(levels), PUBLISHED: published.methods(chosen.data, published.ABLATION, declared.expected)}
    names = expand(chosen.rows or declared.rows, meanings)
    family = sum(len(level.get("difference", {})) for level in levels.values())
    rows = [_row(declared, chosen, name, levels.get(name), stale, family) for name in names]
    ran = next((level for level in levels.values() if "metrics" in level), None)
    how = "not run"
    if ran:
        size = f"{ran['train']:,} train sessions, {ran['points']:,} evaluation points"
        how = f"split {ran['split']}, {size}, {counted(ran['seeds'], 'seed')}"
    if approximate := (ran or {}).get("approximate") or dataset.approximate:
        how += f"; {approximate}"
    return Block(
        data=chosen.data,
        label=chosen.label or chosen.data,
        title=dataset.title,
        protocol=published.ABLATION,
        splits=[ran["split"]] if ran else [],
        points=ran["points"] if ran else None,
        unit="evaluation points",
        comparable=dataset.comparable,
        approximate=approximate,
        shown=bool(levels),
        caption=f"{dataset.title} ({how})",
        rows=rows,
    )


def _row(
    declared: Declaration, chosen: BlockDeclaration, name: str, level: dict[str, Any] | None, stale: Stale, family: int
) -> Row:
    metrics = (level or {}).get("metrics", {})
    why = stale.ablation(level) if level and metrics else ""
    differences = {} if why or not level else level.get("difference", {})
    tests = {metric: PairedTest(**{**test, "family": family}) for metric, test in differences.items()}
    cells = [
        _cell(declared, chosen, name, metric, metrics.get(metric), tests.get(metric), why)
        for metric in declared.metrics
    ]
    note = (level or {}).get("unavailable", "" if level else "not run")
    return Row(method=name, label=name, seeded=True if metrics else None, cells=cells, note=note, stale=why)


def _cell(
    declared: Declaration,
    chosen: BlockDeclaration,
    name: str,
    metric: str,
    found: dict[str, Any] | None,
    test: PairedTest | None,
    why: str,
) -> Cell:
    known = published.lookup(chosen.data, published.ABLATION, name, metric)
    if found is None:
        return judged(declared, chosen, name, metric, known, None)
    filled = {"low": found["low"], "high": found["high"], "test": test}
    of_seed = {"mean": found["mean"]}
    return judged(declared, chosen, name, metric, known, of_seed, outdated(why)).model_copy(update=filled)
