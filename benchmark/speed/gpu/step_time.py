"""EMDE's training step beside the least time that the device could take for it, and where the rest goes."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from benchmark.experiments import settings
from benchmark.protocol.points import points_of
from benchmark.speed.harness import EnoughError, fitted_beside
from benchmark.speed.sessions import session_split
from contracts import Checkpoint
from contracts.runtime.device import best_seconds, pick_device, precision, wait
from emde.meter import peak_flops

ADAM_TRAFFIC = 28
"""Bytes of a float32 weight that Adam's update moves: four numbers read, three written."""
COPIED = 1 << 28
"""Numbers whose copy measures the memory; on a CPU a sixteenth of them."""
LINES, PROFILED, WARM = 15, 5, 5
"""Lines of the profile, steps in it, steps before anything is timed."""


class _ProfileClock(Checkpoint):
    """Asked after every step whether it is due: starts and stops what is to be measured, and ends the fit."""

    def __init__(self, device: torch.device, steps: int) -> None:
        super().__init__(None, {})
        self.device, self.steps, self.done = device, steps, 0
        self.began = self.seconds = 0.0
        kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
        self.profile = profile(activities=kinds)

    def due(self) -> bool:
        self.done += 1
        if self.done == WARM:
            wait(self.device)
            self.began = time.perf_counter()
        elif self.done == WARM + self.steps:
            wait(self.device)
            self.seconds = (time.perf_counter() - self.began) / self.steps
            self.profile.start()
        elif self.done == WARM + self.steps + PROFILED:
            wait(self.device)
            self.profile.stop()
            raise EnoughError
        return False


def gpu_name() -> str | None:
    """None where there is no GPU."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def bandwidth(device: torch.device) -> float:
    """Bytes/s of a large copy, read and written."""
    source = torch.ones(COPIED if device.type == "cuda" else COPIED // 16, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / best_seconds(lambda: target.copy_(source), device)


def report(data: str, params: dict[str, Any], steps: int, points: int) -> dict[str, dict[str, Any]]:
    """Of EMDE with a data set's settings: ``step`` (time, floor, lines of the profile) and ``ranking`` (rows/s)."""
    split, device = session_split(data), pick_device("auto")
    epochs = {"epochs": 1_000}  # the clock ends it
    model: Any = settings.load().recommender("session", "emde", data, {**params, **epochs}, 0, "auto")
    clock = _ProfileClock(device, steps)
    model = fitted_beside(type(model), model.model_dump(), split.train, clock)
    network, wide = model._network, bandwidth(device)
    weights = sum(parameter.numel() for parameter in network.parameters())
    rate = peak_flops(device, model.dtype)
    adam, products = ADAM_TRAFFIC * weights / wide, model.batch_size * network.flops() / rate
    measured: dict[str, Any] = {
        "device": gpu_name() or "CPU", "weights": weights, "batch": model.batch_size,
        "ms per step": 1e3 * clock.seconds,
        "examples/s": model.batch_size / clock.seconds, "GB/s of a copy": wide / 1e9,
        "GFLOP/s of a product": rate / 1e9,
        "floor ms (Adam)": 1e3 * adam, "floor ms (products)": 1e3 * products,
        "step / floor": clock.seconds / (adam + products),
        "lines": lines(clock.profile, device),
    }  # fmt: skip
    return _rounded({"step": measured, "ranking": ranking(model, split, points, device)})


def lines(profiled: profile, device: torch.device) -> list[dict[str, Any]]:
    """The operations that take longest, per step."""
    on_gpu = device.type == "cuda"
    rows = [(row.self_device_time_total if on_gpu else row.self_cpu_time_total, row) for row in profiled.key_averages()]
    rows.sort(key=lambda pair: -pair[0])
    return [
        {"operation": row.key, "calls": row.count / PROFILED, "ms": us / PROFILED / 1e3} for us, row in rows[:LINES]
    ]


def ranking(model: Any, split: Any, points: int, device: torch.device) -> dict[str, Any]:
    """Lists of twenty for some evaluation points, and the network's part of it."""
    prefixes = points_of(split).prefixes(0, points)
    model.recommend(prefixes.take(np.arange(2)), 20)
    seconds = best_seconds(lambda: model.recommend(prefixes, 20), device)
    inputs = model.sketches(prefixes.take(np.arange(min(512, len(prefixes)))))
    with precision(model.dtype, device), torch.no_grad():
        alone = best_seconds(lambda: model._network(inputs), device)
    return {
        "points": len(prefixes), "items": split.train.n_items, "rows/s": len(prefixes) / seconds,
        "look-up": model._lookup._sums.__name__,
        "rows/s of the network alone": len(inputs) / alone,
    }  # fmt: skip


def _rounded(value: Any) -> Any:
    """Four significant digits."""
    if isinstance(value, dict):
        return {name: _rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value
