"""Metrics of a stored run, derived from its ranked lists alone (and the split's truth)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.given_vectors import vector_hashes
from benchmark.data.load import SessionSplit, TopKSplit, load_split
from benchmark.experiments import costs, environment, examples, headline, run_store
from benchmark.experiments.headline import EVALUATION, UNITS, PerUnit
from benchmark.protocol import session_metrics, topk_metrics
from benchmark.protocol.breakdown import breakdown, repeated
from benchmark.protocol.metric import of_lists
from benchmark.protocol.points import points_of
from contracts import UserError
from contracts.runtime.files import write_whole
from contracts.runtime.json import write_json

RESAMPLES = 1000
"""Bootstrap resamples of a 95% interval."""


def evaluate(folder: Path) -> dict[str, Any]:
    """Metrics of one run: {"metrics": {"HR@20": ...}, "intervals": {"HR@20": [low, high]}, "run": ...}.

    masked: {"metrics": ..., "intervals": ...} of the lists without disliked items, None where there are none.
    """
    return score(folder)[0]


def score(folder: Path) -> tuple[dict[str, Any], PerUnit]:
    """What ``evaluate`` returns, and the same metrics per session or user."""
    record, split = open_run(folder)
    if isinstance(split, SessionSplit):
        result, per_unit = _session(folder, record, split)
    else:
        result, per_unit = _topk(folder, record, split)
    return {"run": record, **result}, per_unit


def values_of(folder: Path) -> tuple[dict[str, Any], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """(record, what each row belongs to, metric -> [rows]) of a run: a row per evaluation point or test user.

    Rows belong to session and position, or to a user; the metrics of the second lists are labelled as masked.
    """
    record, split = open_run(folder)
    if isinstance(split, SessionSplit):
        points = points_of(split)
        items, _ = _lists(folder, record, len(points))
        where = {"session": points.session, "position": points.position}
        return record, where, session_metrics.per_point(items, points)
    values = _topk_values(folder, record, split, run_store.RANKS)
    if record.get("masked_sha256"):
        without = _topk_values(folder, record, split, run_store.MASKED)
        values.update({of_lists(name, masked=True): column for name, column in without.items()})
    return record, {"user": np.flatnonzero(np.diff(split.heldout.indptr) > 0)}, values


def open_run(folder: Path) -> tuple[dict[str, Any], SessionSplit | TopKSplit]:
    """The record of a run and the split it was made from, unchanged since."""
    record = run_store.read_record(folder)
    split = load_split(record["data"], record["split"])
    if not run_store.same_columns(record["data_hashes"]["columns"], split.meta["columns"]):
        raise UserError(f"{folder}: made from data with other hashes than the prepared {record['data']}; run it again")
    present = vector_hashes(record["data"])
    for name, value in record["data_hashes"].get("vectors", {}).items():
        if present.get(name) != value:
            trouble = f"made with other item vectors '{name}' than those of {record['data']} now"
            raise UserError(f"{folder}: {trouble}; run it again")
    if not isinstance(split, SessionSplit | TopKSplit):
        raise UserError(f"{folder}: {record['data']} has no ranked lists to score")
    return record, split


def _lists(folder: Path, record: dict[str, Any], expected: int, name: str = run_store.RANKS) -> run_store.Lists:
    """The stored lists, of as many rows as expected and as the record describes them."""
    items, scores = run_store.read_ranks(folder, name)
    if len(items) != expected:
        raise UserError(f"{folder / name}: expected {expected} ranked lists, found {len(items)}")
    if record["lists_sha256" if name == run_store.RANKS else "masked_sha256"] != run_store.lists_hash(items):
        raise UserError(f"{folder / name}: the lists are not those that {run_store.RECORD} describes; run it again")
    return items, scores


def _session(folder: Path, record: dict[str, Any], split: SessionSplit) -> tuple[dict[str, Any], PerUnit]:
    points = points_of(split)
    items, scores = _lists(folder, record, len(points))
    values = session_metrics.per_point(items, points)
    intervals = bootstrap(values, points.session)
    metrics = {name: float(column.mean()) for name, column in values.items()}
    known = split.train.items[split.train.items >= 0]
    counts = np.bincount(known, minlength=split.train.n_items)
    metrics.update(session_metrics.of_lists(items, split.train.n_items, counts))
    unit, index, sizes = np.unique(points.session, return_inverse=True, return_counts=True)
    sums = {name: np.bincount(index, weights=column, minlength=len(unit)) for name, column in values.items()}
    result = {
        "metrics": metrics,
        "intervals": intervals,
        "masked": None,
        "ties": session_metrics.tie_bounds(items, scores, points),
        "breakdown": breakdown(values, points.position, points.next_items, repeated(points), counts),
        "examples": examples.of_sessions(split, points, items),
    }
    return result, PerUnit(unit, sizes, sums)


def _topk(folder: Path, record: dict[str, Any], split: TopKSplit) -> tuple[dict[str, Any], PerUnit]:
    values = _topk_values(folder, record, split, run_store.RANKS)
    metrics, intervals = _means(values)
    masked, sums = None, dict(values)
    if record.get("masked_sha256"):
        without = _topk_values(folder, record, split, run_store.MASKED)
        masked = dict(zip(("metrics", "intervals"), _means(without), strict=True))
        sums.update({of_lists(name, masked=True): column for name, column in without.items()})
    shown = examples.of_users(split, run_store.read_ranks(folder)[0])
    users = np.flatnonzero(np.diff(split.heldout.indptr) > 0)
    result = {"metrics": metrics, "intervals": intervals, "masked": masked, "ties": None, "breakdown": None,
              "examples": shown}  # fmt: skip
    return result, PerUnit(users, np.ones(len(users), np.int64), sums)


def _topk_values(folder: Path, record: dict[str, Any], split: TopKSplit, name: str) -> dict[str, np.ndarray]:
    items, _ = _lists(folder, record, len(split.profiles), name)
    values = topk_metrics.per_user(items, split.heldout)
    if split.candidates is not None:
        values = topk_metrics.sampled(values)
    users = np.flatnonzero(np.diff(split.heldout.indptr) > 0)
    return {name: column[users] for name, column in values.items()}


def _means(values: dict[str, np.ndarray]) -> tuple[dict[str, float], dict[str, list[float]]]:
    metrics = {name: float(column.mean()) for name, column in values.items()}
    return metrics, bootstrap(values, np.arange(len(next(iter(values.values())))))


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


def evaluate_all(folders: Sequence[Path], out: Path | None = None, spent: Path | None = None) -> list[dict[str, Any]]:
    """Evaluate every run at or below the folders.

    With ``out``, this folder gets evaluation.json (the results), units.parquet (metrics per session or user) and what
    ``headline`` makes of the results: headline metrics, and the data of DVC's plots. The peak memory of this process
    so far stands beside each result, or in ``spent``, the folder of the record of costs.
    """
    scored = [score(run) for folder in folders for run in run_store.find_runs(folder)]
    results = [result for result, _ in scored]
    if out is not None:
        peak = environment.peak_rss_mb()
        whole = [{**result, "evaluation_peak_rss_mb": peak} for result in results]
        if spent is not None:
            write_json(spent / EVALUATION, [costs.apart(result)[1] for result in whole])
        write_json(out / EVALUATION, whole if spent is None else results)
        write_units(out / UNITS, scored)
        headline.write(results, out)
    return results


def write_units(path: Path, scored: Sequence[tuple[dict[str, Any], PerUnit]]) -> None:
    """One row per run and unit: split, seed ("-" where there is none), unit, points, float32 sum of every metric."""
    parts = []
    for result, per_unit in scored:
        record, n = result["run"], len(per_unit.unit)
        names = {"split": record["split"], "seed": "-" if record["seed"] is None else str(record["seed"])}
        parts.append(
            pa.table(
                {name: pa.array([value] * n).dictionary_encode() for name, value in names.items()}
                | {"unit": per_unit.unit.astype(np.int32), "points": per_unit.points.astype(np.int32)}
                | {name: column.astype(np.float32) for name, column in per_unit.sums.items()}
            )
        )
    stream = pa.BufferOutputStream()
    table = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
    pq.write_table(table, stream, compression="zstd")
    write_whole(path, stream.getvalue().to_pybytes(), "the metrics per session or user")
