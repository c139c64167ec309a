"""Netflix Prize: training_set.tar, one mv_*.txt per film; movie_titles.txt."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from benchmark.data.parsers.csvio import in_words
from benchmark.data.parsers.movielens import check_ratings, drop_duplicates
from benchmark.data.registry import Dataset
from benchmark.data.tables import Parsed, RatingTable
from contracts import UserError
from contracts.runtime.progress import progress

FILMS = 17770
TYPES = {"user": pa.int32(), "rating": pa.int8(), "date": pa.date32()}


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """All ratings of the train set (probe rows included in it, as the framework does)."""
    path = folder / "training_set.tar"
    parts: list[tuple[np.ndarray, ...]] = []
    dropped = 0
    try:
        with tarfile.open(path) as tar, progress("read training_set.tar", FILMS) as advance:
            for entry in tar:
                if entry.isreg() and re.search(r"mv_\d+\.txt$", entry.name):
                    stream = tar.extractfile(entry)
                    assert stream is not None
                    film = _read_film(path, entry.name, stream.read())
                    keep = _latest_of_each(film[0], film[3])
                    parts.append(tuple(column[keep] for column in film))
                    dropped += len(film[0]) - len(parts[-1][0])
                    advance()
    except tarfile.TarError as error:
        raise UserError(f"{path}: not a tar file: {error}") from None
    if not parts:
        raise UserError(f"{path}: expected mv_*.txt files, found none")
    users, items, ratings, days = (np.concatenate(column) for column in zip(*parts, strict=True))
    parts.clear()
    check_ratings(ratings, path, 1, 5)
    names = read_titles(folder / "movie_titles.txt")
    table = RatingTable(users, items, ratings.astype(np.float32), days * 86400.0, names=names)
    counts = {"rows": len(users) + dropped, "films": len(np.unique(items)), "duplicates dropped": dropped}
    return Parsed(table, counts=counts)


def _latest_of_each(users: np.ndarray, days: np.ndarray) -> np.ndarray | slice:
    """The rows of a film to keep: the latest rating of each user, as in MovieLens; in file order."""
    if len(np.unique(users)) == len(users):
        return slice(None)
    return drop_duplicates(users, np.zeros_like(users), days)


def _read_film(path: Path, name: str, content: bytes) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """``<film>:`` on the first line, then ``user,rating,date``."""
    head, _, body = content.partition(b"\n")
    if not re.fullmatch(rb"\d+:\r?", head):
        raise UserError(f"{path}: {name}: line 1: expected 'film:', found {head[:40]!r}")
    try:
        table = pacsv.read_csv(
            io.BytesIO(body),
            pacsv.ReadOptions(column_names=list(TYPES), use_threads=False),
            convert_options=pacsv.ConvertOptions(column_types=TYPES),
        )
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: {name}: {in_words(str(error), list(TYPES), 0)}") from None
    for column in TYPES:
        if table.column(column).null_count:
            raise UserError(f"{path}: {name}: column '{column}': expected a value, found an empty field")
    users, ratings, dates = (table.column(column) for column in TYPES)
    film = np.full(len(table), int(head.rstrip(b":\r")), np.int32)
    return users.to_numpy(), film, ratings.to_numpy(), dates.cast(pa.int32()).to_numpy()


def read_titles(path: Path) -> dict[int, str]:
    """film -> title from ``film,year,title`` (latin-1; titles hold commas)."""
    names = {}
    for number, line in enumerate(path.read_text(encoding="latin1").splitlines(), 1):
        fields = line.split(",", 2)
        if len(fields) != 3 or not fields[0].isdigit():
            raise UserError(f"{path}: line {number}: expected film,year,title, found {line[:60]!r}")
        names[int(fields[0])] = fields[2]
    return names
