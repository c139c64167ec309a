"""Data with a known truth, written in the exact raw formats of real data sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.data.generate import digits, ratings, sessions
from benchmark.data.registry import Dataset
from contracts import UserError
from contracts.strict import Strict

GENERATORS: dict[str, tuple[type[Strict], Callable[[Any, Path], None]]] = {
    "sessions": (sessions.SessionSettings, sessions.write),
    "ratings": (ratings.RatingSettings, ratings.write),
    "digits": (digits.DigitSettings, digits.write),
}
"""Generator -> its settings, and what writes the files."""
VERSION = 2
"""Grows when the same parameters would give other files."""


def generate(dataset: Dataset, folder: Path) -> None:
    """Write the raw files of a generated data set into ``folder``.

    The parameters are the registry's ``options.generate``; one Generator, seeded there, makes every
    random choice. Raises UserError for an unknown or impossible parameter.
    """
    cls, write = GENERATORS[dataset.generator or ""]
    parameters = dataset.options.get("generate", {})
    unknown = set(parameters) - set(cls.model_fields)
    if unknown:
        raise UserError(f"{dataset.name}: unknown generator parameter '{unknown.pop()}'")
    write(cls(**parameters), folder)
