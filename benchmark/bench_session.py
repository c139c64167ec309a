"""Speed, memory and growth of the session rivals on a generated train of RSC15's shape (part of ``make bench``).

``report`` measures every method in a process of its own, so that the peak memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmark import environment, settings
from contracts import Sessions, UserError

METHODS = (
    "pop", "session-pop", "recent-pop", "ar", "markov", "sr", "ct", "item-knn", "s-knn", "vs-knn", "stan", "vstan",
)  # fmt: skip
EVENTS, ITEMS, POINTS = 500_000, 30_000, 2_000
FULL_EVENTS = 5_000_000
"""A slice of RSC15."""
SHARES = (0.5, 0.25, 0.125)
"""Parts of the train (its most recent sessions) over which growth is measured, after the whole."""
MEAN_LENGTH = 3.95
K = 20
COLUMNS = ("items", "times", "offsets")


def generate(events: int, items: int, seed: int = 0, mean_length: float = MEAN_LENGTH) -> Sessions:
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
    found = (popular[start] + walked - walked[start]) % items
    order = rng.permutation(items)  # index order says nothing about popularity
    times = np.sort(rng.random(n)) * 30 * 86400
    return Sessions(order[found].astype(np.int32), times, offsets.astype(np.int64), items)


def recent(train: Sessions, share: float) -> Sessions:
    """The last ``share`` of the sessions."""
    return train.take(np.arange(int(len(train) * (1 - share)), len(train)))


def prefixes(items: int, points: int) -> Sessions:
    """Prefixes to rank for, of the same shape as the train and after it."""
    made = generate(int(points * MEAN_LENGTH) + 10, items, seed=1).take(np.arange(points))
    return Sessions(made.items, made.times + 30 * 86400.0, made.offsets, items)


def measure(method: str, folder: Path, items: int, points: int) -> dict[str, Any]:
    """Fit and rank at every share of the train stored in a folder, in this process: seconds per share, and memory."""
    chosen = settings.load()
    environment.set_threads(chosen.threads)
    stored, times, offsets = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in COLUMNS)
    train, asked = Sessions(stored, times, offsets, items), prefixes(items, points)

    def once(part: Sessions) -> dict[str, float]:
        model = chosen.recommender("session", method, "", {}, None, "cpu")
        began = time.perf_counter()
        model.fit(part)  # type: ignore[attr-defined]
        fitted = time.perf_counter()
        model.recommend(asked, K)  # type: ignore[attr-defined]
        return {"events": part.n_events, "fit s": fitted - began, "recommend s": time.perf_counter() - fitted}

    once(recent(train, 0.01))  # compilation, where its cache is cold
    start = psutil.Process().memory_info().rss / (1 << 20)
    whole = once(train)
    peak = peak_mb()  # before the smaller trains are cut: they are copies
    sizes = [whole, *(once(recent(train, share)) for share in SHARES)]
    return {"sizes": sizes, "peak MB": peak, "start MB": start}


def peak_mb() -> float:
    """Peak resident memory of this program, MiB: unlike getrusage's, not of what the process was before its exec."""
    try:
        with open("/proc/self/status", encoding="utf-8") as stream:
            return next(round(int(row.split()[1]) / 1024, 1) for row in stream if row.startswith("VmHWM"))
    except (OSError, StopIteration):
        return environment.peak_rss_mb()


def slope(sizes: Sequence[dict[str, float]], column: str) -> float:
    """The exponent e of seconds ~ events^e (least squares on logarithms): 0 = constant, 1 = proportional."""
    x = np.log([size["events"] for size in sizes])
    y = np.log([max(size[column], 1e-6) for size in sizes])
    return float(np.polyfit(x, y, 1)[0])


def report(
    events: int = EVENTS, items: int = ITEMS, points: int = POINTS, methods: Sequence[str] = METHODS
) -> dict[str, Any]:
    """Every method on a generated train: points/s, fit seconds, peak memory and how both times grow with the train."""
    with tempfile.TemporaryDirectory() as folder:
        train = generate(events, items)
        for name in COLUMNS:
            np.save(Path(folder) / f"{name}.npy", getattr(train, name))
        del train
        measured = {method: _in_process(method, folder, items, points) for method in methods}
    rows = []
    for method, found in measured.items():
        whole = found["sizes"][0]
        rows.append({
            "method": method,
            "fit s": whole["fit s"],
            "points/s": points / max(whole["recommend s"], 1e-6),
            "peak MB": found["peak MB"],
            "above start MB": round(found["peak MB"] - found["start MB"], 1),
            "fit ~ events^": slope(found["sizes"], "fit s"),
            "rank ~ events^": slope(found["sizes"], "recommend s"),
        })  # fmt: skip
    growth = {method: found["sizes"] for method, found in measured.items()}
    return {"events": events, "items": items, "points": points, "rows": rows, "growth": growth}


def _in_process(method: str, folder: str, items: int, points: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmark.bench_session", method, folder, str(items), str(points)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise UserError(f"bench of {method}: {last[0]}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    _method, _folder, _items, _points = sys.argv[1:]
    sys.stdout.write(json.dumps(measure(_method, Path(_folder), int(_items), int(_points))) + "\n")
