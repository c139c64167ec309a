"""Canonical table -> splits: which events train a method and which test it."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.data.registry import Dataset
from benchmark.data.splits.sessions import session_splits
from benchmark.data.splits.topk import topk_splits
from benchmark.data.splits.types import SplitData
from benchmark.data.splits.vectors import vector_splits
from benchmark.data.tables import Parsed, RatingTable, SessionTable

__all__ = ["SplitData", "build"]


def build(dataset: Dataset, parsed: Parsed) -> Iterator[SplitData]:
    """All splits of a data set, one after the other (never all in memory)."""
    if isinstance(parsed.table, SessionTable):
        return session_splits(dataset, parsed, parsed.table)
    if isinstance(parsed.table, RatingTable):
        return topk_splits(dataset, parsed, parsed.table)
    return vector_splits(dataset, parsed.table)
