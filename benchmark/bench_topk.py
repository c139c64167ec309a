"""Speed and memory of the top-k rivals on generated likes of ML-20M's size (part of ``make bench``).

python -m benchmark.bench_topk [METHOD ...]    # a full-size report of some methods

Every method runs in a process of its own, so that the peak memory is its own, with its parameters for
ML-20M. Slow trainings run on a stated part of the users or items.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import scipy.sparse as sp

from benchmark import environment, settings
from benchmark.bench_session import peak_mb
from benchmark.data.load import TopKSplit
from benchmark.data.splits.ratings import binary, hold_out
from benchmark.metrics_topk import per_user
from benchmark.run import TOPK_K, rank_users
from contracts import Interactions, UserError

USERS, ITEMS, LIKES, TEST_USERS = 117_000, 20_000, 8_000_000, 10_000
TASTES = 200
DATA = "ml20m"


@dataclass(frozen=True)
class Part:
    """How much of the data and of the training a method gets."""

    users: float = 1.0
    items: float = 1.0
    params: dict[str, Any] = field(default_factory=dict)


METHODS = {
    "top-pop": Part(),
    "item-knn": Part(),
    "p3alpha": Part(),
    "rp3beta": Part(),
    "pure-svd": Part(),
    "ease": Part(),
    "slim": Part(items=0.1),
    "als": Part(users=0.1),
    "bpr": Part(users=0.1, params={"iterations": 10}),
    "multvae": Part(users=0.1, params={"epochs": 2}),
}


def generate(users: int, items: int, likes: int, seed: int = 0) -> sp.csr_matrix:
    """About ``likes`` likes, CSR float32 [users, items]: popularity near Zipf's, and tastes that users share.

    Half of a user's likes are near the centre of one of some 200 tastes, half are anywhere; among
    all, popular items prevail. Numbers of likes are log-normal, as those of ML-20M's users.
    """
    rng = np.random.default_rng(seed)
    wanted = np.clip(rng.lognormal(np.log(likes / users) - 0.5, 1.0, users), 5, items // 4)
    counts = (wanted * (1.3 * likes / wanted.sum())).astype(np.int64) + 4  # duplicates are merged below
    rows = np.repeat(np.arange(users), counts)
    n = len(rows)
    centre = rng.integers(items, size=TASTES)[rng.integers(TASTES, size=users)]
    near = (centre[rows] + rng.normal(0, items / 100, n).astype(np.int64)) % items
    anywhere = np.minimum(items * rng.random(n) ** 3, items - 1).astype(np.int64)
    order = rng.permutation(items)  # index order says nothing about popularity
    return binary(rows, order[np.where(rng.random(n) < 0.5, near, anywhere)], (users, items))


def cold_users(folder: Path, part: Part) -> TopKSplit:
    """The generated likes as a split: train users, and test users with 20% held out."""
    liked = sp.csr_matrix(sp.load_npz(folder / "likes.npz"))
    n_test = json.loads((folder / "size.json").read_text())["test_users"]
    train = liked[: int((liked.shape[0] - n_test) * part.users)]
    popular = np.argsort(-np.bincount(train.indices, minlength=liked.shape[1]), kind="stable")
    items = np.sort(popular[: int(liked.shape[1] * part.items)])
    foldin, heldout = hold_out(liked[-n_test:][:, items])
    ids = np.arange(n_test)
    return TopKSplit("generated", "cold-user", Interactions(train[:, items]), Interactions(foldin), heldout, ids, items,
                     None, {})  # fmt: skip


def measure(method: str, folder: Path) -> dict[str, Any]:
    """Fit, rank and score in this process."""
    chosen = settings.load()
    environment.set_threads(chosen.threads)
    part = METHODS[method]
    model = chosen.recommender("topk", method, DATA, part.params, None, "cpu")
    split = cold_users(folder, part)
    _warm_up(chosen, method)
    start = psutil.Process().memory_info().rss / (1 << 20)
    fit = _seconds(lambda: model.fit(split.train))  # type: ignore[attr-defined]
    recall: list[float] = []

    def evaluate() -> None:
        ranked = rank_users(model, split, TOPK_K)  # type: ignore[arg-type]
        recall.append(float(np.nanmean(per_user(ranked.items, split.heldout)["Recall@20"])))

    evaluated = _seconds(evaluate)
    row = {
        "method": method,
        "users": len(split.train),
        "items": split.train.n_items,
        "likes": int(split.train.liked.nnz),
        "params": json.dumps(part.params) if part.params else "",
        "fit s": fit[0],
        "fit cpu s": fit[1],
        "evaluate s": evaluated[0],
        "evaluate cpu s": evaluated[1],
        "test users": len(split.profiles),
        "peak MB": peak_mb(),
        "start MB": round(start, 1),
        "Recall@20": recall[0],
    }
    return row | (_bare_inverse(split.train, fit) if method == "ease" else {})


def _warm_up(chosen: settings.Settings, method: str) -> None:
    """Compile, or load what is compiled: not a matter of the data's size."""
    liked = generate(60, 40, 600)
    small = METHODS[method].params
    model = chosen.recommender("topk", method, "", small, None, "cpu")
    model.fit(Interactions(liked)).recommend(Interactions(liked[:2]), 3, liked[:2])  # type: ignore[attr-defined]


def _bare_inverse(train: Interactions, fit: tuple[float, float]) -> dict[str, float]:
    """Cholesky factor and inverse of a matrix of that size by LAPACK alone, and what the whole fit is of it."""
    from baselines.topk.ease import inverse_upper
    from baselines.topk.shared.gram import gram_matrix

    matrix = gram_matrix(train.liked, np.float64)
    matrix[np.diag_indices_from(matrix)] += 500.0
    wall, cpu = _seconds(lambda: inverse_upper(matrix))
    return {"bare inverse s": wall, "bare inverse cpu s": cpu, "fit / bare (cpu)": fit[1] / cpu}


def _seconds(work: Any) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def report(
    users: int = USERS, items: int = ITEMS, likes: int = LIKES, test_users: int = TEST_USERS,
    methods: Sequence[str] = tuple(METHODS),
) -> dict[str, Any]:  # fmt: skip
    """Every method's fit and evaluation: seconds, processor seconds, peak memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sp.save_npz(folder / "likes.npz", generate(users + test_users, items, likes * (users + test_users) // users))
        (folder / "size.json").write_text(json.dumps({"test_users": test_users}))
        rows = [_in_process(method, folder) for method in methods]
    return {"users": users, "items": items, "likes": likes, "rows": rows}


def _in_process(method: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmark.bench_topk", "--measure", method, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise UserError(f"bench of {method}: {last[0]}")
    return json.loads(done.stdout)


def main(words: list[str]) -> int:
    """One measurement in this process, or a report."""
    if words[:1] == ["--measure"]:
        found = measure(words[1], Path(words[2]))
    else:
        found = {**environment.describe(), **report(methods=words or tuple(METHODS))}
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
