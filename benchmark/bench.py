"""``make bench``: speed against this machine's own ceilings, every ratio measured side by side in one run.

The report goes to results/generated/bench/<time>.json. Nothing here decides a test: timings belong in a report.
"""

from __future__ import annotations

import csv
import logging
import sys
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from benchmark import (
    bench_data,
    bench_density,
    bench_emde,
    bench_neural,
    bench_session,
    bench_topk,
    environment,
    published,
    settings,
)
from benchmark.data import paths
from benchmark.data.load import SessionSplit, load_split
from benchmark.data.root import project_root
from benchmark.evaluate import write_json
from benchmark.metrics_session import per_point
from benchmark.points import Points, evaluation_points
from benchmark.run import rank_sessions
from benchmark.show import grid, line
from benchmark.timing import best_of, seconds
from contracts import SessionRecommender, UserError

DATA = "rsc15-100k"
METHODS = ("ar", "markov", "sr", "ct", "item-knn", "s-knn", "vs-knn", "stan", "vstan")
PEER = {"s-knn": "s-knn k=100", "vs-knn": "vs-knn k=100", "stan": "stan k=500", "vstan": "vstan k=500"}


def ceilings() -> dict[str, float]:
    """What the machine can do: matrix products (GFLOP/s), memory copy and sparse product (GB/s, GFLOP/s)."""
    rng = torch.Generator().manual_seed(0)
    a, b = torch.randn(512, 3000, generator=rng), torch.randn(3000, 3000, generator=rng)
    flops = 2 * 512 * 3000 * 3000 / 1e9
    out = {"float32 product GFLOP/s": flops / best_of(lambda: a @ b)[0]}
    low_a, low_b = a.bfloat16(), b.bfloat16()
    out["bf16 product GFLOP/s"] = flops / best_of(lambda: low_a @ low_b)[0]
    source, target = np.ones(1 << 25, np.float32), np.empty(1 << 25, np.float32)
    out["memory copy GB/s (read + write)"] = 2 * source.nbytes / 1e9 / best_of(lambda: np.copyto(target, source))[0]
    rows = np.arange(30_000 * 10, dtype=np.int64)
    columns = np.random.default_rng(0).integers(1280, size=len(rows))
    matrix = sp.csr_matrix((np.ones(len(rows), np.float32), (rows // 10, columns)), shape=(30_000, 1280))
    dense = np.ones((1280, 256), np.float32)
    out["sparse product GFLOP/s (one thread)"] = 2 * matrix.nnz * 256 / 1e9 / best_of(lambda: matrix @ dense)[0]
    return {name: round(value, 1) for name, value in out.items()}


def session_methods(split: SessionSplit, points: Points) -> list[dict[str, Any]]:
    """Processor seconds to rank all points and compute all metrics, beside session-rec's on two such cores."""
    chosen = settings.load()
    peers = peer_seconds("session-rec")
    rows = []
    for method in METHODS:
        model = chosen.recommender("session", method, DATA, {}, None, "cpu")
        assert isinstance(model, SessionRecommender)
        first = seconds(partial(_first_use, model, split, points))
        fit = best_of(partial(model.fit, split.train), 1)
        wall, cpu = best_of(partial(_rank_and_score, model, split, points))
        peer = peers.get(PEER.get(method, method))
        rows.append(
            {
                "method": method,
                "first use s (compiling or loading compiled code)": first[0],
                "fit s": fit[0],
                "rank + metrics s": wall,
                "cpu s": cpu,
                "points/s": len(points) / wall,
                "session-rec cpu s": peer,
                "ratio": None if peer is None else peer / cpu,
            }
        )
    return rows


def _first_use(model: SessionRecommender, split: SessionSplit, points: Points) -> None:
    model.fit(split.train)
    model.recommend(points.prefixes(0, 1), 1)


def _rank_and_score(model: SessionRecommender, split: SessionSplit, points: Points) -> None:
    per_point(rank_sessions(model, split, 20).items, points)


def peer_seconds(peer: str) -> dict[str, float]:
    """A peer's processor seconds per method (results/paper/peer_costs.csv)."""
    with open(published.FOLDER / "peer_costs.csv", newline="", encoding="utf-8") as stream:
        return {row["method"]: float(row["cpu_seconds"]) for row in csv.DictReader(stream)
                if row["peer"] == peer}  # fmt: skip


def main() -> int:
    """Run everything, print it, and write the report."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    environment.set_threads(settings.load().threads)
    torch.set_num_threads(settings.load().threads)
    report: dict[str, Any] = {**environment.describe(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
    report["ceilings"] = ceilings()
    grid(["ceiling", "value"], report["ceilings"].items())
    report["data"] = bench_data.report()
    for task, row in report["data"].items():
        grid([task, "value"], row.items())
    report["density"] = bench_density.report()
    grid(report["density"]["rows"][0], (row.values() for row in report["density"]["rows"]))
    grid(["density: seconds per query ~ points^", "e"], report["density"]["seconds per query ~ points^"].items())
    report["session scale"] = bench_session.report(bench_session.FULL_EVENTS)
    grid(report["session scale"]["rows"][0], (row.values() for row in report["session scale"]["rows"]))
    report["top-k scale"] = bench_topk.report()
    for row in report["top-k scale"]["rows"]:
        grid([row["method"], "value"], list(row.items())[1:])
    if paths.split_dir(DATA, "published").is_dir():
        split = load_split(DATA)
        if not isinstance(split, SessionSplit):
            raise UserError(f"{DATA}: expected session data")
        report["session methods"] = session_methods(split, evaluation_points(split.test))
        grid(report["session methods"][0], (row.values() for row in report["session methods"]))
        report["emde"] = bench_emde.report()
        for task, row in report["emde"].items():
            grid([task, "value"], row.items())
        report["neural rivals"] = bench_neural.report(split, peer_seconds("GRU4Rec author's PyTorch").get("gru4rec"))
        grid(report["neural rivals"][0], (row.values() for row in report["neural rivals"]))
    else:
        line(f"{DATA} is not prepared: emde data prepare {DATA} adds the methods' speed to the report")
    name = report["time"].replace(":", "").replace("+0000", "Z")
    path = project_root() / "results/generated/bench" / f"{name}.json"
    write_json(path, report)
    line(f"report: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
