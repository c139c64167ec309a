"""benchmark.experiments.unchanged: a result is of the parameters that it began with, or the command fails."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.experiments.unchanged import unchanged
from contracts import UserError
from tests.parameters import copy_parameters, edit

RUN = argparse.Namespace(command="run", data="sample-sessions", method="emde")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy_parameters(tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("args", "file", "change", "said"),
    [
        (RUN, "params/session/emde.yaml", lambda row: row["tuned"]["sample-sessions"]["params"].update(epochs=9),
         "emde on sample-sessions: expected the same parameters at the end of run"),
        (RUN, "params.yaml", lambda shared: shared.update(seed=9), "seed: .*found 9 for 0"),
        (argparse.Namespace(command="ablate", data="sample-sessions", cell="pq"), "params/ablations.yaml",
         lambda grid: grid["cells"]["pq"].update(params={"coder": "opq"}), "ablations.cells.pq: "),
        (argparse.Namespace(command="density", data="digits"), "params/density/hbe.yaml",
         lambda row: row["params"].update(error=0.3), "hbe on digits: "),
    ],
)  # fmt: skip
def test_an_edit_that_concerns_a_command_fails_it(folder: Path, args, file: str, change, said: str) -> None:
    with pytest.raises(UserError, match=said), unchanged(args):
        edit(folder / file, change)


def test_other_edits_do_not(folder: Path) -> None:
    with unchanged(RUN):
        edit(folder / "params/session/ar.yaml", lambda row: row.update(params={"pruning": 3}))
        edit(folder / "params/session/emde.yaml", lambda row: row["search"].update(n=[3]))


def test_the_command_line_fails(folder: Path, monkeypatch, capsys) -> None:
    def edited(args: argparse.Namespace) -> dict[str, object]:
        edit(folder / "params.yaml", lambda shared: shared.update(seed=9))
        return {}

    monkeypatch.setattr(cli, "run_method", edited)
    assert cli.main(["run", "--data", "sample-sessions", "--method", "ar"]) == 2
    assert "seed: expected the same parameters" in capsys.readouterr().err
