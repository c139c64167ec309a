"""``emde import``: ranked lists that another library made become a run, judged on the same points as ours."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.data.store import sha256
from benchmark.experiments import environment, methods, run_store, settings
from benchmark.experiments.headline import ELSEWHERE
from benchmark.experiments.lists_files import FORMATS, Entries
from benchmark.experiments.run import SESSION_K, TOPK_K, load_ranking_split
from benchmark.experiments.trec import document_ids
from benchmark.protocol.points import points_of
from contracts import PAD, Kind, UserError


@dataclass(frozen=True)
class Brought:
    """What is brought: a file of lists, and what it is of.

    method   a name that no method of the suite has
    note     whose code made the lists, and how
    form     of the file, one of ``FORMATS``
    partial  points without a list have an empty one (TREC and tsv cannot write it), instead of being refused
    """

    file: Path
    data: str
    method: str
    split: str | None = None
    note: str = ""
    form: str = "tsv"
    seed: int | None = None
    partial: bool = False

    def command(self, split: str) -> str:
        """The command that repeats it, the file's folder left out."""
        words = ["emde", "import", self.file.name, "--data", self.data, "--split", split, "--method", self.method]
        words += ["--format", self.form, *(["--note", self.note] if self.note else [])]
        words += [] if self.seed is None else ["--seed", str(self.seed)]
        return shlex.join([*words, *(["--partial"] if self.partial else [])])


def bring(brought: Brought, out: Path) -> tuple[Path, str]:
    """Check the lists and store them as a run; returns its directory, and how sessions or users were found.

    Raises UserError with the first of: a taken name, an unknown item, an item or a rank twice in a list, lists for
    points that there are not, points without a list.
    """
    split = load_ranking_split(brought.data, brought.split)
    _check_name(brought, split)
    if not brought.file.is_file():
        raise UserError(f"{brought.file}: expected a file of ranked lists, found none")
    entries = FORMATS[brought.form](brought.file, isinstance(split, SessionSplit))
    item = _items(brought, split, entries)
    row, how = _rows(brought, split, entries)
    k = SESSION_K if isinstance(split, SessionSplit) else TOPK_K
    lists = _lists(brought, entries, row, item, (_count(split), k))
    if isinstance(split, SessionSplit):
        points = points_of(split)
        rows = {"session": points.session.astype(np.int32), "position": points.position.astype(np.int32)}
    else:
        rows = {"user": np.arange(len(split.profiles), dtype=np.int32)}
    folder = run_store.run_dir(out, split.name, brought.method, split.split, _params(brought))
    run_store.write_run(folder, _record(brought, split, lists[0]), rows, *lists)
    return folder, how


def _check_name(brought: Brought, split: SessionSplit | TopKSplit) -> None:
    kind: Kind = "session" if isinstance(split, SessionSplit) else "topk"
    if not re.fullmatch(r"[\w.-]*\w[\w.-]*", brought.method):
        raise UserError(f"--method: expected a name of letters, digits, '.', '_' and '-', found {brought.method!r}")
    if brought.method in methods.catalogue(kind) or brought.method in settings.load().methods.get(kind, {}):
        raise UserError(f"--method: expected a name that no method of the suite has, found {brought.method!r}")
    if brought.form not in FORMATS:
        raise UserError(f"--format: expected one of {', '.join(FORMATS)}, found {brought.form!r}")


def _items(brought: Brought, split: SessionSplit | TopKSplit, entries: Entries) -> np.ndarray:
    """Catalogue index of every entry, int32."""
    known = document_ids(split.item_ids) if brought.form == "trec" else [str(raw) for raw in split.item_ids]
    index = pd.Index(known).get_indexer(pd.Index(entries.item.astype(str))).astype(np.int32)
    if (unknown := np.flatnonzero(index < 0)).size:
        several = len(np.unique(entries.item[unknown].astype(str)))
        raise UserError(f"{brought.file}: expected items of the train catalogue of {split.name} ({known[0]}, ...), "
                        f"found {several} others, first {entries.item[unknown[0]]!r}")  # fmt: skip
    return index


def _count(split: SessionSplit | TopKSplit) -> int:
    return len(points_of(split)) if isinstance(split, SessionSplit) else len(split.profiles)


def _rows(brought: Brought, split: SessionSplit | TopKSplit, entries: Entries) -> tuple[np.ndarray, str]:
    """(evaluation point or test user of every entry, how its session or user was found).

    Of the ways to read the file's names, the first that gives every point a list, else the one that misses least.
    """
    if isinstance(split, SessionSplit):
        points = points_of(split)
        there = pd.MultiIndex.from_arrays([points.session, points.position])
    else:
        there = pd.MultiIndex.from_arrays([np.arange(len(split.profiles)), np.zeros(len(split.profiles), int)])
    position = np.zeros(len(entries.item), int) if entries.position is None else entries.position
    names, index = np.unique(entries.unit.astype(str), return_inverse=True)
    best: tuple[int, np.ndarray, np.ndarray, str] | None = None
    for how, units in _ways(split, names):
        row = there.get_indexer(pd.MultiIndex.from_arrays([units[index], position]))
        missing = np.setdiff1d(np.arange(len(there)), row)
        wrong = len(missing) * (not brought.partial) + len(np.unique(np.flatnonzero(row < 0)))
        if best is None or wrong < best[0]:
            best = wrong, row, missing, how
        if not wrong:
            break
    assert best is not None
    _, row, missing, how = best
    if (strange := np.flatnonzero(row < 0)).size:
        first = strange[0]
        where = f"session {entries.unit[first]}, position {position[first]} (events before the list, from 1)" \
            if entries.position is not None else f"user {entries.unit[first]}"  # fmt: skip
        raise UserError(f"{brought.file}: expected the {len(there):,} points of {split.name}, {split.split}; found a "
                        f"list of none of them: {where}")  # fmt: skip
    if missing.size and not brought.partial:
        raise UserError(f"{brought.file}: expected lists for {len(there):,} points of {split.name}, {split.split}; "
                        f"{len(missing):,} have none, first {_named(split, int(missing[0]))}; --partial counts them as "
                        "empty lists")  # fmt: skip
    return row, how


def _ways(split: SessionSplit | TopKSplit, names: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """(in words, index of each named session or user, -1 where there is none)."""
    whole = np.array([int(name) if re.fullmatch(r"\d{1,18}", name) else -1 for name in names.tolist()])
    if isinstance(split, TopKSplit):
        raw = pd.Index([str(user) for user in split.user_ids])
        yield "users by their ids", raw.get_indexer(pd.Index(names))
        yield "users by their numbers", whole
        return
    yield "sessions by their numbers in the test", whole
    yield "sessions as emde data export numbers them", np.where(whole < 0, -1, whole - len(split.train))
    order = np.argsort(whole, kind="stable") if (whole >= 0).all() else np.arange(len(names))
    with_points = np.unique(points_of(split).session)
    units = np.full(len(names), -1)
    if len(names) == len(with_points):
        units[order] = with_points
    yield "sessions in the order of their ids", units


def _named(split: SessionSplit | TopKSplit, row: int) -> str:
    if isinstance(split, TopKSplit):
        return f"user {split.user_ids[row]}"
    points = points_of(split)
    return f"session {points.session[row]} of the test, position {points.position[row]}"


def _lists(
    brought: Brought, entries: Entries, row: np.ndarray, item: np.ndarray, shape: tuple[int, int]
) -> run_store.Lists:
    """The lists, best first, cut to k and padded; raises UserError for an item or rank twice in one of them."""
    table = pd.DataFrame({"row": row, "order": entries.order, "item": item})
    ranked = entries.score is None or brought.form != "tsv" or not np.array_equal(entries.order, -entries.score)
    for column, what in (("item", "an item"), ("order", "a rank")):
        again = table.duplicated(["row", column])
        if again.any() and (column == "item" or ranked):
            first = int(np.flatnonzero(again)[0])
            where = f"{entries.unit[first]}" + ("" if entries.position is None else f", {entries.position[first]}")
            raise UserError(f"{brought.file}: expected {what} once in a list, found {again.sum():,} entries with one "
                            f"that stands twice, first item {entries.item[first]!r} of {where}")  # fmt: skip
    table["score"] = 0.0 if entries.score is None else entries.score
    table = table.sort_values(["row", "order"], kind="stable")
    table["rank"] = table.groupby("row").cumcount()
    table = table[table["rank"] < shape[1]]
    if entries.score is None:
        table["score"] = shape[1] - table["rank"]
    items, scores = np.full(shape, PAD, np.int32), np.zeros(shape, np.float32)
    items[table["row"], table["rank"]] = table["item"]
    scores[table["row"], table["rank"]] = table["score"]
    return items, scores


def _params(brought: Brought) -> dict[str, Any]:
    return {} if brought.seed is None else {"seed": brought.seed}


def _record(brought: Brought, split: SessionSplit | TopKSplit, items: np.ndarray) -> dict[str, Any]:
    """run.json: what can be known of lists that something else made."""
    return {
        "data": split.name,
        "split": split.split,
        "kind": "session" if isinstance(split, SessionSplit) else "topk",
        "method": brought.method,
        "base": brought.method,
        "imported": {"file": brought.file.name, "sha256": sha256(brought.file), "format": brought.form,
                     "note": brought.note},
        "params": _params(brought),
        "params_source": ": ".join(filter(None, [ELSEWHERE, brought.note])),
        "command": brought.command(split.split),
        "seed": brought.seed,
        "n_points": len(items),
        "lists_sha256": run_store.lists_hash(items),
        "masked_sha256": None,
        "data_hashes": {part: split.meta[part] for part in ("raw", "columns")},
        "approximate": split.meta.get("approximate"),
        "step_seconds": split.meta.get("step_seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": environment.code_version(),
    }  # fmt: skip
