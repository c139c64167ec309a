"""Where pages lie below the site's root, and how verdicts look."""

from __future__ import annotations

import hashlib
import re

from benchmark.data import registry
from benchmark.report.tables.model import Verdict
from benchmark.report.tables.variants import base
from contracts import Kind

SYMBOLS = {
    Verdict.REPRODUCED: "✓",
    Verdict.AS_PUBLISHED: "=",
    Verdict.CLOSE: "≈",
    Verdict.DIFFERS: "✗",
    Verdict.OTHER_SETTINGS: "≠",
    Verdict.NOT_COMPARABLE: "○",
    Verdict.TIMED_OUT: "⊘",
    Verdict.NOT_RUN: "–",
    Verdict.FAILED: "!",
}
"""Beside every colour: verdicts are told apart without seeing it."""
MEANINGS = {
    Verdict.REPRODUCED: "within the tolerance, or within the interval over seeds",
    Verdict.AS_PUBLISHED: "a parameter that is set as published",
    Verdict.CLOSE: "within a few per cent",
    Verdict.DIFFERS: "further away",
    Verdict.OTHER_SETTINGS: "the published value belongs to another setting",
    Verdict.NOT_COMPARABLE: "nothing published for it, or other data",
    Verdict.TIMED_OUT: "has no published value",
    Verdict.NOT_RUN: "published, not run here",
    Verdict.FAILED: "its run ended with an error",
}


LONGEST = 100
"""Characters of a name as part of a file name."""


def slug(text: str) -> str:
    """Text as part of a file name, an id or a class."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if len(words) <= LONGEST:
        return words
    return f"{words[: LONGEST - 9]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def method_kind(data: str) -> Kind:
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
    """The page of a method, the same for all its settings."""
    return f"methods/{kind}-{slug(base(name))}.html"


def table(name: str) -> str:
    """The page of a table."""
    return f"tables/{slug(name)}.html"


def claim(name: str) -> str:
    """The page of a claim."""
    return f"claims/{slug(name)}.html"
