"""Findings about levels of the ablation grid, as ``emde ablations`` compared them with their base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from benchmark.experiments.settings import Settings
from benchmark.report.claims.declaration import Ablated
from benchmark.report.claims.finding import Finding, Judgement
from benchmark.report.claims.kept_rows import Evidence
from benchmark.report.claims.ranked import printed

PAPER_ON = "RETAIL"
"""The data set of the paper's Table 6."""
Levels = tuple[dict[str, Any] | None, dict[str, Any] | None]


def ablated(claim: str, part: Ablated, kept: Evidence) -> Iterator[Finding]:
    """Levels of the ablations. Two that are both not the base were tested against each other if of one factor."""
    for data, place in part.data.items():
        levels = kept.levels.get((data, part.first)), kept.levels.get((data, part.second))
        for metric in part.metrics:
            bare = Finding(claim, "ablation", data, metric, part.first, part.second, margin=part.margin,
                           paper=printed(part.paper, place.paper or PAPER_ON, metric))  # fmt: skip
            yield _level(bare, levels, kept.settings)


def _level(bare: Finding, levels: Levels, settings: Settings) -> Finding:
    unavailable = [str(level["unavailable"]) for level in levels if level and "unavailable" in level]
    if unavailable:
        return replace(bare, verdict=Judgement.NOT_TESTABLE, why=unavailable[0])
    own, other = levels
    if own is None or other is None:
        return _not_ablated(bare, levels, settings)
    values = [level["metrics"][bare.metric] for level in (own, other)]
    filled = replace(
        bare, first_value=values[0]["mean"], second_value=values[1]["mean"], seeds=int(own["seeds"]),
        spread=max(value["sd"] or 0 for value in values) if values[0]["sd"] is not None else None,
        whole=all(level.get(name, 0) is None for level in (own, other) for name in ("sessions", "sampled_points")),
        commands=tuple(f"emde ablate --data {bare.data} --cell {level['cell']}" for level in (own, other)),
    )  # fmt: skip
    sign, tests = _tests(own, other)
    if tests is None:
        return replace(filled, verdict=Judgement.UNDECIDED, why="both are kept as tested against the base, not "
                       f"against each other ({values[0]['mean'] - values[1]['mean']:+.4f})")  # fmt: skip
    test = tests[bare.metric]
    low, high = sorted((sign * test["low"], sign * test["high"]))
    return replace(filled, difference=sign * test["difference"], low=low, high=high,
                   p=None if bare.margin else test["t_p"])  # fmt: skip


def _tests(own: dict[str, Any], other: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
    """(1, tests of own - other) or (-1, tests of other - own); None where neither was made."""
    for sign, level, against in ((1, own, other), (-1, other, own)):
        if "difference" in level and "difference" not in against:
            return sign, level["difference"]
        if level["factor"] == against["factor"] and against["label"] in level.get("beside", {}):
            return sign, level["beside"][against["label"]]
    return 1, None


def _not_ablated(bare: Finding, levels: Levels, settings: Settings) -> Finding:
    """The commands that measure the levels that are missing, as far as params.yaml has them."""
    factors = settings.ablations.factors
    commands, unknown = [], []
    for name, level in zip((bare.first, bare.second), levels, strict=True):
        factor, _, label = name.partition("/")
        cell = factors.get(factor, {}).get(label)
        if level is None and cell is None:
            unknown.append(name)
        elif level is None and cell is not None:
            commands.append(f"emde ablate --data {bare.data} --cell {cell.partition('/')[0]}")
    why = f"params.yaml has no level {unknown[0]} yet" if unknown else ""
    return replace(bare, verdict=Judgement.NOT_RUN, commands=tuple(dict.fromkeys(commands)), why=why)
