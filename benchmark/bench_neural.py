"""Speed of training the neural session rivals (part of ``make bench``)."""

from __future__ import annotations

from typing import Any

import torch

from benchmark import settings
from benchmark.data.load import SessionSplit
from benchmark.timing import seconds
from contracts import SessionRecommender

METHODS = ("gru4rec", "sasrec", "narm", "stamp", "nextitnet", "sr-gnn", "tagnn", "gce-gnn")


def report(split: SessionSplit, peer: float | None) -> list[dict[str, Any]]:
    """Seconds of one training epoch per method and device, with the methods' own parameters.

    peer  processor seconds of GRU4Rec's epoch in its authors' PyTorch version, on a CPU
    An epoch is the difference between two epochs and one, so that what happens once is not counted.
    """
    rows: list[dict[str, Any]] = []
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        costs: dict[str, float] = {}
        for method in METHODS:
            _fit(split, method, device, 1)  # compiling
            once, twice = (_fit(split, method, device, epochs) for epochs in (1, 2))
            wall, cpu = (b - a for a, b in zip(once, twice, strict=True))
            costs[method] = cpu if device == "cpu" else wall  # processor seconds suffer less from other work
            rows.append({
                "method": method,
                "device": device,
                "epoch s": wall,
                "epoch cpu s": cpu,
                "events/s": int((split.train.lengths - 1).clip(0).sum()) / wall,
                "x gru4rec": costs[method] / costs["gru4rec"],
                "authors' cpu s": peer if method == "gru4rec" and device == "cpu" else None,
            })  # fmt: skip
    return rows


def _fit(split: SessionSplit, method: str, device: str, epochs: int) -> tuple[float, float]:
    overrides = {"epochs": epochs, "valid_fraction": 0.0}
    model = settings.load().recommender("session", method, "", overrides, None, device)
    assert isinstance(model, SessionRecommender)
    return seconds(lambda: model.fit(split.train))
