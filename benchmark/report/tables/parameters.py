"""Blocks of the table of hyper-parameters (paper, Table 10): ours are what params.yaml means."""

from __future__ import annotations

from benchmark.data import registry
from benchmark.experiments.settings import Settings
from benchmark.report import published
from benchmark.report.tables.declaration import BlockDeclaration, Declaration
from benchmark.report.tables.labels import label
from benchmark.report.tables.model import Block, Cell, Row, Verdict
from benchmark.report.tables.ranking import judged

WORDS = {Verdict.REPRODUCED: Verdict.AS_PUBLISHED, Verdict.DIFFERS: Verdict.OTHER_SETTINGS}
"""A parameter is set, not reproduced."""


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
    assert kind != "vectors"
    ours = settings.recommender(kind, name, chosen.data, {}, None, "cpu").model_dump()
    cells: list[Cell] = []
    for metric in declared.metrics:
        known = published.lookup(chosen.data, published.PARAMETERS, name, metric)
        cell = judged(declared, chosen, name, metric, known, {"-": float(ours[metric])})
        cells.append(cell.model_copy(update={"verdict": WORDS.get(cell.verdict, cell.verdict)}))
    source = settings.sources(kind, name, chosen.data)
    return Row(method=name, label=label(name), cells=cells, parameters_from=source)
