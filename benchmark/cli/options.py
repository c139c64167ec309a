"""Values of options that several commands take."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmark import cli_data
from contracts.errors import UserError


def positive(text: str) -> int:
    """A whole number from 1, as an option's value."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1, found {text}")
    return value


def overrides(pairs: Sequence[str]) -> dict[str, Any]:
    """``--set k=100`` pairs as a dict; values are read as YAML."""
    import yaml

    out = {}
    for text in pairs:
        name, value = cli_data.pair("--set", text)
        try:
            out[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise UserError(f"--set {name}: expected a YAML value, found {value!r}") from None
    return out


COUNTS = ("no arguments", "one argument", "two arguments")


def arguments(program: str, count: int, what: str, work: Callable[..., str]) -> int:
    """``python -m benchmark.<program> ARGUMENT ...``: print what ``work`` makes of ``count`` of them; 2 if it fails."""
    try:
        if len(sys.argv) != 1 + count:
            raise UserError(f"expected {COUNTS[count]}, {what}; found {len(sys.argv) - 1}")
        sys.stdout.write(f"{work(*sys.argv[1:])}\n")
    except UserError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return 2
    return 0
