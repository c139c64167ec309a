"""How all sections measure: seconds, growth, some steps of a training, and a process of its own."""

from __future__ import annotations

import importlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmark.experiments import environment, settings
from contracts import Checkpoint, Kind, UserError
from contracts.runtime.json import from_json, to_json


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """(wall, processor) seconds of doing it once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def best_of(work: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """(wall, processor) seconds of the fastest of some repeats, after one that is not counted."""
    work()
    return min(seconds(work) for _ in range(repeats))


def resident_mb() -> float:
    """What this process holds now."""
    return psutil.Process().memory_info().rss / (1 << 20)


def recommender(
    kind: Kind, method: str, data: str = "", overrides: dict[str, Any] | None = None, device: str = "cpu"
) -> Any:
    """A method with its parameters for a data set (empty: for none)."""
    return settings.load().recommender(kind, method, data, overrides or {}, None, device)


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """e of cost ~ size^e, by least squares on logarithms: 0 = constant, 1 = proportional."""
    return float(np.polyfit(np.log(sizes), np.log(np.maximum(costs, 1e-6)), 1)[0])


def alone(work: Callable[..., Any], *arguments: Any, threads: int | None = None) -> Any:
    """What ``work(*arguments)`` returns (as JSON has it) in a process of its own: so is its peak memory.

    work       a function of a module; arguments are what JSON can hold
    threads    of that process; None: those of the settings
    Raises UserError with the last line that the process said, where it fails.
    """
    work_order = to_json([work.__module__, work.__qualname__, arguments, threads or settings.load().threads])
    command = [sys.executable, "-m", "benchmark.speed.harness", work_order]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise UserError(f"bench: {work.__module__} {arguments}: {said[-1]}")
    return from_json(done.stdout.splitlines()[-1], "the measurement")


class EnoughError(Exception):
    """Ends a fit."""


class _Clock(Checkpoint):
    """Asked after every step whether it is due: notes the time, never writes, and ends the fit after some steps."""

    def __init__(self, steps: int) -> None:
        super().__init__(None, {})
        self.steps, self.ended = steps, [time.process_time()]

    def due(self) -> bool:
        self.ended.append(time.process_time())
        if len(self.ended) > self.steps + 1:
            raise EnoughError
        return False


def fitted_beside(cls: type, params: dict[str, Any], train: Any, clock: Checkpoint) -> Any:
    """A model of EMDE's, ready to recommend, whose fit asks ``clock`` after every step, which may raise EnoughError."""
    timed: Any = type(cls.__name__, (cls,), {"checkpoint": lambda self, train: clock})
    model = timed.create(params)
    try:
        model.fit(train)
    except EnoughError:
        model._network.eval()
    return model


def first_steps(cls: type, params: dict[str, Any], train: Any, steps: int) -> tuple[Any, float, float]:
    """Fit a class of EMDE's for one step that is not counted and ``steps`` more, whatever an epoch would cost.

    Returns (model, ready to recommend; processor seconds per step, the median; processor seconds before the first).
    """
    clock, began = _Clock(steps), time.process_time()
    model = fitted_beside(cls, params, train, clock)
    step = statistics.median(np.diff(clock.ended[1:]).tolist())
    return model, step, max(clock.ended[1] - began - step, 0.0)


if __name__ == "__main__":
    _module, _name, _arguments, _threads = from_json(sys.argv[1], "the measurement")
    environment.set_threads(_threads)  # before anything that counts threads is loaded
    sys.stdout.write(to_json(getattr(importlib.import_module(_module), _name)(*_arguments)) + "\n")
