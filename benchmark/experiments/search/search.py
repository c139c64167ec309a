"""Hyper-parameter search on a validation split by successive halving over the size of train.

Many settings are measured on a small part of train, the best third of them on a larger one, the best of those on all
of it, where the winner is chosen; methods that learn in epochs are also pruned by their curves. What the method has
without a search, and what was published for the data, always reach the last rung. Test data is never opened.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.data.load import TopKSplit, resolve_split
from benchmark.data.registry import get
from benchmark.experiments import methods, published_parameters
from benchmark.experiments.parameters import method_file
from benchmark.experiments.run import load_ranking_split
from benchmark.experiments.search.space import Params, resolve
from benchmark.experiments.search.study import Candidates, SamplerName, Split, Study, Task
from benchmark.protocol.train_sets import recent
from contracts import Kind, UserError
from contracts.runtime.json import to_json
from contracts.runtime.sources import sources_hash

if TYPE_CHECKING:
    from benchmark.experiments.settings import Settings

VALID = ":valid"
SIZES = (5_000, 20_000, None)
"""Train sessions of the rungs."""
KEEP = 3
"""One trial of so many goes on to the next rung."""
CAP = 8 * 3600.0
"""Processor seconds that every method has for a search."""
MEASURED_BY = ("benchmark.protocol.session_metrics", "benchmark.protocol.topk_metrics", "benchmark.protocol.points")
"""Whose code decides a trial's value, beside the method's: other code makes another study."""


def search(
    rungs: Sequence[Task], trials: int, out: Path, seed: int = 0, sampler: SamplerName = "tpe", workers: int = 1,
    cap: float = CAP,
) -> dict[str, Any]:  # fmt: skip
    """Bring a search to ``trials`` finished trials on its first rung, and to its end: all of them, the best, its line.

    rungs    what ``prepare`` opened: the same question on ever more of train
    out      <out>/<data>/<method>/<split>.db is the storage; the trials as a table and as plots lie beside it
    sampler  random draws throughout, or Optuna's TPE after some random ones
    workers  processes, each with the configured threads
    cap      processor seconds for all trials together, each rung an equal share and what the ones before it left
    """
    last = rungs[-1]
    path = out / last.identity["data"] / last.method / f"{last.split.split.replace(':', '.')}.db"
    all_trials: list[dict[str, Any]] = []
    steps: list[dict[str, Any]] = []
    complete: list[dict[str, Any]] = []
    repeated, candidates, wanted = 0, None, trials
    for number, task in enumerate(rungs, start=1):
        allowed = cap * number / len(rungs) - sum(step["cpu_seconds"] for step in steps)
        study = Study(task, path, sampler, seed, candidates, allowed)
        repeated += min(len(study.trials()), wanted)
        _measure(study, wanted, workers)
        own = study.trials()
        complete = sorted((t for t in own if t["state"] == "complete"), key=lambda t: (-t[task.objective], t["trial"]))
        if not complete:
            raise UserError(
                f"search: expected a trial that ends well, found {len(own)} that did not: {own[-1]['trouble']}"
            )
        steps.append({"train": task.identity["train"], "trials": len(own),
                      "cpu_seconds": round(sum(t["cpu_seconds"] for t in own), 3)})  # fmt: skip
        all_trials += [{**t, "trial": len(all_trials) + t["trial"], "train": task.identity["train"]} for t in own]
        candidates = [t["point"] for t in complete[: math.ceil(len(own) / KEEP)]]
        wanted = len(candidates) + len(task.lines)
    best = complete[0]
    return {
        **{key: last.identity[key] for key in ("data", "split", "method", "points", "train", "fixed")},
        "objective": last.objective,
        "sampler": sampler,
        "seed": seed,
        "cap": cap,
        "rungs": steps,
        "trials": all_trials,
        "repeated": repeated,
        "best": {"params": best["params"], last.objective: best[last.objective]},
        "tuned": tuned(last, best, steps, cap),
        "file": str(path),
    }


def _measure(study: Study, trials: int, workers: int) -> None:
    """Let so many processes work on one study until it has its trials."""
    others = [get_context("spawn").Process(target=_work, args=(*study.arguments, trials)) for _ in range(workers - 1)]
    for process in others:
        process.start()
    try:
        study.work(trials)
    finally:
        for process in others:
            process.join()
    if any(process.exitcode for process in others):
        raise UserError(f"search: a worker ended early; {study.path} keeps what it finished, the same command goes on")


def _work(
    task: Task, path: Path, sampler: SamplerName, seed: int, candidates: Candidates, cap: float, trials: int
) -> None:
    Study(task, path, sampler, seed, candidates, cap).work(trials)


def prepare(
    settings: Settings, data: str, method: str, split_name: str | None, points: int | None,
    sizes: Sequence[int | None], fixed: Params,
) -> list[Task]:  # fmt: skip
    """Open the tuning split and resolve the method's space for it: one task for each size of train, the largest last.

    split_name  a tuning split (suffix ``:valid``; default: the default split's)
    points      rank only about so many validation points or users (whole sessions at random), None = all
    sizes       fit on the so many most recent train sessions only, None = all; sizes that train does not have are
                left out, and users are never cut
    fixed       parameters that are not searched but have these values in every trial
    Raises UserError for a split that is not a tuning one and for a method without a declared space.
    """
    dataset = get(data)
    name = resolve_split(dataset.name, split_name or VALID)
    if not name.endswith(VALID):
        raise UserError(
            f"search: expected a tuning split (suffix {VALID}), found {name!r}: test data is not for tuning"
        )
    kind: Kind = "topk" if dataset.kind == "topk" else "session"
    declared = settings.spaces.get(kind, {}).get(method)
    if declared is None:
        known = ", ".join(settings.spaces.get(kind, {}))
        raise UserError(f"search: expected a space, search in {method_file(kind, method)}; there are: {known}")
    opened = load_ranking_split(dataset.name, name)
    if isinstance(opened, TopKSplit):
        sizes = [None]
    else:
        sizes = [size for size in sizes if size is None or size < len(opened.train)] or [None]
    split = subsample(opened, points, seed=0)
    identity = {
        "data": dataset.name,
        "split": name,
        "method": method,
        "points": split.n_points,
        "fixed": fixed,
        "sources": sources_hash(methods.find(kind, settings.base(kind, method)).__module__, *MEASURED_BY),
        "hash": hashlib.sha256(to_json(opened.meta["columns"], sort_keys=True).encode()).hexdigest()[:16],
    }
    lines = [settings.recommender(kind, method, "", fixed, None, "auto").model_dump(mode="json")]
    if published := published_parameters.find(method, dataset.name):
        params = {**published.params, **fixed}
        lines.append(settings.recommender(kind, method, "", params, None, "auto").model_dump(mode="json"))
    searched = {key: choices for key, choices in declared.items() if key not in fixed}
    return [
        Task(settings, kind, method, recent(split, size), fixed, resolve(searched, split, lines), lines,
             {**identity, "train": size or "all"})
        for size in sizes
    ]  # fmt: skip


def subsample(split: Split, points: int | None, seed: int) -> Split:
    """Whole test sessions (or users) at random, in their order, with about ``points`` evaluation points; None = all."""
    if points is None or split.n_points <= points:
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


def tuned(task: Task, best: dict[str, Any], steps: Sequence[dict[str, Any]], cap: float) -> dict[str, Any]:
    """The best trial as an entry of ``tuned`` in the method's file: params, and source, where they come from."""
    identity, unit = task.identity, "points" if task.kind == "session" else "users"
    train = "" if identity["train"] == "all" else f", {identity['train']:,} most recent train sessions"
    before = [f"{step['trials']} on {step['train']:,} train sessions" for step in steps[:-1]]
    rungs = " -> ".join([*before, str(steps[-1]["trials"])])
    source = (
        f"search of {rungs} trials on {identity['data']}, {identity['split']} "
        f"({identity['points']:,} {unit}{train}), {task.objective} = {best[task.objective]:.4f}; "
        f"{sum(step['cpu_seconds'] for step in steps):,.0f} of at most {cap:,.0f} processor seconds"
    )
    return {"params": {**task.fixed, **best["params"]}, "source": source}
