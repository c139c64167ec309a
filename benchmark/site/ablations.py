"""The page of the ablations, from what ``emde ablations`` compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmark.figures.intervals import forest
from benchmark.figures.style import svg
from benchmark.tables.measured import COMPARED, checked, read_json


@dataclass(frozen=True)
class Ablated:
    """One data set: its levels as ``benchmark.sensitivity.compare`` describes them, and their forest plot."""

    data: str
    main: str
    levels: list[dict[str, Any]]
    figure: str


def ablated(made: Path) -> list[Ablated]:
    """Every data set whose ablations were compared; none where the profile has no ablations."""
    if not (made / COMPARED).is_file():
        return []
    result = checked(read_json(made / COMPARED), made)
    names = dict.fromkeys(level["data"] for level in result["levels"])
    return [_of(name, result["main"], [lv for lv in result["levels"] if lv["data"] == name]) for name in names]


def _of(data: str, main: str, levels: list[dict[str, Any]]) -> Ablated:
    effects = []
    for level in levels:
        found = level.get("difference", {}).get(main)
        if found is not None:  # the base differs from itself by nothing
            label = f"{level['factor']}: {level['label']}"
            effects.append((label, found["difference"], found["low"], found["high"]))
    title = f"Each change's difference to the base model, 95% intervals: {data}"
    figure = svg(forest(effects, f"difference of {main}", title), title) if effects else ""
    return Ablated(data, main, levels, figure)
