"""Hyper-parameter search on a validation split: draw, fit, rank, keep what was best. Test data is never opened.

A trial is one line of a JSON-lines file, written and synced as it finishes: an interrupted search goes
on where it stopped, and a trial that is there already (same data, points and parameters) is not repeated.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmark import environment
from benchmark.data.load import SessionSplit, load_split, resolve_split
from benchmark.data.registry import get
from benchmark.metrics_session import hits
from benchmark.points import evaluation_points
from benchmark.run import SESSION_K, rank_sessions
from benchmark.settings import Multiples, Settings
from contracts import SessionRecommender, UserError

log = logging.getLogger("emde")
OBJECTIVE = f"MRR@{SESSION_K}"
VALID = ":valid"

Params = dict[str, Any]
Space = Mapping[str, Sequence[Any]]
Trial = dict[str, Any]


class Sampler(Protocol):
    """Where the next parameters come from; what has finished may guide it."""

    def ask(self, finished: Sequence[Trial]) -> Params | None:
        """Parameters to try next, or None where the space is used up."""


@dataclass
class RandomSampler:
    """Uniform draws without replacement; the same seed gives the same draws, however many are asked for."""

    space: Space
    seed: int
    drawn: int = 0

    def __post_init__(self) -> None:
        size = math.prod(len(values) for values in self.space.values())
        self.order = np.random.default_rng(self.seed).permutation(size)

    def ask(self, finished: Sequence[Trial]) -> Params | None:
        if self.drawn == len(self.order):
            return None
        number, params = int(self.order[self.drawn]), {}
        self.drawn += 1
        for name, values in self.space.items():
            number, place = divmod(number, len(values))
            params[name] = values[place]
        return params


def resolve_space(declared: Mapping[str, Sequence[Any] | Multiples], split: SessionSplit) -> dict[str, list[Any]]:
    """The declared choices as values for this data: multiples are of its train's mean session length or time span."""
    last = split.train.last_times
    scales = {"mean_length": float(split.train.lengths.mean()), "train_days": float(np.ptp(last)) / 86400}
    out: dict[str, list[Any]] = {}
    for name, choices in declared.items():
        if isinstance(choices, Multiples):
            values = [float(f"{max(times * scales[choices.of], 1e-5):.4g}") for times in choices.times]
        else:
            values = list(choices)
        out[name] = list(dict.fromkeys(values))
    return out


def subsample(split: SessionSplit, points: int | None, seed: int) -> SessionSplit:
    """Whole test sessions at random, in their order, with about ``points`` evaluation points; None = all."""
    per_session = np.maximum(split.test.lengths - split.min_prefix, 0)
    if points is None or per_session.sum() <= points:
        return split
    order = np.random.default_rng(seed).permutation(len(split.test))
    kept = order[: int(np.searchsorted(np.cumsum(per_session[order]), points)) + 1]
    return replace(split, test=split.test.take(np.sort(kept)))


def search(
    settings: Settings, data: str, method: str, trials: int, seed: int = 0,
    split_name: str | None = None, points: int | None = None, out: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Try ``trials`` settings of a method, its defaults first: the trials, the best, and its line for ``tuned``.

    split_name  a tuning split (suffix ``:valid``; default: the default split's)
    points      rank only about so many validation points (whole sessions at random), None = all
    out         folder of the trial files: <out>/<data>/<method>/<split>.jsonl
    """
    dataset = get(data)
    name = resolve_split(dataset.name, split_name or VALID)
    if not name.endswith(VALID):
        raise UserError(
            f"search: expected a tuning split (suffix {VALID}), found {name!r}: test data is not for tuning"
        )
    declared = settings.search.get("session", {}).get(method)
    if declared is None:
        known = ", ".join(settings.search.get("session", {}))
        raise UserError(f"search: params.yaml declares no space search.session.{method}; there are: {known}")
    split = load_split(dataset.name, name)
    if not isinstance(split, SessionSplit):
        raise UserError(f"search: expected session data, found {dataset.kind} data {dataset.name}")
    split = subsample(split, points, seed=0)
    identity = {
        "data": dataset.name,
        "split": name,
        "method": method,
        "points": len(evaluation_points(split.test, split.min_prefix)),
        "hash": hashlib.sha256(json.dumps(split.meta["columns"], sort_keys=True).encode()).hexdigest()[:16],
    }
    path = (out or Path("results/generated/search")) / dataset.name / method / f"{name.replace(':', '.')}.jsonl"
    done = [trial for trial in read_trials(path) if all(trial.get(key) == value for key, value in identity.items())]
    sampler: Sampler = RandomSampler(resolve_space(declared, split), seed)
    chosen, repeated = _run(settings, split, identity, sampler, trials, done, path, list(declared))
    best = max(chosen, key=lambda trial: (trial[OBJECTIVE], -trial["trial"]))
    return {
        **{key: identity[key] for key in ("data", "split", "method", "points")},
        "seed": seed,
        "trials": chosen,
        "repeated": repeated,
        "best": {"params": best["params"], OBJECTIVE: best[OBJECTIVE]},
        "entry": entry(method, best, len(chosen)),
        "file": str(path),
    }


def _run(
    settings: Settings, split: SessionSplit, identity: Trial, sampler: Sampler, trials: int,
    done: list[Trial], path: Path, names: list[str],
) -> tuple[list[Trial], int]:  # fmt: skip
    """The wanted trials in order, and how many of them were there already."""
    finished = {_key(trial["params"]): trial for trial in done}
    chosen: dict[str, Trial] = {}
    repeated = 0
    params: Params | None = {}  # the first trial: the method's own parameters, without those tuned for the data
    while len(chosen) < trials and params is not None:
        model = settings.recommender("session", identity["method"], "", params, None, "cpu")
        assert isinstance(model, SessionRecommender)
        dumped = model.model_dump(mode="json")
        tried = {name: dumped[name] for name in names if name in dumped}
        key = _key(tried)
        if key not in chosen:
            if key in finished:
                repeated += 1
            else:
                finished[key] = {**identity, "trial": len(chosen), "params": tried, **_measure(model, split)}
                append(path, finished[key])
            chosen[key] = {**finished[key], "trial": len(chosen)}
            log.info("trial %d: %s = %.4f, %s", len(chosen) - 1, OBJECTIVE, chosen[key][OBJECTIVE], json.dumps(tried))
        params = sampler.ask(list(chosen.values()))
    return list(chosen.values()), repeated


def _measure(model: SessionRecommender, split: SessionSplit) -> Trial:
    started = time.perf_counter()
    model.fit(split.train)
    ranked = rank_sessions(model, split, SESSION_K)
    rank = hits(ranked.items, evaluation_points(split.test, split.min_prefix)).next_rank
    found = rank > 0
    return {
        OBJECTIVE: float(np.where(found, 1 / np.maximum(rank, 1), 0.0).mean()),
        f"HR@{SESSION_K}": float(found.mean()),
        "seconds": round(time.perf_counter() - started, 3),
        "code": environment.code_version(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _key(params: Params) -> str:
    return json.dumps(params, sort_keys=True)


def entry(method: str, best: Trial, trials: int) -> str:
    """The best trial as a line for ``tuned`` in params.yaml, with where it comes from."""
    source = (
        f"search of {trials} trials on {best['data']}, {best['split']} ({best['points']:,} points), "
        f"{OBJECTIVE} = {best[OBJECTIVE]:.4f}"
    )
    params = ", ".join(f"{name}: {json.dumps(value)}" for name, value in best["params"].items())
    return f'{method}: {{params: {{{params}}}, source: "{source}"}}'


def append(path: Path, trial: Trial) -> None:
    """Add one line with a single synced write; a line that a kill left half written is closed first."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(trial) + "\n"
    try:
        with open(path, "ab+") as stream:
            if stream.tell() > 0:
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    text = "\n" + text
            stream.write(text.encode())
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise UserError(f"{path}: cannot write: {error.strerror or error}") from None


def read_trials(path: Path) -> list[Trial]:
    """The finished trials of a file; half-written lines are skipped, no file means none."""
    if not path.exists():
        return []
    out = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            trial = json.loads(line)
        except ValueError:
            continue
        if isinstance(trial, dict) and "params" in trial and OBJECTIVE in trial:
            out.append(trial)
    return out
