"""Two runs of one split, metric by metric: difference, interval, p values, and where they differ most."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.load import SessionSplit
from benchmark.experiments.evaluate import score
from benchmark.experiments.examples import name
from benchmark.experiments.headline import HEADLINE, PerUnit
from benchmark.experiments.run import load_ranking_split
from benchmark.protocol.significance import contributions, holm, paired
from contracts import UserError

SHOWN = ("data", "split", "method", "seed", "params")
Scored = tuple[str, dict[str, Any], PerUnit]
"""Name of a run, what ``evaluate`` says of it, its values per session or user."""


def compare(first: Path, second: Path, metric: str | None = None, top: int = 10) -> dict[str, Any]:
    """``compared`` of two stored runs."""
    return compared((str(first), *score(first)), (str(second), *score(second)), metric, top)


def compared(first: Scored, second: Scored, metric: str | None = None, top: int = 10) -> dict[str, Any]:
    """Second minus first, paired over the sessions (or users) of their split.

    metric  by which sessions are ordered; default MRR@20 (top-k: NDCG@20)
    Returns {"first", "second", "units", "metrics": {name: {first, second, difference, low, high, effect, t_p,
    wilcoxon_p, t_holm}}, "metric", "sessions": [{unit, points, first, second, difference, items}]}, sessions by
    |difference| of the sum over their points. Raises UserError where the runs have nothing in common.
    """
    (name_a, a, units_a), (name_b, b, units_b) = first, second
    for field in ("data", "split"):
        if a["run"][field] != b["run"][field]:
            raise UserError(
                f"{name_b}: expected a run on {field} {a['run'][field]!r} as {name_a} is, found {b['run'][field]!r}"
            )
    if not np.array_equal(units_a.unit, units_b.unit) or not np.array_equal(units_a.points, units_b.points):
        raise UserError(f"{name_b}: expected the {len(units_a.unit):,} sessions or users of {name_a}, found others")
    metric = metric or HEADLINE[a["run"]["kind"]][1]
    common = [column for column in units_a.sums if column in units_b.sums]
    if metric not in common:
        raise UserError(f"--metric: unknown metric {metric!r}; expected one of: {', '.join(common)}")
    return {
        "first": {"run_dir": name_a, **{part: a["run"][part] for part in SHOWN}},
        "second": {"run_dir": name_b, **{part: b["run"][part] for part in SHOWN}},
        "units": len(units_a.unit),
        "metrics": _metrics(units_a, units_b, common),
        "metric": metric,
        "sessions": _sessions(a["run"], units_a, units_b, metric, top),
    }


def _metrics(a: PerUnit, b: PerUnit, names: list[str]) -> dict[str, dict[str, Any]]:
    split = np.zeros(len(a.unit), np.int64)
    columns = {n: tuple(contributions(u.sums[n], u.points, split) for u in (a, b)) for n in names}
    tests = {n: paired(second, first) for n, (first, second) in columns.items()}
    corrected = holm(np.array([test.t_p for test in tests.values()]))
    return {
        n: {"first": float(columns[n][0].mean()), "second": float(columns[n][1].mean()), "difference": test.difference,
            "low": test.low, "high": test.high, "effect": test.effect, "t_p": test.t_p, "wilcoxon_p": test.wilcoxon_p,
            "t_holm": float(corrected[i])}
        for i, (n, test) in enumerate(tests.items())
    }  # fmt: skip


def _sessions(record: dict[str, Any], a: PerUnit, b: PerUnit, metric: str, top: int) -> list[dict[str, Any]]:
    split = load_ranking_split(record["data"], record["split"])
    difference = b.sums[metric] - a.sums[metric]
    out = []
    for i in np.argsort(-np.abs(difference), kind="stable")[:top]:
        unit, points = int(a.unit[i]), int(a.points[i])
        if isinstance(split, SessionSplit):
            items = split.test.items[split.test.offsets[unit] : split.test.offsets[unit + 1]]
        else:
            items = split.heldout[unit].indices
        means = {"first": float(a.sums[metric][i]) / points, "second": float(b.sums[metric][i]) / points}
        out.append({"unit": unit, "points": points, **means, "difference": float(difference[i]),
                    "items": [name(split, item) for item in items]})  # fmt: skip
    return out
