"""Measurements, a benchmark's nested results: their names, which way is better, the best of repeats and its spread.

A section's results are dicts and lists of numbers and words. A measurement's name is its path, where an element of a
list is named by its words and by what it was measured at (``scale/[vs-knn]/fit s``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

NAMING = ("points", "events", "size")
"""Numbers that say what an element of a list was measured at."""
HIGHER = re.compile(r"/s($|[\s,])|\bspeed-up\b|^ratio$")
LOWER = re.compile(r"(^|\s)(m?s|[MG]B)($|/|\s\()")


def better(name: str) -> int:
    """1 where a larger value of that name is the better one (a rate), -1 a smaller one (time, memory), 0 neither."""
    leaf = name.rsplit(" > ", 1)[-1]
    return 1 if HIGHER.search(leaf) else -1 if LOWER.search(leaf) else 0


def measurements(results: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """(name, value) of every number in nested results, truth values left out."""
    inner: list[tuple[str, Any]] = []
    if isinstance(results, dict):
        inner = [(str(key), value) for key, value in results.items()]
    elif isinstance(results, list):
        inner = [(f"[{element_name(value, index)}]", value) for index, value in enumerate(results)]
    for name, value in inner:
        yield from measurements(value, f"{path} > {name}" if path else name)
    if isinstance(results, int | float) and not isinstance(results, bool):
        yield path, float(results)


def element_name(element: Any, index: int) -> str:
    """What tells an element of a list from its neighbours."""
    if not isinstance(element, dict):
        return str(index)
    words = [str(value) for key, value in element.items() if isinstance(value, str) or key in NAMING]
    return ", ".join(word for word in words if word) or str(index)


def spreads(repeats: Sequence[Any]) -> dict[str, float]:
    """(worst - best) / best of every measurement that has a better side, over repeats of the same work."""
    flat = [dict(measurements(results)) for results in repeats]
    out = {}
    for name in flat[0]:
        values = [one[name] for one in flat if one.get(name, 0) > 0]
        if better(name) and len(values) == len(flat) > 1:
            out[name] = round(max(values) / min(values) - 1, 4)
    return out


def best(repeats: Sequence[Any], name: str = "") -> Any:
    """One of the nested results, each value the best of all repeats; what has no better side is the first one's."""
    first = repeats[0]
    if isinstance(first, dict):
        return {key: best([one[key] for one in repeats if key in one], key) for key in first}
    if isinstance(first, list):
        same = [one for one in repeats if len(one) == len(first)]
        return [best(column, name) for column in zip(*same, strict=True)]
    if isinstance(first, bool) or not isinstance(first, int | float) or not better(name):
        return first
    return (max if better(name) > 0 else min)(one for one in repeats if one is not None)
