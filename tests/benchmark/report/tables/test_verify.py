"""emde verify: what was run must agree with what is published, in what was kept as in what was just run."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.experiments import settings
from benchmark.experiments.run import Asked, run
from benchmark.report import kept
from benchmark.report.keep import keep
from benchmark.report.tables import collect
from benchmark.report.tables.verify import verify
from contracts import UserError
from tests.parameters import copy_parameters

PROJECT = Path(__file__).parents[4]
KEPT = PROJECT / "results/reported/small"


def test_kept_results_are_reproduced() -> None:
    """AR, SR, S-KNN against session-rec, EASE and TopPop against the framework."""
    found = verify(collect(settings.load(), "sample", [KEPT]))
    assert {(check["data"], check["method"]) for check in found["checks"]} >= {
        ("rsc15-100k", "ar"), ("rsc15-100k", "sr"), ("rsc15-100k", "s-knn"),
        ("movielens-100k", "ease"), ("movielens-100k", "top-pop"),
    }  # fmt: skip
    assert [check for check in found["checks"] if check["result"] != "OK"] == []
    assert found["failed"] == 0


@pytest.mark.parametrize(("shift", "word"), [(0.005, "close"), (0.1, "FAIL"), (None, "FAIL")])
def test_a_wrong_value_fails(tmp_path, capsys, shift: float | None, word: str) -> None:
    """Also one that is missing."""
    records = kept.read(KEPT)
    metrics = next(r["metrics"] for r in records
                   if r["kind"] == "run" and str(kept.RunName.of(r["run"])) == "rsc15-100k/ar/published/-")  # fmt: skip
    if shift is None:
        del metrics["MRR@20"]
    else:
        metrics["MRR@20"] += shift
    kept.write(tmp_path, records)
    assert cli.main(["verify", "--results", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == 1
    bad = next(check for check in found["checks"] if check["result"] != "OK")
    assert (bad["data"], bad["method"], bad["metric"], bad["result"]) == ("rsc15-100k", "ar", "MRR@20", word)


def test_hyper_parameters_as_published_are_reproduced() -> None:
    """Table 10 is what params say, so that nothing needs to have been run."""
    found = verify(collect(settings.load(), "sample"))
    settings_of_rows = [check for check in found["checks"] if check["table"] == "10"]
    assert len(settings_of_rows) == 60
    assert {check["result"] for check in settings_of_rows} == {"OK"}


def test_parameters_are_not_counted_as_values(capsys, monkeypatch, tmp_path: Path) -> None:
    nothing_run = tmp_path
    monkeypatch.setattr(sys.modules["benchmark.report.tables.make"], "project_root", lambda: nothing_run)
    assert cli.main(["verify"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "sample: 60 of 60 parameters as published"


def test_for_people(capsys) -> None:
    assert cli.main(["verify", "--results", str(KEPT)]) == 0
    out = capsys.readouterr().out
    assert "OK" in out
    assert out.splitlines()[-1].startswith("small: ")
    assert "values reproduced" in out


def test_nothing_to_check_is_an_error() -> None:
    with pytest.raises(UserError, match="nothing is published for what its tables show"):
        verify(collect(settings.load(), "sample", [PROJECT / "results/reported/movielens-1m"]))


def test_every_row_that_was_run_must_agree_and_the_others_are_counted(write_cell, tmp_path: Path) -> None:
    """EMDE on RETAIL far from the paper fails, required or not; two of five slices are no comparison."""
    keep([write_cell("retail", "emde", {(str(split), 0): 0.9 for split in range(5)})], "kept", tmp_path)
    keep([write_cell("digi", "emde", {(str(split), 0): 0.9 for split in range(2)})], "kept", tmp_path)
    found = verify(collect(settings.load(), "sample", [tmp_path / "kept"]))
    assert {(check["data"], check["method"], check["result"]) for check in found["checks"]} >= {
        ("retail", "emde", "FAIL")
    }
    assert found["failed"] > 0
    assert found["not_comparable"] + found["stale"] > 0
    assert found["not_run"] > 50


def test_the_command_of_every_row(capsys) -> None:
    """Each measured row once, with a command that the command line takes, though it stands in several tables."""
    assert cli.main(["verify", "--results", str(KEPT), "--commands", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["row"] for row in rows] == list(range(1, len(rows) + 1))
    for command in [command for row in rows for command in row["commands"]]:
        assert cli.build_parser().parse_args(shlex.split(command)[1:]).handler, command
    assert "rsc15-100k/ar/published/-" in {run for row in rows for run in row["runs"]}
    assert {row["commands"][0] for row in rows if row["tables"] == ["density"]} >= {"emde density --data digits"}
    twice = [row for row in rows if len(row["tables"]) > 1]
    assert ("rsc15-100k", "vstan") in {(row["data"], row["method"]) for row in twice}


def test_a_row_is_run_again(sample, tmp_path, monkeypatch, capsys) -> None:
    known = settings.load(copy_parameters(tmp_path))
    monkeypatch.setenv("EMDE_PROJECT", str(tmp_path))
    run(known, Asked("sample-sessions", "ar", "0", {"pruning": 5}), tmp_path / "runs")
    keep([tmp_path / "runs"], "mine", tmp_path / "kept")
    again = ["verify", "--results", str(tmp_path / "kept/mine"), "--row", "1", "--json"]
    assert cli.main(again) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(check["metric"], check["result"]) for check in found["checks"]] == [("HR@20", "OK"), ("MRR@20", "OK")]
    assert list((tmp_path / "results/generated/verify/sample-sessions/ar").iterdir())

    records = kept.read(tmp_path / "kept/mine")
    records[0]["run"]["lists_sha256"] = "0" * 64
    records[0]["metrics"]["HR@20"] += 0.1
    records[0]["intervals"]["HR@20"] = [value + 0.1 for value in records[0]["intervals"]["HR@20"]]
    records[0]["run"]["params"]["pruning"] = 9
    kept.write(tmp_path / "kept/mine", records)
    assert cli.main(again) == 1
    found = json.loads(capsys.readouterr().out)
    assert [check["result"] for check in found["checks"]] == ["FAIL", "close"]
    assert "pruning was 9" in found["checks"][0]["why"]
    assert cli.main([*again[:-2], "2"]) == 2
    assert "from 1 to 1" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "floats"), [(["--spread", "none"], 1), ([], 5)])
def test_one_table_as_it_goes_into_a_paper(capsys, arguments: list[str], floats: int) -> None:
    """In a column: values alone fit into one float; with the spread over seeds it goes on in others."""
    assert cli.main(["tables", "--results", str(KEPT), "--table", "small", "--format", "tex", *arguments]) == 0
    out = capsys.readouterr().out
    assert out.count(r"\begin{table}") == out.count(r"\end{table}") == floats
    assert r"\label{tab:small}" in out
    assert "VSTAN" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table", "1"], ["--table 1: nothing of it was run", "retail"]),
        (["--table", "99"], ["no table '99'", "topk-framework"]),
        (["--results", "nowhere"], ["nowhere: expected a folder of results"]),
    ],
)
def test_nothing_to_show_is_an_error(capsys, arguments: list[str], words: list[str]) -> None:
    assert cli.main(["tables", "--results", str(KEPT), *arguments]) == 2
    err = capsys.readouterr().err
    for word in words:
        assert word in err
