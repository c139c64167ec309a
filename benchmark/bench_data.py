"""Speed and memory of the data floor, on generated files in the exact raw formats; part of ``make bench``.

python -m benchmark.bench_data [CLICKS [RATINGS]]

Wanted of 33,000,000 clicks (RSC15's size): at most 4 GB and at least 1 million rows/s, parsed and cut into slices, on
two cores; of ratings with 57 million positives (Netflix's size, about 100,000,000 rows): at most 8 GB. Measured at that
size: 3.0 GB and 1.6 million rows/s; 6.3 GB and 2.0 million rows/s (docs/data.md).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from benchmark.data import registry
from benchmark.data.parsers import parse
from benchmark.data.splits import build
from benchmark.data.splits.ratings import POSITIVE
from benchmark.data.tables import RatingTable, SessionTable
from benchmark.environment import peak_rss_mb
from contracts import UserError

CLICKS = 3_000_000
RATINGS = 5_000_000
"""Ratings of the cold-user split; ML-20M has 20 million."""
BLOCK = 1_000_000
DAYS = 182
STARS = np.array([0.05, 0.15, 0.43, 0.77])
"""Cumulative shares of one to four stars: 57% are positive, as in Netflix's."""
PLAIN: Any = {"include_header": False, "quoting_style": "none"}


def report(clicks: int = CLICKS, ratings: int = RATINGS) -> dict[str, Any]:
    """Rows/s and peak memory of parsing and splitting, each measured in a process of its own.

    clicks   rows of a click file in RSC15's format, cut into the five slices and their tuning twins
    ratings  rows in MovieLens' format, split by cold users
    """
    out = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for task, rows, write in (("rsc15 slices", clicks, write_clicks), ("cold users", ratings, write_ratings)):
            write(folder, rows)
            out[task] = _in_a_process(task, folder)
    return out


def _in_a_process(task: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmark.bench_data", "--measure", task, str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode:
        raise UserError(
            f"bench: {task}: {run.stderr.strip().splitlines()[-1] if run.stderr else 'ended without a word'}"
        )
    return json.loads(run.stdout)


def measure(task: str, folder: Path) -> dict[str, Any]:
    """Parse and split what lies in ``folder``; seconds are wall time, memory that of the whole process."""
    begun = peak_rss_mb()
    if task == "rsc15 slices":
        dataset = registry.get("rsc15")
        dataset = dataset.model_copy(update={"options": {**dataset.options, "interactions": []}})
    else:
        dataset = registry.get("ml20m")
        users = json.loads((folder / "users.json").read_text())
        dataset = dataset.model_copy(update={"options": {**dataset.options, "heldout_users": users // 10}})
        dataset = dataset.model_copy(update={"splits": ("cold-user",), "more_splits": ()})
    start = time.perf_counter()
    parsed = parse(dataset, folder)
    middle = time.perf_counter()
    splits = sum(1 for _ in build(dataset, parsed))
    end = time.perf_counter()
    assert isinstance(parsed.table, SessionTable | RatingTable)
    rows = len(parsed.table)
    return {
        "rows": rows,
        **({"positives": positives(parsed.table)} if isinstance(parsed.table, RatingTable) else {}),
        "splits": splits,
        "parse rows/s": round(rows / (middle - start)),
        "split s": round(end - middle, 3),
        "parse + split rows/s": round(rows / (end - start)),
        "peak MB": round(peak_rss_mb()),
        "MB before": round(begun),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }


def positives(table: RatingTable) -> int:
    """Ratings of at least 4."""
    return int((table.ratings >= POSITIVE).sum())


def write_clicks(folder: Path, rows: int) -> None:
    """``yoochoose-clicks.dat``: sessions of about four clicks over 182 days, Zipf items, seeded."""
    random = np.random.default_rng(0)
    with open(folder / "yoochoose-clicks.dat", "wb") as stream:
        for first, size in _blocks(rows):
            sessions = np.sort(random.integers(0, size // 4 + 1, size))
            begin = (first + np.sort(random.random(size // 4 + 1)) * size) / rows * DAYS * 86400e3
            stamps = 1396310400000 + begin.astype(np.int64)[sessions] + np.arange(size) % 7 * 30000
            times = pc.strftime(pa.array(stamps, pa.timestamp("ms")), format="%Y-%m-%dT%H:%M:%SZ")
            items = 214500000 + random.zipf(1.3, size) % 52000
            columns = [sessions + first, times, items, np.zeros(size, np.int64)]
            pacsv.write_csv(pa.table(columns, names=list("stic")), stream, pacsv.WriteOptions(**PLAIN))


def write_ratings(folder: Path, rows: int) -> None:
    """``ratings.csv`` and ``movies.csv`` in ML-20M's format: up to 140 distinct items per user, seeded."""
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
    (folder / "users.json").write_text(json.dumps(users))


def _blocks(rows: int, block: int = BLOCK) -> Iterator[tuple[int, int]]:
    """(first row, rows) of each block."""
    for first in range(0, rows, block):
        yield first, min(block, rows - first)


def main(words: list[str]) -> int:
    """The whole report, or one measurement in this process."""
    result = measure(words[1], Path(words[2])) if words[:1] == ["--measure"] else report(*map(int, words))
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
