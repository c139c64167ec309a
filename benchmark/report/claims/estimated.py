"""Findings about density estimates, from the records of ``emde density``: r of every seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from benchmark.protocol.significance import paired
from benchmark.report.claims.declaration import Estimated
from benchmark.report.claims.finding import Finding, Judgement
from benchmark.report.claims.kept_rows import Evidence
from benchmark.report.claims.ranked import printed

METRIC = "Pearson's r"


def estimated(claim: str, part: Estimated, kept: Evidence) -> Iterator[Finding]:
    """A finding for every data set."""
    for data, place in part.data.items():
        bare = Finding(claim, "density", data, METRIC, part.first, part.second, margin=part.margin,
                       paper=printed(part.paper, place.paper, "Pearson"))  # fmt: skip
        result = kept.densities.get(data)
        if result is None:
            yield replace(bare, verdict=Judgement.NOT_RUN, commands=(f"emde density --data {data}",))
        elif part.rule in ("above", "close"):
            yield _rows(bare, part, result)
        else:
            yield _grid(bare, part, result)


def _filled(bare: Finding, own: list[float], other: list[float], result: dict[str, Any]) -> Finding:
    """Two rows' r over the seeds; where one of them has one value for all, that is each seed's."""
    count = max(len(own), len(other))
    ours, theirs = (np.array(values * count if len(values) == 1 else values) for values in (own, other))
    test = paired(ours, theirs)
    return replace(
        bare, first_value=float(ours.mean()), second_value=float(theirs.mean()), difference=test.difference,
        low=test.low, high=test.high, p=None if bare.margin else test.t_p, seeds=count,
        spread=max(float(np.std(v, ddof=1)) if len(v) > 1 else 0.0 for v in (own, other)),
        whole=result["queries"] == result["points"], commands=(f"emde density --data {result['data']}",),
    )  # fmt: skip


def _rows(bare: Finding, part: Estimated, result: dict[str, Any]) -> Finding:
    rows = {row["method"]: row["pearson"]["seeds"] for row in result["rows"]}
    missing = [name for name in (part.first, part.second) if name not in rows]
    if missing:
        return replace(bare, verdict=Judgement.NOT_TESTABLE, why=f"no row {missing[0]} on this data set")
    return _filled(bare, rows[part.first], rows[part.second], result)


def _grid(bare: Finding, part: Estimated, result: dict[str, Any]) -> Finding:
    grid = {(cell["n"], cell["k"]): cell["pearson"]["seeds"] for cell in result["grid"]}
    numbers, bits = (sorted({key[i] for key in grid}) for i in (0, 1))
    if part.rule == "grows with N":
        first, last = (numbers[0], part.k), (numbers[-1], part.k)
        named = replace(bare, first=f"N = {last[0]}, K = {part.k}", second=f"N = {first[0]}, K = {part.k}")
        finding = _filled(named, grid[last], grid[first], result)
        means = [(float(np.mean(grid[n, part.k])), float(np.std(grid[n, part.k], ddof=1))) for n in numbers]
        falls = [n for n, (mean, sd), (before, _) in zip(numbers[1:], means[1:], means, strict=False)
                 if mean < before - sd]  # fmt: skip
        return replace(finding, verdict=Judgement.UNDECIDED, why=f"r falls up to N = {falls[0]}") if falls else finding
    most = {k: grid[numbers[-1], k] for k in bits}
    inner = max(bits[1:-1], key=lambda k: float(np.mean(most[k])))
    end = max((bits[0], bits[-1]), key=lambda k: float(np.mean(most[k])))
    named = replace(bare, first=f"K = {inner}, N = {numbers[-1]}", second=f"K = {end}, the better end")
    return _filled(named, most[inner], most[end], result)
