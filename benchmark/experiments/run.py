"""One run: fit a method on a split's train, rank for every evaluation point, store the lists."""

from __future__ import annotations

import hashlib
import logging
import shlex
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmark.data.given_vectors import vector_hashes
from benchmark.data.load import SessionSplit, TopKSplit, load_split, resolve_split
from benchmark.data.registry import get
from benchmark.data.root import project_root
from benchmark.experiments import costs, environment, run_store
from benchmark.experiments.offered import require_offered
from benchmark.experiments.parameters import Parameters
from benchmark.protocol.points import points_of
from benchmark.protocol.train_sets import COLD_USER, FinalFit, recent, with_validation
from contracts import EpochLearner, Kind, Recommender, SessionRecommender, TopKRecommender, UserError, blocks
from contracts.finite import require_finite_values
from contracts.runtime.json import to_json
from contracts.runtime.progress import progress
from contracts.runtime.sources import sources_hash
from contracts.source import Source, SourceKind, sources

log = logging.getLogger("emde")
SESSION_K, TOPK_K = 20, 100
"""Length of the stored lists."""
CHUNK = 4096
"""Points ranked at once: bounds memory, cannot change results (rows are independent)."""
EVENTS = 1 << 21
"""Events of their prefixes at once: fewer points where sessions are very long."""

RANKING = ("benchmark.protocol.points", "benchmark.protocol.train_sets")
"""Modules besides the method's that decide what is ranked."""
Split = SessionSplit | TopKSplit


@dataclass(frozen=True)
class Ranked:
    """Ranked lists and what each belongs to.

    masked  (items, scores) of the same rows without the users' disliked items, where these are known
    """

    rows: dict[str, np.ndarray]
    items: np.ndarray
    scores: np.ndarray
    masked: run_store.Lists | None = None


def load_ranking_split(data: str, split: str | None) -> Split:
    """The prepared split of a session or top-k data set; raises UserError for vectors."""
    loaded = load_split(data, split)
    if isinstance(loaded, SessionSplit | TopKSplit):
        return loaded
    raise UserError(f"{data}: expected session or top-k data, found vectors (see emde density)")


def splits_of(data: str, split: str | None) -> list[str]:
    """The split names that ``--split`` means: one of them, or all (but the tuning ones) for ``all``."""
    return list(get(data).splits) if split == "all" else [resolve_split(data, split)]


def rank_sessions(model: SessionRecommender, split: SessionSplit, k: int) -> Ranked:
    """Lists for every evaluation point of the test sessions."""
    points = points_of(split)
    items, scores = np.empty((len(points), k), np.int32), np.empty((len(points), k), np.float32)
    with progress(f"rank {split.name} {split.split}", len(points)) as advance:
        for start, stop in blocks(points.position, CHUNK, EVENTS):
            listed = model.recommend(points.prefixes(start, stop), k)
            items[start:stop], scores[start:stop] = _finite(model, *listed)
            advance(stop - start)
    rows = {"session": points.session.astype(np.int32), "position": points.position.astype(np.int32)}
    return Ranked(rows, items, scores)


def rank_users(model: TopKRecommender, split: TopKSplit, k: int, masked: bool = False) -> Ranked:
    """Lists for every test user, fold-in items excluded; with ``masked`` also the items the user dislikes."""
    n = len(split.profiles)
    items, scores = np.empty((n, k), np.int32), np.empty((n, k), np.float32)
    with progress(f"rank {split.name} {split.split}", n) as advance:
        for start in range(0, n, CHUNK):
            rows = np.arange(start, min(start + CHUNK, n))
            profiles = split.profiles.take(rows)
            lists = model.recommend(profiles, k, excluded(split, rows, masked))
            items[rows], scores[rows] = _finite(model, *lists)
            advance(len(rows))
    return Ranked({"user": np.arange(n, dtype=np.int32)}, items, scores)


def _finite(model: Recommender, items: np.ndarray, scores: np.ndarray) -> run_store.Lists:
    """The lists; raises NotFinite for a score that is NaN or infinite."""
    name = type(model).__name__.lower()
    return items, require_finite_values(scores, f"{name}: scores", "its parameters are out of range (lr too large?)")


def excluded(split: TopKSplit, rows: np.ndarray, masked: bool = False) -> sp.csr_matrix:
    """What may not be listed: the fold-in, and everything but the candidates where a protocol has some.

    masked: what the profile's user rated below the threshold may not be listed either. A multi-modal
    model is told these items, which cannot be held out; the mask tells every model.
    """
    if split.candidates is None:
        known, disliked = split.profiles.liked[rows], split.profiles.disliked
        return known + disliked[rows] if masked and disliked is not None else known
    everything = sp.csr_matrix(np.ones((len(rows), split.profiles.n_items), np.float32))
    return sp.csr_matrix(everything - split.candidates[rows])


def warm_up(model: Recommender, split: Split) -> None:
    """One tiny recommendation, so that compilation is not counted as the method's time."""
    if isinstance(model, SessionRecommender) and isinstance(split, SessionSplit):
        points = points_of(split)
        model.recommend(points.prefixes(0, min(2, len(points))), 1)


@dataclass(frozen=True)
class Asked:
    """One run, as ``emde run`` is asked for it.

    split      None: the data set's default split
    overrides  parameters laid over those of params/
    seed       None: that of params.yaml
    final_fit  what cold users' models are fitted on; None: as in params.yaml
    sessions   fit on so many most recent train sessions only (names the directory; said in ``approximate``)
    keep_model  write the fitted model beside the lists
    """

    data: str
    method: str
    split: str | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    device: str = "auto"
    final_fit: FinalFit | None = None
    sessions: int | None = None
    keep_model: bool = False

    def command(self, split: Split) -> str:
        """The command that repeats the run on the split that was meant."""
        words = [f"emde run --data {split.name} --split {split.split} --method {self.method}"]
        words += [f"--set {shlex.quote(f'{name}={to_json(value)}')}" for name, value in self.overrides.items()]
        options = {"seed": self.seed, "final-fit": self.final_fit, "sessions": self.sessions}
        words += [f"--{name} {value}" for name, value in options.items() if value is not None]
        return " ".join(words)


def run(settings: Parameters, asked: Asked, out: Path, spent: Path | None = None, resume: bool = False) -> Path:
    """Run one method on one split and store the result; returns the run directory.

    spent   folder for the record of costs; None: run.json holds them
    resume  leave a finished run as it is where its code, data, parameters, packages and threads are those of now
    """
    split, model, fitted_on, folder = prepare(settings, asked, out)
    made_by, spent_file = identity(model, split, fitted_on), None if spent is None else spent / f"{folder.name}.json"
    if resume and run_store.finished(folder) and costs.of_run(folder, spent_file).get("identity") == made_by:
        log.info("%s: is there, of the same code, data and parameters", folder)
        return folder
    method = asked.method
    log.info("%s on %s, split %s -> %s", method, split.name, split.split, folder)
    kind, params = model.kind, model.model_dump(mode="json")
    checkpoint = checkpoint_file(folder)
    seconds: dict[str, float] = {}
    with _own_gpu(params):
        if isinstance(model, EpochLearner):
            model.checkpoint_at(checkpoint)
        with environment.timed(seconds, "fit"):
            model.fit(split.train)
        ranked = rank(model, split, seconds)
    record = {
        "base": settings.base(kind, method),
        "params_source": "command line" if asked.overrides else settings.sources(kind, method, split.name),
        "command": asked.command(split),
        "final_fit": fitted_on,
        "identity": made_by,
        "sessions": split.meta.get("most_recent"),
        **describe_run(model, split, method, ranked, seconds),
    }
    record = costs.write(record, spent_file)
    run_store.write_run(folder, record, ranked.rows, ranked.items, ranked.scores, ranked.masked)
    if asked.keep_model:
        model.save(folder / run_store.MODEL)
    forget_checkpoint(checkpoint)
    return folder


def prepare(settings: Parameters, asked: Asked, out: Path) -> tuple[Split, Recommender, FinalFit, Path]:
    """What ``run`` begins with: (split, model before its fit, what it is fitted on, run directory)."""
    dataset = get(asked.data)
    split = recent(load_ranking_split(dataset.name, asked.split), asked.sessions)
    kind: Kind = "session" if isinstance(split, SessionSplit) else "topk"
    model = settings.recommender(kind, asked.method, dataset.name, dict(asked.overrides), asked.seed, asked.device)
    require_offered(model, asked.method, dataset, split.meta)
    fitted_on: FinalFit = asked.final_fit or (settings.final_fit if split.split == COLD_USER else "train")
    if fitted_on == "train+valid":
        split = with_validation(split)
    options = {"final_fit": None if fitted_on == "train" else fitted_on, "sessions": asked.sessions}
    named = model.model_dump(mode="json") | {name: value for name, value in options.items() if value is not None}
    folder = run_store.run_dir(out, dataset.name, asked.method, split.split, named)
    return split, model, fitted_on, folder


def identity(model: Recommender, split: Split, fitted_on: FinalFit) -> str:
    """sha256 of all that decides a run's lists: equal identity, equal lists on one kind of processor."""
    params = model.model_dump(mode="json")
    described = environment.describe()
    parts = {
        "sources": [sources_hash(name) for name in (type(model).__module__, *RANKING)],
        "params": params,
        "device": used_device(params),
        "data": [split.name, split.split, split.meta["columns"], used_vectors(params, vector_hashes(split.name))],
        "fitted on": [fitted_on, split.meta.get("most_recent")],
        "environment": [described[part] for part in ("python", "packages", "threads")],
    }
    return hashlib.sha256(to_json(parts, "identity", sort_keys=True).encode()).hexdigest()


def _own_gpu(params: dict[str, Any]) -> AbstractContextManager[None]:
    """A GPU to ourselves for methods that have a device; the others need no torch."""
    if "device" not in params:
        return nullcontext()
    from contracts.runtime.device import own_gpu

    return own_gpu(params["device"])


def checkpoint_file(folder: Path) -> Path:
    """Where a run keeps its checkpoint while it trains: outside its directory, which is an output of DVC.

    Whose run it is stands inside (``Recommender.checkpoint``): what other code began is not continued.
    """
    where = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    return project_root() / ".cache/checkpoints" / f"{folder.parent.name}-{folder.name}-{where}.pt"


def forget_checkpoint(path: Path) -> None:
    """Remove the checkpoint of a finished run; one that stays costs disk, not the result."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s: cannot remove the checkpoint: %s", path, error.strerror or error)


def rank(model: Recommender, split: Split, seconds: dict[str, float]) -> Ranked:
    """Lists for the whole test, after a warm-up; adds ``warm_up`` and ``recommend`` to ``seconds``."""
    with environment.timed(seconds, "warm_up"):
        warm_up(model, split)
    with environment.timed(seconds, "recommend"):
        ranked = _rank(model, split)
    if isinstance(split, SessionSplit) or not split.maskable:
        return ranked
    with environment.timed(seconds, "recommend_masked"):
        masked = _rank(model, split, masked=True)
    return replace(ranked, masked=(masked.items, masked.scores))


def _rank(model: Recommender, split: Split, masked: bool = False) -> Ranked:
    if isinstance(split, SessionSplit):
        assert isinstance(model, SessionRecommender)
        return rank_sessions(model, split, SESSION_K)
    assert isinstance(model, TopKRecommender)
    return rank_users(model, split, TOPK_K, masked)


def describe_run(
    model: Recommender, split: Split, method: str, ranked: Ranked, seconds: dict[str, float]
) -> dict[str, Any]:
    """What run.json says of any run: parameters, data, lists, cost, learning curve, machine."""
    params = model.model_dump(mode="json")
    return {
        "data": split.name,
        "split": split.split,
        "kind": model.kind,
        "method": method,
        "params": params,
        "seed": params.get("seed"),
        "n_points": len(ranked.items),
        "lists_sha256": run_store.lists_hash(ranked.items),
        "masked_sha256": None if ranked.masked is None else run_store.lists_hash(ranked.masked[0]),
        "device": used_device(params),
        "seconds": seconds,
        "history": model.history if isinstance(model, EpochLearner) else [],
        **model.fit_record,
        "peak_rss_mb": environment.peak_rss_mb(),
        "peak_gpu_mb": environment.peak_gpu_mb(),
        "data_hashes": {part: split.meta[part] for part in ("raw", "columns")}
        | {"vectors": used_vectors(params, vector_hashes(split.name))},
        "approximate": split.meta.get("approximate"),
        "step_seconds": split.meta.get("step_seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": sources_hash(type(model).__module__),
        **environment.describe(),
    }


def used_vectors(params: dict[str, Any], hashes: dict[str, str]) -> dict[str, str]:
    """Of the item vectors added to the data, those that a modality of the parameters (``vectors:NAME``) takes."""
    used = sources(params)
    return {name: value for name, value in hashes.items() if Source(SourceKind.VECTORS, name) in used}


def used_device(params: dict[str, Any]) -> str:
    """What ``auto`` meant; methods without a device run on the CPU."""
    if params.get("device") != "auto":
        return str(params.get("device", "cpu"))
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
