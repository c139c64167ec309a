"""Lists for a session or a user that is in no data set, from the kept model of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from safetensors import SafetensorError

from benchmark.data import registry
from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.data.splits.ratings import threshold
from benchmark.experiments import methods, run_store
from benchmark.experiments.evaluate import open_run
from benchmark.experiments.examples import name
from contracts import PAD, Interactions, Recommender, SessionRecommender, Sessions, TopKRecommender, UserError

Listed = list[dict[str, Any]]
"""A ranked list: rank from 1, item (raw id), name and score of each entry."""


@dataclass(frozen=True)
class Given:
    """What is known of a session or a user: items as indices of the train catalogue, each with its value or None.

    A value is the second of an event, or the rating of an item.
    """

    items: list[int]
    values: list[float | None]


def load_model(run: str | Path) -> tuple[Recommender, SessionSplit | TopKSplit]:
    """The fitted model that ``emde run --keep-model`` left, and the split it was fitted on."""
    folder = Path(run)
    record, split = open_run(folder)
    path = folder / run_store.MODEL
    if not path.is_file():
        command = record.get("command", "emde run ...")
        raise UserError(f"{folder}: expected a kept model, found none; keep it: {command} --keep-model")
    cls = methods.find(record["kind"], record.get("base") or record["method"])
    assert issubclass(cls, Recommender)
    try:
        return cls.load(path), split
    except SafetensorError as error:
        raise UserError(f"{path}: expected a saved model, found {error}") from None


def recommend(
    run: str | Path,
    items: Sequence[Any],
    values: Sequence[float | None] | None = None,
    k: int = 10,
    each: bool = False,
) -> dict[str, Any]:
    """The k items that a run's kept model ranks first for a session or a user known by its items.

    items   raw ids, or names that only one item has; of a session in their order
    values  seconds of a session's events (default: apart as train's events are, by the median), or a user's ratings
            (default: all liked; those below the data set's threshold are disliked, and never listed)
    each    EMDE for sessions: also the list after every event, from one sketch that is updated with each, and the
            largest difference of its cells from those of a sketch made anew
    Returns {"method", "data", "seen": [names], "list": [{rank, item, name, score}]}, with ``each`` also "steps":
    [{"item", "list", "difference"}]. Raises UserError for unknown items, and for a run without a model.
    """
    model, split = load_model(run)
    record = run_store.read_record(Path(run))
    so_far = _given(split, items, values)
    if isinstance(split, SessionSplit):
        assert isinstance(model, SessionRecommender)
        session = _session(split, so_far)
        listed = model.recommend(session, k)
    else:
        assert isinstance(model, TopKRecommender)
        profile = _profile(split, so_far)
        known = profile.liked if profile.disliked is None else profile.liked + profile.disliked
        listed = model.recommend(profile, k, known)
    answer: dict[str, Any] = {
        "method": record["method"],
        "data": split.name,
        "seen": [name(split, item) for item in so_far.items],
        "list": _named(split, listed[0][0], listed[1][0]),
    }
    if each:
        if not isinstance(split, SessionSplit):
            raise UserError("--each: expected a run of sessions, found users")
        answer["steps"] = _steps(model, split, session, k)
    return answer


def read_user(path: Path) -> tuple[list[str], list[float | None]]:
    """(items, their values or None) of a file: an item a line, behind a tab its seconds or rating where known."""
    try:
        lines = [text for text in path.read_text(encoding="utf-8").splitlines() if text.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: expected a text file, an item a line; found {error}") from None
    items, values = [], []
    for number, text in enumerate(lines, 1):
        item, _, value = text.partition("\t")
        try:
            values.append(float(value) if value.strip() else None)
        except ValueError:
            raise UserError(f"{path}: line {number}: expected item, tab, number; found {value!r}") from None
        items.append(item.strip())
    return items, values


def _given(split: SessionSplit | TopKSplit, items: Sequence[Any], values: Sequence[float | None] | None) -> Given:
    if len(items) == 0:
        raise UserError("recommend: expected at least one item, found none")
    if values is not None and len(values) != len(items):
        raise UserError(f"recommend: expected a value for each of {len(items)} items, found {len(values)}")
    places = _places(split)
    unknown = [str(item) for item in items if places.get(str(item), PAD) == PAD]
    if unknown:
        some = ", ".join(str(item) for item in split.item_ids[:3])
        raise UserError(f"{split.name}: unknown item {unknown[0]!r}; expected ids of its train items ({some}, ...) "
                        "or a name that one of them has")  # fmt: skip
    return Given([places[str(item)] for item in items], [None] * len(items) if values is None else list(values))


def _places(split: SessionSplit | TopKSplit) -> Mapping[str, int]:
    """Raw id or name -> catalogue index; ids before names, names that several items have nowhere."""
    named: dict[str, int] = {}
    for place, text in enumerate(() if split.item_names is None else split.item_names):
        named[str(text)] = PAD if str(text) in named else place
    return named | {str(raw): place for place, raw in enumerate(split.item_ids)}


def _session(split: SessionSplit, so_far: Given) -> Sessions:
    """One session; an event whose time is not given comes a median gap of train after the one before."""
    gaps = np.diff(split.train.times)[np.diff(split.train.session_of_event) == 0]
    gap = float(np.median(gaps)) if len(gaps) else 1.0
    times: list[float] = []
    for value in so_far.values:
        times.append(value if value is not None else times[-1] + gap if times else 0.0)
    if times != sorted(times):
        raise UserError("recommend: expected the events of a session in the order of their seconds")
    items = np.array(so_far.items, np.int32)
    return Sessions(items, np.array(times), np.array([0, len(items)]), len(split.item_ids), {}, split.test.attributes)


def _profile(split: TopKSplit, so_far: Given) -> Interactions:
    least = threshold(registry.get(split.name))
    liked = [value is None or value >= least for value in so_far.values]

    def row(wanted: bool) -> sp.csr_matrix:
        columns = sorted({item for item, like in zip(so_far.items, liked, strict=True) if like == wanted})
        cells = (np.ones(len(columns), np.float32), (np.zeros(len(columns), np.int32), columns))
        return sp.csr_matrix(cells, shape=(1, len(split.item_ids)))

    disliked = None if split.profiles.disliked is None else row(False)
    return replace(split.profiles, liked=row(True), disliked=disliked, weights=None)


def _named(split: SessionSplit | TopKSplit, items: np.ndarray, scores: np.ndarray) -> Listed:
    return [
        {"rank": rank, "item": np.asarray(split.item_ids[item]).item(), "name": name(split, item), "score": score}
        for rank, (item, score) in enumerate(zip(items.tolist(), scores.tolist(), strict=True), 1)
        if item != PAD
    ]


def _steps(model: Recommender, split: SessionSplit, session: Sessions, k: int) -> list[dict[str, Any]]:
    from emde.running import RunningSession
    from emde.session import EMDE

    if not isinstance(model, EMDE):
        raise UserError(f"--each: expected a model with sketches (emde), found {type(model).__name__.lower()}")
    running, steps = RunningSession(model), []
    for stop, (item, time) in enumerate(zip(session.items.tolist(), session.times.tolist(), strict=True), 1):
        running.add(item, time)
        anew = model.sketches(session.windows(np.array([0]), np.array([stop]), np.array([0])))
        steps.append({
            "item": name(split, item),
            "list": _named(split, *running.recommend(k)),
            "difference": float((running.inputs - anew).abs().max()),
        })  # fmt: skip
    return steps
