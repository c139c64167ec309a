"""Tables and lines on stdout, for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def grid(head: Iterable[str], rows: Iterable[Iterable[Any]], title: str | None = None) -> None:
    """A table on stdout; numbers keep four digits."""
    if title:
        line(title)
    table = Table(box=None, pad_edge=False)
    for name in head:
        table.add_column(name, overflow="fold")
    for row in rows:
        # Text: a name from the data, or [k=100], is no markup
        table.add_row(*(Text(f"{cell:.4f}" if isinstance(cell, float) else str(cell)) for cell in row))
    # a pipe has no width of its own: lines there are not to be folded
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def line(text: str) -> None:
    """One line on stdout, as it is."""
    sys.stdout.write(text + "\n")
