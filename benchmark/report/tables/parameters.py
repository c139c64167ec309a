"""Blocks of the table of hyper-parameters (paper, Table 10): ours are what params.yaml means."""

from __future__ import annotations

from benchmark import published
from benchmark.data import registry
from benchmark.settings import Settings
from benchmark.tables.declaration import BlockDeclaration, Declaration
from benchmark.tables.labels import label
from benchmark.tables.model import Block, Cell, Row
from benchmark.tables.ranking import judged


def block(declared: Declaration, chosen: BlockDeclaration, settings: Settings) -> Block:
    """One data set: a row per configuration."""
    dataset = registry.get(chosen.data)
    rows = [_row(declared, chosen, name, settings) for name in chosen.rows or declared.rows]
    return Block(
        data=chosen.data,
        label=chosen.label or chosen.data,
        title=dataset.title,
        protocol=published.PARAMETERS,
        splits=[],
        points=len(rows),
        unit="configurations",
        comparable=dataset.comparable,
        shown=True,
        caption=f"{dataset.title}: what params.yaml sets",
        rows=rows,
    )


def _row(declared: Declaration, chosen: BlockDeclaration, name: str, settings: Settings) -> Row:
    kind = registry.get(chosen.data).kind
    ours = settings.recommender(kind, name, chosen.data, {}, None, "cpu").model_dump()  # type: ignore[arg-type]
    cells: list[Cell] = []
    for metric in declared.metrics:
        known = published.lookup(chosen.data, published.PARAMETERS, name, metric)
        cells.append(judged(declared, chosen, name, metric, known, {"-": float(ours[metric])}, {}))
    source = settings.sources(kind, name, chosen.data)  # type: ignore[arg-type]
    return Row(method=name, label=label(name), cells=cells, parameters_from=source)
