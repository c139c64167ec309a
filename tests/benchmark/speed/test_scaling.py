"""benchmark.speed.scaling: exponents and limits of made-up rows."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.speed import scaling


def made_up(method: str, exponent: float, memory: float) -> list[dict[str, Any]]:
    return [
        {"method": method, "axis": scaling.CATALOGUE, "size": size, "train s": 1e-6 * size**exponent,
         "memory MB": 1e-3 * size**memory}
        for size in (1000, 10_000, 100_000)
    ]  # fmt: skip


def test_exponents_and_limits_of_power_laws() -> None:
    rows = made_up("cubic", 3, 2) + made_up("flat", 0, 0)
    found = {(row["method"], row["cost"]): row["exponent"] for row in scaling.slopes(rows)}
    assert found == {("cubic", "train s"): 3.0, ("flat", "train s"): 0.0}
    cubic, flat = scaling.limits(rows)
    assert cubic["24 GB at"] == pytest.approx((24 * 1024 / 1e-3) ** 0.5, rel=0.05)
    assert cubic["a day at"] == pytest.approx((86400 / 1e-6) ** (1 / 3), rel=0.05)
    assert (flat["24 GB at"], flat["a day at"]) == (None, None)


def test_a_break_counts_where_it_ends_up() -> None:
    rows = made_up("late", 0, 0)
    rows[-1]["train s"] *= 10
    (slope,) = scaling.slopes(rows)
    assert (slope["at the end"], slope["exponent"]) == (1.0, 0.5)
