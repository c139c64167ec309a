"""A user's own data: validated, copied to data/raw/<name>, registered in data/registry/<name>.yaml."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.registry import Dataset
from benchmark.data.root import data_root
from benchmark.data.store import sha256
from benchmark.data.tables import SessionTable
from contracts import UserError

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
    Raises UserError naming the file, the column and the row that is wrong.
    """
    if source.is_dir():
        files = [source / "all_train_seq.txt", source / "test.txt"]
        entry: dict[str, Any] = {"parser": "srgnn", "splits": ["published"], "options": {"protocol": "sr-gnn"}}
    else:
        files = [source]
        names = SESSION_COLUMNS | (columns or {})
        entry = {"parser": "user-sessions", "splits": ["0"], "options": {"events": source.name, "columns": names}}
    dataset = _register(name, "session", entry, files, attributes)
    if not source.is_dir():
        table = parse(dataset, data_root() / "raw" / name).table
        assert isinstance(table, SessionTable)
        span = (table.times.max() - table.times.min()) / 86400
        if span <= test_days:
            _forget(name)
            raise UserError(f"{source}: expected more than {test_days:g} days of sessions, found {span:.2f}")
        # The last event must not fall out of the window by rounding.
        window = {"train_days": float(span - test_days), "test_days": test_days + 1e-6, "shift_days": 1, "count": 1}
        entry["options"]["slices"] = {"min_support": min_support, "min_length": 2, **window}
        dataset = _register(name, "session", entry, files, attributes)
    return dataset


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
    for the test and for validation unless ``heldout_users`` says otherwise.
    """
    names = RATING_COLUMNS | (columns or {})
    entry: dict[str, Any] = {
        "parser": "user-ratings",
        "splits": ["cold-user"],
        "more_splits": ["per-user"],
        "options": {"events": source.name, "columns": names, "heldout_users": heldout_users or 1},
    }
    dataset = _register(name, "topk", entry, [source], attributes)
    table: Any = parse(dataset, data_root() / "raw" / name).table
    if heldout_users is None:
        entry["options"]["heldout_users"] = max(1, len(np.unique(table.users)) // 10)
    if table.times is not None:
        entry["more_splits"].append("temporal")
    return _register(name, "topk", entry, [source], attributes)


def add_vectors(dataset: str, vector_name: str, vectors: Path, ids: Path) -> Path:
    """Attach item vectors of any origin to a data set: vectors [n, d] (.npy) and n raw item ids, one per line.

    Raises UserError for a wrong shape, values that are not finite, or ids that repeat.
    """
    _check_name(vector_name)
    array = _read_npy(vectors)
    names = ids.read_text(encoding="utf-8").split("\n")
    names = names[:-1] if names and not names[-1] else names
    if len(names) != len(array):
        raise UserError(f"{ids}: expected {len(array)} ids for the rows of {vectors}, found {len(names)}")
    repeated = len(names) - len(set(names))
    if repeated:
        raise UserError(f"{ids}: expected each id once, found {repeated} repeated")
    folder = _vector_folder(dataset)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{vector_name}.npy", array)
    (folder / f"{vector_name}.ids").write_text("\n".join(names) + "\n", encoding="utf-8")
    return folder / f"{vector_name}.npy"


def vector_names(dataset: str) -> list[str]:
    """Names of the item vectors added to a data set, sorted."""
    return sorted(file.stem for file in _vector_folder(dataset).glob("*.npy"))


def item_vectors(dataset: str, vector_name: str, item_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(vectors float32 [items, d] in catalogue order, known bool [items]); rows of unknown items are 0."""
    path = _vector_folder(dataset) / f"{vector_name}.npy"
    if not path.exists():
        present = ", ".join(vector_names(dataset)) or "none"
        raise UserError(f"{path}: no item vectors '{vector_name}'; found: {present}")
    array = np.load(path)
    names = path.with_suffix(".ids").read_text(encoding="utf-8").splitlines()
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


def _register(name: str, kind: str, entry: dict[str, Any], sources: list[Path], attributes: Path | None) -> Dataset:
    """Copy the files, write the entry, read the data once; nothing stays behind if it cannot be read."""
    _check_name(name)
    own = registry.user_folder() / f"{name}.yaml"
    if not own.exists() and name in registry.names():
        raise UserError(f"'{name}' is a built-in data set; choose another name")
    files = [*sources, attributes] if attributes else sources
    folder = data_root() / "raw" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if not file.is_file():
            raise UserError(f"{file}: no such file")
        shutil.copyfile(file, folder / file.name)
    if attributes:
        entry["options"]["attributes"] = attributes.name
    about = {"title": f"{name} (own data)", "licence": "own", "citation": "own data", "homepage": "own"}
    known = [{"name": file.name, "sha256": sha256(file), "size": file.stat().st_size} for file in files]
    written = {"name": name, "kind": kind, **about, "comparable": "public", "files": known, **entry}
    dataset = Dataset(**written)
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    try:
        parse(dataset, folder)
    except UserError:
        _forget(name)
        raise
    return dataset


def _forget(name: str) -> None:
    (registry.user_folder() / f"{name}.yaml").unlink(missing_ok=True)
    shutil.rmtree(data_root() / "raw" / name, ignore_errors=True)
