"""Prepared session splits as session-rec's own files, so that they move between the two suites."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from benchmark.data import load, registry
from benchmark.data.load import SessionSplit
from contracts import Sessions, UserError
from contracts.runtime.files import whole_file

FORMATS = ("session-rec",)


def export(name: str, folder: Path, form: str = "session-rec") -> list[Path]:
    """Write ``NAME_train_full[.i].txt``, ``NAME_test[.i].txt`` and the tuning files of every split.

    Tab separated, header ``SessionId ItemId Time`` (+ ``UserId``). Returns the written files.
    Raises UserError for another format, for data that is not sessions, or for events without a raw id.
    """
    dataset = registry.get(name)
    if form not in FORMATS:
        raise UserError(f"export: unknown format '{form}'; expected one of: {', '.join(FORMATS)}")
    if dataset.kind != "session":
        raise UserError(f"{dataset.name}: expected sessions to export, found kind '{dataset.kind}'")
    written = []
    for split in dataset.all_splits:
        opened = load.load_split(name, split)
        assert isinstance(opened, SessionSplit)
        base, _, valid = split.partition(":")
        suffix = f".{base}.txt" if base.isdigit() else ".txt"
        parts = ("train_tr", "train_valid") if valid else ("train_full", "test")
        for part, sessions in zip(parts, (opened.train, opened.test), strict=True):
            written.append(folder / f"{dataset.name}_{part}{suffix}")
            first = len(opened.train) if sessions is opened.test else 0
            write_events(sessions, opened.item_ids, first, written[-1])
    return written


def write_events(sessions: Sessions, item_ids: np.ndarray, first: int, path: Path) -> None:
    """One file; sessions are numbered from ``first`` so that their order survives session-rec's sort."""
    if (sessions.items < 0).any():
        raise UserError(f"{path}: events of items that are not in train have no raw id; this split cannot be exported")
    columns = {
        "SessionId": pa.array(sessions.session_of_event + first),
        "ItemId": pa.array(item_ids[sessions.items]),
        "Time": pa.array(sessions.times),
    }
    if "user" in sessions.groups:
        columns["UserId"] = pa.array(sessions.groups["user"][sessions.session_of_event])
    with whole_file(path, "the export") as stream:
        # session-rec reads the header without quotes.
        stream.write(("\t".join(columns) + "\n").encode())
        pacsv.write_csv(pa.table(columns), stream, pacsv.WriteOptions(delimiter="\t", include_header=False))
