"""Section ``topk-scale``: speed and memory of the top-k baselines on generated likes of ML-20M's size.

Every method runs in a process of its own, with its parameters for ML-20M. Slow trainings run on a stated part of the
users or items.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from benchmark.data.load import TopKSplit
from benchmark.data.splits.ratings import hold_out
from benchmark.experiments import environment
from benchmark.experiments.run import TOPK_K, rank_users
from benchmark.protocol.topk_metrics import per_user
from benchmark.speed.generate import likes as generate
from benchmark.speed.harness import alone, recommender, resident_mb, seconds
from contracts import Interactions
from contracts.runtime.json import to_json

DATA = "ml20m"


@dataclass(frozen=True)
class Part:
    """How much of the data and of the training a method gets."""

    users: float = 1.0
    items: float = 1.0
    params: dict[str, Any] = field(default_factory=dict)


METHODS = {
    **dict.fromkeys(("top-pop", "item-knn", "p3alpha", "rp3beta", "pure-svd", "ease"), Part()),
    "slim": Part(items=0.1),
    "als": Part(users=0.1),
    "bpr": Part(users=0.1, params={"iterations": 10}),
    "multvae": Part(users=0.1, params={"epochs": 2}),
}


def report(
    users: int = 117_000, items: int = 20_000, likes: int = 8_000_000, test_users: int = 10_000,
    methods: Sequence[str] = tuple(METHODS),
) -> dict[str, Any]:  # fmt: skip
    """Every method's fit and evaluation: seconds, processor seconds, peak memory."""
    with tempfile.TemporaryDirectory() as folder:
        sp.save_npz(f"{folder}/likes.npz", generate(users + test_users, items, likes * (users + test_users) // users))
        rows = [alone(measure, method, folder, test_users) for method in methods]
    return {"users": users, "items": items, "likes": likes, "rows": rows}


def cold_users(folder: Path, test_users: int, part: Part) -> TopKSplit:
    """The generated likes as a split: train users, and test users with 20% held out."""
    liked = sp.csr_matrix(sp.load_npz(folder / "likes.npz"))
    train = liked[: int((liked.shape[0] - test_users) * part.users)]
    popular = np.argsort(-np.bincount(train.indices, minlength=liked.shape[1]), kind="stable")
    items = np.sort(popular[: int(liked.shape[1] * part.items)])
    foldin, heldout = hold_out(liked[-test_users:][:, items])
    return TopKSplit("generated", "cold-user", Interactions(train[:, items]), Interactions(foldin), heldout,
                     np.arange(test_users), items, None, {})  # fmt: skip


def measure(method: str, folder: str, test_users: int) -> dict[str, Any]:
    """Fit, rank and score in this process."""
    part = METHODS[method]
    split = cold_users(Path(folder), test_users, part)
    small = generate(60, 40, 600)  # compiles, or loads what is compiled: not a matter of the data's size
    recommender("topk", method, "", part.params).fit(Interactions(small)).recommend(
        Interactions(small[:2]), 3, small[:2]
    )
    start = resident_mb()
    model = recommender("topk", method, DATA, part.params)
    fit = seconds(lambda: model.fit(split.train))
    recall: list[float] = []

    def evaluate() -> None:
        ranked = rank_users(model, split, TOPK_K)
        recall.append(float(np.nanmean(per_user(ranked.items, split.heldout)["Recall@20"])))

    evaluated = seconds(evaluate)
    row = {
        "method": method, "users": len(split.train), "items": split.train.n_items,
        "likes": int(split.train.liked.nnz), "params": to_json(part.params) if part.params else "",
        "fit s": fit[0], "fit cpu s": fit[1], "evaluate s": evaluated[0], "evaluate cpu s": evaluated[1],
        "test users": len(split.profiles), "peak MB": environment.peak_rss_mb(), "start MB": round(start, 1),
        "Recall@20": recall[0],
    }  # fmt: skip
    return row | (bare_inverse(split.train, fit[1]) if method == "ease" else {})


def bare_inverse(train: Interactions, fit_cpu: float) -> dict[str, float]:
    """Cholesky factor and inverse of a matrix of that size by LAPACK alone, and what the whole fit is of it."""
    from baselines.topk.ease import inverse_upper
    from baselines.topk.shared.gram import gram_matrix

    matrix = gram_matrix(train.liked, np.float64)
    matrix[np.diag_indices_from(matrix)] += 500.0
    wall, cpu = seconds(lambda: inverse_upper(matrix))
    return {"bare inverse s": wall, "bare inverse cpu s": cpu, "fit / bare (cpu)": fit_cpu / cpu}
