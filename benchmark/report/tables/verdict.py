"""From ours and a published value to a verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from pydantic import Field
from scipy import stats

from benchmark.report.tables.model import Expected, Seeds, Verdict
from contracts.strict import Strict


class Tolerance(Strict):
    """How near is near. A published value is only known to ``rounding``, which is allowed in addition.

    A small value is not reproduced by being within ``absolute`` alone: it must be close as well.
    """

    absolute: float = Field(ge=0, description="largest |ours - expected| of a reproduced value")
    close: float = Field(ge=0, le=1, description="largest |ours - expected| of a close one, as a share of expected")
    rounding: float = Field(5e-5, ge=0, description="half a unit of the last published digit")


def over_seeds(values: dict[str, float]) -> Seeds | None:
    """Mean +- sd over seeds, and where one more run would fall (95%, t).

    None for a single run, and where all runs are equal: some methods have a seed that their settings do not use.
    """
    n = len(values)
    if len(set(values.values())) < 2:
        return None
    column = np.array(list(values.values()))
    sd = float(column.std(ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * sd * math.sqrt(1 + 1 / n)
    return Seeds(values=values, sd=sd, low=float(column.mean()) - half, high=float(column.mean()) + half)


def t_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """(sd, low, high): the 95% t interval of the mean of at least two values."""
    column = np.asarray(values, float)
    sd = float(column.std(ddof=1))
    half = float(stats.t.ppf(0.975, len(column) - 1)) * sd / math.sqrt(len(column))
    return sd, float(column.mean()) - half, float(column.mean()) + half


def judge(ours: float, expected: Expected, tolerance: Tolerance, seeds: Seeds | None) -> tuple[Verdict, str]:
    """The verdict and the rule behind it.

    Several seeds: the published run is one more draw, and reproduced if it falls into the interval over
    seeds. One run: within the absolute tolerance. Either way it must be close.
    """
    off = abs(ours - expected.value)
    near = tolerance.close * abs(expected.value) + tolerance.rounding
    if off > near:
        return Verdict.DIFFERS, f"more than {tolerance.close:.0%} away" if tolerance.close else "not equal"
    if seeds is not None:
        low, high = seeds.low - tolerance.rounding, seeds.high + tolerance.rounding
        if low <= expected.value <= high:
            return Verdict.REPRODUCED, f"within the 95% interval of {len(seeds.values)} seeds"
        return Verdict.CLOSE, f"within {tolerance.close:.0%}, outside the 95% interval of {len(seeds.values)} seeds"
    if off <= tolerance.absolute + tolerance.rounding:
        return Verdict.REPRODUCED, f"within {tolerance.absolute:g}" if tolerance.absolute else "equal"
    return Verdict.CLOSE, f"within {tolerance.close:.0%}, more than {tolerance.absolute:g} away"
