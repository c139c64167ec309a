"""Vector sets have one split: all points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmark.data.registry import Dataset
from benchmark.data.splits.types import SplitData
from benchmark.data.tables import VectorTable


def vector_splits(dataset: Dataset, table: VectorTable) -> Iterator[SplitData]:
    """The only split, ``all``; a row's id is its number where the source names none."""
    columns = {"vectors": table.vectors}
    for name in ("labels", "density"):
        column = getattr(table, name)
        if column is not None:
            columns[name] = column
    ids = np.arange(len(table.vectors)) if table.ids is None else table.ids
    yield SplitData("all", columns, ids, meta={"protocol": {"name": "all points", **dataset.options}})
