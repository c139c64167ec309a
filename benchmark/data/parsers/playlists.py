"""Music: session-rec's csv files of 30Music, AOTM and #nowplaying; and the 30Music sample in Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.parsers.csvio import FLOAT, INT, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, SessionTable
from contracts import UserError


def parse_csv(dataset: Dataset, folder: Path) -> Parsed:
    """Tab separated ``SessionId UserId ItemId ArtistId Time`` in any column order; sorted by session and time."""
    path = folder / dataset.options["events"]
    types = {"SessionId": INT, "UserId": INT, "ItemId": INT, "ArtistId": INT, "Time": FLOAT}
    columns = read_columns(path, types, sep="\t", optional=["UserId", "ArtistId"])
    return _sorted(columns)


def parse_parquet(dataset: Dataset, folder: Path) -> Parsed:
    """``session_id, user_id, song_id, ts, playtime``: the 10% sample of 30Music."""
    path = folder / dataset.options["events"]
    wanted = ["session_id", "user_id", "song_id", "ts"]
    try:
        table = pq.read_table(path, columns=wanted)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: not a Parquet file: {str(error).splitlines()[0]}") from None
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise UserError(f"{path}: expected column '{missing[0]}', not found")
    for name in wanted:
        if table.column(name).null_count:
            raise UserError(f"{path}: column '{name}': expected a value, found an empty field")
    session, user, song, time = (table.column(name).to_numpy() for name in wanted)
    return _sorted({"SessionId": session, "UserId": user, "ItemId": song, "Time": time.astype(np.float64)})


def _sorted(columns: dict[str, np.ndarray]) -> Parsed:
    order = np.lexsort((columns["Time"], columns["SessionId"]))
    moved = int((np.diff(order) != 1).sum())
    columns = {name: column[order] for name, column in columns.items()}
    groups = {"user": columns["UserId"]} if "UserId" in columns else None
    edges = {}
    if "ArtistId" in columns:
        items, first = np.unique(columns["ItemId"], return_index=True)
        artists = columns["ArtistId"][first].tolist()
        edges["artist"] = Edges(items, np.array([f"artist={artist}" for artist in artists], object))
    table = SessionTable.from_columns(columns["SessionId"], columns["ItemId"], columns["Time"], groups, edges)
    return Parsed(table, counts={"rows": len(table), "breaks in the (session, time) order of the file": moved})
