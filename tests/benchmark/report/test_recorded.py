"""benchmark.report.recorded: evaluation refuses a cell whose lock names parameters that it was not made with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmark.cli.main import main
from benchmark.experiments import run_store
from benchmark.experiments.run import Asked, run
from benchmark.experiments.settings import load
from contracts import UserError
from tests.parameters import copy_parameters, edit

CELL = "results/generated/cells/sample-sessions/ar"
ROW = "params/session/ar.yaml"


@pytest.fixture
def folder(sample, tmp_path: Path, monkeypatch) -> Path:
    """A suite with AR run on the sample, and a lock that names the parameters it has now."""
    copy_parameters(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    for split in ("0", "1"):
        run(load(), Asked("sample-sessions", "ar", split), Path(CELL) / "runs")
    return tmp_path


def lock(folder: Path, pruning: int) -> None:
    """As DVC writes it after a run of the cell."""
    params = {"params.yaml": {"seed": 0}, ROW: {"params": {"pruning": pruning}}}
    stages = {"run--sample-sessions--ar": {"cmd": "run", "params": params}}
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))


def test_parameters_of_the_lock_that_the_runs_were_not_made_with(folder: Path, capsys) -> None:
    arguments = ["evaluate", f"{CELL}/runs", "--out", CELL]
    edit(folder / ROW, lambda row: row.update(params={"pruning": 3}))
    lock(folder, 20)  # before the edit: DVC calls the cell stale by itself
    assert main(arguments) == 0
    lock(folder, 3)
    assert main(arguments) == 2
    assert "pruning 20.0, params.yaml asks 3.0, as dvc.lock does" in capsys.readouterr().err
    with pytest.raises(UserError, match="found no run"):
        run_store.find_runs(folder / CELL)


def test_parameters_that_are_those_of_the_lock(folder: Path) -> None:
    edit(folder / ROW, lambda row: row.update(params={"pruning": 20}))
    lock(folder, 20)
    assert main(["evaluate", f"{CELL}/runs", "--out", CELL]) == 0
    assert len(json.loads((folder / CELL / "evaluation.json").read_text())) == 2
