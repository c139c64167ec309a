"""Sections on session baselines: beside session-rec's, growth with the train, epochs of the neural ones."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.load import SessionSplit, load_split
from benchmark.experiments import environment
from benchmark.experiments.run import rank_sessions
from benchmark.protocol.points import Points, points_of
from benchmark.protocol.session_metrics import per_point
from benchmark.report import published
from benchmark.speed import generate
from benchmark.speed.harness import alone, best_of, exponent, recommender, resident_mb, seconds
from contracts import SessionRecommender, Sessions

DATA = "rsc15-100k"
PEERED = ("ar", "markov", "sr", "ct", "item-knn", "s-knn", "vs-knn", "stan", "vstan")
SCALED = ("pop", "session-pop", "recent-pop", *PEERED)
NEURAL = ("gru4rec", "sasrec", "narm", "stamp", "nextitnet", "sr-gnn", "tagnn", "gce-gnn")
PEER = {"s-knn": "s-knn k=100", "vs-knn": "vs-knn k=100", "stan": "stan k=500", "vstan": "vstan k=500"}
SHARES = (0.5, 0.25, 0.125)
"""Parts of the train (its most recent sessions) over which growth is measured, after the whole."""
K = 20
COLUMNS = ("items", "times", "offsets")


def session_split(data: str) -> SessionSplit:
    """Real sessions; raises UserError where they are not prepared."""
    split = load_split(data)
    assert isinstance(split, SessionSplit)
    return split


def peer_seconds(peer: str) -> dict[str, float]:
    """A peer's processor seconds per method (results/paper/peer_costs.csv)."""
    with open(published.FOLDER / "peer_costs.csv", newline="", encoding="utf-8") as stream:
        return {row["method"]: float(row["cpu_seconds"]) for row in csv.DictReader(stream)
                if row["peer"] == peer}  # fmt: skip


def beside_session_rec(data: str = DATA, methods: Sequence[str] = PEERED) -> list[dict[str, Any]]:
    """Processor seconds to rank all points and compute all metrics, beside session-rec's on two such cores."""
    split, peers, rows = session_split(data), peer_seconds("session-rec"), []
    points = points_of(split)
    for method in methods:
        model = recommender("session", method, data)
        first = seconds(partial(_first_use, model, split, points))[0]
        fit = best_of(partial(model.fit, split.train), 1)[0]
        wall, cpu = best_of(partial(_rank_and_score, model, split, points))
        peer = peers.get(PEER.get(method, method)) if data == DATA else None
        rows.append({
            "method": method, "first use s (compiling or loading compiled code)": first, "fit s": fit,
            "rank + metrics s": wall, "cpu s": cpu, "points/s": len(points) / wall, "session-rec cpu s": peer,
            "ratio": None if peer is None else peer / cpu,
        })  # fmt: skip
    return rows


def _first_use(model: SessionRecommender, split: SessionSplit, points: Points) -> None:
    model.fit(split.train).recommend(points.prefixes(0, 1), 1)


def _rank_and_score(model: SessionRecommender, split: SessionSplit, points: Points) -> None:
    per_point(rank_sessions(model, split, K).items, points)


def scale(
    events: int = 5_000_000, items: int = 30_000, points: int = 2_000, methods: Sequence[str] = SCALED
) -> dict[str, Any]:
    """Every method on a generated train of RSC15's size: points/s, fit seconds, memory, growth of both times."""
    with tempfile.TemporaryDirectory() as folder:
        train = generate.sessions(events, items)
        for name in COLUMNS:
            np.save(f"{folder}/{name}.npy", getattr(train, name))
        del train
        measured = {method: alone(measure, method, folder, items, points) for method in methods}
    rows = []
    for method, result in measured.items():
        sizes = result["sizes"]
        growth = {column: exponent([size["events"] for size in sizes], [size[column] for size in sizes])
                  for column in ("fit s", "recommend s")}  # fmt: skip
        rows.append({
            "method": method, "fit s": sizes[0]["fit s"], "points/s": points / max(sizes[0]["recommend s"], 1e-6),
            "peak MB": result["peak MB"], "above start MB": round(result["peak MB"] - result["start MB"], 1),
            "fit ~ events^": growth["fit s"], "rank ~ events^": growth["recommend s"],
        })  # fmt: skip
    growth = {method: result["sizes"] for method, result in measured.items()}
    return {"events": events, "items": items, "points": points, "rows": rows, "growth": growth}


def measure(method: str, folder: str, items: int, points: int) -> dict[str, Any]:
    """Fit and rank at every share of the train stored in a folder, in this process: seconds per share, and memory."""
    stored, times, offsets = (np.load(Path(folder) / f"{name}.npy", mmap_mode="r") for name in COLUMNS)
    train = Sessions(stored, times, offsets, items)
    queries = generate.prefixes(items, points)

    def once(part: Sessions) -> dict[str, float]:
        model = recommender("session", method)
        fit = seconds(lambda: model.fit(part))[0]
        return {"events": part.n_events, "fit s": fit, "recommend s": seconds(lambda: model.recommend(queries, K))[0]}

    once(recent(train, 0.01))  # compilation, where its cache is cold
    start = resident_mb()
    whole = once(train)
    peak = environment.peak_rss_mb()  # before the smaller trains are cut: they are copies
    return {"sizes": [whole, *(once(recent(train, share)) for share in SHARES)], "peak MB": peak, "start MB": start}


def recent(train: Sessions, share: float) -> Sessions:
    """The last ``share`` of the sessions."""
    return train.take(np.arange(int(len(train) * (1 - share)), len(train)))


def neural(data: str = DATA, methods: Sequence[str] = NEURAL) -> list[dict[str, Any]]:
    """Seconds of one training epoch per method and device, with the methods' own parameters.

    An epoch is the difference between two epochs and one, so that what happens once is not counted. GRU4Rec's stands
    beside that of its authors' PyTorch version on a CPU; "x gru4rec" needs it among the methods.
    """
    import torch  # here: the other sections measure memory without it

    train = session_split(data).train
    peer = peer_seconds("GRU4Rec author's PyTorch") if data == DATA else {}

    def fit(method: str, device: str, epochs: int) -> tuple[float, float]:
        model = recommender("session", method, "", {"epochs": epochs, "validation": 0.0}, device)
        return seconds(lambda: model.fit(train))

    rows: list[dict[str, Any]] = []
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        costs: dict[str, float] = {}
        for method in methods:
            fit(method, device, 1)  # compiling
            once, twice = fit(method, device, 1), fit(method, device, 2)
            wall, cpu = (b - a for a, b in zip(once, twice, strict=True))
            costs[method] = cpu if device == "cpu" else wall  # processor seconds suffer less from other work
            rows.append({
                "method": method, "device": device, "epoch s": wall, "epoch cpu s": cpu,
                "events/s": int((train.lengths - 1).clip(0).sum()) / wall,
                "x gru4rec": costs[method] / costs["gru4rec"] if "gru4rec" in costs else None,
                "authors' cpu s": peer.get(method) if device == "cpu" else None,
            })  # fmt: skip
    return rows
