"""From declarations and measured results to tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmark import published, store
from benchmark.data import registry
from benchmark.settings import Settings
from benchmark.tables import ablation, density, parameters, ranking
from benchmark.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand
from benchmark.tables.measured import Measured
from benchmark.tables.model import Block, Results, Run, Table

PARTS = ("metrics", "intervals", "masked", "ties", "breakdown", "examples")
Planned = Mapping[str, Sequence[str]]


def build(
    declared: Iterable[Declaration], measured: Measured, settings: Settings, profile: str, planned: Planned
) -> Results:
    """Fill the declared tables.

    planned  data -> methods that the profile runs: shown even where they were not run
    """
    tables = [_table(table, measured, settings, planned) for table in declared]
    cells = [cell for table in tables for block in table.blocks for row in block.rows for cell in row.cells]
    title = settings.profiles[profile].title if profile in settings.profiles else f"Kept results: {profile}"
    return Results(
        profile=profile,
        title=title,
        verdicts=dict(Counter(cell.verdict.value for cell in cells)),
        tables=tables,
        runs=_runs(measured, [key for t in tables for b in t.blocks for row in b.rows for key in row.runs]),
        density=measured.density,
        ablation=measured.ablation,
    )


def _table(declared: Declaration, measured: Measured, settings: Settings, planned: Planned) -> Table:
    blocks = [_block(declared, block, measured, settings, planned) for block in declared.blocks]
    return Table(
        id=declared.id,
        title=declared.title,
        kind=declared.kind,
        source=declared.source,
        about=declared.about,
        metrics=declared.metrics,
        against=declared.against,
        blocks=blocks,
    )


def _block(
    declared: Declaration, block: BlockDeclaration, measured: Measured, settings: Settings, planned: Planned
) -> Block:
    if declared.kind == "parameters":
        return parameters.block(declared, block, settings)
    if declared.kind == "density":
        return density.block(declared, block, measured, block.data in planned)
    if declared.kind == "ablation":
        return ablation.block(declared, block, measured)
    splits = splits_of(block)
    protocol = published.SLICES if len(splits) > 1 else splits[0]
    found = measured.methods(block.data)
    order = [name for of_kind in settings.methods.values() for name in of_kind]
    found.sort(key=lambda name: order.index(name) if name in order else len(order))
    names = expand(block.rows or declared.rows, {
        RUN: [*planned.get(block.data, ()), *found],
        PUBLISHED: published.methods(block.data, protocol, declared.expected),
    })  # fmt: skip
    ran = {block.results_of.get(name, name) for name in names}
    return ranking.block(declared, block, names, protocol, splits, measured, bool(ran & {*planned.get(block.data, ())}))


def splits_of(block: BlockDeclaration) -> list[str]:
    """The splits whose mean a block shows."""
    dataset = registry.get(block.data)
    if block.split:
        return [block.split]
    return list(dataset.splits) if len(dataset.splits) > 1 else [dataset.default_split]


def _runs(measured: Measured, keys: Sequence[str]) -> dict[str, Run]:
    """The stored runs behind the rows."""
    out = {}
    for key in dict.fromkeys(keys):
        data, method, split, seed = key.split("/")
        result = measured.runs(data, method, [split])[split, seed]
        record = result["run"]
        folder = store.run_dir(Path(), data, method, split, record["params"])
        parts = {part: result[part] for part in PARTS if part in result}
        out[key] = Run(folder=str(folder), record=record, **parts)
    return out
