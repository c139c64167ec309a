"""Values of options that several commands take."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.cli import data_commands
from contracts.errors import UserError


def positive(text: str) -> int:
    """A whole number from 1, as an option's value."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text}")
    return value


def listed(text: str) -> list[str]:
    """``a,b`` as an option's value; commas in brackets part nothing."""
    return [name for part in re.split(r",(?![^\[]*\])", text) if (name := part.strip())]


def add_costs(parser: argparse.ArgumentParser) -> None:
    """``--costs PLACE`` of the commands that stages run."""
    text = "leave times, memory, machine and versions there; what is written then holds what the inputs decide, no more"
    parser.add_argument("--costs", type=Path, metavar="PLACE", help=text)


def sizes(text: str) -> list[int | None]:
    """Ever larger whole numbers from 1, the last one may be ``all`` (None), as an option's value."""
    whole = [None if word == "all" else positive(word) for word in text.split(",")]
    numbers = [size for size in whole if size is not None]
    if None in whole[:-1] or numbers != sorted(set(numbers)):
        raise argparse.ArgumentTypeError(f"expected growing numbers, all as the last, found {text}")
    return whole


def overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """``--set k=100`` pairs as a dict; values are read as YAML."""
    import yaml

    out = {}
    for text in pairs:
        name, value = data_commands.pair("--set", text)
        try:
            out[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {name}: expected a YAML value, found {value!r}") from None
    return out
