"""JSON as the standard has it: no NaN, no Infinity, neither written nor read.

What may be undefined is None (``null``) in what is handed in, decided where it is computed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from contracts.errors import UserError
from contracts.runtime.files import write_whole


def to_json(
    value: Any, what: str = "JSON", *, indent: int | None = None, sort_keys: bool = False, compact: bool = False,
    other: Callable[[Any], Any] | None = None,
) -> str:  # fmt: skip
    """``value`` as JSON text; numpy's numbers are numbers.

    what   in messages
    other  what to write for objects that JSON does not know; None: TypeError
    Raises UserError that names the place of a number that is not finite.
    """

    def plain(part: Any) -> Any:
        if isinstance(part, np.generic):
            return part.item()
        if other is None:
            raise TypeError(f"not JSON: {type(part)}")
        return other(part)

    separators = (",", ":") if compact else None
    try:
        return json.dumps(
            value,
            indent=indent,
            sort_keys=sort_keys,
            separators=separators,
            default=plain,
            allow_nan=False,
        )
    except ValueError as error:
        place, number = _not_finite(value) or ("it", error)
        raise UserError(f"{what}: expected finite numbers, found {number} in {place}") from None


def from_json(text: str | bytes, what: str) -> Any:
    """The value of JSON text; raises UserError where it is none (NaN and Infinity included)."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"the number {constant}")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError as error:  # JSON or its encoding
        raise UserError(f"{what}: expected JSON, found {error}") from None


def write_json(path: Path, value: Any, what: str = "the file", *, sort_keys: bool = False) -> Path:
    """Write JSON, whole or not at all; raises UserError where that fails. Returns ``path``."""
    return write_whole(path, to_json(value, str(path), indent=1, sort_keys=sort_keys) + "\n", what)


def read_json(path: Path) -> Any:
    """The value in a JSON file; FileNotFoundError where there is none, UserError where it is no JSON."""
    return from_json(path.read_bytes(), str(path))


def _not_finite(value: Any, place: str = "") -> tuple[str, Any] | None:
    """(place, number) of the first number in ``value`` that JSON does not have."""
    if isinstance(value, float | np.floating):
        return None if math.isfinite(value) else (place or "it", value)
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    inside = (_not_finite(part, f"{place}.{name}".lstrip(".")) for name, part in parts)
    return next((problem for problem in inside if problem), None)
