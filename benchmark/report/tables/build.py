"""From declarations and measured results to tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from benchmark.experiments import run_store
from benchmark.experiments.settings import Settings
from benchmark.report import published
from benchmark.report.kept import RunName
from benchmark.report.tables import ablation, density, parameters, ranking
from benchmark.report.tables.declaration import PUBLISHED, RUN, BlockDeclaration, Declaration, expand, splits_of
from benchmark.report.tables.measured import Measured
from benchmark.report.tables.model import Block, Results, Run, Table
from benchmark.report.tables.stale import Stale, again
from benchmark.report.tables.variants import base

PARTS = ("metrics", "intervals", "masked", "ties", "breakdown", "examples")
Planned = Mapping[str, Sequence[str]]


def build(
    declared: Iterable[Declaration],
    measured: Measured,
    settings: Settings,
    profile: str,
    planned: Planned,
    stale: Stale | None = None,
) -> Results:
    """Fill the declared tables.

    planned  data -> methods that the profile runs: shown even where they were not run
    stale    tells rows that params.yaml no longer asks for (default: by their parameters)
    """
    stale = stale or Stale(settings, None)
    tables = [_table(table, measured, settings, planned, stale) for table in declared]
    kept_title = "Kept results" if "+" in profile else f"Kept results: {profile}"
    title = settings.profiles[profile].title if profile in settings.profiles else kept_title
    return Results(
        profile=profile,
        title=title,
        verdicts=_verdicts(table for table in tables if table.kind != "parameters"),
        hyper_parameters=_verdicts(table for table in tables if table.kind == "parameters"),
        tables=tables,
        runs=_runs(measured, settings, [key for t in tables for b in t.blocks for row in b.rows for key in row.runs]),
        density=measured.density,
        ablation=measured.ablation,
    )


def _verdicts(tables: Iterable[Table]) -> dict[str, int]:
    cells = [cell for table in tables for block in table.blocks for row in block.rows for cell in row.cells]
    return dict(Counter(cell.verdict.value for cell in cells))


def _table(declared: Declaration, measured: Measured, settings: Settings, planned: Planned, stale: Stale) -> Table:
    blocks = [_block(declared, block, measured, settings, planned, stale) for block in declared.blocks]
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
    declared: Declaration,
    block: BlockDeclaration,
    measured: Measured,
    settings: Settings,
    planned: Planned,
    stale: Stale,
) -> Block:
    if declared.kind == "parameters":
        return parameters.block(declared, block, settings)
    if declared.kind == "density":
        return density.block(declared, block, measured, block.data in planned, stale)
    if declared.kind == "ablation":
        return ablation.block(declared, block, measured, stale)
    splits = splits_of(block)
    protocol = published.SLICES if len(splits) > 1 else splits[0]
    found = measured.methods(block.data)
    order = [name for of_kind in settings.methods.values() for name in of_kind]
    found.sort(key=lambda name: order.index(base(name)) if base(name) in order else len(order))
    names = expand(block.rows or declared.rows, {
        RUN: [*planned.get(block.data, ()), *found],
        PUBLISHED: published.methods(block.data, protocol, declared.expected),
    })  # fmt: skip
    ran = {block.results_of.get(name, name) for name in names}
    shown = bool(ran & {*planned.get(block.data, ())})
    return ranking.block(declared, block, names, protocol, splits, measured, shown, stale)


def _runs(measured: Measured, settings: Settings, keys: Sequence[str]) -> dict[str, Run]:
    """The stored runs behind the rows."""
    out = {}
    for key in dict.fromkeys(keys):
        name = RunName.parse(key)
        result = measured.runs(name.data, name.method, [name.split])[name.split, name.seed]
        record, place = result["run"], measured.place(name.data, name.method)
        folder = run_store.run_dir(place, name.data, record["method"], name.split, record["params"])
        parts = {part: result[part] for part in PARTS if result.get(part) is not None}
        out[key] = Run(folder=str(folder), record=record, again=again(settings, record), **parts)
    return out
