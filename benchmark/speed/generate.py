"""Data of any size for the measurements, seeded: sessions, likes, points, and files in raw formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import scipy.sparse as sp

from benchmark.data.splits.ratings import binary
from contracts import Sessions
from contracts.runtime.json import write_json

MEAN_LENGTH = 3.95
"""Of RSC15's sessions."""
MONTH = 30 * 86400.0
TASTES = 200
DIM, CLUSTERS = 16, 20
DAYS = 182
STARS = np.array([0.05, 0.15, 0.43, 0.77])
"""Cumulative shares of one to four stars: 57% are positive, as in Netflix's."""
BLOCK = 1_000_000
PLAIN: Any = {"include_header": False, "quoting_style": "none"}


def sessions(events: int, items: int, seed: int = 0, mean_length: float = MEAN_LENGTH) -> Sessions:
    """About ``events`` events in sessions of a mean length (RSC15's), popularity near Zipf's, neighbours that co-occur.

    A session walks around a popular item: nine events in ten lie within a few places of the one
    before, the others anywhere. Seconds run on from session to session, a month in all.
    """
    rng = np.random.default_rng(seed)
    lengths = 1 + rng.geometric(1 / (mean_length - 1), size=max(int(events / mean_length), 2))
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    n = int(offsets[-1])
    popular = np.minimum(items * rng.random(n) ** 3, items - 1).astype(np.int64)
    jumps = rng.random(n) < 0.1
    jumps[offsets[:-1]] = True
    start = np.maximum.accumulate(np.where(jumps, np.arange(n), 0))
    steps = np.where(jumps, 0, rng.integers(-3, 4, n))
    walked = np.cumsum(steps)
    near = (popular[start] + walked - walked[start]) % items
    order = rng.permutation(items)  # index order says nothing about popularity
    times = np.sort(rng.random(n)) * MONTH
    return Sessions(order[near].astype(np.int32), times, offsets.astype(np.int64), items)


def prefixes(items: int, count: int) -> Sessions:
    """Prefixes to rank for, of the same shape as the train and after it."""
    made = sessions(int(count * MEAN_LENGTH) + 10, items, seed=1).take(np.arange(count))
    return Sessions(made.items, made.times + MONTH, made.offsets, items)


def likes(users: int, items: int, count: int, seed: int = 0) -> sp.csr_matrix:
    """About ``count`` likes, CSR float32 [users, items]: popularity near Zipf's, and tastes that users share.

    Half of a user's likes are near the centre of one of some 200 tastes, half are anywhere; among
    all, popular items prevail. Numbers of likes are log-normal, as those of ML-20M's users.
    """
    rng = np.random.default_rng(seed)
    wanted = np.clip(rng.lognormal(np.log(count / users) - 0.5, 1.0, users), 5, items // 4)
    counts = (wanted * (1.3 * count / wanted.sum())).astype(np.int64) + 4  # duplicates are merged below
    rows = np.repeat(np.arange(users), counts)
    n = len(rows)
    centre = rng.integers(items, size=TASTES)[rng.integers(TASTES, size=users)]
    near = (centre[rows] + rng.normal(0, items / 100, n).astype(np.int64)) % items
    anywhere = np.minimum(items * rng.random(n) ** 3, items - 1).astype(np.int64)
    order = rng.permutation(items)  # index order says nothing about popularity
    return binary(rows, order[np.where(rng.random(n) < 0.5, near, anywhere)], (users, items))


def points(count: int, seed: int = 0) -> np.ndarray:
    """Points [count, DIM] around cluster centres of different weight and width; two sizes share their distribution."""
    shape = np.random.default_rng(0)
    centres, widths = shape.standard_normal((CLUSTERS, DIM)), np.geomspace(0.1, 1.5, CLUSTERS)
    rng = np.random.default_rng([seed, count])
    cluster = rng.choice(CLUSTERS, count, p=shape.dirichlet(np.ones(CLUSTERS)))
    return (centres[cluster] + widths[cluster, None] * rng.standard_normal((count, DIM))).astype(np.float32)


def write_clicks(folder: Path, rows: int) -> None:
    """``yoochoose-clicks.dat``: sessions of about four clicks over 182 days, Zipf items."""
    random = np.random.default_rng(0)
    with open(folder / "yoochoose-clicks.dat", "wb") as stream:
        for first, size in _blocks(rows, BLOCK):
            of_session = np.sort(random.integers(0, size // 4 + 1, size))
            begin = (first + np.sort(random.random(size // 4 + 1)) * size) / rows * DAYS * 86400e3
            stamps = 1396310400000 + begin.astype(np.int64)[of_session] + np.arange(size) % 7 * 30000
            times = pc.strftime(pa.array(stamps, pa.timestamp("ms")), format="%Y-%m-%dT%H:%M:%SZ")
            items = 214500000 + random.zipf(1.3, size) % 52000
            columns = [of_session + first, times, items, np.zeros(size, np.int64)]
            pacsv.write_csv(pa.table(columns, names=list("stic")), stream, pacsv.WriteOptions(**PLAIN))


def write_ratings(folder: Path, rows: int) -> None:
    """``ratings.csv`` and ``movies.csv`` in ML-20M's format: up to 140 distinct items per user."""
    random = np.random.default_rng(0)
    per_user, items = 140, 27_000
    users = max(20, rows // per_user)
    with open(folder / "ratings.csv", "wb") as stream:
        stream.write(b"userId,movieId,rating,timestamp\n")
        for first, size in _blocks(users, BLOCK // per_user):
            movie = np.sort(items * random.random((size, per_user)) ** 2, axis=1).astype(np.int64) + 1
            fresh = np.diff(movie, prepend=0, axis=1).ravel() != 0
            user = np.repeat(np.arange(first, first + size) + 1, per_user)
            rating = 1 + np.searchsorted(STARS, random.random(user.size))
            columns = [column[fresh] for column in (user, movie.ravel(), rating, 10**9 + np.arange(user.size))]
            pacsv.write_csv(pa.table(columns, names=list("umrt")), stream, pacsv.WriteOptions(**PLAIN))
    genres = [f'{item},"Film {item}",{("Drama", "Comedy|Drama", "Horror")[item % 3]}' for item in range(1, items + 1)]
    (folder / "movies.csv").write_text("\n".join(["movieId,title,genres", *genres]) + "\n", encoding="utf-8")
    write_json(folder / "users.json", users)


def _blocks(rows: int, block: int) -> Iterator[tuple[int, int]]:
    """(first row, rows) of each block."""
    for first in range(0, rows, block):
        yield first, min(block, rows - first)
