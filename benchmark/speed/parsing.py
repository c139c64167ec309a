"""Section ``data``: speed and memory of the data floor, on generated files in the exact raw formats.

Wanted of 33,000,000 clicks (RSC15's size): at most 4 GB and at least 1 million rows/s, parsed and cut into slices, on
two cores; of ratings with 57 million positives (Netflix's size, about 100,000,000 rows): at most 8 GB. Measured at that
size: 3.0 GB and 1.6 million rows/s; 6.3 GB and 2.0 million rows/s (docs/data.md).
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.splits import build
from benchmark.data.splits.ratings import POSITIVE
from benchmark.data.tables import RatingTable, SessionTable
from benchmark.experiments.environment import peak_rss_mb
from benchmark.speed.generate import write_clicks, write_ratings
from benchmark.speed.harness import alone
from contracts.runtime.json import read_json

SLICES, COLD = "rsc15 slices", "cold users"


def report(clicks: int = 3_000_000, ratings: int = 5_000_000) -> dict[str, Any]:
    """Rows/s and peak memory of parsing and splitting.

    clicks   rows of a click file in RSC15's format, cut into the five slices and their tuning twins
    ratings  rows in MovieLens' format, split by cold users
    """
    with tempfile.TemporaryDirectory() as folder:
        write_clicks(Path(folder), clicks)
        write_ratings(Path(folder), ratings)
        return {task: alone(measure, task, folder) for task in (SLICES, COLD)}


def dataset_of(task: str, folder: Path) -> registry.Dataset:
    """The registered data set whose files were generated, without what they do not have."""
    dataset = registry.get("rsc15" if task == SLICES else "ml20m")
    if task == SLICES:
        return dataset.model_copy(update={"options": {**dataset.options, "interactions": []}})
    heldout = read_json(folder / "users.json") // 10
    options = {**dataset.options, "heldout_users": heldout}
    return dataset.model_copy(update={"options": options, "splits": ("cold-user",), "more_splits": ()})


def measure(task: str, folder: str) -> dict[str, Any]:
    """Parse and split what lies in ``folder``; seconds are wall time, memory that of the whole process."""
    begun, dataset = peak_rss_mb(), dataset_of(task, Path(folder))
    start = time.perf_counter()
    parsed = parse(dataset, Path(folder))
    middle = time.perf_counter()
    splits = sum(1 for _ in build(dataset, parsed))
    end = time.perf_counter()
    table = parsed.table
    assert isinstance(table, SessionTable | RatingTable)
    return {
        "rows": len(table),
        **({"positives": int((table.ratings >= POSITIVE).sum())} if isinstance(table, RatingTable) else {}),
        "splits": splits,
        "parse rows/s": round(len(table) / (middle - start)),
        "split s": round(end - middle, 3),
        "parse + split rows/s": round(len(table) / (end - start)),
        "peak MB": round(peak_rss_mb()),
        "MB before": round(begun),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
