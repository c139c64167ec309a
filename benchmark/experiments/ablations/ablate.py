"""One cell of the ablation grid (Table 6 and ours): one change of a base model, trained with several seeds.

Measured on a tuning split, so that choices may follow from it. Decoders are no trainings of their own: a cell
ranks with each of them from the same weights.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.load import SessionSplit, resolve_split
from benchmark.data.registry import get
from benchmark.experiments import costs, environment
from benchmark.experiments.ablations.grid import METRICS, Base, Change, K, cell_files, parameters
from benchmark.experiments.run import load_ranking_split, rank_sessions
from benchmark.experiments.search.search import VALID, subsample
from benchmark.protocol.points import points_of
from benchmark.protocol.session_metrics import per_point
from benchmark.protocol.train_sets import recent
from contracts import RANDOM, SessionRecommender, Source, UserError
from contracts.runtime.json import write_json

if TYPE_CHECKING:
    from benchmark.experiments.settings import Settings

log = logging.getLogger("emde")
Values = dict[str, dict[str, np.ndarray]]
"""Decoder -> metric -> float64 [seeds, points]."""


def ablate(settings: Settings, data: str, cell: str, out: Path, spent: Path | None = None) -> dict[str, Any]:
    """Train and measure one cell; writes <out>/<data>/<cell>.json and .parquet, returns what the JSON holds.

    spent  file of the record of costs; None: the JSON holds them

    JSON: data, split, cell, params (of the model), train (sessions fitted on), points, seeds, items, random_codes
    (how many of the items a modality knows nothing about, per group), sessions and sampled_points (how many of them
    params.yaml asks for; null: all), results: decoder -> metric -> one value per
    seed; or, where the data cannot fill the cell, data, split, cell and unavailable: why.
    Parquet: session, points, and per decoder and metric ("gmean:MRR@20") the sum over the session's points, mean
    over seeds: what paired tests need.
    """
    dataset = get(data)
    base, spec = settings.ablations.of(dataset.name, cell)
    opened = load_ranking_split(dataset.name, resolve_split(dataset.name, base.split or VALID))
    split = subsample(recent(opened, base.sessions), base.points, seed=0)
    if not isinstance(split, SessionSplit) or not split.split.endswith(VALID):
        raise UserError(f"ablations.base.{data}: expected a tuning split ({VALID}) of sessions, found {split.split}")
    points = points_of(split)
    result: dict[str, Any] = {"data": dataset.name, "split": split.split, "cell": cell}
    seeds = [settings.seed + i for i in range(base.seeds)]
    values: Values = {}
    try:
        params = parameters(base, spec)
        started = time.process_time()
        values, modalities = measure(settings, base, spec, split, seeds)
    except UserError as error:
        result["unavailable"] = str(error)
    else:
        result |= {
            "params": params,
            "train": len(split.train),
            "sessions": base.sessions,
            "sampled_points": base.points,
            "points": len(points),
            "seeds": seeds,
            "items": split.train.n_items,
            "approximate": split.meta.get("approximate"),
            "random_codes": {
                made["group"]: made["items"] - made["known"]
                for made in modalities
                if Source.parse(made["group"]) != RANDOM
            },
            "results": {
                decoder: {name: column.mean(axis=1).tolist() for name, column in columns.items()}
                for decoder, columns in values.items()
            },
            "cpu_seconds": round(time.process_time() - started, 1),
            "code": environment.code_version(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    results, sums = cell_files(out, dataset.name, cell)
    _write_sums(sums, points.session, values)
    write_json(results, costs.write(result, spent))
    return result


def measure(
    settings: Settings, base: Base, cell: Change, split: SessionSplit, seeds: list[int]
) -> tuple[Values, list[dict[str, Any]]]:
    """Every decoder's and metric's values at every point, one training per seed; and the modalities as made."""
    points = points_of(split)
    columns: dict[str, dict[str, list[np.ndarray]]] = {}
    for seed in seeds:
        model = settings.recommender("session", base.method, "", parameters(base, cell), seed, "auto")
        assert isinstance(model, SessionRecommender)
        started = time.process_time()
        model.fit(split.train)
        log.info("seed %d: fitted in %.1f CPU seconds", seed, time.process_time() - started)
        for decoder in cell.decoders or [model.model_dump()["decoder"]]:
            ranked = rank_sessions(model.model_copy(update={"decoder": decoder}), split, K)
            for name, column in per_point(ranked.items, points, (K,)).items():
                if name in METRICS:
                    columns.setdefault(decoder, {}).setdefault(name, []).append(column)
    values = {decoder: {name: np.stack(c) for name, c in of_decoder.items()} for decoder, of_decoder in columns.items()}
    return values, model.fit_record["modalities"]


def _write_sums(path: Path, session: np.ndarray, values: Values) -> None:
    """Sums over each session's points, mean over seeds; written before the JSON, which says that both are there."""
    units, at = np.unique(session, return_inverse=True)
    table: dict[str, np.ndarray] = {"session": units, "points": np.bincount(at)}
    for decoder, columns in values.items():
        for name, column in columns.items():
            table[f"{decoder}:{name}"] = np.bincount(at, weights=column.mean(axis=0))
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), path)
