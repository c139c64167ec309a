"""Section ``emde``: EMDE with the settings of the release's run, beside the machine's own ceilings in that process."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmark.data.load import SessionSplit
from benchmark.experiments import environment
from benchmark.experiments.run import rank_sessions
from benchmark.protocol.points import points_of
from benchmark.protocol.session_metrics import per_point
from benchmark.speed.ceilings import product_rate
from benchmark.speed.harness import alone, best_of, seconds
from benchmark.speed.sessions import DATA, session_split
from contracts import Sessions, top_k
from contracts.runtime.device import has_bf16
from contracts.runtime.memory import freed_memory_kept
from contracts.runtime.training import adam
from emde import EMDE
from emde.adam import sketch_adam
from emde.decode import ItemLookup
from emde.first_layer import SketchLinear
from emde.network import Network

Optimizer = Callable[[torch.nn.Module, float], torch.optim.Optimizer]
RELEASE_EPOCH, RELEASE_EVALUATION, RELEASE_MB = 435.0, 60.0, 2200.0
"""The release's CPU-seconds per epoch and per evaluation, and its peak memory (results/paper/peer_costs.csv)."""


def report(data: str = DATA, steps: int | None = None, hidden: int = 3000, batch: int = 512) -> dict[str, Any]:
    """Training, evaluation and decoding, measured in another process.

    steps  batches of the epoch to run, scaled up; default: all
    """
    return alone(measure, data, steps, hidden, batch)


def measure(data: str, steps: int | None, hidden: int, batch: int) -> dict[str, dict[str, Any]]:
    """The same in this process."""
    split = session_split(data)
    size = {"hidden": hidden, "batch_size": batch, "device": "cpu"}
    training, model = train(split.train, size, steps)
    return {"emde training": training, "emde evaluation": evaluate(model, split), "emde decoding": decoding()}


def train(train: Sessions, size: dict[str, Any], steps: int | None) -> tuple[dict[str, Any], EMDE]:
    """One epoch (scaled up from ``steps`` batches), what its pieces cost alone, and the network that came out."""
    batch, examples = size["batch_size"], int((train.lengths - 1).sum())
    part = train
    if steps is not None:
        behind = np.searchsorted(train.offsets - np.arange(len(train) + 1), min(steps * batch, examples))
        part = train.take(np.arange(behind))
    share = int((part.lengths - 1).sum()) / examples
    EMDE.create({**size, "hidden": 16, "epochs": 1}).fit(train.take(np.arange(8)))  # compiles what is compiled
    without = seconds(lambda: EMDE.create({**size, "epochs": 0}).fit(part))
    model = EMDE.create({**size, "epochs": 1})
    once = seconds(lambda: model.fit(part))
    peak = environment.peak_rss_mb()
    wall, cpu = ((one - none) / share for one, none in zip(once, without, strict=True))
    network, _ = model._ready(2)
    batches = math.ceil(examples / batch)
    flops = network.flops() * examples / 1e9
    kind = torch.bfloat16 if has_bf16(torch.device("cpu")) else torch.float32
    ceiling = product_rate(kind, batch, size["hidden"])[1]
    weights = sum(parameter.numel() for parameter in network.parameters())
    inputs = model.sketches(train.take(np.random.default_rng(0).permutation(len(train))[:batch]))
    first = (inputs.shape[1], 2 * size["hidden"])
    with freed_memory_kept():
        one, two = (best_of(_first_layer(first, inputs, optimizer, model.lr)) for optimizer in (sketch_adam, adam))
    behind_first = weights - math.prod(first)
    others = best_of(_adam_step(behind_first))[1] * batches
    products = best_of(_products(network, batch, kind))[1]
    fresh = best_of(_gradients(network, kind))[0]
    with freed_memory_kept():
        kept = best_of(_gradients(network, kind))[0]
    return {
        "examples": examples, "weights": weights, "epoch s": wall, "epoch cpu s": cpu,
        "release cpu s": RELEASE_EPOCH, "ratio": RELEASE_EPOCH / cpu,
        "dense products GFLOP": flops, "products ceiling GFLOP/s per cpu s": ceiling,
        "products alone, share of the ceiling": flops / examples / ceiling / products * batch,
        "gradients to float32, fresh memory / kept": fresh / kept,
        "share of the epoch: products at the ceiling": flops / ceiling / cpu,
        "share of the epoch: sparse first layer and its Adam": one[1] * batches / cpu,
        "first layer and its Adam, two passes / one": two[0] / one[0],
        "share of the epoch: Adam of the others": others / cpu,
        "Adam GB/s (28 B per weight)": 28 * behind_first * batches / others / 1e9,
        "peak MB": peak, "release peak MB": RELEASE_MB,
    }, model  # fmt: skip


def _dense(network: Network, kind: torch.dtype) -> list[torch.Tensor]:
    """The weights of the dense products, in the type they are multiplied in."""
    return [layer.weight.detach().to(kind) for layer in network.modules() if isinstance(layer, torch.nn.Linear)]


def _products(network: Network, batch: int, kind: torch.dtype) -> Any:
    """All dense products of one training step, forward and backward, and nothing else."""
    layers = _dense(network, kind)

    def products() -> None:
        for weight in layers:
            x, dy = torch.ones(batch, weight.shape[1], dtype=kind), torch.ones(batch, weight.shape[0], dtype=kind)
            _ = x @ weight.T, dy @ weight, dy.T @ x

    return products


def _gradients(network: Network, kind: torch.dtype) -> Any:
    """The gradients of the dense products' weights, as they come, each in memory of its own."""
    like = _dense(network, kind)

    def gradients() -> None:
        _ = [gradient.to(torch.float32, copy=True) for gradient in like]

    return gradients


def _adam_step(weights: int) -> Any:
    """One fused Adam step on so many weights."""
    parameter = torch.nn.Parameter(torch.zeros(weights))
    parameter.grad = torch.ones(weights)
    return torch.optim.Adam([parameter], fused=True).step


def _first_layer(shape: tuple[int, int], inputs: torch.Tensor, optimizer_of: Optimizer, lr: float) -> Any:
    """A layer of that shape on one batch of real sketches: forward, backward, Adam."""
    layer = SketchLinear(*shape, torch.Generator())
    gradient, optimizer = torch.ones(len(inputs), shape[1]), optimizer_of(layer, lr)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        layer(inputs).backward(gradient)
        optimizer.step()

    return step


def evaluate(model: EMDE, split: SessionSplit) -> dict[str, Any]:
    """Ranking every evaluation point and computing all metrics."""
    points = points_of(split)
    wall, cpu = best_of(lambda: per_point(rank_sessions(model, split, 20).items, points), 2)
    return {"points": len(points), "items": split.train.n_items, "evaluation s": wall, "evaluation cpu s": cpu,
            "release cpu s": RELEASE_EVALUATION, "ratio": RELEASE_EVALUATION / cpu}  # fmt: skip


def decoding(items: int = 30_000, many: int = 1_000_000, batch: int = 256) -> dict[str, Any]:
    """Top 20 by the geometric mean of ten rows: fused, and from a score matrix; fused for a million items."""
    rng = np.random.default_rng(0)
    p = torch.softmax(3 * torch.from_numpy(rng.standard_normal((batch, 10, 128), dtype=np.float32)), -1)
    lookup, larger = (
        ItemLookup(rng.integers(128, size=(n, 10), dtype=np.uint8), 128, torch.device("cpu")) for n in (items, many)
    )
    fused = batch / best_of(lambda: lookup.best(p, "gmean", 20))[0]
    matrix = batch / best_of(lambda: top_k(lookup.score(p, "gmean").numpy(), 20))[0]
    return {
        "items": items, "fused rows/s": fused, "score matrix rows/s": matrix, "fused / matrix": fused / matrix,
        "items of the larger catalogue": many,
        "fused rows/s there": 32 / best_of(lambda: larger.best(p[:32], "gmean", 20), 1)[0],
    }  # fmt: skip
