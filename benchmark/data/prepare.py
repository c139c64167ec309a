"""Raw files -> canonical table -> every split, written as columns. Deterministic and atomic."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock

from benchmark.data import checksums, load, paths, registry, splits
from benchmark.data.parsers import parse
from benchmark.data.registry import Dataset, File
from benchmark.data.splits.ratings import POSITIVE
from benchmark.data.statistics import Statistics, gate, mean_statistics, moment, statistics
from benchmark.data.store import replace_folder, sha256, write_columns, write_json
from benchmark.data.tables import Parsed, RatingTable, SessionTable
from contracts import UserError
from contracts.progress import progress

log = logging.getLogger("emde")
VERSION = 1
"""Grows when the same raw files would give other columns."""


def prepare(name: str) -> Path:
    """Parse and split a data set; returns data/prepared/<name>.

    Raises UserError where a raw file is missing, malformed or not the registered one, or where the
    statistics differ from the registry's.
    """
    dataset = registry.get(name)
    target = paths.prepared_dir(name)
    with FileLock(paths.lock_file(name)):
        raw = _raw_hashes(dataset, paths.raw_dir(name))
        parsed = parse(dataset, paths.raw_dir(name))
        counted = table_statistics(parsed)
        gate(dataset, "raw", counted)
        with replace_folder(target) as folder, progress(f"split {dataset.name}", len(dataset.all_splits)) as advance:
            parts: dict[str, Statistics] = {}
            for split in splits.build(dataset, parsed):
                target_of_split = folder / split.name.replace(":", ".")
                parts[split.name] = _write_split(dataset, split, target_of_split, raw, parsed)
                advance(note=split.name)
            gate(dataset, "mean", mean_statistics(parts))
            write_json(folder / "dataset.json", {"dataset": dataset.name, "raw": raw, "statistics": counted})
    log.info("%s: prepared in %s", dataset.name, target)
    return target


def _raw_hashes(dataset: Dataset, folder: Path) -> dict[str, str]:
    """sha256 of each raw file; a registered checksum, or one recorded at the first fetch, must hold.

    Of data made from another data set: those of its prepared columns.
    """
    if dataset.source:
        source = load.load_split(dataset.source)
        return {f"{source.name}/{column}": value for column, value in source.meta["columns"].items()}
    hashes = {}
    for file in dataset.files:
        for member in file.unpack or (file.name,):
            path = folder / member
            if not path.exists():
                raise UserError(f"{path}: no such file; run: emde data fetch {dataset.name}")
            hashes[member] = sha256(path)
            known = file if member == file.name else File(name=member)
            expected = None if dataset.generator else checksums.enforced(dataset.name, known).sha256
            if expected and hashes[member] != expected:
                trouble = f"expected sha256 {expected}, found {hashes[member]}"
                raise UserError(f"{path}: {trouble}; run: emde data fetch {dataset.name}")
    return hashes


def table_statistics(parsed: Parsed) -> Statistics:
    """Counts of the canonical table, before any filter, with the parser's repairs."""
    table = parsed.table
    found: Statistics = dict(parsed.counts)
    if isinstance(table, SessionTable):
        found |= {"events": len(table), "sessions": len(table.session_ids), "items": len(table.item_ids)}
        for name, (_, ids) in table.groups.items():
            found[f"{name}s"] = len(ids)
        same = np.diff(table.sessions) == 0
        again = (np.diff(table.items) == 0) & (np.diff(table.times) == 0)
        found["events that repeat the one before, time included"] = int((same & again).sum())
        if parsed.times == "real":
            found["events earlier than the one before"] = int((same & (np.diff(table.times) < 0)).sum())
            found |= {"first": moment(float(table.times.min())), "last": moment(float(table.times.max()))}
    elif isinstance(table, RatingTable):
        found |= {
            "ratings": len(table),
            "users": len(np.unique(table.users)),
            "items": len(np.unique(table.items)),
            "positives": int((table.ratings >= POSITIVE).sum()),
        }
    else:
        found |= {"rows": len(table.vectors), "dimensions": table.vectors.shape[1]}
    return found


def _write_split(
    dataset: Dataset, split: splits.SplitData, folder: Path, raw: dict[str, str], parsed: Parsed
) -> Statistics:
    folder.mkdir(parents=True)
    meta = {
        "dataset": dataset.name,
        "split": split.name,
        "kind": dataset.kind,
        "comparable": dataset.comparable,
        "approximate": dataset.approximate,
        "version": VERSION,
        "raw": raw,
        "repairs": dict(parsed.counts),
        **split.meta,
    }
    opened = _as_split(dataset, meta, split)
    meta["statistics"] = statistics(opened)
    gate(dataset, split.name, meta["statistics"])
    meta["columns"] = write_columns(folder, split.columns)
    catalogue: dict[str, Any] = {"item_id": split.item_ids}
    if split.item_names is not None:
        catalogue["name"] = split.item_names.astype(str)
    pq.write_table(pa.table(catalogue), folder / "catalogue.parquet", compression="zstd")
    meta["columns"]["catalogue.parquet"] = sha256(folder / "catalogue.parquet")
    write_json(folder / "split.json", meta)
    return meta["statistics"]


def _as_split(
    dataset: Dataset, meta: dict[str, Any], split: splits.SplitData
) -> load.SessionSplit | load.TopKSplit | load.VectorSet:
    if dataset.kind == "topk":
        meta["disliked"] = "train_disliked_indptr" in split.columns
        meta["candidates"] = "candidates_indptr" in split.columns
    if dataset.kind == "vectors":
        meta["known"] = sorted({"labels", "density"} & split.columns.keys())
    return load.assemble(dataset.kind, meta, split.columns.__getitem__, split.item_ids, split.item_names)
