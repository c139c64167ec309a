"""The statistics gate on what is prepared: counted again from the columns, beside the expected values."""

from __future__ import annotations

from typing import Any

from benchmark.data import load, paths, registry
from benchmark.data.statistics import gate, mean_statistics, statistics
from benchmark.data.store import read_json
from contracts import UserError


def stats(name: str) -> dict[str, Any]:
    """Counts of a prepared data set, per split, next to the expected ones; JSON-serialisable.

    Raises UserError where the data set is not prepared, or with both numbers at a mismatch.
    """
    dataset = registry.get(name)
    path = paths.prepared_dir(name) / "dataset.json"
    if not path.exists():
        raise UserError(f"{path}: not prepared; run: emde data prepare {dataset.name}")
    raw = read_json(path)["statistics"]
    gate(dataset, "raw", raw)
    parts = {}
    for split in dataset.all_splits:
        found = statistics(load.load_split(name, split))
        gate(dataset, split, found)
        parts[split] = {"found": found, "expected": dataset.expected.get(split, {})}
    mean = mean_statistics({split: part["found"] for split, part in parts.items()})
    gate(dataset, "mean", mean)
    return {
        "name": dataset.name,
        "kind": dataset.kind,
        "comparable": dataset.comparable,
        "approximate": dataset.approximate,
        "raw": {"found": raw, "expected": dataset.expected.get("raw", {})},
        "mean": {"found": mean, "expected": dataset.expected.get("mean", {})},
        "splits": parts,
    }
