"""RetailRocket: events.csv cut into sessions, item_properties*.csv and category_tree.csv as item-token edges."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from benchmark.data.parsers.csvio import INT, TEXT, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, SessionTable
from contracts import UserError

GAP = 30 * 60
"""Seconds without any event that end a session."""
CATEGORY = "categoryid"
NUMBER = r"n-?\d+\.\d+"
"""Numeric words are written with three decimals after an n."""


def parse(dataset: Dataset, folder: Path) -> Parsed:
    """Views in sessions; option ``sessionisation``: ``published`` or ``per-user``."""
    path = folder / "events.csv"
    types = {"timestamp": INT, "visitorid": INT, "event": TEXT, "itemid": INT}
    events = read_columns(path, types)
    unknown = set(pd.unique(events["event"])) - {"view", "addtocart", "transaction"}
    if unknown:
        row = int(np.flatnonzero(np.isin(events["event"], list(unknown)))[0])
        raise UserError(
            f"{path}: column 'event', data row {row + 1}: expected view, addtocart or transaction, "
            f"found {events['event'][row]!r}"
        )
    times = events["timestamp"] // 1000
    order = np.lexsort((times, events["visitorid"]))
    users, times = events["visitorid"][order], times[order]
    sessions = cut_sessions(users, times, dataset.options.get("sessionisation", "published"))
    # Neighbours merged across users interleave in time: sort inside the session.
    by_time = np.lexsort((times, sessions))
    view = by_time[events["event"][order][by_time] == "view"]
    properties, left_out = read_properties(dataset, folder, events["itemid"])
    table = SessionTable.from_columns(
        sessions[view],
        events["itemid"][order][view],
        times[view],
        {"user": users[view]},
        properties | _interactions(dataset, events),
    )
    counts = {name: int((events["event"] == name).sum()) for name in ("view", "addtocart", "transaction")}
    backwards = {"time goes back in file": int((np.diff(events["timestamp"]) < 0).sum())}
    return Parsed(table, counts={"rows": len(times), **counts, **backwards, **left_out})


def _interactions(dataset: Dataset, events: dict[str, np.ndarray]) -> dict[str, Edges]:
    """Carts and purchases of each visitor, for the events of option ``interactions``."""
    edges = {}
    for name in dataset.options.get("interactions", []):
        rows = events["event"] == name
        edges[name] = Edges.shared(events["itemid"][rows], events["visitorid"][rows], events["timestamp"][rows] / 1000)
    return edges


def cut_sessions(users: np.ndarray, times: np.ndarray, rule: Literal["published", "per-user"]) -> np.ndarray:
    """Session numbers of rows sorted by (user, time).

    published: a new session only where two neighbouring rows are more than 30 minutes apart in
    either direction, whoever made them; per-user: also where the user changes.
    """
    if rule not in ("published", "per-user"):
        raise UserError(f"sessionisation: expected 'published' or 'per-user', found {rule!r}")
    new = np.abs(np.diff(times, prepend=times[:1])) > GAP
    if rule == "per-user":
        new |= np.diff(users, prepend=users[:1]) != 0
    return np.cumsum(new)


def read_properties(dataset: Dataset, folder: Path, items: np.ndarray) -> tuple[dict[str, Edges], dict[str, int]]:
    """Attributes of the items, and what was left out of them, counted.

    Option ``properties``: attribute -> properties whose words become its tokens ``property=word``; ``numbers: drop``
    leaves out numeric words (such as n277.200). Option ``tree``: the attribute ``category`` has an item's category and
    all categories above it. Of a property only the latest value holds.
    """
    attributes: dict[str, list[str]] = dataset.options["properties"]
    tree = dataset.options.get("tree")
    wanted = {name for names in attributes.values() for name in names} | ({CATEGORY} if tree else set())
    frames = []
    for path in sorted(folder.glob("item_properties*.csv")):
        columns = read_columns(path, {"timestamp": INT, "itemid": INT, "property": TEXT, "value": TEXT})
        keep = np.isin(columns["property"], list(wanted)) & np.isin(columns["itemid"], np.unique(items))
        frames.append(pd.DataFrame({name: column[keep] for name, column in columns.items()}))
    if not frames:
        raise UserError(f"{folder}: expected item_properties*.csv, found none; run: emde data fetch {dataset.name}")
    frame = pd.concat(frames, ignore_index=True)
    counts = {}
    frame["word"] = frame["value"].astype(str).str.split(" ")
    words = frame.explode("word", ignore_index=True)
    if dataset.options.get("numbers") == "drop":
        numeric = words["word"].str.fullmatch(NUMBER)
        counts["numeric words of properties left out"] = int(numeric.sum())
        words = words[~numeric]
    edges = {name: _edges(words[words["property"].isin(names)]) for name, names in attributes.items()}
    if tree:
        above = read_tree(folder / tree)
        categories = frame[frame["property"] == CATEGORY].reset_index(drop=True)
        categories["word"] = [above.get(value, [value]) for value in categories["value"]]
        counts["categories of items that the tree does not have"] = len(set(categories["value"]) - set(above))
        edges["category"] = _edges(categories.explode("word", ignore_index=True))
    return edges, counts


def _edges(frame: pd.DataFrame) -> Edges:
    tokens = frame["property"].to_numpy().astype(object) + "=" + frame["word"].to_numpy().astype(object)
    return Edges(frame["itemid"].to_numpy(), tokens, frame["timestamp"].to_numpy() / 1000, latest=True)


def read_tree(path: Path) -> dict[str, list[str]]:
    """``categoryid,parentid`` (empty for a root) -> category -> itself and all above it, as text.

    Raises UserError for a category with two parents, or one that is above itself.
    """
    columns = read_columns(path, {"categoryid": INT, "parentid": INT}, nullable=["parentid"])
    parents: dict[int, int] = {}
    pairs = zip(columns["categoryid"].tolist(), columns["parentid"].tolist(), strict=True)
    for row, (category, parent) in enumerate(pairs, 1):
        if parents.setdefault(category, parent) != parent:
            trouble = f"category {category}: expected one parent, found {parents[category]} and {parent}"
            raise UserError(f"{path}: data row {row}: {trouble}")
    return {str(category): _above(path, category, parents) for category in parents}


def _above(path: Path, category: int, parents: dict[int, int]) -> list[str]:
    chain = [category]
    while (parent := parents.get(chain[-1], -1)) >= 0:
        if parent in chain:
            raise UserError(f"{path}: category {category}: expected a tree, found it above itself")
        chain.append(parent)
    return [str(link) for link in chain]
