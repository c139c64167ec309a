"""Files of ranked lists that other libraries write, read as one long table: a line is one entry of one list.

tsv          tab separated with a header: session (or user), position, item, and rank or score
trec         query Q0 item rank score tag; a query is session.position, or a user, as ``emde export`` names them
session-rec  what its Saver keeps: SessionId, Position, Recommendations, Scores, the last two separated by commas
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data.parsers.csvio import FLOAT, INT, TEXT, Layout, read_columns
from benchmark.data.parsers.sources import check_text, opened
from contracts import UserError

ALIASES = {
    "session_id": "session", "SessionId": "session", "session-id": "session", "user_id": "user", "UserId": "user",
    "Position": "position", "item_id": "item", "ItemId": "item", "Rank": "rank", "Score": "score",
}  # fmt: skip


@dataclass(frozen=True)
class Entries:
    """Entries of ranked lists, those of one list in any order.

    unit      text [n], session or user as the file names it
    position  int64 [n], events of the session before the list; None of users
    item      text [n]
    order     float64 [n], ascending from the best of a list
    score     float64 [n], None where the file has ranks only
    """

    unit: np.ndarray
    position: np.ndarray | None
    item: np.ndarray
    order: np.ndarray
    score: np.ndarray | None


def _first_line(path: Path) -> str:
    check_text(path)
    with opened(path) as stream:
        return stream.read(1 << 16).decode("utf-8", "replace").partition("\n")[0]


def read_tsv(path: Path, sessions: bool) -> Entries:
    """A header, then a line per entry; by rank where there is one, else by score (equal ones as they stand)."""
    unit = "session" if sessions else "user"
    types = {unit: TEXT, "item": TEXT, "rank": INT, "score": FLOAT} | ({"position": INT} if sessions else {})
    columns = read_columns(path, types, Layout("\t", aliases=ALIASES), optional=["rank", "score"])
    if "rank" not in columns and "score" not in columns:
        raise UserError(f"{path}: header: expected a column 'rank' or 'score', found neither")
    order = columns["rank"].astype(np.float64) if "rank" in columns else -columns["score"]
    return Entries(columns[unit], columns.get("position"), columns["item"], order, columns.get("score"))


def read_trec(path: Path, sessions: bool) -> Entries:
    """Six fields a line, separated by one blank or tab each."""
    sep = "\t" if "\t" in _first_line(path) else " "
    header = ["query", "q0", "item", "rank", "score", "tag"]
    types = {"query": TEXT, "item": TEXT, "rank": FLOAT, "score": FLOAT}
    columns = read_columns(path, types, Layout(sep, header=header, quotes=False))
    unit, position = columns["query"], None
    if sessions:
        queries, index = np.unique(columns["query"].astype(str), return_inverse=True)
        parts = [query.rpartition(".") for query in queries.tolist()]
        if wrong := [query for query, (_, _, last) in zip(queries, parts, strict=True) if not last.isdigit()]:
            raise UserError(f"{path}: expected queries session.position, found {str(wrong[0])!r}")
        unit = np.array([first for first, _, _ in parts], object)[index]
        position = np.array([int(last) for _, _, last in parts])[index]
    return Entries(unit, position, columns["item"], columns["rank"], columns["score"])


def read_session_rec(path: Path, sessions: bool) -> Entries:
    """One line per list; positions count from 0 there."""
    if not sessions:
        raise UserError(f"{path}: session-rec's lists are of sessions, the data are of users")
    head = _first_line(path)
    sep = next((sep for sep in (";", "\t") if sep in head), ",")
    types = {"SessionId": TEXT, "Position": INT, "Recommendations": TEXT, "Scores": TEXT}
    columns = read_columns(path, types, Layout(sep), nullable=["Recommendations", "Scores"])
    items, scores = (pd.Series([text.split(",") for text in columns[name]]) for name in ("Recommendations", "Scores"))
    lengths, others = items.map(len).to_numpy(), scores.map(len).to_numpy()
    if (uneven := np.flatnonzero(lengths != others)).size:
        row = int(uneven[0])
        raise UserError(f"{path}: data row {row + 1}: expected as many scores as items, found "
                        f"{len(scores[row])} for {len(items[row])}")  # fmt: skip
    item = items.explode().to_numpy()
    try:
        score = pd.to_numeric(scores.explode()).to_numpy(np.float64)
    except ValueError as error:
        raise UserError(f"{path}: column 'Scores': expected numbers, found {error}") from None
    unit, position = (np.repeat(columns[name], lengths) for name in ("SessionId", "Position"))
    order = np.arange(len(item), dtype=np.float64)  # as the file has them
    some = item != ""  # an empty list
    return Entries(unit[some], position[some] + 1, item[some], order[some], score[some])


FORMATS: dict[str, Callable[[Path, bool], Entries]] = {
    "tsv": read_tsv, "trec": read_trec, "session-rec": read_session_rec,
}  # fmt: skip
