"""The log of changed numbers: no kept value changes, appears or goes without a line that says why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.numbers import FIRST, LOG, found, record, recorded, unrecorded
from contracts import UserError

PROJECT = Path(__file__).parents[2]
RUN = "d/ar/published/-"


def keep(root: Path, value: float | None) -> None:
    path = root / "results/reported/mine/results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    run = {"record": {"kind": "session"}, "metrics": {"HR@20": 0.5, "MRR@20": value}}
    path.write_text(json.dumps({"runs": {} if value is None else {RUN: run}, "density": {}}))


@pytest.fixture
def root(tmp_path) -> Path:
    keep(tmp_path, 0.25)
    (tmp_path / "docs").mkdir()
    (tmp_path / LOG).write_text("# Log\n\n| date | ... |\n|---|---|\n")
    (tmp_path / FIRST).write_text("results,run,metric,value\n")
    assert record(tmp_path, "first") == 2
    return tmp_path


def test_every_kept_value_is_recorded() -> None:
    """If this fails: python -m benchmark.numbers "why the numbers changed"."""
    assert len(found(PROJECT)) > 50
    assert unrecorded(PROJECT) == []


def test_first_values_need_no_log(root) -> None:
    assert unrecorded(root) == []
    assert "0.25" not in (root / LOG).read_text()
    assert recorded(root)["mine", RUN, "MRR@20"] == "0.250000"


def test_a_change_is_found_and_recorded_with_its_reason(root) -> None:
    keep(root, 0.26)
    assert unrecorded(root) == [(("mine", RUN, "MRR@20"), "0.250000", "0.260000")]
    first = (root / FIRST).read_text()
    assert record(root, "ties by first appearance") == 1
    assert (root / FIRST).read_text() == first
    assert f"| mine | {RUN} | MRR@20 | 0.250000 | 0.260000 | ties by first appearance |" in (root / LOG).read_text()
    assert unrecorded(root) == []


def test_gone_and_back(root) -> None:
    for value in (None, 0.25):
        keep(root, value)
        assert len(unrecorded(root)) == 2
        record(root, "moved")
        assert unrecorded(root) == []
    assert (root / LOG).read_text().count("moved") == 4


def test_an_edited_log_is_found(root) -> None:
    keep(root, 0.26)
    record(root, "why")
    (root / LOG).write_text((root / LOG).read_text().replace("0.250000", "0.240000"))
    with pytest.raises(UserError, match=r"numbers\.md: line 5: expected a reason and the old value 0\.250000"):
        unrecorded(root)


@pytest.mark.parametrize("reason", ["", "  ", "a | b", "a\nb"])
def test_a_reason_is_a_line(root, reason: str) -> None:
    keep(root, 0.26)
    with pytest.raises(UserError, match="expected a reason"):
        record(root, reason)
