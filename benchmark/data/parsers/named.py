"""Columns of a user's own files by their names: ids as they stand in the file, times as seconds, numbers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.data.parsers.csvio import INT, SHOWN, TEXT, Layout, empty_field, read_arrow, seconds
from benchmark.data.parsers.sources import PACKED, PARQUET, ending, opened
from contracts import UserError

LIKE_FLOAT = r"^-?\d+\.0*$"
EARLIEST, LATEST = -62_135_596_800, 100_000_000_000
"""Seconds since 1970 that a time can be: the years 1 to 5138. What is later is in ms (after 1973), us or ns."""
UNITS = {1e14: "milliseconds", 1e17: "microseconds", np.inf: "nanoseconds"}


def read_named(
    path: Path, names: dict[str, str], optional: tuple[str, ...]
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """The columns ``names`` (role -> column) of a csv, tsv, txt or Parquet file, compressed or not; and what is odd.

    Ids are int64 where every one of a column is a canonical whole number that fits, else text as it stands in the file.
    Tokens are text. Time and rating are float64: time in seconds since 1970 or ISO 8601 in the file (read as UTC), in
    Parquet also timestamps of any unit and zone, and dates. Odd: how many ids look like floats. Raises UserError naming
    column and data row.
    """
    wanted = list(dict.fromkeys(names.values()))
    absent = [column for role, column in names.items() if role in optional]
    kind = ending(path)
    if kind in PARQUET:
        raw = _read_parquet(path, wanted, absent)
    else:
        sep = "," if kind == ".csv" else "\t"
        raw = read_arrow(path, dict.fromkeys(wanted, TEXT), Layout(sep, newlines=True), optional=absent)
    columns, odd = {}, {}
    for role, name in names.items():
        if name not in raw:
            continue
        if role == "time":
            columns[role] = _times(path, name, raw[name])
        elif role == "rating":
            columns[role] = _floats(path, name, raw[name])
        elif role == "token":
            columns[role] = _text(path, name, raw[name]).to_numpy()
        else:
            columns[role], floats = ids(path, name, raw[name])
            if floats:
                odd[f"ids of column '{name}' that look like floats (3.0 is not 3)"] = floats
    return columns, odd


def _read_parquet(path: Path, wanted: list[str], optional: list[str]) -> dict[str, pa.ChunkedArray]:
    try:
        with opened(path) as stream:
            file = pq.ParquetFile(io.BytesIO(stream.read()) if path.suffix.lower() in PACKED else path)
        with file:
            names = file.schema_arrow.names
            for name in wanted:
                if names.count(name) > 1:
                    raise UserError(f"{path}: expected one column '{name}', found {names.count(name)}")
                if name not in names and name not in optional:
                    raise UserError(f"{path}: expected column '{name}', found {', '.join(names)}")
            table = file.read([name for name in wanted if name in names])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None
    if not table.num_rows:
        raise UserError(f"{path}: expected rows, found none")
    return {name: _plain(path, name, table.column(name)) for name in table.column_names}


def _plain(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without nulls and dictionaries (pandas' categories)."""
    if column.null_count:
        raise empty_field(path, name, column)
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def ids(path: Path, name: str, column: pa.ChunkedArray) -> tuple[np.ndarray, int]:
    """int64 where every id is a canonical whole number (no leading zero, no +, no .0) that fits, else text as objects.

    Also how many look like floats. Raises UserError for an empty id.
    """
    if pa.types.is_integer(column.type):
        try:
            return column.cast(INT).to_numpy(), 0
        except pa.ArrowInvalid:  # 2^63 and more do not fit
            return column.cast(TEXT).to_numpy(), 0
    text = _text(path, name, column)
    try:
        numbers = text.cast(INT)
        if numbers.cast(TEXT).equals(text):
            return numbers.to_numpy(), 0
    except pa.ArrowInvalid:  # one of them is no number
        pass
    return text.to_numpy(), pc.sum(pc.match_substring_regex(text, LIKE_FLOAT)).as_py()


def _text(path: Path, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Ids or tokens of any type as text, none empty; floats as Python and pandas write them."""
    if pa.types.is_floating(column.type):
        column = pa.chunked_array([pa.array([str(value) for value in column.to_pylist()], TEXT)])
    try:
        text = column.cast(TEXT)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"{path}: column '{name}': expected ids, found values of type {column.type}") from None
    _check(path, name, text, pc.not_equal(pc.utf8_trim_whitespace(text), "").to_numpy(), "an id")
    return text


def same_kind(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two files' ids of one kind, to be compared: both int64 where both were read so, else both text."""
    if np.issubdtype(a.dtype, np.integer) == np.issubdtype(b.dtype, np.integer):
        return a, b
    return _as_text(a), _as_text(b)


def _as_text(values: np.ndarray) -> np.ndarray:
    return values.astype(str).astype(object)


def _times(path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    """float64 seconds since 1970 (UTC)."""
    kind = column.type
    if pa.types.is_date(kind):
        column = column.cast(pa.timestamp("s" if pa.types.is_date32(kind) else "ms"))
    if pa.types.is_timestamp(column.type):
        times = seconds(column)
        _check(path, name, column, (times >= EARLIEST) & (times < LATEST), "a time of the years 1 to 5138")
        return times
    expected = "seconds since 1970 or an ISO 8601 time"
    numbers = _to_float(path, name, column, expected)
    if pa.types.is_string(kind) and np.isnan(numbers).all():
        stamps = pd.to_datetime(pd.Series(column.to_numpy()), utc=True, errors="coerce", format="ISO8601")
        numbers = ((stamps - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(seconds=1)).to_numpy(np.float64)
    _check(path, name, column, np.isfinite(numbers), expected)
    late = np.abs(numbers[numbers >= LATEST])
    unit = next(f": {unit}?" for top, unit in UNITS.items() if late[0] < top) if len(late) else ""
    _check(path, name, column, (numbers >= EARLIEST) & (numbers < LATEST), "seconds since 1970", unit)
    return numbers


def _floats(path: Path, name: str, column: pa.ChunkedArray) -> np.ndarray:
    """float64, each of which float32 can hold."""
    numbers = _to_float(path, name, column, "a number")
    _check(path, name, column, np.isfinite(numbers), "a number")
    top = np.finfo(np.float32).max
    _check(path, name, column, np.abs(numbers) <= top, f"a number from {-top:.3g} to {top:.3g} (float32)")
    return numbers


def _to_float(path: Path, name: str, column: pa.ChunkedArray, expected: str) -> np.ndarray:
    """float64; NaN for text that is no number."""
    if pa.types.is_string(column.type):
        try:
            return column.cast(pa.float64()).to_numpy()
        except pa.ArrowInvalid:  # spaces around a number, or something else
            return pd.to_numeric(pd.Series(column.to_numpy()), errors="coerce").to_numpy(np.float64)
    if pa.types.is_boolean(column.type) or pa.types.is_duration(column.type) or pa.types.is_time(column.type):
        raise UserError(f"{path}: column '{name}': expected {expected}, found values of type {column.type}")
    try:
        return column.cast(pa.float64(), safe=False).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"{path}: column '{name}': expected {expected}, found values of type {column.type}") from None


def _check(path: Path, name: str, column: pa.ChunkedArray, good: np.ndarray, expected: str, hint: str = "") -> None:
    """Raise UserError at the first row that is not good; data rows count from 1."""
    if not good.all():
        row = int(np.argmin(good))
        value = column[row].cast(TEXT).as_py() if pa.types.is_timestamp(column.type) else column[row].as_py()
        shown = repr(value[:SHOWN]) if isinstance(value, str) and not _is_number(value) else value
        shown = shown if str(value).strip() else "an empty field"
        raise UserError(f"{path}: column '{name}', data row {row + 1}: expected {expected}, found {shown}{hint}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
