"""ML-1M put together from five disjoint folds, with NCF's leave-one-out test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from benchmark.data.parsers.csvio import INT, Layout, read_columns
from benchmark.data.parsers.movielens import check_ratings, genre_edges
from benchmark.data.registry import Dataset
from benchmark.data.tables import Parsed, RatingTable
from contracts import UserError

FOLDS = 5


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """All ratings in the original row order; NCF's test pairs and negatives under ``extra``."""
    folds = [
        read_columns(folder / f"test_1m{fold}.dat", dict.fromkeys(HEADER, INT), Layout(header=HEADER))
        for fold in range(1, FOLDS + 1)
    ]
    frame = pd.concat([pd.DataFrame(fold) for fold in folds], ignore_index=True)
    check_ratings(frame["rating"].to_numpy(), folder / "test_1m*.dat", 1, 5)
    repeated = int(frame.duplicated(["user", "item"]).sum())
    if repeated:
        raise UserError(f"{folder}: expected five disjoint folds, found {repeated} ratings in two of them")
    order = pq.read_table(folder / "ratings_order.parquet").to_pandas().astype(np.int64)
    order.columns = ["user", "item"]
    frame = order.merge(frame, on=["user", "item"], how="left")
    if frame["rating"].isna().any():
        raise UserError(f"{folder}: {int(frame['rating'].isna().sum())} rows of ratings_order.parquet are in no fold")
    titles = read_movies(folder / "movies.dat")
    table = RatingTable(
        frame["user"].to_numpy(),
        frame["item"].to_numpy(),
        frame["rating"].to_numpy(np.float32),
        None,
        {"genre": genre_edges(titles["item"].to_numpy(), titles["genres"].to_numpy(), "|")},
        dict(zip(titles["item"], titles["title"], strict=True)),
    )
    ncf = read_ncf(folder, pd.unique(frame["item"]))
    return Parsed(table, counts={"rows": len(frame)}, times="none", extra={"leave-one-out": ncf})


HEADER = ("user", "item", "rating")


def read_movies(path: Path) -> pd.DataFrame:
    """``MovieID::Title::Genres`` in latin-1 -> item, title, genres."""
    rows = [line.split("::") for line in path.read_text(encoding="latin1").splitlines()]
    for number, row in enumerate(rows, 1):
        if len(row) != 3 or not row[0].isdigit():
            raise UserError(f"{path}: line {number}: expected MovieID::Title::Genres, found {'::'.join(row)[:60]!r}")
    frame = pd.DataFrame(rows, columns=["item", "title", "genres"])
    frame["item"] = frame["item"].astype(np.int64)
    return frame


def read_ncf(folder: Path, items: np.ndarray) -> dict[str, np.ndarray]:
    """NCF's test in original ids: ``users``, ``items`` [n] and ``negatives`` [n, 99].

    There a user is the original id - 1, an item the rank of its first appearance in ratings.dat.
    """
    path = folder / "ncf_ml-1m.test.rating"
    header = ("user", "item", "rating", "time")
    test = read_columns(path, {"user": INT, "item": INT}, Layout("\t", header=header))
    path = folder / "ncf_ml-1m.test.negative"
    rows = [line.split("\t") for line in path.read_text().splitlines()]
    if len(rows) != len(test["user"]):
        raise UserError(f"{path}: expected {len(test['user'])} lines, found {len(rows)}")
    pairs = [f"({user},{item})" for user, item in zip(test["user"], test["item"], strict=True)]
    for number, (row, pair) in enumerate(zip(rows, pairs, strict=True), 1):
        if row[0] != pair or len(row) != 100:
            raise UserError(f"{path}: line {number}: expected {pair} and 99 items, found {row[0]} and {len(row) - 1}")
    negatives = np.array([row[1:] for row in rows], dtype=np.int64)
    return {"users": test["user"] + 1, "items": items[test["item"]], "negatives": items[negatives]}
