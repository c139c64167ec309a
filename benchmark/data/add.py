"""A user's own data: what a file of sessions or ratings, or of item vectors, must hold, and how it is split."""

from __future__ import annotations

import logging
import math
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from benchmark.data import paths, registry, swap
from benchmark.data.given_vectors import id_lines, vector_folder
from benchmark.data.parsers.user import NO_RATING
from benchmark.data.register import check_name, check_readable, register
from benchmark.data.registry import Dataset
from benchmark.data.splits.topk import per_user, positives_in, temporal
from benchmark.data.store import save_array
from benchmark.data.tables import Parsed, RatingTable, SessionTable
from contracts import UserError

log = logging.getLogger("emde")
SESSION_COLUMNS = {"session": "SessionId", "item": "ItemId", "time": "Time", "user": "UserId"}
"""session-rec's names: a file written for it needs no ``columns``."""
RATING_COLUMNS = {"user": "userId", "item": "itemId", "rating": "rating", "time": "timestamp"}


def add_sessions(
    name: str,
    source: Path,
    *,
    columns: dict[str, str] | None = None,
    attributes: Path | None = None,
    test_days: float = 1.0,
    min_support: int = 5,
) -> Dataset:
    """Register and prepare sessions from csv, tsv, txt (tab separated), Parquet, or a folder with an SR-GNN split.

    columns: role (session, item, time, user) -> the file's column name; session-rec's names by default.
    attributes: file with columns item, token. The last ``test_days`` become the test, split '0'; as many days before
    them tune.
    Raises UserError naming the file, the column and the row that is wrong; then nothing has changed.
    """
    if source.is_dir():
        files = [source / "all_train_seq.txt", source / "test.txt"]
        entry: dict[str, Any] = {"parser": "srgnn", "splits": ["published"], "options": {"protocol": "sr-gnn"}}
        if columns:
            raise UserError(f"{source}: an SR-GNN split has no columns to name, found: {', '.join(columns)}")
        missing = [file.name for file in files if not file.exists()]
        if missing:
            raise UserError(f"{source}: expected a file, or an SR-GNN folder, found a folder without {missing[0]}")
        return register(name, "session", entry, files, attributes, lambda dataset, parsed: {})
    above("--test-days", test_days, 0)
    at_least("--min-support", min_support, 1)
    named = _roles(SESSION_COLUMNS, columns)
    options = {"events": source.name, "columns": named}
    entry = {"parser": "user-sessions", "splits": ["0"], "options": options}

    def slice_by_span(dataset: Dataset, parsed: Parsed) -> dict[str, Any]:
        assert isinstance(parsed.table, SessionTable)
        span = float(parsed.table.times.max() - parsed.table.times.min()) / 86400
        if span <= 2 * test_days:
            expected = f"more than {2 * test_days:g} days of sessions (--test-days {test_days:g}, and as many to tune)"
            hint = f"; try --test-days {span / 3:.2g}" if span > 0 else ""
            raise UserError(f"{source}: column '{named['time']}': expected {expected}, found {span:.2f} days{hint}")
        # The last event must not fall out of the window by rounding.
        window = {"train_days": span - test_days, "test_days": test_days + 1e-6, "shift_days": 1, "count": 1}
        return {"options": {**options, "slices": {"min_support": min_support, "min_length": 2, **window}}}

    return register(name, "session", entry, [source], attributes, slice_by_span)


def add_ratings(
    name: str,
    source: Path,
    *,
    columns: dict[str, str] | None = None,
    attributes: Path | None = None,
    heldout_users: int | None = None,
    positive: float | None = None,
) -> Dataset:
    """Register and prepare ratings from csv, tsv, txt or Parquet; splits cold-user, per-user, temporal.

    columns: role (user, item, rating, time) -> the file's column name. A tenth of the users is held out
    for the test and for validation unless ``heldout_users`` says otherwise. A rating of ``positive`` (4) or more is
    a positive; in a file without ratings every row is one. per-user and temporal are left out, and a warning says so,
    where no user has enough positives, or none before and after the moment that divides them.
    """
    if heldout_users is not None:
        at_least("--heldout-users", heldout_users, 1)
    if positive is not None:
        finite("--positive", positive)
    named = _roles(RATING_COLUMNS, columns)
    options: dict[str, Any] = {"events": source.name, "columns": named}
    entry = {"parser": "user-ratings", "splits": ["cold-user"], "options": options}

    remarks: list[str] = []

    def hold_out(dataset: Dataset, parsed: Parsed) -> dict[str, Any]:
        table = parsed.table
        assert isinstance(table, RatingTable)
        tenth = max(1, len(np.unique(table.users)) // 10)
        known = {**options, "heldout_users": tenth if heldout_users is None else heldout_users}
        if NO_RATING in parsed.counts:
            for option, value in (("--columns", (columns or {}).get("rating")), ("--positive", positive)):
                if value is not None:
                    raise UserError(f"{option}: expected a column '{named['rating']}' in {source}, found none")
            known |= {"columns": {role: column for role, column in named.items() if role != "rating"}, "positive": 1.0}
        elif positive is not None:
            known["positive"] = positive
        dataset = dataset.model_copy(update={"options": known})
        remarks.append(positives_in(dataset, table))
        return {"options": known, "more_splits": _further_splits(dataset, parsed, table, remarks)}

    dataset = register(name, "topk", entry, [source], attributes, hold_out)
    for remark in remarks:
        log.warning("%s: %s", source, remark)
    return dataset


def _further_splits(dataset: Dataset, parsed: Parsed, table: RatingTable, remarks: list[str]) -> list[str]:
    """Of the splits beside the default one those that these ratings give; why not the others goes to ``remarks``."""
    made = []
    makers = {"per-user": per_user} | ({} if table.times is None else {"temporal": temporal})
    for split, make in makers.items():
        try:
            deque(make(dataset, parsed, table), maxlen=0)
            made.append(split)
        except UserError as error:
            remarks.append(f"no {split} split: {error}")
    return made


def add_vectors(dataset: str, vector_name: str, vectors: Path, ids: Path) -> Path:
    """Attach item vectors of any origin to a data set: vectors [n, d] (.npy) and n raw item ids, one per line.

    Vectors and ids change together; those of that name stay as they were until both are written.

    Raises UserError for a wrong shape, values that are not finite, ids that repeat, or (where the data set
    is prepared) ids of which none is one of its items.
    """
    check_name(vector_name)
    array = _read_npy(vectors)
    check_readable(ids)
    try:
        names = id_lines(ids)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{ids}: expected text in UTF-8, one item id per line: {error}") from None
    if len(names) != len(array):
        raise UserError(f"{ids}: expected {len(array)} ids for the rows of {vectors}, found {len(names)}")
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if first.setdefault(name, number) != number:
            raise UserError(f"{ids}: line {number}: expected each id once, found {name!r} again (line {first[name]})")
    folder = vector_folder(dataset)
    _check_items(dataset, ids, names)
    target = folder / f"{vector_name}.npy"
    with swap.locked(folder.name), swap.replacing(folder.name) as new:
        new.place(target.with_suffix(".ids")).write_text("\n".join(names) + "\n", encoding="utf-8")
        save_array(new.place(target), array)
    return target


def _check_items(dataset: str, ids: Path, names: list[str]) -> None:
    """At least one id must be an item; silent for data that is not prepared."""
    known = registry.get(dataset)
    catalogue = paths.split_dir(dataset, known.default_split) / "catalogue.parquet"
    if catalogue.exists():
        items = [str(item) for item in pq.read_table(catalogue, columns=["item_id"]).column("item_id").to_pylist()]
        if not set(items) & set(names):
            raise UserError(f"{ids}: expected item ids of {known.name} such as {items[0]!r}, found {names[0]!r}")


def _read_npy(path: Path) -> np.ndarray:
    """float32 [n, d] of a .npy file of finite real numbers."""
    check_readable(path)
    with open(path, "rb") as stream:
        if not stream.read(6).startswith(b"\x93NUMPY"):
            raise UserError(f"{path}: expected one array as np.save writes it (.npy), found another format")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError, MemoryError) as error:
        trouble = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: not a .npy file of numbers: {trouble}") from None
    real = np.issubdtype(array.dtype, np.integer) or np.issubdtype(array.dtype, np.floating)
    if array.ndim != 2 or not real or not array.size:
        raise UserError(
            f"{path}: expected real numbers of shape [items, dimensions], found {array.dtype} {array.shape}"
        )
    with np.errstate(over="ignore"):
        vectors = array.astype(np.float32)
    bad = np.argwhere(~np.isfinite(vectors))
    if len(bad):
        row, column = bad[0].tolist()
        value = array[row, column].item()
        raise UserError(f"{path}: row {row}, column {column}: expected a finite value (float32), found {value}")
    return vectors


def _roles(known: dict[str, str], columns: dict[str, str] | None) -> dict[str, str]:
    """Role -> column: the defaults, overlaid by what was given."""
    for role in columns or {}:
        if role not in known:
            raise UserError(f"--columns: unknown role '{role}'; expected one of: {', '.join(known)}")
    return known | (columns or {})


def at_least(option: str, value: int, low: int) -> None:
    """Raise UserError unless ``value`` is ``low`` or more."""
    if value < low:
        raise UserError(f"{option}: expected a whole number from {low}, found {value}")


def above(option: str, value: float, low: float) -> None:
    """Raise UserError unless ``value`` is a number greater than ``low``."""
    if not (math.isfinite(value) and value > low):
        raise UserError(f"{option}: expected a number above {low:g}, found {value:g}")


def finite(option: str, value: float) -> None:
    """Raise UserError for infinity and NaN."""
    if not math.isfinite(value):
        raise UserError(f"{option}: expected a number, found {value:g}")
