"""Delimited text -> typed columns, streamed; errors name file, column and data row (1: the first after the header)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from benchmark.data.parsers.sources import check_text, opened
from contracts import UserError
from contracts.runtime.progress import progress

BLOCK = 16 << 20
INT = pa.int64()
FLOAT = pa.float64()
TEXT = pa.string()
DATE = pa.timestamp("s")
TIME = pa.timestamp("ms", tz="UTC")
"""ISO times with fractional seconds. Both become float seconds since 1970 (UTC)."""
SHOWN = 60
"""Characters of a wrong value that a message shows."""


@dataclass(frozen=True)
class Layout:
    """How a file is written.

    header    column names where the file has no header line
    aliases   spelling in the file's header -> name used here
    newlines  quoted fields may hold line breaks
    """

    sep: str = ","
    header: Sequence[str] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    encoding: str = "utf8"
    quotes: bool = True
    newlines: bool = False


CSV = Layout()


def read_columns(
    path: Path,
    columns: Mapping[str, pa.DataType],
    layout: Layout = CSV,
    *,
    nulls: Sequence[str] = (),
    nullable: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> dict[str, np.ndarray]:
    """Read the named columns of a text file into arrays, block by block.

    columns   name -> type; other columns of the file are skipped
    nulls     texts that stand for a missing value
    nullable  columns in which a value may be missing (int: -1, float: NaN, text: empty)
    optional  columns that may be absent from the header
    Raises UserError for an empty file, a missing column or one that stands twice, a wrong separator or an unreadable
    value.
    """
    read = read_arrow(path, columns, layout, nulls=nulls, optional=optional)
    arrays = {}
    for name in list(read):
        column = read.pop(name)  # each is freed before the next is copied
        arrays[name] = _to_numpy(path, column, name, columns[name], name in nullable)
        del column
    return arrays


def read_arrow(
    path: Path,
    columns: Mapping[str, pa.DataType],
    layout: Layout = CSV,
    *,
    nulls: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> dict[str, pa.ChunkedArray]:
    """``read_columns`` as Arrow's columns, an empty field a null."""
    check_text(path)
    names, lines = (list(layout.header), 0) if layout.header else _header(path, layout)
    wanted = _wanted(path, names, columns, layout, optional)
    options = {
        "read_options": {
            "column_names": [layout.aliases.get(name, name) for name in names],
            "skip_rows": lines,
            "encoding": layout.encoding,
        },
        "parse_options": {
            "delimiter": layout.sep,
            "quote_char": '"' if layout.quotes else False,
            "newlines_in_values": layout.newlines,
        },
        "convert_options": {
            "column_types": wanted,
            "include_columns": list(wanted),
            "null_values": ["", *nulls],
            "strings_can_be_null": False,
        },
    }
    parts: dict[str, list[pa.Array]] = {name: [] for name in wanted}
    try:
        for batch in _batches(path, options, threads=True):
            for name in wanted:
                parts[name].append(batch.column(name))
            del batch
    except pa.ArrowInvalid:
        raise _located(path, options) from None
    read = {name: pa.chunked_array(parts.pop(name), kind) for name, kind in wanted.items()}
    if not len(next(iter(read.values()))):
        raise UserError(f"{path}: expected rows, found none")
    return read


def _header(path: Path, layout: Layout) -> tuple[list[str], int]:
    """The column names, and how many lines they take (a quoted name may hold line breaks)."""
    with opened(path) as stream, io.TextIOWrapper(
        stream, "utf-8-sig" if layout.encoding == "utf8" else layout.encoding, errors="replace", newline=""
    ) as text:  # fmt: skip
        reader = csv.reader(text, delimiter=layout.sep, quoting=csv.QUOTE_MINIMAL if layout.quotes else csv.QUOTE_NONE)
        try:
            names = next(reader, [])
        except csv.Error as error:
            raise UserError(f"{path}: header: expected column names separated by {layout.sep!r}: {error}") from None
        if not any(names):
            raise UserError(f"{path}: expected a header line, found an empty one")
        return [name.strip() for name in names], reader.line_num


def _wanted(
    path: Path, spelled: list[str], columns: Mapping[str, pa.DataType], layout: Layout, optional: Sequence[str]
) -> dict[str, pa.DataType]:
    """The columns to read, each of which stands once in the header."""
    names = [layout.aliases.get(name, name) for name in spelled]
    wanted = {name: kind for name, kind in columns.items() if name in names or name not in optional}
    for name in wanted:
        also = "".join(f" (or '{other}')" for other, here in layout.aliases.items() if here == name)
        if names.count(name) > 1:
            raise UserError(f"{path}: header: expected one column '{name}'{also}, found {names.count(name)}")
        if name not in names:
            hint = "" if len(names) > 1 else f" (is the separator {layout.sep!r}?)"
            shown = ", ".join(spelled)
            raise UserError(f"{path}: header: expected column '{name}'{also}, found {shown}{hint}")
    return wanted


def _batches(path: Path, options: dict, threads: bool) -> Iterator[pa.RecordBatch]:
    with opened(path) as stream, progress(f"read {path.name}", max(1, path.stat().st_size // BLOCK)) as advance:
        reader = pacsv.open_csv(
            stream,
            read_options=pacsv.ReadOptions(block_size=BLOCK, use_threads=threads, **options["read_options"]),
            parse_options=pacsv.ParseOptions(**options["parse_options"]),
            convert_options=pacsv.ConvertOptions(**options["convert_options"]),
        )
        for batch in reader:
            advance()
            yield batch


def _located(path: Path, options: dict) -> UserError:
    """Read again in one thread: only then does Arrow say in which row the trouble is."""
    try:
        for _ in _batches(path, options, threads=False):
            pass
    except pa.ArrowInvalid as error:
        read = options["read_options"]
        return UserError(f"{path}: {in_words(str(error), read['column_names'], read['skip_rows'])}")
    return UserError(f"{path}: unreadable")


KINDS = {"int64": "a whole number", "int32": "a whole number", "int8": "a whole number", "double": "a number",
         "string": "text in UTF-8"}  # fmt: skip
"""Arrow's name of a type -> what a message calls it; all others are dates and times."""


def in_words(error: str, names: Sequence[str], skipped: int) -> str:
    """Arrow's message on a csv file as column, data row, expected and found.

    skipped: lines before the first data row, which Arrow counts as rows.
    """
    error = error.partition("\n")[0]
    column = re.search(r"CSV column #(\d+)", error)
    row = re.search(r"[Rr]ow #(\d+)", error)
    where = [f"column '{names[int(column.group(1))]}'"] if column and int(column.group(1)) < len(names) else []
    where += [f"data row {int(row.group(1)) - skipped}"] if row else []
    place = f"{', '.join(where)}: " if where else ""
    if kind := re.search(r"conversion error to ([^:]+): invalid (?:value '(.*)'|UTF8 data)", error):
        value = "other bytes (invalid UTF8)" if kind.group(2) is None else repr(kind.group(2)[:SHOWN])
        return (
            f"{place}expected {KINDS.get(kind.group(1), 'a date or time such as 2014-05-13T16:53:20Z')}, found {value}"
        )
    if count := re.search(r"Expected (\d+) columns, got (\d+)(?:: (.*))?", error):
        shown = f": {count.group(3)[:SHOWN]!r}" if count.group(3) else ""
        return f"{place}expected {count.group(1)} columns, found {count.group(2)}{shown}"
    return f"{place}expected rows of {len(names)} columns, found: {error[:200]}"


def _to_numpy(path: Path, column: pa.ChunkedArray, name: str, kind: pa.DataType, nullable: bool) -> np.ndarray:
    if column.null_count and not nullable:
        raise empty_field(path, name, column)
    if column.null_count and kind != FLOAT:
        column = column.fill_null(-1 if pa.types.is_integer(kind) else "")
    return seconds(column) if pa.types.is_timestamp(kind) else column.to_numpy()


def empty_field(path: Path, name: str, column: pa.ChunkedArray) -> UserError:
    """What to say of the first null of a column."""
    row = int(np.flatnonzero(column.is_null().to_numpy())[0]) + 1
    return UserError(f"{path}: column '{name}', data row {row}: expected a value, found an empty field")


def seconds(column: pa.ChunkedArray) -> np.ndarray:
    """Timestamps of any unit and zone as float64 seconds since 1970 (UTC); without a zone they are UTC."""
    return column.cast(INT).to_numpy() / {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
