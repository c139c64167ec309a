"""session-rec's own files: tab separated, header ``SessionId ItemId Time`` (+ ``UserId`` ...)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmark.data.parsers.csvio import FLOAT, INT, Layout, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Parsed, SessionTable


def read_events(path: Path) -> SessionTable:
    """One file of session-rec; raises UserError naming the file and the bad column or row."""
    types = {"SessionId": INT, "ItemId": INT, "Time": FLOAT, "UserId": INT}
    columns = read_columns(path, types, Layout("\t"), optional=["UserId"])
    groups = {"user": columns["UserId"]} if "UserId" in columns else None
    return SessionTable.from_columns(columns["SessionId"], columns["ItemId"], columns["Time"], groups)


def _pair(train: Path, test: Path) -> tuple[SessionTable, SessionTable]:
    return read_events(train), read_events(test)


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Published pairs of files; option ``pairs``: split -> [train file, test file]."""
    pairs = dataset.options["pairs"]
    published = {split: partial(_pair, folder / train, folder / test) for split, (train, test) in pairs.items()}
    table = read_events(folder / pairs[dataset.default_split][0])
    return Parsed(table, published, {"rows": len(table)})
