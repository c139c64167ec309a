"""What is counted of a split, the gate that compares it with the registry, and what is prepared, counted again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmark.data import as_is, paths
from benchmark.data.load import SessionSplit, TopKSplit, VectorSet, load_split
from benchmark.data.registry import Dataset
from contracts import Sessions, UserError
from contracts.runtime.json import read_json

Statistics = dict[str, Any]


def statistics(split: SessionSplit | TopKSplit | VectorSet) -> Statistics:
    """Counts of one split, keys dotted (``train.events``), values JSON-serialisable."""
    if isinstance(split, SessionSplit):
        return _session_statistics(split)
    if isinstance(split, TopKSplit):
        return _topk_statistics(split)
    return {"rows": len(split.vectors), "dimensions": split.vectors.shape[1]}


def _session_statistics(split: SessionSplit) -> Statistics:
    real = split.meta["times"] == "real"
    counted = {f"train.{key}": value for key, value in sessions_statistics(split.train, real).items()}
    counted |= {f"test.{key}": value for key, value in sessions_statistics(split.test, real).items()}
    counted["test.points"] = split.n_points
    counted["test.unseen_items_events"] = int((split.test.items < 0).sum())
    counted["train.prefixes"] = counted["train.events"] - counted["train.sessions"]
    counted |= split.meta["observed"]
    counted["events"] = counted["train.events"] + counted["test.events"]
    counted["sessions"] = counted["train.sessions"] + counted["test.sessions"]
    counted["catalogue"] = len(split.item_ids)
    if split.meta.get("step_seconds") is not None:
        counted["step_seconds"] = split.meta["step_seconds"]
    for name, matrix in split.train.attributes.items():
        counted[f"attribute.{name}.tokens"] = matrix.shape[1]
        known = np.diff(matrix.indptr) > 0
        counted[f"attribute.{name}.items"] = int(known.sum())
        counted[f"attribute.{name}.train_event_share"] = round(float(known[split.train.items].mean()), 4)
    return counted


def sessions_statistics(sessions: Sessions, real_times: bool) -> Statistics:
    """Events, sessions, distinct known items, session lengths and (real times) the span in UTC."""
    counted: Statistics = {
        "events": sessions.n_events,
        "sessions": len(sessions),
        "items": len(np.unique(sessions.items[sessions.items >= 0])),
        "length.mean": round(float(sessions.lengths.mean()), 6),
        "length.median": float(np.median(sessions.lengths)),
        "length.max": int(sessions.lengths.max()),
    }
    for name, column in sessions.groups.items():
        counted[f"{name}s"] = len(np.unique(column))
    if real_times:
        first, last = float(sessions.times.min()), float(sessions.times.max())
        counted |= {"first": moment(first), "last": moment(last), "days": round((last - first) / 86400, 4)}
    return counted


def moment(seconds: float) -> str:
    """Seconds since 1970 as ``2014-01-20T10:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _topk_statistics(split: TopKSplit) -> Statistics:
    counted = {
        "train.users": len(split.train),
        "train.positives": int(split.train.liked.nnz),
        "items": len(split.item_ids),
        "test.users": len(split.user_ids),
        "test.evaluated_users": int((np.diff(split.heldout.indptr) > 0).sum()),
        "test.foldin": int(split.profiles.liked.nnz),
        "test.heldout": int(split.heldout.nnz),
        "profile.mean": round(float(np.diff(split.train.liked.indptr).mean()), 6),
    }
    if split.train.disliked is not None and split.profiles.disliked is not None:
        counted["train.negatives"] = int(split.train.disliked.nnz)
        counted["test.negatives"] = int(split.profiles.disliked.nnz)
    for name, matrix in split.train.attributes.items():
        counted[f"attribute.{name}.tokens"] = matrix.shape[1]
        counted[f"attribute.{name}.items"] = int((np.diff(matrix.indptr) > 0).sum())
    return counted | split.meta["observed"]


def mean_statistics(parts: Mapping[str, Statistics]) -> Statistics:
    """Plain means of the counts over the slices 0, 1, ... (papers publish these); empty without slices."""
    slices = [counted for split, counted in parts.items() if split.isdigit()]
    keys = [key for key in ("events", "sessions", "catalogue") if slices and key in slices[0]]
    return {key: round(float(np.mean([counted[key] for counted in slices])), 2) for key in keys}


def gate(dataset: Dataset, part: str, counted: Mapping[str, Any]) -> None:
    """Raise UserError at the first expected value that is not met (within dataset.tolerance)."""
    for key, expected in dataset.expected.get(part, {}).items():
        value = counted.get(key)
        if not _agree(expected, value, dataset.tolerance):
            within = f" within {dataset.tolerance:.1%}" if dataset.tolerance else ""
            raise UserError(f"{dataset.name}, {part}: {key}: expected {expected}{within}, found {value}")


def _agree(expected: Any, counted: Any, tolerance: float) -> bool:
    if isinstance(expected, str) or not isinstance(counted, int | float):
        return expected == counted
    return abs(counted - expected) <= tolerance * abs(expected)


def stats(name: str) -> dict[str, Any]:
    """Counts of a prepared data set, per split, next to the expected ones; JSON-serialisable.

    Raises UserError where the data set is not prepared, or with both numbers at a mismatch.
    """
    dataset = as_is.judged(name)
    path = paths.prepared_dir(name) / "dataset.json"
    if not path.exists():
        raise UserError(f"{path}: not prepared; run: emde data prepare {dataset.name}")
    raw = read_json(path)["statistics"]
    gate(dataset, "raw", raw)
    parts = {}
    for split in dataset.all_splits:
        counted = statistics(load_split(name, split))
        gate(dataset, split, counted)
        parts[split] = {"found": counted, "expected": dataset.expected.get(split, {})}
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
