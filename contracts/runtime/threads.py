"""How many threads this process may use, and work spread over them without changing results."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from contracts.errors import UserError

VARIABLE = "EMDE_THREADS"


def n_threads() -> int:
    """Threads to use: EMDE_THREADS if set, else the cores this process may run on."""
    value = os.environ.get(VARIABLE)
    if value:
        if not value.isdigit() or int(value) < 1:
            raise UserError(f"{VARIABLE}: expected a whole number from 1, found {value!r}")
        return int(value)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def for_chunks(total: int, work: Callable[[int, int], None], chunk: int = 256) -> None:
    """Call ``work(start, stop)`` over all of ``range(total)``, chunks in parallel.

    For compiled code that releases the GIL and writes disjoint rows: the result cannot depend on
    the number of threads.
    """
    starts: Sequence[int] = range(0, total, chunk)
    if n_threads() == 1 or len(starts) <= 1:
        for start in starts:
            work(start, min(start + chunk, total))
        return
    with ThreadPoolExecutor(n_threads()) as pool:
        list(pool.map(lambda start: work(start, min(start + chunk, total)), starts))
