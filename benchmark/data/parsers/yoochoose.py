"""YOOCHOOSE (RecSys Challenge 2015): yoochoose-clicks.dat, no header."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmark.data.parsers.csvio import INT, TEXT, TIME, Layout, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, SessionTable, factorize

HEADER = ("session", "time", "item", "category")
BUYS = ("session", "time", "item", "price", "quantity")


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Clicks in file order, fractional seconds kept; options ``categories`` and ``interactions`` add what they say.

    Categories 1-12 become tokens; a purchase's session is the token of what was bought in it.
    """
    path = folder / "yoochoose-clicks.dat"
    wanted = {"session": INT, "time": TIME, "item": INT}
    if dataset.options.get("categories"):
        wanted["category"] = TEXT
    columns = read_columns(path, wanted, Layout(header=HEADER))
    backwards = int(((np.diff(columns["time"]) < 0) & (np.diff(columns["session"]) == 0)).sum())
    edges = {}
    if "category" in columns:
        edges["category"] = _categories(columns["item"], columns.pop("category"), columns["time"])
    if dataset.options.get("interactions"):
        buys = read_columns(
            folder / "yoochoose-buys.dat", {"session": INT, "time": TIME, "item": INT}, Layout(header=BUYS)
        )
        edges["purchase"] = Edges.shared(buys["item"], buys["session"], buys["time"])
    rows = len(columns["item"])
    table = SessionTable.from_columns(columns.pop("session"), columns.pop("item"), columns.pop("time"), edges=edges)
    return Parsed(table, counts={"rows": rows, "time goes back in a session": backwards})


def _categories(items: np.ndarray, categories: np.ndarray, times: np.ndarray) -> Edges:
    """One edge per item and category, known since it was first seen; '0' (unknown) and 'S' (offer) give none."""
    codes, names = factorize(categories)
    real = np.array([name not in ("0", "S", "") for name in names])[codes]
    pairs = items[real].astype(np.int64) * len(names) + codes[real]
    # The file's times grow with its rows only roughly: take the earliest time of each pair.
    order = np.lexsort((times[real], pairs))
    unique, first = np.unique(pairs[order], return_index=True)
    tokens = np.array([f"category={names[code]}" for code in unique % len(names)], object)
    return Edges(unique // len(names), tokens, times[real][order][first])
