"""A cell in a few numbers and curves: what ``dvc metrics show`` prints and ``dvc plots show`` draws.

metrics.json   headline metrics, means over splits and seeds
at-k.csv       metrics over the length k of the list
learning.csv   epoch, training loss and, where one was watched, validation metric; means over splits and seeds of the
               epochs that all have. Only its head where the method does not learn in epochs
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.protocol.metric import Metric
from contracts.runtime.files import write_whole
from contracts.runtime.json import write_json

EVALUATION, UNITS = "evaluation.json", "units.parquet"
"""In the folder of a cell: all results of ``emde evaluate``, and its metrics per session or user."""
ELSEWHERE = "lists from elsewhere"
"""How tables mark a row that ``emde import`` brought; where its parameters come from."""
METRICS, AT_K, LEARNING = "metrics.json", "at-k.csv", "learning.csv"
HEADLINE = {"session": ("HR@20", "MRR@20"), "topk": ("Recall@20", "NDCG@20")}
FAMILIES = {"session": ("HR", "MRR"), "topk": ("Recall", "NDCG")}
CURVE = ("epoch", "loss", "valid")
CHOOSING = {"valid_mrr": "valid", "valid_recall": "valid"}
"""Fields of a history that chose the epoch."""

Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class PerUnit:
    """The metrics of a run summed over each session's points (a user is one point): what paired tests need.

    unit    int64 [units], session or user, ascending
    points  int64 [units], evaluation points of the unit
    sums    metric -> float64 [units]; those of the lists without disliked items are labelled as masked
    """

    unit: np.ndarray
    points: np.ndarray
    sums: dict[str, np.ndarray]


def write(results: Results, out: Path) -> None:
    """Write the three files of a cell's results (of ``benchmark.experiments.evaluate``) into a folder."""
    write_json(out / METRICS, metrics(results))
    kind = results[0]["run"]["kind"]
    write_whole(out / AT_K, _csv(("k", *FAMILIES[kind]), at_k(results)))
    write_whole(out / LEARNING, _csv(CURVE, learning(results)))


def metrics(results: Results) -> dict[str, float]:
    """Headline metric -> its mean over splits and seeds."""
    names = HEADLINE[results[0]["run"]["kind"]]
    return {name: float(np.mean([result["metrics"][name] for result in results])) for name in names}


def at_k(results: Results) -> list[dict[str, float]]:
    """{k, family: mean over splits and seeds} for every k that a family of metrics has, ascending."""
    families = FAMILIES[results[0]["run"]["kind"]]
    means: dict[int, dict[str, float]] = {}
    for label in results[0]["metrics"]:
        metric = Metric.parse(label)
        if metric.k and not metric.form and metric.name in families:
            column = [result["metrics"][label] for result in results]
            means.setdefault(metric.k, {})[metric.name] = float(np.mean(column))
    return [{"k": k, **means[k]} for k in sorted(means)]


def learning(results: Results) -> list[dict[str, float]]:
    """{epoch, loss, valid}: means over runs."""
    curves = [first_training(result["run"].get("history") or []) for result in results]
    shared = min(map(len, curves))
    out = []
    for rows in zip(*(curve[:shared] for curve in curves), strict=True):
        known = [name for name in CURVE if all(name in row for row in rows)]
        out.append({name: float(np.mean([row[name] for row in rows])) for name in known})
    return [{**row, "epoch": int(row["epoch"])} for row in out]


def first_training(history: Sequence[Mapping[str, float]]) -> list[Mapping[str, float]]:
    """The epochs of a history, what chose among them as ``valid``; a second training on all of train is no part."""
    return [{CHOOSING.get(name, name): value for name, value in row.items()} for row in history if not row.get("refit")]


def _csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
