"""What the UI shows: counts become progress, tables keep four digits, pictures travel inside."""

from pathlib import Path

import pytest

from flows import artifacts


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


def test_tables_are_rounded_and_pictures_are_inside(tmp_path: Path):
    (tmp_path / "tables.csv").write_text(
        "table,data,method,metric,ours,published,difference,x\n1,d,ar,HR@20,0.123456,,,9\n"
    )
    assert artifacts._rows(tmp_path / "tables.csv") == [
        {
            "table": "1",
            "data": "d",
            "method": "ar",
            "metric": "HR@20",
            "ours": 0.1235,
            "published": "",
            "difference": "",
        }
    ]
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/a.png").write_bytes(b"png")
    (tmp_path / "figures/huge.png").write_bytes(b"0" * (artifacts.MAX_PICTURE + 1))
    assert artifacts._pictures(tmp_path) == ["### a\n\n![a](data:image/png;base64,cG5n)"]


@pytest.mark.parametrize("text", ["no count", "a: b/c", ": 1/2"])
def test_other_lines_are_left_alone(text):
    assert not artifacts.COUNT.match(text)
