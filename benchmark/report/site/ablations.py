"""The page of the ablations, from what ``emde ablations`` compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmark.report.figures.intervals import forest
from benchmark.report.figures.style import svg
from benchmark.report.sensitivity import effects


@dataclass(frozen=True)
class AblatedData:
    """One data set: its levels as ``benchmark.report.sensitivity.compare`` describes them, and their forest plot."""

    data: str
    main: str
    levels: list[dict[str, Any]]
    figure: str


def ablated(result: Mapping[str, Any]) -> list[AblatedData]:
    """Every data set whose ablations were compared (``Results.ablation``); none where the profile has no ablations."""
    if not result:
        return []
    names = dict.fromkeys(level["data"] for level in result["levels"])
    return [_of(name, result["main"], [lv for lv in result["levels"] if lv["data"] == name]) for name in names]


def _of(data: str, main: str, levels: list[dict[str, Any]]) -> AblatedData:
    title = f"Each change's difference to the base model, 95% intervals: {data}"
    differences = effects(levels, main)
    figure = svg(forest({"": differences}, f"difference of {main}", title), title) if differences else ""
    return AblatedData(data, main, levels, figure)
