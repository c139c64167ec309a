"""How costs grow: EMDE and rivals on generated data while one size grows at a time (a section of ``make bench``).

python -m benchmark.scaling [REPORT] [--out DIR]    # measure (or take a report's), write scaling.json, .csv, .pdf, .png

All seconds are processor seconds. EMDE's and GRU4Rec's training is that of some steps, scaled to an epoch; VS-KNN's and
EASE's the whole fit. Memory is the peak above the start of a process that measures one method along one size, upwards.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from benchmark import environment, settings
from benchmark.bench_session import generate, prefixes
from benchmark.bench_steps import first_steps
from benchmark.bench_topk import generate as generate_likes
from benchmark.data.root import project_root
from benchmark.evaluate import write_json
from benchmark.timing import best_of, seconds
from contracts import Interactions, UserError
from contracts.files import write_whole
from emde import EMDE
from emde.modality import Modality, item_codes

TRAIN, CATALOGUE, LENGTH, MODALITIES, DEPTH, WIDTH = (
    "train prefixes", "catalogue, items", "session length", "modalities", "depth N", "width 2^K"
)  # fmt: skip
PLAN: dict[str, dict[str, tuple[int, ...]]] = {
    "emde": {
        TRAIN: (10_000, 100_000, 1_000_000, 10_000_000),
        CATALOGUE: (1_000, 10_000, 100_000, 1_000_000),
        LENGTH: (4, 16, 64, 256),
        MODALITIES: (1, 2, 4, 8),
        DEPTH: (5, 10, 20, 40),
        WIDTH: (16, 64, 256, 1024),
    },
    "emde codes": {TRAIN: (10_000, 100_000, 1_000_000), CATALOGUE: (1_000, 10_000, 100_000)},
    "vs-knn": {TRAIN: (10_000, 100_000, 1_000_000), CATALOGUE: (1_000, 10_000, 100_000)},
    "gru4rec": {TRAIN: (10_000, 20_000, 40_000), CATALOGUE: (1_000, 10_000, 100_000, 1_000_000)},
    "ease": {CATALOGUE: (1_000, 2_000, 4_000, 8_000)},
}
"""What grows, by method; the other sizes stay at ``BASE``."""
BASE = {TRAIN: 100_000, CATALOGUE: 30_000, LENGTH: 4, MODALITIES: 1, DEPTH: 10, WIDTH: 128}
HIDDEN, BATCH, STEPS, QUERIES, K, DIM = 500, 256, 4, 64, 20, 128
GRU4REC_EVENTS = 10_000
"""Events of the part of an epoch that is timed."""
LIKES_PER_ITEM = 50
MEMORY_GB, DAY = 24.0, 86_400.0
COLUMNS = ("method", "axis", "size", "train s", "train ms/example", "query ms/query", "lookup ms/query", "memory MB")
FITTED = ("train s", "train ms/example", "query ms/query", "lookup ms/query")


def emde(size: dict[str, int]) -> dict[str, float | None]:
    """Steps of one epoch, whole recommendations, and the look-up alone."""
    examples, items = size[TRAIN], size[CATALOGUE]
    train = generate(examples * size[LENGTH] // (size[LENGTH] - 1), items, mean_length=size[LENGTH])
    params = {
        "modalities": [{"group": "random"}] * size[MODALITIES], "n": size[DEPTH], "k": size[WIDTH].bit_length() - 1,
        "hidden": HIDDEN, "batch_size": BATCH, "epochs": 1, "device": "cpu",
    }  # fmt: skip
    model, step, _ = first_steps(EMDE, params, train, STEPS)
    asked = train.take(np.arange(QUERIES))
    rng = torch.Generator().manual_seed(0)
    _, lookup = model._ready(2)
    p = torch.softmax(torch.randn(QUERIES, lookup.rows, lookup.width, generator=rng), -1)
    per_query = 1000 / QUERIES
    return {
        "train s": step / BATCH * examples,
        "train ms/example": step / BATCH * 1000,
        "query ms/query": best_of(lambda: model.recommend(asked, K), 2)[1] * per_query,
        "lookup ms/query": best_of(lambda: lookup.best(p, "gmean", K), 2)[1] * per_query,
    }


def emde_codes(size: dict[str, int]) -> dict[str, float | None]:
    """Item graph, two Cleora iterations (128 dimensions) and codes: what comes before training."""
    train = generate(size[TRAIN] * 4 // 3, size[CATALOGUE])
    modality = (Modality(iterations=2, dim=DIM),)
    cost = seconds(lambda: item_codes(train, modality, "dlsh", 10, 7, np.random.default_rng(0)))[1]
    return {"train s": cost, "train ms/example": cost / size[TRAIN] * 1000}


def session_rival(method: str, size: dict[str, int]) -> dict[str, float | None]:
    """VS-KNN's fit, or a part of GRU4Rec's epoch scaled up; and recommendations."""
    neural = method == "gru4rec"
    events = min(size[TRAIN], GRU4REC_EVENTS) if neural and size[TRAIN] == BASE[TRAIN] else size[TRAIN]
    train = generate(events * 4 // 3, size[CATALOGUE])
    overrides = {"epochs": 1} if neural else {}
    model = settings.load().recommender("session", method, "", overrides, None, "cpu")
    cost = seconds(lambda: model.fit(train))[1] * size[TRAIN] / events  # type: ignore[attr-defined]
    asked = prefixes(size[CATALOGUE], QUERIES)
    query = best_of(lambda: model.recommend(asked, K), 2)[1]  # type: ignore[attr-defined]
    return {"train s": cost, "train ms/example": cost / size[TRAIN] * 1000, "query ms/query": query / QUERIES * 1000}


def ease(size: dict[str, int]) -> dict[str, float | None]:
    """EASE's closed form: 50 likes per item."""
    items = size[CATALOGUE]
    likes = Interactions(generate_likes(items, items, LIKES_PER_ITEM * items))
    model = settings.load().recommender("topk", "ease", "", {}, None, "cpu")
    cost = seconds(lambda: model.fit(likes))[1]  # type: ignore[attr-defined]
    asked = likes.take(np.arange(QUERIES))
    query = best_of(lambda: model.recommend(asked, K), 2)[1]  # type: ignore[attr-defined]
    return {"train s": cost, "query ms/query": query / QUERIES * 1000}


def measure(method: str, axis: str, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """One method along one axis in this process, after a small one that compiles."""
    environment.set_threads(1)
    torch.set_num_threads(1)
    cost = {"emde": emde, "emde codes": emde_codes, "ease": ease}.get(method)
    work = cost or (lambda size: session_rival(method, size))
    work({**BASE, TRAIN: 2_000, CATALOGUE: 300})
    start = psutil.Process().memory_info().rss / (1 << 20)
    rows = []
    for size in sizes:
        found = work({**BASE, axis: size})
        rows.append({"method": method, "axis": axis, "size": size, **found,
                     "memory MB": round(max(environment.peak_rss_mb() - start, 0.0), 1)})  # fmt: skip
    return rows


def report(plan: dict[str, dict[str, tuple[int, ...]]] = PLAN) -> dict[str, Any]:
    """Every row of the plan, each method and axis in a process of its own; slopes; where 24 GB or a day end."""
    rows = []
    for method, axes in plan.items():
        for axis, sizes in axes.items():
            command = [sys.executable, "-m", "benchmark.scaling", "--measure", method, axis, *map(str, sizes)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
            if done.returncode != 0:
                last = done.stderr.strip().splitlines()[-1:] or ["no message"]
                raise UserError(f"scaling of {method} along {axis}: {last[0]}")
            rows += json.loads(done.stdout)
    return {"rows": rows, "slopes": slopes(rows), "limits": limits(rows)}


def lines(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each (method, axis), in their order."""
    keys = dict.fromkeys((row["method"], row["axis"]) for row in rows)
    return {key: [row for row in rows if (row["method"], row["axis"]) == key] for key in keys}


def slopes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """e of cost ~ size^e over all sizes (least squares on logarithms), and over the last two, where it ends up."""
    out = []
    for (method, axis), own in lines(rows).items():
        for column in FITTED:
            points = [(row["size"], row[column]) for row in own if row.get(column)]
            if len(points) > 1:
                x, y = np.log(np.array(points, float).T)
                out.append({"method": method, "axis": axis, "cost": column, "exponent": round(_slope(x, y), 2),
                            "at the end": round(_slope(x[-2:], y[-2:]), 2)})  # fmt: skip
    return out


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.polyfit(x, y, 1)[0])


def limits(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At which size a method would need 24 GB, or a day of one core for its fit (for one epoch, where it has epochs).

    The model: the largest size measured and the power law through the last two; nothing is said of a cost that
    does not grow there (exponent below 0.1).
    """
    out = []
    for (method, axis), own in lines(rows).items():
        if axis not in (TRAIN, CATALOGUE) or len(own) < 2:
            continue
        found: dict[str, Any] = {"method": method, "axis": axis}
        for column, limit, name in (("memory MB", MEMORY_GB * 1024, "24 GB at"), ("train s", DAY, "a day at")):
            (x0, y0), (x1, y1) = ((row["size"], max(row[column], 1e-9)) for row in own[-2:])
            exponent = np.log(y1 / y0) / np.log(x1 / x0)
            found[name] = float(f"{x1 * (limit / y1) ** (1 / exponent):.2g}") if exponent > 0.1 else None
        out.append(found)
    return out


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """The rows, one column per cost."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def main(words: Sequence[str]) -> int:
    """One measurement, or files of all of them."""
    if words[:1] == ["--measure"]:
        sys.stdout.write(json.dumps(measure(words[1], words[2], list(map(int, words[3:])))) + "\n")
        return 0
    parser = argparse.ArgumentParser(prog="python -m benchmark.scaling", description="Measure and draw scaling curves.")
    parser.add_argument("report", nargs="?", type=Path, help="a report of benchmark.bench; default: measure now")
    parser.add_argument("--out", type=Path, help="folder (default: results/generated/scaling)")
    args = parser.parse_args(words)
    from benchmark.figures import scaling as figures
    from benchmark.figures.style import save

    found = report() if args.report is None else json.loads(args.report.read_text())["sections"]["scaling"]["results"]
    out = args.out or project_root() / "results/generated/scaling"
    write_json(out / "scaling.json", found)
    write_whole(out / "scaling.csv", as_csv(found["rows"]))
    save(figures.curves(found["rows"]), out, "scaling")
    sys.stdout.write(f"{out}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
