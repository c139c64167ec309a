"""Section ``scaling``: how costs grow: EMDE and baselines on generated data while one size grows at a time.

All seconds are processor seconds of one thread. EMDE's and GRU4Rec's training is that of some steps, scaled to an
epoch; VS-KNN's and EASE's the whole fit. Memory is the peak above the start of a process that measures one method
along one size, upwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from benchmark.experiments import environment
from benchmark.speed import generate
from benchmark.speed.harness import alone, best_of, exponent, first_steps, recommender, resident_mb, seconds
from contracts import Interactions
from emde import EMDE
from emde.coders import Coding
from emde.modality import Modality, item_codes

TRAIN, CATALOGUE, LENGTH, MODALITIES, DEPTH, WIDTH = (
    "train prefixes", "catalogue, items", "session length", "modalities", "depth N", "width 2^K"
)  # fmt: skip
PLAN: dict[str, dict[str, Sequence[int]]] = {
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
FITTED = COLUMNS[3:7]
Costs = dict[str, float]


def report(plan: dict[str, dict[str, Sequence[int]]] = PLAN, base: dict[str, int] = BASE) -> dict[str, Any]:
    """Every row of the plan (method -> axis -> sizes), each method and axis in its own process; slopes, limits."""
    rows = [row for method, axes in plan.items() for axis, sizes in axes.items()
            for row in alone(measure, method, axis, sizes, {**BASE, **base}, threads=1)]  # fmt: skip
    return {"rows": rows, "slopes": slopes(rows), "limits": limits(rows)}


def measure(method: str, axis: str, sizes: Sequence[int], base: dict[str, int]) -> list[dict[str, Any]]:
    """One method along one axis in this process, after a small one that compiles."""
    work = {"emde": emde, "emde codes": emde_codes, "ease": ease}.get(method)
    costs = work or (lambda size: session_baseline(method, size))
    costs({**base, TRAIN: 2_000, CATALOGUE: 300})
    start = resident_mb()
    rows = []
    for size in sizes:
        row = {"method": method, "axis": axis, "size": size, **costs({**base, axis: size})}
        rows.append({**row, "memory MB": round(max(environment.peak_rss_mb() - start, 0.0), 1)})
    return rows


def _query_ms(model: Any, queries: Any) -> Costs:
    return {"query ms/query": best_of(lambda: model.recommend(queries, K), 2)[1] * 1000 / QUERIES}


def _train(cost: float, examples: int) -> Costs:
    return {"train s": cost, "train ms/example": cost / examples * 1000}


def emde(size: dict[str, int]) -> Costs:
    """Steps of one epoch, whole recommendations, and the look-up alone."""
    train = generate.sessions(size[TRAIN] * size[LENGTH] // (size[LENGTH] - 1), size[CATALOGUE],
                              mean_length=size[LENGTH])  # fmt: skip
    params = {
        "modalities": [{"group": "random"}] * size[MODALITIES], "n": size[DEPTH], "k": size[WIDTH].bit_length() - 1,
        "hidden": HIDDEN, "batch_size": BATCH, "epochs": 1, "device": "cpu",
    }  # fmt: skip
    model, step, _ = first_steps(EMDE, params, train, STEPS)
    _, lookup = model._ready(2)
    rng = torch.Generator().manual_seed(0)
    p = torch.softmax(torch.randn(QUERIES, lookup.rows, lookup.width, generator=rng), -1)
    alone_s = best_of(lambda: lookup.best(p, "gmean", K), 2)[1]
    costs = {**_train(step / BATCH * size[TRAIN], size[TRAIN]), **_query_ms(model, train.take(np.arange(QUERIES)))}
    return {**costs, "lookup ms/query": alone_s * 1000 / QUERIES}


def emde_codes(size: dict[str, int]) -> Costs:
    """Item graph, two Cleora iterations (128 dimensions) and codes: what comes before training."""
    train = generate.sessions(size[TRAIN] * 4 // 3, size[CATALOGUE])
    modality = (Modality(iterations=2, dim=DIM),)
    cost = seconds(lambda: item_codes(train, modality, Coding("dlsh", 10, 7), np.random.default_rng(0)))[1]
    return _train(cost, size[TRAIN])


def session_baseline(method: str, size: dict[str, int]) -> Costs:
    """VS-KNN's fit, or a part of GRU4Rec's epoch scaled up; and recommendations."""
    neural = method == "gru4rec"
    events = min(size[TRAIN], GRU4REC_EVENTS) if neural and size[TRAIN] == BASE[TRAIN] else size[TRAIN]
    train = generate.sessions(events * 4 // 3, size[CATALOGUE])
    model = recommender("session", method, "", {"epochs": 1} if neural else {})
    cost = seconds(lambda: model.fit(train))[1] * size[TRAIN] / events
    return {**_train(cost, size[TRAIN]), **_query_ms(model, generate.prefixes(size[CATALOGUE], QUERIES))}


def ease(size: dict[str, int]) -> Costs:
    """EASE's closed form: 50 likes per item."""
    items = size[CATALOGUE]
    likes = Interactions(generate.likes(items, items, LIKES_PER_ITEM * items))
    model = recommender("topk", "ease")
    cost = seconds(lambda: model.fit(likes))[1]
    return {"train s": cost, **_query_ms(model, likes.take(np.arange(QUERIES)))}


def _lines(rows: Sequence[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The rows of each (method, axis), in their order."""
    keys = dict.fromkeys((row["method"], row["axis"]) for row in rows)
    return {key: [row for row in rows if (row["method"], row["axis"]) == key] for key in keys}


def slopes(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """e of cost ~ size^e over all sizes, and over the last two, where it ends up."""
    out = []
    for (method, axis), own in _lines(rows).items():
        for column in FITTED:
            points = [(row["size"], row[column]) for row in own if row.get(column)]
            if len(points) > 1:
                over_all, at_end = (round(exponent(*zip(*part, strict=True)), 2) for part in (points, points[-2:]))
                out.append({"method": method, "axis": axis, "cost": column, "exponent": over_all, "at the end": at_end})
    return out


def limits(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """At which size a method would need 24 GB, or a day of one core for its fit (for one epoch, where it has epochs).

    The model: the largest size measured and the power law through the last two; nothing is said of a cost that
    does not grow there (exponent below 0.1).
    """
    out = []
    for (method, axis), own in _lines(rows).items():
        if axis not in (TRAIN, CATALOGUE) or len(own) < 2:
            continue
        limits_of: dict[str, Any] = {"method": method, "axis": axis}
        sizes = [row["size"] for row in own[-2:]]
        for column, limit, name in (("memory MB", MEMORY_GB * 1024, "24 GB at"), ("train s", DAY, "a day at")):
            costs = [max(row[column], 1e-6) for row in own[-2:]]
            e = exponent(sizes, costs)
            limits_of[name] = float(f"{sizes[-1] * (limit / costs[-1]) ** (1 / e):.2g}") if e > 0.1 else None
        out.append(limits_of)
    return out
