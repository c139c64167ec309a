"""Metrics of a stored run, derived from its ranked lists alone (and the split's truth)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import metrics_session, metrics_topk, store
from benchmark.breakdown import breakdown
from benchmark.data.add import vector_hashes
from benchmark.data.load import SessionSplit, TopKSplit, load_split
from benchmark.points import evaluation_points
from contracts import UserError
from contracts.files import write_whole

RESAMPLES = 1000
"""Bootstrap resamples of a 95% interval."""


def evaluate(folder: Path) -> dict[str, Any]:
    """Metrics of one run: {"metrics": {"HR@20": ...}, "intervals": {"HR@20": [low, high]}, "run": ...}."""
    record = store.read_record(folder)
    items, scores = store.read_ranks(folder)
    split = load_split(record["data"], record["split"])
    if split.meta["columns"] != record["data_hashes"]["columns"]:
        raise UserError(f"{folder}: made from data with other hashes than the prepared {record['data']}; run it again")
    present = vector_hashes(record["data"])
    for name, value in record["data_hashes"].get("vectors", {}).items():
        if present.get(name) != value:
            trouble = f"made with other item vectors '{name}' than those of {record['data']} now"
            raise UserError(f"{folder}: {trouble}; run it again")
    if isinstance(split, SessionSplit):
        metrics, intervals, ties, groups = _session(split, items, scores, folder)
    elif isinstance(split, TopKSplit):
        metrics, intervals = _topk(split, items, folder)
        ties = groups = None
    else:
        raise UserError(f"{folder}: {record['data']} has no ranked lists to score")
    if record["lists_sha256"] != store.lists_hash(items):
        raise UserError(f"{folder / store.RANKS}: the lists are not those that {store.RECORD} describes; run it again")
    return {"run": record, "metrics": metrics, "intervals": intervals, "ties": ties, "breakdown": groups}


def _session(split: SessionSplit, items: np.ndarray, scores: np.ndarray, folder: Path):
    points = evaluation_points(split.test, split.min_prefix)
    _same_length(len(items), len(points), folder)
    values = metrics_session.per_point(items, points)
    intervals = bootstrap(values, points.session)
    metrics = {name: float(column.mean()) for name, column in values.items()}
    known = split.train.items[split.train.items >= 0]
    counts = np.bincount(known, minlength=split.train.n_items)
    metrics.update(metrics_session.of_lists(items, split.train.n_items, counts))
    groups = breakdown(values, points.position, points.next_items, counts)
    return metrics, intervals, metrics_session.tie_bounds(items, scores, points), groups


def _topk(split: TopKSplit, items: np.ndarray, folder: Path):
    _same_length(len(items), len(split.profiles), folder)
    values = metrics_topk.per_user(items, split.heldout)
    users = np.flatnonzero(np.diff(split.heldout.indptr) > 0)
    values = {name: column[users] for name, column in values.items()}
    metrics = {name: float(column.mean()) for name, column in values.items()}
    return metrics, bootstrap(values, np.arange(len(users)))


def _same_length(found: int, expected: int, folder: Path) -> None:
    if found != expected:
        raise UserError(f"{folder / store.RANKS}: expected {expected} ranked lists, found {found}")


def bootstrap(values: dict[str, np.ndarray], unit: np.ndarray, seed: int = 0) -> dict[str, list[float]]:
    """95% percentile intervals of the mean, resampling whole units (sessions or users).

    values  name -> [points]; unit int [points]. The resamples are the same for every metric and run
    of a split (fixed seed), so that intervals of two methods can be compared.
    """
    _, unit = np.unique(unit, return_inverse=True)
    n_units = int(unit.max()) + 1
    sums = np.stack([np.bincount(unit, weights=column, minlength=n_units) for column in values.values()], axis=1)
    sizes = np.bincount(unit, minlength=n_units).astype(np.float64)
    rng = np.random.default_rng(seed)
    means = np.empty((RESAMPLES, len(values)))
    for i in range(RESAMPLES):
        times = np.bincount(rng.integers(n_units, size=n_units), minlength=n_units)
        means[i] = times @ sums / (times @ sizes)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return {name: [float(low[i]), float(high[i])] for i, name in enumerate(values)}


def evaluate_all(folders: Sequence[Path], out: Path | None = None) -> list[dict[str, Any]]:
    """Evaluate every run at or below the folders; with ``out``, write the results there (atomically)."""
    results = [evaluate(run) for folder in folders for run in store.find_runs(folder)]
    if out is not None:
        write_json(out, results)
    return results


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all; raises UserError where that fails."""
    write_whole(path, json.dumps(content, indent=1) + "\n")
