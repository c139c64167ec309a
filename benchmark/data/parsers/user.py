"""A user's own sessions and ratings: csv, tsv or Parquet with named columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.parsers.csvio import TEXT, read_columns
from benchmark.data.parsers.movielens import drop_duplicates
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, RatingTable, SessionTable
from contracts import UserError


def parse_sessions(dataset: Dataset, folder: Path) -> Parsed:
    """Option ``columns``: session, item, time (and user) -> the file's column; sorted by time inside a session."""
    columns = read_named(folder / dataset.options["events"], dataset.options["columns"], optional=("user",))
    times = columns["time"]
    order = np.lexsort((times, pd.factorize(columns["session"])[0]))
    moved = int((np.diff(order) != 1).sum())
    groups = {"user": columns["user"][order]} if "user" in columns else None
    table = SessionTable.from_columns(
        columns["session"][order], columns["item"][order], times[order], groups, attribute_edges(dataset, folder)
    )
    return Parsed(table, counts={"rows": len(table), "breaks in the (session, time) order of the file": moved})


def parse_ratings(dataset: Dataset, folder: Path) -> Parsed:
    """Option ``columns``: user, item, rating (and time) -> the file's column; the last rating of a pair counts."""
    columns = read_named(folder / dataset.options["events"], dataset.options["columns"], optional=("time",))
    keep = drop_duplicates(columns["user"], columns["item"])
    table = RatingTable(
        columns["user"][keep],
        columns["item"][keep],
        columns["rating"][keep].astype(np.float32),
        columns["time"][keep] if "time" in columns else None,
        attribute_edges(dataset, folder),
    )
    return Parsed(table, counts={"rows": len(keep), "duplicates dropped": int((~keep).sum())})


def read_named(path: Path, names: dict[str, str], optional: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns ``names`` (role -> column) of a csv, tsv, txt or Parquet file.

    Ids are integers where every one is, else text; time and rating are numbers (time also ISO 8601, as UTC).
    Raises UserError naming column and row.
    """
    wanted = {column: TEXT for role, column in names.items()}
    absent = [column for role, column in names.items() if role in optional]
    if path.suffix == ".parquet":
        raw = _read_parquet(path, list(wanted), absent)
    else:
        raw = read_columns(path, wanted, sep="," if path.suffix == ".csv" else "\t", optional=absent)
    found = {role: raw[column] for role, column in names.items() if column in raw}
    return {
        role: _numbers(path, names[role], values, role == "time")
        if role in ("time", "rating")
        else _ids(path, names[role], values)
        for role, values in found.items()
    }


def _read_parquet(path: Path, wanted: list[str], optional: list[str]) -> dict[str, np.ndarray]:
    try:
        schema = pq.read_schema(path)
        missing = [name for name in wanted if name not in schema.names and name not in optional]
        if missing:
            raise UserError(f"{path}: expected column '{missing[0]}', found {', '.join(schema.names)}")
        table = pq.read_table(path, columns=[name for name in wanted if name in schema.names])
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None
    for name in table.column_names:
        if table.column(name).null_count:
            row = int(np.flatnonzero(table.column(name).is_null().to_numpy())[0]) + 1
            raise UserError(f"{path}: column '{name}', data row {row}: expected a value, found an empty field")
    if not table.num_rows:
        raise UserError(f"{path}: expected rows, found none")
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _ids(path: Path, name: str, values: np.ndarray) -> np.ndarray:
    if np.issubdtype(values.dtype, np.integer):
        return values.astype(np.int64)
    text = pd.Series(values).astype(str)
    empty = np.flatnonzero(text.str.strip() == "")
    if len(empty):
        raise UserError(f"{path}: column '{name}', data row {empty[0] + 1}: expected an id, found an empty field")
    return text.astype(np.int64).to_numpy() if text.str.fullmatch(r"\d{1,18}").all() else text.to_numpy(object)


def _numbers(path: Path, name: str, values: np.ndarray, is_time: bool) -> np.ndarray:
    series = pd.Series(values)
    numbers = pd.to_numeric(series, errors="coerce")
    if numbers.isna().all() and is_time:
        stamps = pd.to_datetime(series, utc=True, errors="coerce", format="ISO8601")
        numbers = (stamps - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)
    bad = np.flatnonzero(~np.isfinite(numbers.to_numpy(np.float64)))
    if len(bad):
        kind = "seconds or an ISO 8601 time" if is_time else "a number"
        raise UserError(f"{path}: column '{name}', data row {bad[0] + 1}: expected {kind}, found {values[bad[0]]!r}")
    return numbers.to_numpy(np.float64)


def attribute_edges(dataset: Dataset, folder: Path) -> dict[str, Edges]:
    """Option ``attributes``: a file with columns item, token."""
    if "attributes" not in dataset.options:
        return {}
    columns = read_named(folder / dataset.options["attributes"], {"item": "item", "token": "token"}, ())
    return {"attribute": Edges(columns["item"], columns["token"].astype(str).astype(object))}
