"""Hyper-parameter search on a validation split: draw, fit, rank, keep what was best. Test data is never opened."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmark import search_report
from benchmark.data.load import TopKSplit, resolve_split
from benchmark.data.registry import get
from benchmark.methods import Kind
from benchmark.recent import recent
from benchmark.run import load_ranking_split
from benchmark.settings import Settings
from benchmark.space import Params, resolve
from benchmark.study import SamplerName, Split, Study, Task
from contracts import UserError

VALID = ":valid"


def search(
    settings: Settings, data: str, method: str, trials: int, seed: int = 0, split_name: str | None = None,
    points: int | None = None, sessions: int | None = None, fixed: Params | None = None, sampler: SamplerName = "tpe",
    workers: int = 1, out: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Bring a search to ``trials`` finished trials, the method's own parameters first: all of them, the best, its line.

    split_name  a tuning split (suffix ``:valid``; default: the default split's)
    points      rank only about so many validation points or users (whole sessions at random), None = all
    sessions    fit on the so many most recent train sessions only, None = all
    fixed       parameters that are not searched but have these values in every trial
    sampler     random draws throughout, or Optuna's TPE after some random ones
    workers     processes, each with the configured threads
    out         <out>/<data>/<method>/<split>.db is the storage; the trials as a table and as plots lie beside it
    Raises UserError for a split that is not a tuning one and for a method without a declared space.
    """
    task = prepare(settings, data, method, split_name, points, sessions, fixed or {})
    path = (out or Path("results/generated/search")) / task.identity["data"] / method
    path = path / f"{task.split.split.replace(':', '.')}.db"
    study = Study(task, path, sampler, seed)
    before = len(study.trials())
    others = [
        get_context("spawn").Process(target=_work, args=(task, path, sampler, seed, trials)) for _ in range(workers - 1)
    ]
    for process in others:
        process.start()
    try:
        study.work(trials)
    finally:
        for process in others:
            process.join()
    if any(process.exitcode for process in others):
        raise UserError(f"search: a worker ended early; {path} keeps what it finished, the same command goes on")
    found = study.trials()
    best = max((t for t in found if t["state"] == "complete"), key=lambda t: (t[task.objective], -t["trial"]))
    result = {
        **{key: task.identity[key] for key in ("data", "split", "method", "points", "train", "fixed")},
        "objective": task.objective,
        "sampler": sampler,
        "seed": seed,
        "trials": found,
        "repeated": min(before, len(found)),
        "best": {"params": best["params"], task.objective: best[task.objective]},
        "entry": entry(task, best, len(found)),
        "file": str(path),
    }
    return {**result, "report": search_report.write(result, path.parent, path.stem)}


def _work(task: Task, path: Path, sampler: SamplerName, seed: int, trials: int) -> None:
    Study(task, path, sampler, seed).work(trials)


def prepare(
    settings: Settings, data: str, method: str, split_name: str | None, points: int | None, sessions: int | None,
    fixed: Params,
) -> Task:  # fmt: skip
    """Open the tuning split and resolve the method's space for it."""
    dataset = get(data)
    name = resolve_split(dataset.name, split_name or VALID)
    if not name.endswith(VALID):
        raise UserError(
            f"search: expected a tuning split (suffix {VALID}), found {name!r}: test data is not for tuning"
        )
    kind: Kind = "topk" if dataset.kind == "topk" else "session"
    declared = settings.search.get(kind, {}).get(method)
    if declared is None:
        known = ", ".join(settings.search.get(kind, {}))
        raise UserError(f"search: params.yaml declares no space search.{kind}.{method}; there are: {known}")
    opened = load_ranking_split(dataset.name, name)
    split = subsample(recent(opened, sessions), points, seed=0)
    identity = {
        "data": dataset.name,
        "split": name,
        "method": method,
        "points": n_points(split),
        "train": sessions or "all",
        "fixed": fixed,
        "hash": hashlib.sha256(json.dumps(opened.meta["columns"], sort_keys=True).encode()).hexdigest()[:16],
    }
    own = settings.recommender(kind, method, "", fixed, None, "auto").model_dump(mode="json")
    searched = {name: choices for name, choices in declared.items() if name not in fixed}
    return Task(settings, kind, method, split, fixed, resolve(searched, split, own), identity)


def subsample(split: Split, points: int | None, seed: int) -> Split:
    """Whole test sessions (or users) at random, in their order, with about ``points`` evaluation points; None = all."""
    if points is None or n_points(split) <= points:
        return split
    rng = np.random.default_rng(seed)
    if isinstance(split, TopKSplit):
        rows = np.sort(rng.permutation(len(split.profiles))[:points])
        candidates = None if split.candidates is None else split.candidates[rows]
        profiles, heldout = split.profiles.take(rows), split.heldout[rows]
        return replace(split, profiles=profiles, heldout=heldout, user_ids=split.user_ids[rows], candidates=candidates)
    per_session = np.maximum(split.test.lengths - split.min_prefix, 0)
    order = rng.permutation(len(split.test))
    kept = order[: int(np.searchsorted(np.cumsum(per_session[order]), points)) + 1]
    return replace(split, test=split.test.take(np.sort(kept)))


def n_points(split: Split) -> int:
    """Evaluation points of a session split, test users of a top-k one."""
    if isinstance(split, TopKSplit):
        return len(split.profiles)
    return int(np.maximum(split.test.lengths - split.min_prefix, 0).sum())


def entry(task: Task, best: dict[str, Any], trials: int) -> str:
    """The best trial as a line for ``tuned`` in params.yaml, with where it comes from."""
    identity, unit = task.identity, "points" if task.kind == "session" else "users"
    train = "" if identity["train"] == "all" else f", {identity['train']:,} most recent train sessions"
    source = (
        f"search of {trials} trials on {identity['data']}, {identity['split']} ({identity['points']:,} {unit}{train}), "
        f"{task.objective} = {best[task.objective]:.4f}"
    )
    found = {**task.fixed, **best["params"]}
    params = ", ".join(f"{name}: {json.dumps(value)}" for name, value in found.items())
    return f'{task.method}: {{params: {{{params}}}, source: "{source}"}}'
