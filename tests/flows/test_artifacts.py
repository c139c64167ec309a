"""What the UI shows: counts become progress; a run leaves a summary."""

from pathlib import Path

import pytest

from flows import artifacts
from flows.cells import Outcome
from flows.dvc_stages import Stage
from flows.processes import SITE, StageError


def test_counts_in_the_log_become_one_bar_each(monkeypatch):
    made: list[tuple[str, float]] = []
    moved: list[float] = []
    monkeypatch.setattr(
        artifacts, "create_progress_artifact", lambda percent, description: made.append((description, percent)) or 1
    )
    monkeypatch.setattr(artifacts, "update_progress_artifact", lambda identity, percent: moved.append(percent))
    lines: list[str] = []
    log = artifacts.followed("run d / emde", lines.append)
    for text in ("train EMDE: 10/40 epoch 1 loss 3.2", "train EMDE: 30/40 epoch 1", "rank d: 1/2", "10/12/2026: hello"):
        log(text)
    assert made == [("run d / emde: train EMDE", 25.0), ("run d / emde: rank d", 50.0)]
    assert moved == [75.0]
    assert len(lines) == 4


def test_the_summary_says_what_became_of_the_run(tmp_path: Path, monkeypatch):
    folder = tmp_path / "sample"
    for name in ("site/index.html", "figures/a.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).touch()
    (tmp_path / "tables.csv").write_text(
        "table,data,masked,method,metric,ours,published,difference,x\n"
        "1,d,0,pop,HR@20,,0.5,,9\n1,d,0,ar,HR@20,0.123456,,,9\n1,d,0,ar,P@20,0.5,,,9\n1,e,0,ar,HR@20,0.7,,,9\n"
    )
    rows = artifacts.measured(tmp_path / "tables.csv")
    assert [(row["data"], row["ours"], row["published"]) for row in rows] == [
        ("d", 0.1235, ""),
        ("d", 0.5, ""),
        ("e", 0.7, ""),
    ]
    ran, idle, broken, left = (
        Stage("dvc.yaml", name) for name in ("run--d--ar", "run--d--pop", "run--d--sr", "tables--p")
    )
    outcome = Outcome([ran, idle, broken, left], {ran}, {broken: StageError("no luck")}, {left})
    monkeypatch.setenv(SITE, "http://here")
    text = artifacts.summary("session-based", "sample", folder, outcome, rows)
    for part in (
        "3 cells: 1 up to date, 1 run, 1 failed", "**run d / sr**", "no luck", "| data | method | HR@20 |",
        "| d | ar | 0.1235 |", "[the site](http://here/sample/site/index.html)", "[a](http://here/sample/figures/a.png)",
        "## Up to date (1)\n\nrun d / pop", "## Run (1)\n\nrun d / ar", "## Made from what there is (1)\n\ntables p",
    ):  # fmt: skip
        assert part in text
    assert "| e |" not in text


@pytest.mark.parametrize("text", ["no count", "a: b/c", ": 1/2"])
def test_other_lines_are_left_alone(text):
    assert not artifacts.COUNT.match(text)
