"""The paired tests of measured rows as kept records: of rows whose values per session or user are not kept, too."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from benchmark.protocol.metric import of_lists
from benchmark.report import kept
from benchmark.report.tables.declaration import declarations, splits_of
from benchmark.report.tables.measured import Measured, lists_of
from benchmark.report.tables.others import others
from benchmark.report.tables.ranking import tested
from benchmark.report.tables.variants import base


def paired_tests(measured: Measured) -> list[kept.Record]:
    """Every row against the reference row of every table that shows its data set, in that table's metrics."""
    records: dict[tuple[str, ...], kept.Record] = {}
    declared = list(declarations().values())
    for table in [*declared, *others(declared, measured)]:
        for block in table.blocks if table.kind == "ranking" and table.against else ():
            columns = [of_lists(metric, block.masked) for metric in table.metrics]
            names = [name for name in measured.methods(block.data) if not measured.mixed(block.data, name)]
            for against in [name for name in names if base(name) == table.against]:
                for name in [name for name in names if name != against]:
                    record = _tests(measured, block.data, splits_of(block), columns, (name, against))
                    if record:
                        records.setdefault(kept.key(record), record)["metrics"].update(record["metrics"])
    return list(records.values())


def _tests(
    measured: Measured, data: str, splits: list[str], columns: list[str], pair: tuple[str, str]
) -> dict[str, Any] | None:
    """The tests of one row against another; None where they have no values of the same sessions or users."""
    own, other = (measured.units(data, name, splits, columns) for name in pair)
    if own is None or other is None or not len(own[0]) or not np.array_equal(own[0], other[0]):
        return None
    metrics = {name: asdict(test) for name, test in tested(data, (pair[0], own), (pair[1], other)).items()}
    lists = [lists_of(measured.runs(data, name, splits)) for name in pair]
    names = {"method": base(pair[0]), "against": base(pair[1])}
    return kept.record("test", {"data": data, "splits": splits, **names, "lists": lists, "metrics": metrics})
