"""Results as a table of pandas: ``from benchmark import results``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.data.root import project_root
from benchmark.experiments import profiles, run_store, settings
from benchmark.experiments.evaluate import evaluate_all, values_of
from benchmark.report.tables.make import made
from benchmark.report.tables.measured import RUNS, Measured
from benchmark.report.tables.stale import Stale
from contracts import UserError
from contracts.runtime.json import to_json

REPORTED = "results/reported"
NAMED = ("data", "split", "method", "seed", "n_points")
"""What of a run's record stands in every one of its rows."""
Place = str | Path
Result = dict[str, Any]


def results(
    profile: str | None = None,
    *,
    kept: Place | Sequence[Place] = (),
    runs: Place | Sequence[Place] = (),
    points: bool = False,
    parameters: bool = False,
) -> pd.DataFrame:
    """What was measured, a row per run and metric.

    profile     what a profile ran (default: sample, where neither of the next two is given)
    kept        names of kept results (``public``), or their folders
    runs        stored runs, or folders of them; evaluated now
    points      a row per run and evaluation point (test user) instead, with a column per metric; of stored lists
                only, so not of kept results
    parameters  the run's parameters as columns ``params.NAME``; lists and mappings as JSON

    Columns: data, split, method, seed (NA where there is none), n_points, row (how tables call it: method, and what
    sets it apart from other settings kept of it); metric, value, low, high (95% bootstrap interval), masked (of lists
    without disliked items). With ``points``: session and position (user), then the metrics. Raises UserError where
    there is nothing.
    """
    if (profile is not None) + bool(kept) + bool(runs) > 1:
        raise UserError("results: expected one of profile, kept and runs, found several")
    if points:
        parts = [_of_points(folder, parameters) for folder in _folders(profile, _places(kept), _places(runs))]
        frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    else:
        rows = _evaluated(profile, _places(kept), _places(runs))
        frame = pd.DataFrame([line for row, result in rows for line in _of_run(row, result, parameters)])
    if frame.empty:
        raise UserError(f"results: expected something that was run, found nothing of {profile or profiles.DEFAULT}")
    return frame.astype({"seed": "Int64"})


def _places(given: Place | Sequence[Place]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | Path) else [Path(place) for place in given]


def _evaluated(profile: str | None, kept: list[Path], runs: list[Path]) -> Iterator[tuple[str, Result]]:
    """(name of the row, what ``emde evaluate`` says of one run)."""
    if runs:
        yield from ((result["run"]["method"], result) for result in evaluate_all(runs))
        return
    known = settings.load()
    folders = [place if place.is_dir() else project_root() / REPORTED / place for place in kept]
    of_profile = None if kept else made(known, profile or profiles.DEFAULT)
    measured = Measured(folders, of_profile, Stale(known, None).current)
    measured.require()
    for (_, row), results in measured.evaluated.items():
        yield from ((row, result) for result in results)


def _folders(profile: str | None, kept: list[Path], runs: list[Path]) -> list[Path]:
    """The stored runs."""
    if kept:
        raise UserError("results: points: expected stored runs, found kept results, which have no lists")
    if runs:
        return [folder for place in runs for folder in run_store.find_runs(place)]
    of_profile = made(settings.load(), profile or profiles.DEFAULT)
    stores = [of_profile.root / cell / RUNS for cell in of_profile.cells.values()]
    return [folder for store in stores if store.is_dir() for folder in run_store.find_runs(store)]


def _head(record: Result, parameters: bool) -> Result:
    more = {f"params.{name}": to_json(value) if isinstance(value, list | dict) else value
            for name, value in record["params"].items()} if parameters else {}  # fmt: skip
    return {**{name: record.get(name) for name in NAMED}, **more}


def _of_run(row: str, result: Result, parameters: bool) -> Iterator[Result]:
    """A line per metric, those of the masked lists behind the others."""
    head = _head(result["run"], parameters) | {"row": row}
    for masked, part in ((False, result), (True, result.get("masked") or {"metrics": {}})):
        for name, value in part["metrics"].items():
            low, high = part["intervals"].get(name, (None, None))
            yield {**head, "metric": name, "masked": masked, "value": value, "low": low, "high": high}


def _of_points(folder: Path, parameters: bool) -> pd.DataFrame:
    record, where, values = values_of(folder)
    head = _head(record, parameters)
    frame = pd.DataFrame({**where, **values})
    for place, (name, value) in enumerate(head.items()):
        frame.insert(place, name, value)
    return frame
