"""The trials of a search, in an Optuna storage (SQLite): taken, measured, pruned, continued after a kill.

Any number of processes may work on one study. Each takes the next trial under a lock, and holds another lock as
long as it measures: the kernel frees that one however the process ends, so the trials of a killed process are
known and measured again. What has finished is never repeated.
"""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.experiments import environment
from benchmark.experiments.headline import HEADLINE
from benchmark.experiments.parameters import Parameters
from benchmark.experiments.run import rank_sessions, rank_users
from benchmark.experiments.search.space import Params, Range, Space, draws, parameters, point_at
from benchmark.protocol.points import points_of
from benchmark.protocol.session_metrics import hit_rate, hits, reciprocal_rank
from benchmark.protocol.topk_metrics import per_user
from contracts import EpochLearner, Kind, Recommender, SessionRecommender, TopKRecommender, UserError
from contracts.errors import NotFinite
from contracts.runtime.json import to_json

log = logging.getLogger("emde")
optuna.logging.set_verbosity(optuna.logging.WARNING)
K = 20
COMPANION, OBJECTIVE = ({kind: names[place] for kind, names in HEADLINE.items()} for place in (0, 1))
"""What is maximised: session-rec's objective for sessions, the top-k framework's (at 20) for users;
and what is measured beside it."""
STARTUP = 10
"""Random trials before TPE has enough to go by."""
UNPRUNED = 5
"""Complete trials before one may be pruned: when it is below their median after the same epoch."""
TRIES = 2000
"""Draws in a row that bring nothing new: the space is used up."""
WAIT = 0.5
"""Seconds between two looks at trials that other processes still measure."""
FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)

SamplerName = Literal["random", "tpe"]
Split = SessionSplit | TopKSplit
Candidates = Sequence[Params] | None
"""Points that came up from a smaller train, best first: they alone are measured. None = points are drawn."""
LINES = ("own parameters", "published parameters")
"""What a method has without a search, in the order of a task's lines: measured on every rung, and never pruned."""
PROMOTED = "promoted"


@dataclass(frozen=True)
class Task:
    """What one search is about: all that a trial's value depends on, the code by its hash in ``identity``.

    lines  the method's parameters without a search (its own, published ones): measured first, whatever they cost
    """

    settings: Parameters
    kind: Kind
    method: str
    split: Split
    fixed: Params
    space: Space
    lines: Sequence[Params]
    identity: dict[str, Any]

    @property
    def objective(self) -> str:
        """The metric that is maximised."""
        return OBJECTIVE[self.kind]

    @property
    def name(self) -> str:
        """The study's name in its storage: another space, split, train or code makes another study."""
        text = to_json([self.identity, {name: repr(values) for name, values in self.space.items()}], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def model(self, point: Params) -> Recommender:
        """The method at a point of the space: over its own parameters (none tuned for the data) and the fixed ones."""
        params = {**self.fixed, **parameters(point)}
        return self.settings.recommender(self.kind, self.method, "", params, None, "auto")

    def params(self, point: Params) -> Params:
        """The searched parameters as the method holds them: equal for points that mean the same."""
        dumped = self.model(point).model_dump(mode="json")
        return {name: dumped[name] for name in parameters(point)}


def measure(model: Recommender, split: Split) -> dict[str, float]:
    """The objective of a fitted model on a validation split, and its companion (HR or Recall)."""
    if isinstance(split, TopKSplit):
        assert isinstance(model, TopKRecommender)
        ranked = rank_users(model, split, K)
        values = per_user(ranked.items, split.heldout, (K,))
        return {name: float(np.nanmean(values[name])) for name in HEADLINE["topk"]}
    assert isinstance(model, SessionRecommender)
    next_items = hits(rank_sessions(model, split, K).items, points_of(split))
    both = zip(HEADLINE["session"], (hit_rate, reciprocal_rank), strict=True)
    return {name: float(metric(next_items, K).mean()) for name, metric in both}


class Study:
    """One search's trials in the storage at ``path``, to be continued by this process."""

    def __init__(
        self, task: Task, path: Path, sampler: SamplerName, seed: int, candidates: Candidates = None,
        cap: float = math.inf,
    ) -> None:  # fmt: skip
        """cap: processor seconds after which no other trial begins."""
        self.arguments = task, path, sampler, seed, candidates, cap
        self.task, self.path, self.sampler, self.seed, self.candidates, self.cap = self.arguments
        self.code = environment.code_version()  # of what this process has loaded, whatever is checked out later
        self.distributions = {name: distribution(values) for name, values in task.space.items()}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock")):  # two processes must not create the tables at once
                self.study = optuna.create_study(
                    storage=f"sqlite:///{path}",
                    study_name=task.name,
                    direction="maximize",
                    pruner=optuna.pruners.MedianPruner(n_startup_trials=UNPRUNED),
                    load_if_exists=True,
                )
        except OSError as error:
            raise UserError(f"{path}: cannot write: {error.strerror or error}") from None

    def work(self, trials: int) -> int:
        """Measure until ``trials`` are finished, by us or by others; returns how many were ours."""
        measured = 0
        while (drawn := self._take(trials)) is not None:
            trial, lock = drawn
            try:
                self._run(trial)
            finally:
                _drop(lock)
            measured += 1
        return measured

    def _take(self, trials: int) -> tuple[optuna.Trial, FileLock] | None:
        """The next trial and its lock, held; None once there are enough, or the space is used up."""
        while True:
            with FileLock(self.path.with_suffix(".lock")):
                self._requeue_abandoned()
                known = self.study.get_trials(deepcopy=False)
                finished = sum(trial.state in FINISHED for trial in known)
                running = sum(trial.state == TrialState.RUNNING for trial in known)
                if finished >= trials:
                    return None
                if finished + running < trials:
                    trial = self._ask(known)
                    if trial is not None:
                        lock = self._lock(trial.number)
                        lock.acquire()
                        return trial, lock
                    if not running:
                        return None
            time.sleep(WAIT)  # another process measures the last ones: should it be killed, we take over

    def _lock(self, number: int) -> FileLock:
        folder = self.path.with_suffix(".running")
        folder.mkdir(exist_ok=True)
        return FileLock(folder / f"{self.task.name}-{number}")

    def _requeue_abandoned(self) -> None:
        """Trials that are running by name only (their lock is free) fail, and wait to be taken again."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            lock = self._lock(trial.number)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            left = self.study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            _drop(lock)
            if left.state == TrialState.FAIL and trial.params:
                self.study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)

    def _ask(self, known: Sequence[FrozenTrial]) -> optuna.Trial | None:
        """A trial that is none of the known ones; None where there is no such point left."""
        seen = {_key(trial.user_attrs["params"]) for trial in known if trial.state in (*FINISHED, TrialState.RUNNING)}
        if not any(trial.state == TrialState.WAITING for trial in known) and not self._choose(known, seen):
            return None
        # a new sampler for every trial: what it proposes follows from the seed and the trials before, however often
        # the search was interrupted
        self.study.sampler = optuna.samplers.TPESampler(seed=self.seed + len(known), n_startup_trials=STARTUP)
        trial = self.study.ask(self.distributions)
        if _key(self.task.params(trial.params)) in seen:  # proposed by TPE for the second time
            self.study.tell(trial, state=TrialState.FAIL)
            if not self._enqueue_new(seen):
                return None
            trial = self.study.ask(self.distributions)
        trial.set_user_attr("params", self.task.params(trial.params))
        return trial

    def _choose(self, known: Sequence[FrozenTrial], seen: set[str]) -> bool:
        """Let the next point wait, or leave it to the sampler; False where nothing more is to be measured."""
        points = [(point_at(self.task.space, line), what) for line, what in zip(self.task.lines, LINES, strict=False)]
        spent = sum(trial.user_attrs.get("cpu_seconds", 0.0) for trial in known)
        if spent < self.cap:
            points += [(point, PROMOTED) for point in self.candidates or ()]
        for point, what in points:
            if _key(self.task.params(point)) not in seen:
                self._enqueue(point, what)
                return True
        if self.candidates is not None or spent >= self.cap:
            return False
        return (self.sampler != "random" and len(seen) >= STARTUP) or self._enqueue_new(seen)

    def _enqueue(self, point: Params, sampler: str) -> None:
        self.study.enqueue_trial(point, user_attrs={"sampler": sampler})

    def _enqueue_new(self, seen: set[str]) -> bool:
        """Let the first random draw that is not ``seen`` wait; False where there is none."""
        met = set[str]()
        for point in islice(draws(self.task.space, self.seed), TRIES + len(seen)):
            if _key(point) not in met and _key(self.task.params(point)) not in seen:
                self._enqueue(point, "random")
                return True
            met.add(_key(point))
        return False

    def _run(self, trial: optuna.Trial) -> None:
        """Fit and measure; after every epoch of a method that has some, the trial may be pruned."""
        task, metrics = self.task, dict[str, Any]()
        model, kept = task.model(trial.params), trial.user_attrs.get("sampler") in LINES
        started, cpu = time.perf_counter(), time.process_time()

        def after_epoch(epoch: int) -> None:
            metrics.update(measure(model, task.split))
            trial.report(metrics[task.objective], epoch)
            if not kept and trial.should_prune():
                raise optuna.TrialPruned

        state = TrialState.COMPLETE
        try:
            if isinstance(model, EpochLearner):
                model.watch(after_epoch)
            model.fit(task.split.train)
            metrics.update(measure(model, task.split))
        except optuna.TrialPruned:
            state = TrialState.PRUNED
        except NotFinite as error:  # these parameters are out of range: worth nothing, and the search goes on
            log.warning("trial %d: %s", trial.number, error)
            state = TrialState.PRUNED
            metrics.update(dict.fromkeys((task.objective, COMPANION[task.kind]), 0.0), trouble=str(error))
        except UserError:
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        attributes = {
            **metrics,
            "seconds": round(time.perf_counter() - started, 3),
            "cpu_seconds": round(time.process_time() - cpu, 3),
            "code": self.code,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        for name, value in {"sampler": self.sampler, **trial.user_attrs, **attributes}.items():
            trial.set_user_attr(name, value)
        self.study.tell(trial, metrics[task.objective] if state == TrialState.COMPLETE else None, state)
        log.info("trial %d (%s): %s = %.4f, %s", trial.number, state.name.lower(), task.objective,
                 metrics[task.objective], _key(trial.user_attrs["params"]))  # fmt: skip

    def trials(self) -> list[dict[str, Any]]:
        """The finished trials in the order in which they were taken, numbered from 0."""
        finished = self.study.get_trials(deepcopy=False, states=FINISHED)
        return [
            {
                "trial": number,
                "state": trial.state.name.lower(),
                "point": trial.params,
                **trial.user_attrs,
                "curve": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
            }
            for number, trial in enumerate(finished)
        ]


def distribution(values: list[Any] | Range) -> BaseDistribution:
    """Choices or a range as Optuna's distribution."""
    if isinstance(values, list):
        return CategoricalDistribution(values)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(float(values.low), float(values.high), log=values.log)


def _drop(lock: FileLock) -> None:
    """Release a trial's lock and remove its file, once the trial is no longer running."""
    lock.release()
    Path(lock.lock_file).unlink(missing_ok=True)


def _key(params: Params) -> str:
    return to_json(params, sort_keys=True)
