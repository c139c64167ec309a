"""Diginetica (CIKM Cup 2016): train-item-views.csv, both spellings of its header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.data.parsers.csvio import DATE, INT, TEXT, Layout, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, SessionTable

ALIASES = {"session_id": "sessionId", "user_id": "userId", "item_id": "itemId"}


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Views in sessions; categories, name tokens, price, purchases and search results as attributes."""
    table, counts = read_views(folder / dataset.options.get("views", "train-item-views.csv"), _edges(folder))
    return Parsed(table, counts=counts)


def read_views(path: Path, edges: dict[str, Edges] | None = None) -> tuple[SessionTable, dict[str, int]]:
    """Time = timeframe / 1000 + midnight (UTC) of eventdate; sessions by id, events by time inside.

    A session of an unknown user ('NA') is a user of its own; a missing timeframe counts as 0, as in session-rec.
    """
    types = {"sessionId": INT, "userId": INT, "itemId": INT, "timeframe": INT, "eventdate": DATE}
    columns = read_columns(path, types, Layout(";", aliases=ALIASES), nulls=["NA"], nullable=["userId", "timeframe"])
    no_frame = columns["timeframe"] < 0
    times = np.where(no_frame, 0, columns["timeframe"]) / 1000 + columns["eventdate"]
    order = np.lexsort((times, columns["sessionId"]))
    users = np.where(columns["userId"] < 0, -1 - columns["sessionId"], columns["userId"])
    table = SessionTable.from_columns(
        columns["sessionId"][order], columns["itemId"][order], times[order], {"user": users[order]}, edges
    )
    counts = {
        "rows": len(times),
        "events of unknown users": int((columns["userId"] < 0).sum()),
        "missing timeframe read as 0": int(no_frame.sum()),
        "events not in time order in the file": int(
            ((np.diff(times) < 0) & (np.diff(columns["sessionId"]) == 0)).sum()
        ),
    }
    return table, counts


def _edges(folder: Path) -> dict[str, Edges]:
    edges = {}
    categories = folder / "product-categories.csv"
    if categories.exists():
        columns = read_columns(categories, {"itemId": INT, "categoryId": INT}, Layout(";"))
        edges["category"] = Edges(columns["itemId"], _tokens("category", columns["categoryId"]))
    products = folder / "products.csv"
    if products.exists():
        types = {"itemId": INT, "pricelog2": INT, "product.name.tokens": TEXT}
        columns = read_columns(products, types, Layout(";"))
        words = pd.Series(columns["product.name.tokens"], index=columns["itemId"]).str.split(",").explode()
        words = words[words != ""]
        edges["name"] = Edges(words.index.to_numpy(), words.to_numpy())
        edges["price"] = Edges(columns["itemId"], _tokens("price", columns["pricelog2"]))
    return edges | _interactions(folder)


def _interactions(folder: Path) -> dict[str, Edges]:
    """Purchases of a session and result lists of a query, with the time each happened."""
    edges = {}
    purchases = folder / "train-purchases.csv"
    if purchases.exists():
        types = {"sessionId": INT, "timeframe": INT, "eventdate": DATE, "itemId": INT}
        columns = read_columns(purchases, types, Layout(";"), nulls=["NA"], nullable=["timeframe"])
        times = columns["eventdate"] + np.maximum(columns["timeframe"], 0) / 1000
        edges["purchase"] = Edges.shared(columns["itemId"], columns["sessionId"], times)
    queries = folder / "train-queries.csv"
    if queries.exists():
        types = {"queryId": INT, "timeframe": INT, "eventdate": DATE, "items": TEXT}
        columns = read_columns(queries, types, Layout(";"), nulls=["NA"], nullable=["timeframe"])
        times = columns["eventdate"] + np.maximum(columns["timeframe"], 0) / 1000
        shown = pd.Series(columns["items"]).str.split(",").explode()
        shown = shown[shown.str.fullmatch(r"\d+")]
        rows = shown.index.to_numpy()
        edges["query"] = Edges.shared(shown.to_numpy().astype(np.int64), columns["queryId"][rows], times[rows])
    return edges


def _tokens(name: str, values: np.ndarray) -> np.ndarray:
    return np.array([f"{name}={value}" for value in values.tolist()], object)
