"""A user's own data: validated, copied to data/raw/<name>, registered in data/registry/<name>.yaml."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from filelock import FileLock

from benchmark.data import paths, registry
from benchmark.data.parsers import parse
from benchmark.data.registry import Dataset
from benchmark.data.root import data_root
from benchmark.data.store import replace_folder, sha256
from benchmark.data.tables import Parsed, RatingTable, SessionTable
from contracts import UserError
from contracts.files import write_whole

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
    """Register sessions from csv, tsv, txt (tab separated), Parquet, or a folder with an SR-GNN split.

    columns: role (session, item, time, user) -> the file's column name; session-rec's names by default.
    attributes: file with columns item, token. The last ``test_days`` become the test, split '0'.
    Raises UserError naming the file, the column and the row that is wrong; then nothing has changed.
    """
    if source.is_dir():
        files = [source / "all_train_seq.txt", source / "test.txt"]
        entry: dict[str, Any] = {"parser": "srgnn", "splits": ["published"], "options": {"protocol": "sr-gnn"}}
        if columns:
            raise UserError(f"{source}: an SR-GNN split has no columns to name, found: {', '.join(columns)}")
        return _register(name, "session", entry, files, attributes, lambda parsed: None)
    entry = {
        "parser": "user-sessions",
        "splits": ["0"],
        "options": {"events": source.name, "columns": _roles(SESSION_COLUMNS, columns)},
    }

    def slice_by_span(parsed: Parsed) -> None:
        assert isinstance(parsed.table, SessionTable)
        span = (parsed.table.times.max() - parsed.table.times.min()) / 86400
        if span <= test_days:
            raise UserError(f"{source}: expected more than {test_days:g} days of sessions, found {span:.2f}")
        # The last event must not fall out of the window by rounding.
        window = {"train_days": float(span - test_days), "test_days": test_days + 1e-6, "shift_days": 1, "count": 1}
        entry["options"]["slices"] = {"min_support": min_support, "min_length": 2, **window}

    return _register(name, "session", entry, [source], attributes, slice_by_span)


def add_ratings(
    name: str,
    source: Path,
    *,
    columns: dict[str, str] | None = None,
    attributes: Path | None = None,
    heldout_users: int | None = None,
) -> Dataset:
    """Register ratings from csv, tsv, txt or Parquet; splits cold-user, per-user (and temporal with times).

    columns: role (user, item, rating, time) -> the file's column name. A tenth of the users is held out
    for the test and for validation unless ``heldout_users`` says otherwise. A rating of 4 or more is positive.
    """
    entry: dict[str, Any] = {
        "parser": "user-ratings",
        "splits": ["cold-user"],
        "more_splits": ["per-user"],
        "options": {"events": source.name, "columns": _roles(RATING_COLUMNS, columns)},
    }

    def hold_out(parsed: Parsed) -> None:
        assert isinstance(parsed.table, RatingTable)
        tenth = max(1, len(np.unique(parsed.table.users)) // 10)
        entry["options"]["heldout_users"] = tenth if heldout_users is None else heldout_users
        if parsed.table.times is not None:
            entry["more_splits"].append("temporal")

    return _register(name, "topk", entry, [source], attributes, hold_out)


def add_vectors(dataset: str, vector_name: str, vectors: Path, ids: Path) -> Path:
    """Attach item vectors of any origin to a data set: vectors [n, d] (.npy) and n raw item ids, one per line.

    Raises UserError for a wrong shape, values that are not finite, ids that repeat, or (where the data set
    is prepared) ids of which none is one of its items.
    """
    _check_name(vector_name)
    array = _read_npy(vectors)
    try:
        names = _lines(ids)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{ids}: expected text in UTF-8, one item id per line: {error}") from None
    if len(names) != len(array):
        raise UserError(f"{ids}: expected {len(array)} ids for the rows of {vectors}, found {len(names)}")
    first: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        if first.setdefault(name, number) != number:
            raise UserError(f"{ids}: line {number}: expected each id once, found {name!r} again (line {first[name]})")
    folder = _vector_folder(dataset)
    _check_items(dataset, ids, names)
    content = BytesIO()
    np.save(content, array)
    write_whole(folder / f"{vector_name}.ids", "\n".join(names) + "\n", "the item ids")
    return write_whole(folder / f"{vector_name}.npy", content.getvalue(), "the item vectors")


def _lines(path: Path) -> list[str]:
    names = path.read_text(encoding="utf-8-sig").split("\n")  # text mode: CRLF has become \\n
    return names[:-1] if names and not names[-1] else names


def _check_items(dataset: str, ids: Path, names: list[str]) -> None:
    """At least one id must be an item; silent for data that is not prepared."""
    known = registry.get(dataset)
    catalogue = paths.split_dir(dataset, known.default_split) / "catalogue.parquet"
    if catalogue.exists():
        items = [str(item) for item in pq.read_table(catalogue, columns=["item_id"]).column("item_id").to_pylist()]
        if not set(items) & set(names):
            raise UserError(f"{ids}: expected item ids of {known.name} such as {items[0]!r}, found {names[0]!r}")


def vector_names(dataset: str) -> list[str]:
    """Names of the item vectors added to a data set, sorted."""
    return sorted(file.stem for file in _vector_folder(dataset).glob("*.npy"))


def vector_hashes(dataset: str) -> dict[str, str]:
    """Name -> sha256 over vectors and ids of the item vectors added to a data set."""
    folder = _vector_folder(dataset)
    return {
        name: hashlib.sha256(b"".join((folder / f"{name}.{part}").read_bytes() for part in ("npy", "ids"))).hexdigest()
        for name in vector_names(dataset)
    }


def item_vectors(dataset: str, vector_name: str, item_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(vectors float32 [items, d] in catalogue order, known bool [items]); rows of unknown items are 0."""
    path = _vector_folder(dataset) / f"{vector_name}.npy"
    if not path.exists():
        present = ", ".join(vector_names(dataset)) or "none"
        raise UserError(f"{path}: no item vectors '{vector_name}'; found: {present}")
    array = np.load(path)
    names = _lines(path.with_suffix(".ids"))
    row = {name: number for number, name in enumerate(names)}
    rows = np.array([row.get(str(item), -1) for item in item_ids.tolist()], np.int64)
    known = rows >= 0
    return np.where(known[:, None], array[rows], np.float32(0)), known


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a .npy file of numbers: {error}") from None
    if array.ndim != 2 or not np.issubdtype(array.dtype, np.number):
        raise UserError(f"{path}: expected numbers of shape [items, dimensions], found {array.dtype} {array.shape}")
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise UserError(f"{path}: row {bad[0]}: expected finite values, found {array[bad[0]]}")
    return array.astype(np.float32)


def _vector_folder(dataset: str) -> Path:
    return data_root() / "vectors" / registry.get(dataset).name


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name):
        raise UserError(f"'{name}': expected a name of lower-case letters, digits, '.', '_' and '-'")


def _roles(known: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Role -> column: the defaults, overlaid by what was given."""
    for role in given or {}:
        if role not in known:
            raise UserError(f"--columns: unknown role '{role}'; expected one of: {', '.join(known)}")
    return known | (given or {})


def _register(
    name: str,
    kind: str,
    entry: dict[str, Any],
    sources: list[Path],
    attributes: Path | None,
    complete: Callable[[Parsed], None],
) -> Dataset:
    """Copy the files, read them, let ``complete`` finish the entry, write it.

    What an earlier data set of the same name left stays as it was until everything has been read.
    """
    _check_name(name)
    own = registry.user_folder() / f"{name}.yaml"
    if not own.exists() and (name in registry.names() or name in registry.ALIASES):
        raise UserError(f"'{name}' is a built-in data set; choose another name")
    files = [*sources, attributes] if attributes else sources
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file")
    if attributes:
        entry["options"]["attributes"] = attributes.name
    about = {"title": f"{name} (own data)", "licence": "own", "citation": "own data", "homepage": "own"}
    known = [{"name": file.name, "sha256": sha256(file), "size": file.stat().st_size} for file in files]
    written = {"name": name, "kind": kind, **about, "comparable": "public", "files": known, **entry}
    locks = data_root() / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    with FileLock(locks / f"{name}.lock"):
        with replace_folder(data_root() / "raw" / name) as folder:
            for file in files:
                shutil.copyfile(file, folder / file.name)
            parsed = parse(Dataset(**written), folder)
            if attributes:
                _check_attributes(attributes, parsed)
            complete(parsed)
        dataset = Dataset(**written)
        write_whole(own, yaml.safe_dump(written, sort_keys=False))
        shutil.rmtree(data_root() / "prepared" / name, ignore_errors=True)  # of the files before
    return dataset


def _check_attributes(path: Path, parsed: Parsed) -> None:
    """At least one item of the attributes must be an item of the data."""
    table = parsed.table
    assert isinstance(table, SessionTable | RatingTable)
    items = table.item_ids if isinstance(table, SessionTable) else np.unique(table.items)
    named = table.edges["attribute"].items
    if not set(named.tolist()) & set(items.tolist()):
        raise UserError(f"{path}: column 'item': expected items of the data such as {items[0]!r}, found {named[0]!r}")


def forget(name: str) -> None:
    """Remove a user's data set: entry, copied files, prepared splits."""
    (registry.user_folder() / f"{name}.yaml").unlink(missing_ok=True)
    for folder in ("raw", "prepared"):
        shutil.rmtree(data_root() / folder / name, ignore_errors=True)
