"""A table of everything that was run and that no declared table shows, so that nothing stays hidden."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.data import registry
from benchmark.report.tables.declaration import RUN, BlockDeclaration, Declaration, splits_of
from benchmark.report.tables.measured import Measured
from benchmark.report.tables.verdict import Tolerance

METRICS = {"session": ["HR@20", "MRR@20", "P@20", "R@20", "MAP@20"], "topk": ["Recall@20", "NDCG@20"]}
TITLES = {"session": "Other session runs", "topk": "Other top-k runs"}


def others(declared: Iterable[Declaration], measured: Measured) -> list[Declaration]:
    """A table for each kind of data that has such runs: a block per data set and split, with all its rows."""
    blocks = [block for table in declared if table.kind == "ranking" for block in _expanded(table)]
    left: dict[str, dict[tuple[str, str], None]] = {}
    for data, method, splits in measured.cells:
        dataset = registry.get(data)
        for split in sorted(splits):
            if any(data == block.data and split in splits_of(block) and _has(block, method) for block in blocks):
                continue
            slices = split in dataset.splits and len(dataset.splits) > 1
            left.setdefault(dataset.kind, {})[data, "" if slices else split] = None
    return [_table(kind, list(found)) for kind, found in left.items()]


def _expanded(table: Declaration) -> list[BlockDeclaration]:
    return [block.model_copy(update={"rows": block.rows or table.rows}) for block in table.blocks]


def _has(block: BlockDeclaration, method: str) -> bool:
    return RUN in block.rows or method in {block.results_of.get(name, name) for name in block.rows}


def _table(kind: str, places: list[tuple[str, str]]) -> Declaration:
    return Declaration(
        id=f"other-{kind}",
        title=TITLES[kind],
        kind="ranking",
        source="this suite",
        about="Runs that no declared table has a place for.",
        metrics=METRICS[kind],
        rows=[RUN],
        against="emde",
        tolerance=Tolerance(absolute=0, close=0),
        blocks=[BlockDeclaration(data=data, label=data, split=split) for data, split in places],
    )
