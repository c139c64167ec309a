"""MovieLens in its spellings: RecBole's atomic files, and the csv files of ML-20M."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data.parsers.csvio import FLOAT, INT, TEXT, Layout, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, RatingTable
from contracts import UserError

RATING = {"user": INT, "item": INT, "rating": FLOAT, "time": FLOAT}
FILM = {"item": INT, "title": TEXT, "genres": TEXT}


def parse_inter(dataset: Dataset, folder: Path) -> Parsed:
    """ML-100K as RecBole ships it: tab separated, typed headers such as ``user_id:token``."""
    path = folder / dataset.options["ratings"]
    spellings = {"user_id:token": "user", "item_id:token": "item", "rating:float": "rating", "timestamp:float": "time"}
    ratings = read_columns(path, RATING, Layout("\t", aliases=spellings))
    spellings = {"item_id:token": "item", "movie_title:token_seq": "title", "class:token_seq": "genres"}
    films = read_columns(
        folder / dataset.options["items"], FILM, Layout("\t", aliases=spellings, encoding="latin1", quotes=False)
    )
    return _parsed(path, ratings, films, " ")


def parse_csv(dataset: Dataset, folder: Path) -> Parsed:
    """ML-20M: ``userId,movieId,rating,timestamp`` and ``movieId,title,genres``."""
    path = folder / "ratings.csv"
    spellings = {"userId": "user", "movieId": "item", "timestamp": "time"}
    ratings = read_columns(path, RATING, Layout(aliases=spellings))
    films = read_columns(folder / "movies.csv", FILM, Layout(aliases={"movieId": "item"}))
    return _parsed(path, ratings, films, "|")


def genre_edges(items: np.ndarray, genres: np.ndarray, sep: str) -> Edges:
    """One edge per movie and genre; '(no genres listed)' gives none."""
    lists = pd.Series(genres, index=items).astype(str).str.split(sep).explode()
    lists = lists[(lists != "") & ~lists.str.startswith("(")]
    return Edges(lists.index.to_numpy(), lists.to_numpy())


def check_ratings(ratings: np.ndarray, path: Path, low: float = 0.5, high: float = 5.0) -> None:
    """Raise UserError on the first rating outside the scale."""
    bad = np.flatnonzero(~((ratings >= low) & (ratings <= high)))
    if len(bad):
        raise UserError(f"{path}: data row {bad[0] + 1}: expected a rating of {low} to {high}, found {ratings[bad[0]]}")


def drop_duplicates(users: np.ndarray, items: np.ndarray, times: np.ndarray | None) -> np.ndarray:
    """Mask of rows kept: the latest rating a user gave to an item; without times, and at equal ones, the last row."""
    keep = np.ones(len(users), bool)
    if _all_differ(users, items):
        return keep
    order = np.arange(len(users)) if times is None else np.argsort(times, kind="stable")
    keep[order] = ~pd.DataFrame({"u": users[order], "i": items[order]}).duplicated(keep="last").to_numpy()
    return keep


def _all_differ(users: np.ndarray, items: np.ndarray) -> bool:
    """No pair occurs twice: told by one sort of integers, where a hash table of all pairs would need gigabytes."""
    if users.dtype != np.int64 or items.dtype != np.int64 or not len(users) or min(users.min(), items.min()) < 0:
        return False
    width = int(items.max()) + 1
    if (int(users.max()) + 1) * width >= 2**63:
        return False
    pairs = users * width
    pairs += items
    pairs.sort()
    return not (pairs[1:] == pairs[:-1]).any()


def _parsed(path: Path, ratings: dict[str, np.ndarray], films: dict[str, np.ndarray], sep: str) -> Parsed:
    check_ratings(ratings["rating"], path)
    keep = drop_duplicates(ratings["user"], ratings["item"], ratings["time"])
    if not keep.all():
        ratings = {name: column[keep] for name, column in ratings.items()}
    table = RatingTable(
        ratings["user"],
        ratings["item"],
        ratings.pop("rating").astype(np.float32),
        ratings["time"],
        {"genre": genre_edges(films["item"], films["genres"], sep)},
        dict(zip(films["item"].tolist(), films["title"].tolist(), strict=True)),
    )
    return Parsed(table, counts={"rows": len(keep), "duplicates dropped": int(np.sum(~keep))})
