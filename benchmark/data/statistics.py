"""What is counted of a split, and the gate that compares it with the registry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from benchmark.data.load import SessionSplit, TopKSplit, VectorSet
from benchmark.data.registry import Dataset
from contracts import Sessions, UserError

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
    found = {f"train.{key}": value for key, value in sessions_statistics(split.train, real).items()}
    found |= {f"test.{key}": value for key, value in sessions_statistics(split.test, real).items()}
    found["test.points"] = int(np.maximum(split.test.lengths - split.min_prefix, 0).sum())
    found["test.unseen_items_events"] = int((split.test.items < 0).sum())
    found["train.prefixes"] = found["train.events"] - found["train.sessions"]
    found |= split.meta["observed"]
    found["events"] = found["train.events"] + found["test.events"]
    found["sessions"] = found["train.sessions"] + found["test.sessions"]
    found["catalogue"] = len(split.item_ids)
    for name, matrix in split.train.attributes.items():
        found[f"attribute.{name}.tokens"] = matrix.shape[1]
        known = np.diff(matrix.indptr) > 0
        found[f"attribute.{name}.items"] = int(known.sum())
        found[f"attribute.{name}.train_event_share"] = round(float(known[split.train.items].mean()), 4)
    return found


def sessions_statistics(sessions: Sessions, real_times: bool) -> Statistics:
    """Events, sessions, distinct known items, session lengths and (real times) the span in UTC."""
    found: Statistics = {
        "events": sessions.n_events,
        "sessions": len(sessions),
        "items": len(np.unique(sessions.items[sessions.items >= 0])),
        "length.mean": round(float(sessions.lengths.mean()), 6),
        "length.median": float(np.median(sessions.lengths)),
        "length.max": int(sessions.lengths.max()),
    }
    for name, column in sessions.groups.items():
        found[f"{name}s"] = len(np.unique(column))
    if real_times:
        first, last = float(sessions.times.min()), float(sessions.times.max())
        found |= {"first": moment(first), "last": moment(last), "days": round((last - first) / 86400, 4)}
    return found


def moment(seconds: float) -> str:
    """Seconds since 1970 as ``2014-01-20T10:00:00Z``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _topk_statistics(split: TopKSplit) -> Statistics:
    found = {
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
        found["train.negatives"] = int(split.train.disliked.nnz)
        found["test.negatives"] = int(split.profiles.disliked.nnz)
    for name, matrix in split.train.attributes.items():
        found[f"attribute.{name}.tokens"] = matrix.shape[1]
        found[f"attribute.{name}.items"] = int((np.diff(matrix.indptr) > 0).sum())
    return found | split.meta["observed"]


def mean_statistics(parts: Mapping[str, Statistics]) -> Statistics:
    """Plain means of the counts over the slices 0, 1, ... (papers publish these); empty without slices."""
    slices = [found for split, found in parts.items() if split.isdigit()]
    keys = [key for key in ("events", "sessions", "catalogue") if slices and key in slices[0]]
    return {key: round(float(np.mean([found[key] for found in slices])), 2) for key in keys}


def gate(dataset: Dataset, part: str, found: Mapping[str, Any]) -> None:
    """Raise UserError at the first expected value that is not met (within dataset.tolerance)."""
    for key, expected in dataset.expected.get(part, {}).items():
        value = found.get(key)
        if not _agree(expected, value, dataset.tolerance):
            within = f" within {dataset.tolerance:.1%}" if dataset.tolerance else ""
            raise UserError(f"{dataset.name}, {part}: {key}: expected {expected}{within}, found {value}")


def _agree(expected: Any, found: Any, tolerance: float) -> bool:
    if isinstance(expected, str) or not isinstance(found, int | float):
        return expected == found
    return abs(found - expected) <= tolerance * abs(expected)
