"""Seconds of a piece of work, for the benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """(wall, processor) seconds of doing it once."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def best_of(work: Callable[[], Any], repeats: int = 3) -> tuple[float, float]:
    """(wall, processor) seconds of the fastest of some repeats, after one that is not counted."""
    work()
    return min(seconds(work) for _ in range(repeats))
