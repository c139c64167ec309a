"""benchmark.experiments.evaluate: intervals of the mean over whole sessions."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmark.experiments.evaluate import bootstrap, write_json
from contracts import UserError


def sessions(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(0/1 values, session of each) of n sessions of 1 to 5 points."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n), rng.integers(1, 6, n))
    return (rng.random(len(unit)) < 0.3).astype(float), unit


def test_constant_metric_has_no_width() -> None:
    _, unit = sessions(50)
    low, high = bootstrap({"x": np.full(len(unit), 0.25)}, unit)["x"]
    assert low == pytest.approx(0.25, abs=1e-12)
    assert high == pytest.approx(0.25, abs=1e-12)


def test_the_mean_lies_inside_and_width_is_right() -> None:
    values, unit = sessions(2000)
    low, high = bootstrap({"x": values}, unit)["x"]
    assert low < values.mean() < high
    expected = 2 * 1.96 * np.sqrt(values.var() / len(values))  # points are independent here
    assert (high - low) == pytest.approx(expected, rel=0.15)


def test_fewer_sessions_are_less_certain() -> None:
    widths = []
    for n in (2000, 200, 20):
        values, unit = sessions(n)
        low, high = bootstrap({"x": values}, unit)["x"]
        widths.append(high - low)
    assert widths == sorted(widths)


def test_points_of_a_session_stay_together() -> None:
    """The same points in 40 sessions that are all hit or all miss: five times the points, no more certainty."""
    outcome = (np.random.default_rng(0).random(40) < 0.5).astype(float)
    one = bootstrap({"x": outcome}, np.arange(40))["x"]
    five = bootstrap({"x": np.repeat(outcome, 5)}, np.repeat(np.arange(40), 5))["x"]
    np.testing.assert_allclose(one, five)


def test_deterministic_and_shared_by_all_metrics() -> None:
    values, unit = sessions(100)
    first = bootstrap({"x": values, "y": 2 * values}, unit)
    assert first == bootstrap({"x": values, "y": 2 * values}, unit)
    assert first["y"] == pytest.approx([2 * bound for bound in first["x"]])
    assert first != bootstrap({"x": values, "y": 2 * values}, unit, seed=1)
    assert bootstrap({"x": values}, 1000 + 7 * unit)["x"] == pytest.approx(first["x"]), (
        "names of sessions do not matter"
    )


def test_one_session() -> None:
    assert bootstrap({"x": np.array([0.0, 1.0])}, np.array([3, 3]))["x"] == [0.5, 0.5]


def test_write_json(tmp_path) -> None:
    path = tmp_path / "deep" / "x.json"
    write_json(path, {"a": 1})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [child.name for child in path.parent.iterdir()] == ["x.json"]
    with pytest.raises(UserError, match="cannot write"):
        write_json(path / "below", {})
