"""Raw files -> canonical table -> every split, written as columns. Deterministic and atomic."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data import as_is, checksums, load, paths, splits, swap
from benchmark.data.parsers import parse
from benchmark.data.registry import Dataset, File
from benchmark.data.splits.ratings import POSITIVE, threshold
from benchmark.data.statistics import Statistics, gate, mean_statistics, moment, statistics
from benchmark.data.store import VERSION, sha256, write_columns
from benchmark.data.tables import Parsed, RatingTable, SessionTable
from contracts import UserError
from contracts.runtime.json import write_json
from contracts.runtime.progress import progress

log = logging.getLogger("emde")


def prepare(name: str) -> Path:
    """Parse and split a data set; returns data/prepared/<name>.

    Raises UserError where a raw file is missing, malformed or not the registered one, or where the
    statistics differ from the registry's.
    """
    dataset = as_is.judged(name)
    target = paths.prepared_dir(name)
    with swap.locked(dataset.name):
        raw = _raw_hashes(dataset, paths.raw_dir(name))
        parsed = parse(dataset, paths.raw_dir(name))
        with swap.replacing(dataset.name) as new:
            build(dataset, parsed, raw, new.place(target))
    log.info("%s: prepared in %s", dataset.name, target)
    return target


def build(dataset: Dataset, parsed: Parsed, raw: dict[str, str], folder: Path) -> None:
    """Write every split and what was counted into a new folder.

    raw: sha256 of each raw file. Raises UserError where a split cannot be made or the statistics differ.
    """
    counted = table_statistics(parsed, threshold(dataset))
    gate(dataset, "raw", counted)
    folder.mkdir(parents=True)
    parts: dict[str, Statistics] = {}
    with progress(f"split {dataset.name}", len(dataset.all_splits)) as advance:
        for split in splits.build(dataset, parsed):
            parts[split.name] = _write_split(dataset, split, folder / split.name.replace(":", "."), raw, parsed)
            advance(note=split.name)
    gate(dataset, "mean", mean_statistics(parts))
    write_json(folder / "dataset.json", {"dataset": dataset.name, "raw": raw, "statistics": counted}, sort_keys=True)


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
            unchecked = dataset.generator or as_is.taken(dataset.name)
            expected = None if unchecked else checksums.enforced(dataset.name, known).sha256
            if expected and hashes[member] != expected:
                trouble = f"expected sha256 {expected}, found {hashes[member]}"
                raise UserError(f"{path}: {trouble}; run: emde data fetch {dataset.name}")
    return hashes


def table_statistics(parsed: Parsed, positive: float = POSITIVE) -> Statistics:
    """Counts of the canonical table, before any filter, with the parser's repairs.

    positive: the least rating that is a positive.
    """
    table = parsed.table
    counted: Statistics = dict(parsed.counts)
    if isinstance(table, SessionTable):
        counted |= {"events": len(table), "sessions": len(table.session_ids), "items": len(table.item_ids)}
        for name, (_, ids) in table.groups.items():
            counted[f"{name}s"] = len(ids)
        counted |= _read_as(
            session=table.session_ids, item=table.item_ids, **{n: ids for n, (_, ids) in table.groups.items()}
        )
        same = np.diff(table.sessions) == 0
        again = (np.diff(table.items) == 0) & (np.diff(table.times) == 0)
        counted["events that repeat the one before, time included"] = int((same & again).sum())
        if parsed.times == "real":
            counted["events earlier than the one before"] = int((same & (np.diff(table.times) < 0)).sum())
            counted |= {"first": moment(float(table.times.min())), "last": moment(float(table.times.max()))}
    elif isinstance(table, RatingTable):
        counted |= {
            "ratings": len(table),
            "users": len(np.unique(table.users)),
            "items": len(np.unique(table.items)),
            "positives": int((table.ratings >= positive).sum()),
        }
        counted |= _read_as(user=table.users, item=table.items)
    else:
        counted |= {"rows": len(table.vectors), "dimensions": table.vectors.shape[1]}
    return counted


def _read_as(**ids: np.ndarray) -> Statistics:
    """How the ids of sessions, items, users were read: as text, '01' and '1' are two."""
    whole = {name: np.issubdtype(column.dtype, np.integer) for name, column in ids.items()}
    return {f"{name} ids": "whole numbers" if numbers else "text" for name, numbers in whole.items()}


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
    if split.name in dataset.splits:
        _keep_promise(dataset, meta)
    meta["statistics"] = statistics(opened)
    gate(dataset, split.name, meta["statistics"])
    meta["columns"] = write_columns(folder, split.columns)
    catalogue: dict[str, Any] = {"item_id": split.item_ids}
    if split.item_names is not None:
        catalogue["name"] = split.item_names.astype(str)
    pq.write_table(pa.table(catalogue), folder / "catalogue.parquet", compression="zstd")
    meta["columns"]["catalogue.parquet"] = sha256(folder / "catalogue.parquet")
    write_json(folder / "split.json", meta, sort_keys=True)
    return meta["statistics"]


def _keep_promise(dataset: Dataset, meta: Mapping[str, Any]) -> None:
    """Raise UserError where a split lacks what the registry says that methods may ask of it."""
    if dataset.offers is None:
        return
    promised = dataset.offers.model_dump()
    for what in ("groups", "attributes"):
        for name in promised[what]:
            if name not in meta.get(what, ()):
                trouble = f"expected {name}, found {', '.join(meta.get(what, ())) or 'none'}"
                raise UserError(f"{dataset.name}, {meta['split']}: {what}: {trouble}")
    if promised["dislikes"] and not meta.get("disliked"):
        raise UserError(f"{dataset.name}, {meta['split']}: expected ratings below the threshold, found none")
    if (times := meta.get("times", promised["times"])) != promised["times"]:
        raise UserError(f"{dataset.name}, {meta['split']}: times: expected {promised['times']}, found {times}")


def _as_split(
    dataset: Dataset, meta: dict[str, Any], split: splits.SplitData
) -> load.SessionSplit | load.TopKSplit | load.VectorSet:
    if dataset.kind == "topk":
        meta["disliked"] = "train_disliked_indptr" in split.columns
        meta["candidates"] = "candidates_indptr" in split.columns
    if dataset.kind == "vectors":
        meta["known"] = sorted({"labels", "density"} & split.columns.keys())
    return load.assemble(dataset.kind, meta, split.columns.__getitem__, split.item_ids, split.item_names)
