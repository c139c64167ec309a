"""RetailRocket: events.csv cut into sessions, item_properties*.csv as item-token edges."""

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
    table = SessionTable.from_columns(
        sessions[view],
        events["itemid"][order][view],
        times[view],
        {"user": users[view]},
        {"property": read_properties(dataset, folder, events["itemid"]), **_interactions(dataset, events)},
    )
    counts = {name: int((events["event"] == name).sum()) for name in ("view", "addtocart", "transaction")}
    backwards = {"time goes back in file": int((np.diff(events["timestamp"]) < 0).sum())}
    return Parsed(table, counts={"rows": len(times), **counts, **backwards})


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


def read_properties(dataset: Dataset, folder: Path, items: np.ndarray) -> Edges:
    """Tokens ``property=word`` of the items, for the properties of option ``properties``."""
    wanted = dataset.options["properties"]
    frames = []
    for path in sorted(folder.glob("item_properties*.csv")):
        columns = read_columns(path, {"timestamp": INT, "itemid": INT, "property": TEXT, "value": TEXT})
        keep = np.isin(columns["property"], wanted) & np.isin(columns["itemid"], np.unique(items))
        frames.append(pd.DataFrame({name: column[keep] for name, column in columns.items()}))
    if not frames:
        raise UserError(f"{folder}: expected item_properties*.csv, found none; run: emde data fetch {dataset.name}")
    frame = pd.concat(frames, ignore_index=True)
    words = frame["value"].astype(str).str.split(" ").explode()
    frame = frame.loc[words.index]
    tokens = frame["property"].to_numpy().astype(object) + "=" + words.to_numpy().astype(object)
    return Edges(frame["itemid"].to_numpy(), tokens, frame["timestamp"].to_numpy() / 1000, latest=True)
