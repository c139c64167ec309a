"""Progress on stderr for work that may take over two seconds: a bar, or plain lines where nobody watches a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
DELAY = 2.0
"""Seconds of work before a bar appears: short work stays silent."""
EVERY = 10.0
"""Seconds between two plain lines (``train EMDE: 120/515 epoch 1 loss 3.2``) in a log; flows read them."""


class Bar(Protocol):
    """What ``progress`` yields: call it after each step."""

    def __call__(self, steps: int = 1, note: str = "") -> None: ...


@contextmanager
def progress(description: str, total: int) -> Iterator[Bar]:
    """A bar over ``total`` steps, written to stderr once the work has lasted two seconds."""
    console = Console(stderr=True)
    if not watched():
        yield _lines(console, description, total)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, transient=False)
    task = bar.add_task(description, total=total, note="")
    started = time.monotonic()
    visible = False

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal visible
        bar.advance(task, steps)
        if note:
            bar.update(task, note=note)
        if not visible and time.monotonic() - started > DELAY:
            visible = True
            bar.start()

    try:
        yield advance
    finally:
        if visible:
            bar.stop()


def watched() -> bool:
    """Whether stderr is a terminal that somebody looks at.

    rich alone would take FORCE_COLOR for one, which CI logs set and which only asks for colours.
    """
    dumb = os.environ.get("TERM", "").lower() in ("", "dumb", "unknown")
    return sys.stderr.isatty() and not dumb and os.environ.get("CI", "").lower() in ("", "0", "false")


def _lines(console: Console, description: str, total: int) -> Bar:
    done, last = 0, time.monotonic()

    def advance(steps: int = 1, note: str = "") -> None:
        nonlocal done, last
        done += steps
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            console.print(f"{description}: {done}/{total} {note}".rstrip(), highlight=False, soft_wrap=True)

    return advance


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """Iterate with a progress bar."""
    with progress(description, total) as advance:
        for item in items:
            yield item
            advance()
