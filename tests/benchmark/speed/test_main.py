"""benchmark.speed and compare: sections, the best of repeats, and regressions on made-up reports."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmark.speed import __main__ as bench
from benchmark.speed import compare
from benchmark.speed.sections import Section
from benchmark.speed.values import best, better, measurements, spreads

MACHINE = {"machine": {"processor": "abacus", "cores": 2}, "threads": 2}


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("fit s", -1), ("peak MB", -1), ("train ms/example", -1), ("points/s", 1), ("bf16 product GFLOP/s", 1),
        ("memory copy GB/s (read + write)", 1), ("ratio", 1), ("speed-up", 1), ("items", 0), ("fit ~ events^", 0),
        ("emde training > epoch cpu s", -1), ("rows > [ar] > fit s", -1), ("Recall@20", 0),
    ],
)  # fmt: skip
def test_which_way_is_better(name: str, side: int) -> None:
    assert better(name) == side


def test_best_of_repeats_and_spread() -> None:
    first = {"rows": [{"method": "ar", "fit s": 2.0, "points/s": 10.0, "items": 5, "note": None}], "peak MB": 100.0}
    second = {"rows": [{"method": "ar", "fit s": 3.0, "points/s": 11.0, "items": 5, "note": None}], "peak MB": 100.0}
    kept = best([first, second])
    assert kept == {"rows": [{"method": "ar", "fit s": 2.0, "points/s": 11.0, "items": 5, "note": None}],
                    "peak MB": 100.0}  # fmt: skip
    assert dict(measurements(kept)) == {
        "rows > [ar] > fit s": 2.0, "rows > [ar] > points/s": 11.0, "rows > [ar] > items": 5.0, "peak MB": 100.0,
    }  # fmt: skip
    assert spreads([first, second]) == {"rows > [ar] > fit s": 0.5, "rows > [ar] > points/s": 0.1, "peak MB": 0.0}
    assert spreads([first]) == {}


def made_up(seed: int, noise: float, slower: float = 1.0, repeats: int = 2) -> dict[str, Any]:
    """A report of 40 times, each measured with some noise; the last one ``slower``."""
    rng = np.random.default_rng(seed)
    found = [
        {"rows": [{"method": str(i), "fit s": (i + 1) * (slower if i == 39 else 1) * (1 + noise * rng.random())}
                  for i in range(40)]}
        for _ in range(repeats)
    ]  # fmt: skip
    return {**MACHINE, "sections": {"made up": {"results": best(found), "spread": spreads(found)}}}


def verdicts(old: dict[str, Any], new: dict[str, Any]) -> dict[str, str]:
    return {change.name: change.verdict for change in compare.compare(old, new)}


def test_noise_is_no_regression_and_a_regression_is_none_of_the_noise() -> None:
    for seed in range(20):
        assert "regressed" not in verdicts(made_up(seed, 0.1), made_up(seed + 100, 0.1)).values()
        found = verdicts(made_up(seed, 0.1), made_up(seed + 100, 0.1, slower=1.5))
        assert [name for name, verdict in found.items() if verdict == "regressed"] == ["rows > [39] > fit s"]
        found = verdicts(made_up(seed, 0.1, slower=1.5), made_up(seed + 100, 0.1))
        assert [name for name, verdict in found.items() if verdict == "improved"] == ["rows > [39] > fit s"]


def test_the_same_change_is_noise_where_repeats_differ_as_much() -> None:
    assert "regressed" not in verdicts(made_up(0, 1.0), made_up(1, 1.0, slower=1.2)).values()


def test_what_was_measured_once_is_not_judged() -> None:
    assert set(verdicts(made_up(0, 0.1, repeats=1), made_up(1, 0.1, slower=9)).values()) == {"not judged"}


def test_rates_are_worse_when_smaller() -> None:
    old = {**MACHINE, "sections": {"a": {"results": {"x/s": 10.0, "y s": 10.0}, "spread": {"x/s": 0.01, "y s": 0.01}}}}
    new = copy.deepcopy(old)
    new["sections"]["a"]["results"] = {"x/s": 5.0, "y s": 5.0}
    assert verdicts(old, new) == {"x/s": "regressed", "y s": "improved"}
    assert [change.worse for change in compare.compare(old, new)] == [1.0, -1.0]


def test_exit_status(tmp_path: Path, capsys) -> None:
    files = [tmp_path / f"{name}.json" for name in ("old", "same", "slow", "other", "broken")]
    other = {**made_up(0, 0.1), "threads": 4}
    for path, report in zip(files, (made_up(0, 0.1), made_up(1, 0.1), made_up(2, 0.1, slower=3), other), strict=False):
        path.write_text(json.dumps(report))
    files[4].write_text("{}")
    old, same, slow, other_machine, broken = map(str, files)
    assert compare.main([old, same]) == 0
    assert "40 measurements: 0 regressed" in capsys.readouterr().out
    assert compare.main([old, slow]) == 1
    out = capsys.readouterr().out
    assert "rows > [39] > fit s" in out
    assert "1 regressed" in out
    for wrong in (other_machine, broken, str(tmp_path / "none.json")):
        assert compare.main([old, wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_failing_section_loses_nothing_else(tmp_path: Path, monkeypatch, capsys) -> None:
    clock, path = itertools.count(3, -1), tmp_path / "report.json"

    def broken() -> None:
        assert list(json.loads(path.read_text())["sections"]) == ["first"], "written after each section"
        raise ValueError("no such disk")

    sections = {"first": lambda: {"work s": next(clock)}, "broken": broken, "last": lambda: [{"method": "a", "x/s": 1}]}
    sections = {name: Section(work, str) for name, work in sections.items()}
    monkeypatch.setattr(bench, "SECTIONS", sections)
    report = bench.run(["first", "broken", "last"], 2, path, {})
    assert json.loads(path.read_text()) == report
    assert report["failed"] == {"broken": "ValueError: no such disk"}
    assert report["sections"]["first"]["results"] == {"work s": 2}
    assert report["sections"]["first"]["spread"] == {"work s": 0.5}
    assert report["sections"]["last"]["repeats"] == 2
    assert "broken: failed: ValueError: no such disk" in capsys.readouterr().out


def test_unknown_sections_are_refused(capsys) -> None:
    assert bench.main(["nonsense"]) == 2
    assert "nonsense" in capsys.readouterr().err
    assert bench.main(["ceilings", "--repeats", "0"]) == 2


def test_sizes_are_those_that_the_sections_take(capsys) -> None:
    assert bench.read_sizes(["events=4000", "methods=[ar, sr]"], ["session-scale"]) == {
        "events": 4000, "methods": ["ar", "sr"],
    }  # fmt: skip
    assert bench.main(["data", "topk-scale", "--set", "clicks=400"]) == 2
    assert "expected sizes of topk-scale (users, items, likes" in capsys.readouterr().err
