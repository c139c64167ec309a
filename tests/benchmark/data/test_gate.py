"""Wrong counts and damaged files stop the pipeline at the command line: one line, exit status 2, nothing written."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from benchmark.cli import main as cli
from benchmark.data import paths
from tests.benchmark.data.conftest import sessions


@pytest.fixture
def mine(root, tmp_path) -> Path:
    """A data set of one's own, prepared; returns its registry entry."""
    sessions().to_csv(tmp_path / "mine.csv", index=False)
    assert cli.main(["data", "add", "mine", "--sessions", str(tmp_path / "mine.csv")]) == 0
    return root / "registry" / "mine.yaml"


def expect(entry: Path, **fields) -> None:
    entry.write_text(yaml.safe_dump(yaml.safe_load(entry.read_text()) | fields))


@pytest.mark.parametrize("command", ["prepare", "stats", "page"])
@pytest.mark.parametrize("part", ["raw", "0", "mean"])
def test_a_mismatch_stops_with_both_numbers(mine, capsys, command, part):
    found = {"raw": 800, "0": 800, "mean": 800.0}[part]
    expect(mine, expected={part: {"events": 801}})
    before = sorted(path.stat().st_mtime_ns for path in paths.prepared_dir("mine").rglob("*"))
    capsys.readouterr()
    assert cli.main(["data", command, "mine"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"emde: mine, {part}: events: expected 801, found {found}\n"
    assert sorted(path.stat().st_mtime_ns for path in paths.prepared_dir("mine").rglob("*")) == before


def test_a_stated_tolerance_lets_pass_what_is_near(mine, capsys):
    expect(mine, expected={"raw": {"events": 810}}, tolerance=0.02)
    assert cli.main(["data", "stats", "mine"]) == 0
    expect(mine, expected={"raw": {"events": 830}}, tolerance=0.02)
    capsys.readouterr()
    assert cli.main(["data", "stats", "mine"]) == 2
    assert capsys.readouterr().err == "emde: mine, raw: events: expected 830 within 2.0%, found 800\n"


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:99] + b"!" + data[100:], lambda _: b""])
def test_a_damaged_raw_file_gives_one_line(mine, root, capsys, damage):
    path = root / "raw" / "mine" / "mine.csv"
    path.write_bytes(damage(path.read_bytes()))
    run = subprocess.run([sys.executable, "-m", "benchmark.cli", "data", "prepare", "mine"],
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == 2
    assert run.stdout == ""
    assert re.fullmatch(
        r"emde: mine: mine.csv is damaged \(expected .*, found .*\) and could not be fetched: no source to try\n",
        run.stderr,
    )
