"""Results as the pipeline leaves them, small and made up."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.experiments import settings
from benchmark.experiments.evaluate import write_units
from benchmark.experiments.headline import EVALUATION, UNITS, PerUnit
from benchmark.report.tables.measured import COMPARED, Made, Measured
from contracts import UserError

SESSION_METRICS = ("HR@20", "MRR@20", "P@20", "R@20", "MAP@20")
Write = Callable[..., Path]


@cache
def asked(data: str, method: str, seed: int | None) -> dict[str, Any]:
    """What params.yaml asks of a method; a method of the tests' own has a seed only."""
    try:
        return settings.load().recommender("session", method, data, {}, seed, "cpu").model_dump(mode="json")
    except UserError:
        return {"seed": seed}


def result(data: str, method: str, split: str, seed: int | None, metrics: dict[str, float]) -> dict[str, Any]:
    """What emde evaluate returns for one run."""
    record = {
        "data": data, "split": split, "kind": "session", "method": method, "base": method,
        "params": asked(data, method, seed), "params_source": "a test", "seed": seed, "n_points": 600,
        "lists_sha256": f"lists of {data} {method} {split} {seed}", "command": "emde run",
        "data_hashes": {}, "peak_rss_mb": 100.0, "peak_gpu_mb": None,
        "seconds": {"fit": 2.0, "fit_cpu": 1.5, "recommend": 0.5, "recommend_cpu": 0.25},
    }  # fmt: skip
    intervals = {name: [value - 0.01, value + 0.01] for name, value in metrics.items()}
    return {"run": record, "metrics": metrics, "intervals": intervals, "masked": None, "ties": None, "breakdown": None,
            "examples": []}  # fmt: skip


def per_unit(level: float, units: int = 200, points: int = 3, seed: int = 0, shared: int = 5) -> PerUnit:
    """Metrics of sessions whose mean over points is ``level``; sessions are as easy for one method as for another."""
    rng, easy = np.random.default_rng(seed), np.random.default_rng(shared).normal(0, 0.2, units)
    noise = rng.normal(0, 0.02, units)
    value = easy - easy.mean() + noise - noise.mean() + level
    return PerUnit(np.arange(units), np.full(units, points), dict.fromkeys(SESSION_METRICS, points * value))


def measured(folder: Path) -> Measured:
    """What lies below a folder, as of a profile that lists all of it."""
    return Measured([], replace(Made.below(folder), ablation=folder / "ablations" / COMPARED))


@pytest.fixture
def write_cell(tmp_path) -> Write:
    """Write one cell's metrics (and values per session) below a folder of results; returns that folder."""

    def write(data: str, method: str, levels: dict[tuple[str, int | None], float], units: bool = True) -> Path:
        folder = tmp_path / "results" / "cells" / data / method
        folder.mkdir(parents=True, exist_ok=True)
        scored = []
        for (split, seed), level in levels.items():
            found = result(data, method, split, seed, dict.fromkeys(SESSION_METRICS, level))
            scored.append((found, per_unit(level, seed=zlib.crc32(f"{method} {split} {seed}".encode()))))
        (folder / EVALUATION).write_text(json.dumps([found for found, _ in scored]))
        if units:
            write_units(folder / UNITS, scored)
        return tmp_path / "results"

    return write
