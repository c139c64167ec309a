"""Delimited text -> typed columns, streamed; errors name file, column and row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from contracts import UserError
from contracts.progress import progress

BLOCK = 16 << 20
INT = pa.int64()
FLOAT = pa.float64()
TEXT = pa.string()
DATE = pa.timestamp("s")
TIME = pa.timestamp("ms", tz="UTC")
"""ISO times with fractional seconds. Both become float seconds since 1970 (UTC)."""


def read_columns(
    path: Path,
    columns: Mapping[str, pa.DataType],
    *,
    sep: str = ",",
    header: Sequence[str] | None = None,
    aliases: Mapping[str, str] | None = None,
    encoding: str = "utf8",
    nulls: Sequence[str] = (),
    nullable: Sequence[str] = (),
    optional: Sequence[str] = (),
    quotes: bool = True,
) -> dict[str, np.ndarray]:
    """Read the named columns of a text file into arrays, block by block.

    columns   name -> type; other columns of the file are skipped
    header    column names where the file has no header line
    aliases   spelling in the file's header -> name used here
    nulls     texts that stand for a missing value
    nullable  columns in which a value may be missing (int: -1, float: NaN, text: empty)
    optional  columns that may be absent from the header
    Raises UserError for an empty file, a missing column, a wrong separator or an unreadable value.
    """
    names = _header(path, sep, encoding) if header is None else list(header)
    spelled = names
    names = [(aliases or {}).get(name, name) for name in names]
    wanted = {name: kind for name, kind in columns.items() if name in names or name not in optional}
    for name in wanted:
        if name not in names:
            hint = "" if len(names) > 1 else f" (is the separator {sep!r}?)"
            also = "".join(f" (or '{other}')" for other, here in (aliases or {}).items() if here == name)
            raise UserError(f"{path}: header: expected column '{name}'{also}, found {', '.join(spelled)}{hint}")
    options = {
        "read_options": {"column_names": names, "skip_rows": 0 if header else 1, "encoding": encoding},
        "parse_options": {"delimiter": sep, "quote_char": '"' if quotes else False, "newlines_in_values": False},
        "convert_options": {
            "column_types": wanted,
            "include_columns": list(wanted),
            "null_values": ["", *nulls],
            "strings_can_be_null": False,
        },
    }
    try:
        parts: dict[str, list[pa.Array]] = {name: [] for name in wanted}
        for batch in _batches(path, options, threads=True):
            for name in wanted:
                parts[name].append(batch.column(name))
            del batch
    except pa.ArrowInvalid:
        raise _located(path, options, bool(header)) from None
    arrays = {}
    for name, kind in wanted.items():
        column = pa.chunked_array(parts.pop(name), kind)  # each is freed before the next is copied
        arrays[name] = _to_numpy(path, column, name, kind, name in nullable)
        del column
    if not len(next(iter(arrays.values()))):
        raise UserError(f"{path}: expected rows, found none")
    return arrays


def _header(path: Path, sep: str, encoding: str) -> list[str]:
    with open(path, encoding="utf-8-sig" if encoding == "utf8" else encoding, errors="replace") as stream:
        line = stream.readline().rstrip("\r\n")
    if not line:
        raise UserError(f"{path}: expected a header line, found an empty file")
    return [name.strip().strip('"') for name in line.split(sep)]


def _batches(path: Path, options: dict, threads: bool):
    if path.stat().st_size == 0:
        raise UserError(f"{path}: expected rows, found an empty file")
    reader = pacsv.open_csv(
        path,
        read_options=pacsv.ReadOptions(block_size=BLOCK, use_threads=threads, **options["read_options"]),
        parse_options=pacsv.ParseOptions(**options["parse_options"]),
        convert_options=pacsv.ConvertOptions(**options["convert_options"]),
    )
    with progress(f"read {path.name}", max(1, path.stat().st_size // BLOCK)) as advance:
        for batch in reader:
            advance()
            yield batch


def _located(path: Path, options: dict, no_header: bool) -> UserError:
    """Read again in one thread: only then does Arrow say in which row the trouble is."""
    try:
        for _ in _batches(path, options, threads=False):
            pass
    except pa.ArrowInvalid as error:
        text = str(error).splitlines()[0]
        columns = options["convert_options"]["include_columns"]
        found = re.search(r"column #(\d+)", text)
        if found:
            names = options["read_options"]["column_names"]
            column = int(found.group(1))
            text = text.replace(found.group(0), f"column '{names[column] if column < len(names) else columns}'")
        return UserError(f"{path}: {text}")
    return UserError(f"{path}: unreadable")


def _to_numpy(path: Path, column: pa.ChunkedArray, name: str, kind: pa.DataType, nullable: bool) -> np.ndarray:
    if column.null_count and not nullable:
        row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
        raise UserError(f"{path}: column '{name}', data row {row}: expected a value, found an empty field")
    if column.null_count and kind != FLOAT:
        column = column.fill_null(-1 if pa.types.is_integer(kind) else "")
    if pa.types.is_timestamp(kind):
        return column.cast(INT).to_numpy() / {"s": 1.0, "ms": 1000.0}[kind.unit]
    return column.to_numpy()
