"""``make bench``: speed against this machine's own ceilings, every ratio measured side by side in one run.

python -m benchmark.bench [SECTION ...] [--repeats N]

The report goes to results/generated/bench/<time>.json and is written anew after every section. Each section is measured
N times (2): the report keeps every figure's best value and its spread, which ``benchmark.bench_compare`` judges by.
A section that fails is named in the report and ends the command with status 1; the others are measured all the same.
Nothing here decides a test: timings belong in a report.
"""

from __future__ import annotations

import argparse
import csv
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
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
    full_size,
    published,
    scaling,
    settings,
)
from benchmark.bench_figures import best, spreads
from benchmark.data.load import SessionSplit, load_split
from benchmark.data.root import project_root
from benchmark.evaluate import write_json
from benchmark.metrics_session import per_point
from benchmark.points import Points, evaluation_points
from benchmark.run import rank_sessions
from benchmark.show import grid, line
from benchmark.timing import best_of, seconds
from contracts import SessionRecommender

log = logging.getLogger("emde")
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


def session_split() -> SessionSplit:
    """The real sessions that some sections need; raises UserError where they are not prepared."""
    split = load_split(DATA)
    assert isinstance(split, SessionSplit)
    return split


def session_methods() -> list[dict[str, Any]]:
    """Processor seconds to rank all points and compute all metrics, beside session-rec's on two such cores."""
    split = session_split()
    points, chosen, peers = evaluation_points(split.test), settings.load(), peer_seconds("session-rec")
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


def neural_rivals() -> list[dict[str, Any]]:
    """An epoch of every neural rival, GRU4Rec's beside its authors' version."""
    return bench_neural.report(session_split(), peer_seconds("GRU4Rec author's PyTorch").get("gru4rec"))


SECTIONS: dict[str, Callable[[], Any]] = {
    "ceilings": ceilings,
    "data": bench_data.report,
    "density": bench_density.report,
    "session-scale": partial(bench_session.report, bench_session.FULL_EVENTS),
    "topk-scale": bench_topk.report,
    "session-methods": session_methods,
    "emde": bench_emde.report,
    "neural-rivals": neural_rivals,
    "scaling": scaling.report,
    "full-size": full_size.report,
}


def measure(section: str, repeats: int) -> dict[str, Any]:
    """A section's results: the best of some repeats, the spread of each figure, and how busy the machine was."""
    load, began = os.getloadavg()[0], time.perf_counter()
    found = [SECTIONS[section]() for _ in range(repeats)]
    return {
        "results": best(found),
        "spread": spreads(found),
        "repeats": repeats,
        "wall s": round(time.perf_counter() - began, 1),
        "load before": round(load, 2),
    }


def run(sections: Sequence[str], repeats: int, path: Path) -> dict[str, Any]:
    """Measure sections one after the other; the report is at ``path`` from the first one on."""
    report: dict[str, Any] = {
        **environment.describe(), "time": datetime.now(UTC).isoformat(timespec="seconds"), "sections": {}, "failed": {},
    }  # fmt: skip
    for section in sections:
        try:
            report["sections"][section] = measure(section, repeats)
        except Exception as error:  # hours of other sections are not to be lost
            log.debug("%s", section, exc_info=True)
            report["failed"][section] = f"{type(error).__name__}: {error}"
            line(f"{section}: failed: {report['failed'][section]}")
        else:
            show_section(section, report["sections"][section]["results"])
        write_json(path, report)
    return report


def show_section(name: str, results: Any) -> None:
    """Rows of like things as one table, everything else as a name and a value."""
    if isinstance(results, list):
        columns = list(dict.fromkeys(key for row in results for key in row))
        grid(columns, ([row.get(key, "") for key in columns] for row in results), name)
        return
    plain = {key: value for key, value in results.items() if not isinstance(value, dict | list)}
    if plain:
        grid([name, "value"], plain.items())
    for key, value in results.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            show_section(f"{name}: {key}", value)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(prog="python -m benchmark.bench", description="Measure speed; write a report.")
    found.add_argument("sections", nargs="*", metavar="SECTION", help=f"default: all of {', '.join(SECTIONS)}")
    found.add_argument("--repeats", type=int, default=2, metavar="N", help="times each section is measured (2)")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run, print, and write the report; 1 where a section failed, 2 where there is no such section."""
    args = parser().parse_args(words)
    unknown = sorted(set(args.sections) - set(SECTIONS))
    if unknown or args.repeats < 1:
        wanted = f"sections of {', '.join(SECTIONS)}, found {', '.join(unknown)}"
        sys.stderr.write(f"bench: expected {wanted if unknown else f'at least one repeat, found {args.repeats}'}\n")
        return 2
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    environment.set_threads(settings.load().threads)
    torch.set_num_threads(settings.load().threads)
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    path = project_root() / "results/generated/bench" / f"{name}.json"
    report = run(args.sections or list(SECTIONS), args.repeats, path)
    line(f"report: {path}")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
