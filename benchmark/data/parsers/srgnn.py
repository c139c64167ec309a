"""SR-GNN's splits: pickled train sessions, and test prefixes with their targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data.parsers.csvio import DATE, FLOAT, INT, Layout, read_columns
from benchmark.data.parsers.named import same_kind
from benchmark.data.parsers.pickles import read_plain
from benchmark.data.parsers.user import with_attributes
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, SessionTable
from contracts import UserError

STEP_SECONDS = 1.0
"""Between one event and the next where only their order is known, unless the option says otherwise."""


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """The published split; times are event numbers, or approximate where daily traffic is known.

    Options: min_prefix (shortest published prefix); test_times (file of timed test sessions);
    traffic (file of sessions per day); raw_test (raw ids of the test week), with it categories and purchases;
    step_seconds (between the events of a session whose own times are not known: all of them, or with traffic train's).
    """
    options = dataset.options
    step = _step(dataset)
    train = _read_sessions(folder / "all_train_seq.txt")
    prefixes, targets = _read_points(folder / "test.txt")
    timed = _read_timed(folder / options["test_times"]) if "test_times" in options else None
    test = [[item for item, _ in session] for session in timed] if timed else join_prefixes(prefixes, targets)
    min_prefix = options.get("min_prefix", 1)
    _check_points(folder / "test.txt", test, prefixes, targets, min_prefix)
    counts = {"train sessions": len(train), "test sessions": len(test), "test prefixes": len(prefixes)}
    if "traffic" in options and timed:
        train_times, test_times = _approximate_times(folder / options["traffic"], train, timed, step)
    else:
        stamps = np.arange(sum(map(len, train)) + sum(map(len, test)), dtype=np.float64) * step
        train_times, test_times = np.split(stamps, [sum(map(len, train))])
    whole = _table(train + test, np.concatenate([train_times, test_times]), 0)
    item_ids, edges, odd = with_attributes(dataset, folder, whole.item_ids)
    if "raw_test" in options and timed:
        raw_ids, begin = _raw_ids(folder / options["raw_test"], timed)
        edges["category"] = _categories(folder / options["categories"], raw_ids)
        edges["purchase"], late = _purchases(folder / options["purchases"], raw_ids, begin)
        counts["purchases in or after the test week, left out"] = late
    pair = tuple(
        replace(table, item_ids=same_kind(table.item_ids, item_ids)[0], edges=edges)
        for table in (_table(train, train_times, 0), _table(test, test_times, len(train)))
    )
    times = "approximate" if "traffic" in options else "order"
    whole = replace(whole, item_ids=item_ids, edges=edges)
    return Parsed(whole, {"published": lambda: (pair[0], pair[1])}, counts | odd, times, step_seconds=step)


def _step(dataset: Dataset) -> float:
    step = dataset.options.get("step_seconds", STEP_SECONDS)
    if not isinstance(step, int | float) or not 0 < step < math.inf:
        raise UserError(f"{dataset.name}: options: step_seconds: expected seconds above 0, found {step!r}")
    return float(step)


def _read_sessions(path: Path) -> list[list[int]]:
    sessions = read_plain(path)
    if not isinstance(sessions, list) or not sessions:
        raise UserError(f"{path}: expected a list of sessions, found {type(sessions).__name__}")
    for number, session in enumerate(sessions):
        if not _are_ids(session):
            raise UserError(f"{path}: session {number}: expected a non-empty list of ints, found {str(session)[:80]}")
    return sessions


def _read_points(path: Path) -> tuple[list[list[int]], list[int]]:
    points = read_plain(path)
    if (
        not isinstance(points, tuple | list)
        or len(points) != 2
        or not all(isinstance(part, tuple | list) for part in points)
        or len(points[0]) != len(points[1])
    ):
        raise UserError(f"{path}: expected (prefixes, targets) of the same length")
    prefixes, targets = points
    if not len(prefixes):
        raise UserError(f"{path}: expected test points, found none")
    for number, (prefix, target) in enumerate(zip(prefixes, targets, strict=True)):
        if not _are_ids(prefix) or not _are_ids([target]):
            raise UserError(
                f"{path}: point {number}: expected a non-empty list of ints and an int, "
                f"found {str(prefix)[:80]} and {str(target)[:80]}"
            )
    return prefixes, targets


def _are_ids(session: object) -> bool:
    """A non-empty list of ints, each of which int64 holds."""
    if not isinstance(session, list) or not session or not all(type(item) is int for item in session):
        return False
    return min(session) >= -(2**63) and max(session) < 2**63


def _read_timed(path: Path) -> list[list[tuple[int, int]]]:
    sessions = read_plain(path)
    if not isinstance(sessions, list) or not all(len(event) == 2 for session in sessions for event in session):
        raise UserError(f"{path}: expected sessions of (item, time) pairs")
    return sessions


def join_prefixes(prefixes: Sequence[list[int]], targets: Sequence[int]) -> list[list[int]]:
    """Sessions from augmented points: the longest prefix comes first, then ever shorter ones to length 1."""
    sessions, previous = [], 1
    for prefix, target in zip(prefixes, targets, strict=True):
        if previous == 1:
            sessions.append([*prefix, target])
        previous = len(prefix)
    return sessions


def _check_points(path: Path, sessions: list[list[int]], prefixes: list, targets: list, min_prefix: int) -> None:
    """The sessions must give exactly the published points, in the published order."""
    point = 0
    for session in sessions:
        for length in range(len(session) - 1, min_prefix - 1, -1):
            if point >= len(prefixes) or prefixes[point] != session[:length] or targets[point] != session[length]:
                raise UserError(f"{path}: point {point}: expected {session[:length]} -> {session[length]}")
            point += 1
    if point != len(prefixes):
        raise UserError(f"{path}: expected {point} points, found {len(prefixes)}")


def _table(sessions: list[list[int]], times: np.ndarray, first: int) -> SessionTable:
    lengths = np.array([len(session) for session in sessions])
    numbers = np.repeat(np.arange(first, first + len(sessions)), lengths)
    items = np.concatenate([np.asarray(session, np.int64) for session in sessions])
    return SessionTable.from_columns(numbers, items, times)


def _approximate_times(
    path: Path, train: list[list[int]], timed: list[list[tuple[int, int]]], step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Train sessions (in order) spread over the days before the test as the daily traffic was; test times are real.

    step: seconds between the events of a train session.
    """
    test_times = np.array([time for session in timed for _, time in session], np.float64)
    days = pd.read_csv(path, usecols=["date", "unique_sessions"])
    starts = np.array([datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() for day in days["date"]])
    edges = np.minimum(np.append(starts, starts[-1] + 86400), test_times.min())
    share = np.diff(edges) / 86400 * days["unique_sessions"].to_numpy()
    reached = np.concatenate([[0], np.cumsum(share)]) / share.sum()
    ranks = (np.arange(len(train)) + 0.5) / len(train)
    lengths = np.array([len(session) for session in train])
    last = np.interp(ranks, reached, edges)
    left = np.concatenate([np.arange(length)[::-1] for length in lengths])
    return np.repeat(last, lengths) - step * left, test_times


def _raw_ids(path: Path, timed: list[list[tuple[int, int]]]) -> tuple[dict[int, int], float]:
    """Item -> raw id, matched by the sessions' clocks (no label is used); and when the first day of the test began."""
    types = {"sessionId": INT, "itemId": INT, "timeframe": INT, "Time": FLOAT}
    raw = read_columns(path, types, Layout("\t"))
    order = np.lexsort((raw["timeframe"], raw["sessionId"]))
    starts = np.flatnonzero(np.diff(raw["sessionId"][order], prepend=-1))
    groups = np.split(order, starts[1:])
    by_clock = {tuple(raw["timeframe"][group].tolist()): raw["itemId"][group] for group in groups}
    mapping: dict[int, int] = {}
    for session in timed:
        events = sorted(session, key=lambda event: event[1])
        ids = by_clock.get(tuple(time for _, time in events))
        if ids is None:
            raise UserError(f"{path}: no session with the clock {events[:3]} ...")
        mapping |= {item: int(identity) for (item, _), identity in zip(events, ids, strict=True)}
    return mapping, float(raw["Time"].min())


def _categories(path: Path, raw_ids: dict[int, int]) -> Edges:
    table = read_columns(path, {"itemId": INT, "categoryId": INT}, Layout(";"))
    category = dict(zip(table["itemId"].tolist(), table["categoryId"].tolist(), strict=True))
    known = [(item, category[raw_id]) for item, raw_id in sorted(raw_ids.items()) if raw_id in category]
    return Edges(np.array([item for item, _ in known]), np.array([f"category={value}" for _, value in known], object))


def _purchases(path: Path, raw_ids: dict[int, int], begin: float) -> tuple[Edges, int]:
    """Items bought in one session share its token; and how many purchases were too late to be known in train.

    Dates are days of UTC+8, as those of the raw test file.
    """
    table = read_columns(path, {"sessionId": INT, "eventdate": DATE, "itemId": INT}, Layout(";"))
    early = table["eventdate"] - 8 * 3600 < begin
    items = {raw_id: item for item, raw_id in raw_ids.items()}
    mapped = np.array([items.get(raw_id, -1) for raw_id in table["itemId"].tolist()], np.int64)
    used = early & (mapped >= 0)
    return Edges.shared(mapped[used], table["sessionId"][used]), int((~early).sum())
