"""A user's own sessions and ratings: csv, tsv or Parquet with named columns."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data.parsers.movielens import drop_duplicates
from benchmark.data.parsers.named import read_named, same_kind
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, RatingTable, SessionTable

NO_RATING = "rows without a rating, each a positive"
"""Counted where a ratings file has no column for them."""


def parse_sessions(dataset: Dataset, folder: Path) -> Parsed:
    """Option ``columns``: session, item, time (and user) -> the file's column; sorted by time inside a session."""
    columns, odd = read_named(folder / dataset.options["events"], dataset.options["columns"], optional=("user",))
    times = columns["time"]
    order = np.lexsort((times, pd.factorize(columns["session"])[0]))
    moved = int((np.diff(order) != 1).sum())
    groups = {"user": columns["user"][order]} if "user" in columns else None
    table = SessionTable.from_columns(columns["session"][order], columns["item"][order], times[order], groups)
    item_ids, edges, further = with_attributes(dataset, folder, table.item_ids)
    counts = {"rows": len(table), "breaks in the (session, time) order of the file": moved}
    return Parsed(replace(table, item_ids=item_ids, edges=edges), counts=counts | odd | further)


def parse_ratings(dataset: Dataset, folder: Path) -> Parsed:
    """Option ``columns``: user, item (and rating, time) -> the file's column; the latest rating of a pair counts.

    Without a column of ratings each is 1, and their number is among the counts.
    """
    optional = ("rating", "time")
    columns, odd = read_named(folder / dataset.options["events"], dataset.options["columns"], optional=optional)
    keep = drop_duplicates(columns["user"], columns["item"], columns.get("time"))
    items, edges, further = with_attributes(dataset, folder, columns["item"][keep])
    table = RatingTable(
        columns["user"][keep],
        items,
        columns["rating"][keep].astype(np.float32) if "rating" in columns else np.ones(int(keep.sum()), np.float32),
        columns["time"][keep] if "time" in columns else None,
        edges,
    )
    unrated = {} if "rating" in columns else {NO_RATING: len(table)}
    counts = {"rows": len(keep), "duplicates dropped": int((~keep).sum()), **unrated}
    return Parsed(table, counts=counts | odd | further)


def with_attributes(
    dataset: Dataset, folder: Path, items: np.ndarray
) -> tuple[np.ndarray, dict[str, Edges], dict[str, int]]:
    """(items, edges, odd) with option ``attributes``, a file with columns item, token.

    The items of both are whole numbers where all are, else all text; odd: as from ``read_named``.
    """
    if "attributes" not in dataset.options:
        return items, {}, {}
    columns, odd = read_named(folder / dataset.options["attributes"], {"item": "item", "token": "token"}, ())
    items, named = same_kind(items, columns["item"])
    return items, {"attribute": Edges(named, columns["token"])}, odd
