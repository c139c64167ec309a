"""Where pages lie below the site's root, and how verdicts look."""

from __future__ import annotations

import re

from benchmark import methods
from benchmark.data import registry
from benchmark.tables.model import Verdict

SYMBOLS = {
    Verdict.REPRODUCED: "✓",
    Verdict.CLOSE: "≈",
    Verdict.DIFFERS: "✗",
    Verdict.NOT_COMPARABLE: "○",
    Verdict.TIMED_OUT: "⊘",
    Verdict.NOT_RUN: "–",
}
"""Beside every colour: verdicts are told apart without seeing it."""
MEANINGS = {
    Verdict.REPRODUCED: "within the tolerance, or within the interval over seeds",
    Verdict.CLOSE: "within a few per cent",
    Verdict.DIFFERS: "further away",
    Verdict.NOT_COMPARABLE: "nothing published for it, or other data",
    Verdict.TIMED_OUT: "has no published value",
    Verdict.NOT_RUN: "published, not run here",
}


def slug(text: str) -> str:
    """Text as part of a file name, an id or a class."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def method_kind(data: str) -> methods.Kind:
    """The kind of method that runs on a data set."""
    kind = registry.get(data).kind
    return "density" if kind == "vectors" else kind


def run(data: str, method: str) -> str:
    """The page of a method on a data set."""
    return f"runs/{slug(data)}--{slug(method)}.html"


def data(name: str) -> str:
    """The page of a data set."""
    return f"data/{slug(name)}.html"


def statistics(name: str) -> str:
    """The copied page of a data set's statistics."""
    return f"data/{slug(name)}-statistics.html"


def method(kind: str, name: str) -> str:
    """The page of a method."""
    return f"methods/{kind}-{slug(name)}.html"


def table(name: str) -> str:
    """The page of a table."""
    return f"tables/{slug(name)}.html"
