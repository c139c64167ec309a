"""emde verify: what is declared as reproduced must be, in what was kept as in what was just run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark import cli, settings
from benchmark.tables import collect
from benchmark.tables.verify import verify
from contracts import UserError

PROJECT = Path(__file__).parents[3]
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
    content = json.loads((KEPT / "results.json").read_text())
    key = "rsc15-100k/ar/published/-"
    if shift is None:
        del content["runs"][key]["metrics"]["MRR@20"]
    else:
        content["runs"][key]["metrics"]["MRR@20"] += shift
    (tmp_path / "results.json").write_text(json.dumps(content))
    assert cli.main(["verify", "--results", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["failed"] == 1
    bad = next(check for check in found["checks"] if check["result"] != "OK")
    assert (bad["data"], bad["method"], bad["metric"], bad["result"]) == ("rsc15-100k", "ar", "MRR@20", word)


def test_for_people(capsys) -> None:
    assert cli.main(["verify", "--results", str(KEPT)]) == 0
    out = capsys.readouterr().out
    assert "OK" in out
    assert out.splitlines()[-1].startswith("small: ")
    assert "values reproduced" in out


def test_nothing_to_check_is_an_error(write_cell) -> None:
    folder = write_cell("retail", "emde", {("0", 0): 0.3})
    with pytest.raises(UserError, match="no declared table requires"):
        verify(collect(settings.load(), "sample", [folder]))


def test_one_table_as_it_goes_into_a_paper(capsys) -> None:
    assert cli.main(["tables", "--results", str(KEPT), "--table", "small", "--format", "tex"]) == 0
    out = capsys.readouterr().out
    assert out.count(r"\begin{table}") == out.count(r"\end{table}") == 1
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
