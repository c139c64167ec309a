"""Music: session-rec's csv files of 30Music, AOTM and #nowplaying; 30Music's playlists, and its sample in Parquet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.data.parsers.csvio import FLOAT, INT, Layout, read_columns
from benchmark.data.registry import Dataset
from benchmark.data.tables import Edges, Parsed, SessionTable
from contracts import UserError


def parse_csv(dataset: Dataset, folder: Path) -> Parsed:
    """Tab separated ``SessionId UserId ItemId ArtistId Time`` in any column order; sorted by session and time."""
    path = folder / dataset.options["events"]
    types = {"SessionId": INT, "UserId": INT, "ItemId": INT, "ArtistId": INT, "Time": FLOAT}
    columns = read_columns(path, types, Layout("\t"), optional=["UserId", "ArtistId"])
    if "playlists" not in dataset.options:
        return _sorted(columns)
    playlists, counts = read_playlists(folder / dataset.options["playlists"], np.unique(columns["ItemId"]))
    return _sorted(columns, {"playlist": playlists}, counts)


def read_playlists(path: Path, items: np.ndarray) -> tuple[Edges, dict[str, int]]:
    """30Music's ``playlist id time {about} {"subjects": [user], "objects": [tracks]}``: tracks share their playlist.

    Known since the playlist's time. Titles hold unquoted quotes, so that only the last field is read as JSON. Tracks
    that are no item are left out and counted. Raises UserError naming the line, or where no track is an item.
    """
    tracks, lists, times = [], [], []
    with open(path, encoding="utf-8-sig", errors="replace") as stream:  # only titles are not ASCII
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            fields = line.rstrip("\r\n").split("\t")
            try:
                name, identity, time = fields[0], int(fields[1]), float(fields[2])
                ids = [int(track["id"]) for track in json.loads(fields[-1])["objects"] if track]
            except (ValueError, KeyError, TypeError, IndexError):
                name = ""
            if name != "playlist" or len(fields) != 5:
                expected = "expected playlist, id, time and two JSON objects, separated by tabs"
                raise UserError(f"{path}: line {number}: {expected}, found {line.strip()[:60]!r}")
            tracks += ids
            lists += [identity] * len(ids)
            times += [time] * len(ids)
    entries = np.array(tracks, np.int64)
    known = np.isin(entries, items)
    if not known.any():
        raise UserError(f"{path}: expected tracks with ids of the sessions' items, found none among {len(tracks)}")
    edges = Edges.shared(entries[known], np.array(lists)[known], np.array(times)[known])
    counts = {"playlists": len(set(lists)), "playlist entries of tracks in no session, left out": int((~known).sum())}
    return edges, counts


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


def _sorted(
    columns: dict[str, np.ndarray], further: dict[str, Edges] | None = None, counts: dict[str, int] | None = None
) -> Parsed:
    order = np.lexsort((columns["Time"], columns["SessionId"]))
    moved = int((np.diff(order) != 1).sum())
    columns = {name: column[order] for name, column in columns.items()}
    groups = {"user": columns["UserId"]} if "UserId" in columns else None
    edges = dict(further or {})
    if "ArtistId" in columns:
        items, first = np.unique(columns["ItemId"], return_index=True)
        artists = columns["ArtistId"][first].tolist()
        edges["artist"] = Edges(items, np.array([f"artist={artist}" for artist in artists], object))
    table = SessionTable.from_columns(columns["SessionId"], columns["ItemId"], columns["Time"], groups, edges)
    repairs = {"rows": len(table), "breaks in the (session, time) order of the file": moved}
    return Parsed(table, counts=repairs | (counts or {}))
