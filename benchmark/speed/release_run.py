"""Speed and memory of EMDE with the settings of the release's run on rsc15-100k (part of ``make bench``).

``report`` measures in a process of its own, so that the peak memory is its own, and beside the machine's own ceilings
in that process. python -m benchmark.bench_emde [STEPS]    # batches of the epoch to run; default: all
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark import environment, settings
from benchmark.data.load import SessionSplit, load_split
from benchmark.metrics_session import per_point
from benchmark.points import Points, evaluation_points
from benchmark.run import rank_sessions
from benchmark.timing import best_of, seconds
from contracts import Sessions, UserError, top_k
from contracts.device import has_bf16
from emde import EMDE
from emde.decode import ItemLookup
from emde.first_layer import SketchLinear
from emde.network import Network

DATA = "rsc15-100k"
SIZE: dict[str, Any] = {"hidden": 3000, "batch_size": 512, "device": "cpu"}
RELEASE_EPOCH, RELEASE_EVALUATION, RELEASE_MB = 435.0, 60.0, 2200.0
"""The release's CPU-seconds per epoch and per evaluation, and its peak memory (results/paper/peer_costs.csv)."""


def report(steps: int | None = None) -> dict[str, dict[str, Any]]:
    """Everything below, measured in another process; ``steps``: batches of the epoch to run (default: all)."""
    command = [sys.executable, "-m", "benchmark.bench_emde", "--measure", *([] if steps is None else [str(steps)])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    if done.returncode != 0:
        raise UserError(f"bench of emde: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return json.loads(done.stdout)


def measure(steps: int | None) -> dict[str, dict[str, Any]]:
    """Training, evaluation and decoding in this process."""
    environment.set_threads(settings.load().threads)
    torch.set_num_threads(settings.load().threads)
    split = load_split(DATA)
    assert isinstance(split, SessionSplit)
    training, model = train(split.train, steps)
    points = evaluation_points(split.test)
    return {"emde training": training, "emde evaluation": evaluate(model, split, points), "emde decoding": decoding()}


def train(train: Sessions, steps: int | None) -> tuple[dict[str, Any], EMDE]:
    """One epoch (scaled up from ``steps`` batches), what its pieces cost alone, and the network that came out."""
    batch, examples = SIZE["batch_size"], int((train.lengths - 1).sum())
    part = train
    if steps is not None:
        behind = np.searchsorted(train.offsets - np.arange(len(train) + 1), min(steps * batch, examples))
        part = train.take(np.arange(behind))
    share = int((part.lengths - 1).sum()) / examples
    EMDE.create({**SIZE, "hidden": 16, "epochs": 1}).fit(train.take(np.arange(8)))  # compiles what is compiled
    without = seconds(lambda: EMDE.create({**SIZE, "epochs": 0}).fit(part))
    model = EMDE.create({**SIZE, "epochs": 1})
    once = seconds(lambda: model.fit(part))
    peak = environment.peak_rss_mb()
    wall, cpu = ((one - none) / share for one, none in zip(once, without, strict=True))
    network, _ = model._ready(2)
    batches = math.ceil(examples / batch)
    flops = network.flops() * examples / 1e9
    ceiling = product_ceiling(batch, SIZE["hidden"])
    weights = sum(parameter.numel() for parameter in network.parameters())
    adam, sparse = adam_seconds(weights) * batches, sparse_seconds(network.first, model, train) * batches
    return {
        "examples": examples, "weights": weights, "epoch s": wall, "epoch cpu s": cpu,
        "release cpu s": RELEASE_EPOCH, "ratio": RELEASE_EPOCH / cpu,
        "dense products GFLOP": flops, "products ceiling GFLOP/s per cpu s": ceiling,
        "products alone, share of the ceiling": flops / examples / ceiling / products_seconds(network, batch) * batch,
        "share of the epoch: products at the ceiling": flops / ceiling / cpu,
        "share of the epoch: sparse first layer": sparse / cpu,
        "share of the epoch: Adam": adam / cpu,
        "Adam GB/s (28 B per weight)": 28 * weights * batches / adam / 1e9,
        "peak MB": peak, "release peak MB": RELEASE_MB,
    }, model  # fmt: skip


def product_ceiling(batch: int, hidden: int) -> float:
    """GFLOP per CPU-second of one product as large as a hidden layer's, in the type that training uses."""
    kind = torch.bfloat16 if has_bf16(torch.device("cpu")) else torch.float32
    a, b = torch.ones(batch, hidden, dtype=kind), torch.ones(hidden, hidden, dtype=kind)
    return 2 * batch * hidden * hidden / 1e9 / best_of(lambda: a @ b, 5)[1]


def products_seconds(network: Network, batch: int) -> float:
    """CPU-seconds of all dense products of one training step, forward and backward, and of nothing else."""
    kind = torch.bfloat16 if has_bf16(torch.device("cpu")) else torch.float32
    layers = [layer.weight.detach().to(kind) for layer in network.modules() if isinstance(layer, torch.nn.Linear)]

    def products() -> None:
        for weight in layers:
            x, dy = torch.ones(batch, weight.shape[1], dtype=kind), torch.ones(batch, weight.shape[0], dtype=kind)
            _ = x @ weight.T, dy @ weight, dy.T @ x

    return best_of(products)[1]


def adam_seconds(weights: int) -> float:
    """CPU-seconds of one fused Adam step on so many weights."""
    parameter = torch.nn.Parameter(torch.zeros(weights))
    parameter.grad = torch.ones(weights)
    optimizer = torch.optim.Adam([parameter], fused=True)
    return best_of(optimizer.step)[1]


def sparse_seconds(layer: Any, model: EMDE, train: Sessions) -> float:
    """CPU-seconds of the first layer on one batch of real sketches, forward and backward."""
    assert isinstance(layer, SketchLinear)
    inputs = model.sketches(train.take(np.random.default_rng(0).permutation(len(train))[: SIZE["batch_size"]]))
    gradient = torch.ones(len(inputs), layer.weight.shape[1])

    def both() -> None:
        layer.zero_grad(set_to_none=True)
        layer(inputs).backward(gradient)

    return best_of(both)[1]


def evaluate(model: EMDE, split: SessionSplit, points: Points) -> dict[str, Any]:
    """Ranking every evaluation point and computing all metrics."""
    wall, cpu = best_of(lambda: per_point(rank_sessions(model, split, 20).items, points), 2)
    return {"points": len(points), "items": split.train.n_items, "evaluation s": wall, "evaluation cpu s": cpu,
            "release cpu s": RELEASE_EVALUATION, "ratio": RELEASE_EVALUATION / cpu}  # fmt: skip


def decoding(items: int = 30_000, many: int = 1_000_000, batch: int = 256) -> dict[str, Any]:
    """Top 20 by the geometric mean of ten rows: fused, by one sparse product, row by row; fused for a million items."""
    rng = np.random.default_rng(0)
    p = torch.softmax(3 * torch.from_numpy(rng.standard_normal((batch, 10, 128), dtype=np.float32)), -1)
    lookup, larger = (
        ItemLookup(rng.integers(128, size=(n, 10), dtype=np.uint8), 128, torch.device("cpu")) for n in (items, many)
    )
    columns, log_p = lookup.columns(slice(None)), torch.log(p).flatten(1)

    def gather() -> None:
        total = log_p[:, columns[:, 0]]
        for row in range(1, 10):
            total = total + log_p[:, columns[:, row]]
        top_k(torch.exp(total / 10).numpy(), 20)

    fused = batch / best_of(lambda: lookup.best(p, "gmean", 20))[0]
    sparse = batch / best_of(lambda: top_k(lookup.score(p, "gmean").numpy(), 20))[0]
    return {
        "items": items, "fused rows/s": fused, "sparse product rows/s": sparse,
        "gather rows/s": batch / best_of(gather)[0], "fused / sparse": fused / sparse,
        "items of the larger catalogue": many,
        "fused rows/s there": 32 / best_of(lambda: larger.best(p[:32], "gmean", 20), 1)[0],
    }  # fmt: skip


def main(words: list[str]) -> int:
    """The whole report, or one measurement in this process."""
    only = words[:1] == ["--measure"]
    steps = int(words[-1]) if words[-1:] and words[-1].isdigit() else None
    sys.stdout.write(json.dumps(measure(steps) if only else report(steps), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
