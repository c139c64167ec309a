"""emde keep: runs, metrics and files of other commands into one folder; changed values are said and need a reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmark.cli import main as cli
from benchmark.experiments import settings
from benchmark.experiments.evaluate import evaluate_all, write_units
from benchmark.experiments.headline import EVALUATION, UNITS
from benchmark.experiments.run import Asked, run
from benchmark.report import keep, kept
from benchmark.report.tables import collect
from benchmark.report.tables.build import build
from benchmark.report.tables.declaration import declarations
from contracts import UserError
from tests.benchmark.report.tables.conftest import SESSION_METRICS, measured, per_unit, result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, sample_root: Path) -> Path:
    """Runs of three methods on one slice of the generated sessions, one of them with two settings."""
    out, chosen = tmp_path_factory.mktemp("runs"), settings.load()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_DATA", str(sample_root))
        for method in ("pop", "ar", "sr"):
            run(chosen, Asked("sample-sessions", method, "0"), out)
        run(chosen, Asked("sample-sessions", "sr", "0", {"steps": 2}), out)
    return out


@pytest.fixture
def runs(made: Path, sample: Path) -> Path:
    """The runs, where their data are found."""
    return made


@pytest.fixture
def write_results(tmp_path: Path) -> Path:
    """A folder of results: two methods on the slices of the generated sessions, with values per session."""
    folder = tmp_path / "generated"
    for method, level in (("emde", 0.35), ("ar", 0.33)):
        seed, values = 0 if method == "emde" else None, dict.fromkeys(SESSION_METRICS, level)
        scored = []
        for i in range(5):
            found = result("sample-sessions", method, str(i), seed, values)
            scored.append((found, per_unit(level, seed=i + 9 * len(method))))
        cell = folder / "cells/sample-sessions" / method
        cell.mkdir(parents=True)
        (cell / EVALUATION).write_text(json.dumps([found for found, _ in scored]))
        write_units(cell / UNITS, scored)
    return folder


def entry(arguments: list[Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    capsys.readouterr()
    status = cli.main([str(word) for word in arguments])
    return status, *capsys.readouterr()


def test_runs_are_kept_once_and_shown(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = entry(["keep", runs, "--as", "mine", "--root", tmp_path], capsys)
    assert (status, out) == (0, f"{tmp_path / 'mine'}: 4 added, 0 replaced, 0 gone; 0 values changed\n")
    first = (tmp_path / "mine/sample-sessions.jsonl").read_bytes()
    assert (
        entry(["keep", runs, "--as", "mine", "--root", tmp_path], capsys)[1].count(" 0 added, 0 replaced, 0 gone") == 1
    )
    assert (tmp_path / "mine/sample-sessions.jsonl").read_bytes() == first
    status, out, _ = entry(["tables", "--results", tmp_path / "mine", "--format", "json"], capsys)
    (table,) = [t for t in json.loads(out)["tables"] if t["id"] == "1"]
    (block,) = [b for b in table["blocks"] if b["shown"]]
    assert [row["method"] for row in block["rows"]] == ["ar", "pop", "sr", "sr [steps=2]"]


def test_older_code_can_be_kept(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "sample-sessions/pop", tmp_path / "runs/sample-sessions/pop")
    (path,) = (tmp_path / "runs").rglob("run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "code": "0" * 40}))
    keep.keep([tmp_path / "runs"], "mine", tmp_path)
    (found,) = kept.read(tmp_path / "mine")
    assert found["run"]["code"] == "0" * 40


def test_a_value_that_changed_is_said_and_needs_a_reason(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep.keep([runs], "mine", tmp_path)
    records = kept.read(tmp_path / "mine")
    wrong = next(r for r in records if r["run"]["method"] == "ar")
    right, wrong["metrics"]["HR@20"] = wrong["metrics"]["HR@20"], 0.25
    kept.write(tmp_path / "mine", records)
    before = (tmp_path / "mine/sample-sessions.jsonl").read_bytes()
    status, _, err = entry(["keep", runs, "--as", "mine", "--root", tmp_path], capsys)
    assert status == 2
    assert f"1 kept values would change (sample-sessions/ar/0/-, HR@20: 0.250000 -> {right:.6f}); say why" in err
    assert (tmp_path / "mine/sample-sessions.jsonl").read_bytes() == before
    status, out, _ = entry(["keep", runs, "--as", "mine", "--root", tmp_path, "--why", "measured again"], capsys)
    assert status == 0
    assert f"sample-sessions/ar/0/-, HR@20: 0.250000 -> {right:.6f}\n" in out
    assert "0 added, 1 replaced, 0 gone; 1 values changed" in out


def test_replacing_says_what_goes(runs: Path, tmp_path: Path) -> None:
    keep.keep([runs], "mine", tmp_path)
    with pytest.raises(UserError, match="say why"):
        keep.keep([runs / "sample-sessions/sr/" / _default(runs)], "mine", tmp_path, replace=True)
    done = keep.keep([runs / "sample-sessions/sr" / _default(runs)], "mine", tmp_path, "one setting", replace=True)
    assert (done["added"], done["gone"]) == (0, 1)
    assert {change["metric"] for change in done["changed"]} == {"HR@20", "MRR@20"}


def _default(runs: Path) -> str:
    for path in (runs / "sample-sessions/sr").iterdir():
        if json.loads((path / "run.json").read_text())["params"]["steps"] != 2:
            return path.name
    raise AssertionError("no run with the default steps")


def test_changes_are_logged_beside_the_kept_results(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep, "project_root", lambda: tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/numbers.md").write_text("# Changed numbers\n")
    keep.keep([runs], "mine")
    folder = tmp_path / "results/reported/mine"
    records = kept.read(folder)
    records[0]["metrics"]["MRR@20"] = 0.125
    kept.write(folder, records)
    keep.keep([runs], "mine", why="a | b")
    (line,) = (tmp_path / "docs/numbers.md").read_text().splitlines()[1:]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[1:5] == ["mine", "sample-sessions/ar/0/-", "MRR@20", "0.125000"]
    assert cells[6] == "a / b"


def test_changed_ablations_need_a_reason_too(tmp_path: Path) -> None:
    def compared(hit_rate: float, cells: list[str]) -> Path:
        metrics = {"HR@20": {"mean": hit_rate}, "MRR@20": {"mean": 0.3}}
        levels = [{"data": "d", "cell": cell, "decoder": "gmean", "metrics": metrics} for cell in cells]
        levels.append({"data": "d", "cell": "metadata", "decoder": None, "unavailable": "no attributes"})
        path = tmp_path / "ablations.json"
        path.write_text(json.dumps({"schema": 2, "profile": "p", "main": "MRR@20", "levels": levels}))
        return path

    keep.keep([compared(0.5, ["base", "pq"])], "mine", tmp_path)
    with pytest.raises(UserError, match="say why"):
        keep.keep([compared(0.6, ["base"])], "mine", tmp_path)
    changed = keep.keep([compared(0.6, ["base"])], "mine", tmp_path, "all of train")["changed"]
    assert [tuple(change.values()) for change in changed] == [
        ("d/base/gmean", "HR@20", "0.500000", "0.600000"),
        ("d/pq/gmean", "HR@20", "0.500000", "–"),
        ("d/pq/gmean", "MRR@20", "0.300000", "–"),
    ]


def test_tests_are_kept_with_the_runs(write_results: Path, tmp_path: Path) -> None:
    """Results give the same table as what was kept of them, paired tests included."""
    keep.keep([write_results], "mine", tmp_path)
    of_kept = collect(settings.load(), "sample", [tmp_path / "mine"])
    declared = [declarations()[table.id] for table in of_kept.tables if table.id in declarations()]
    of_results = build(declared, measured(write_results), settings.load(), "mine", {})
    kept_tables = [table for table in of_kept.tables if table.id in declarations()]
    for table, other in zip(of_results.tables, kept_tables, strict=True):
        for block, same in zip(table.blocks, other.blocks, strict=True):
            assert [[(cell.ours, cell.low, cell.test, cell.verdict) for cell in row.cells] for row in block.rows] == [
                [(cell.ours, cell.low, cell.test, cell.verdict) for cell in row.cells] for row in same.rows
            ]
    assert any(cell.test for t in of_kept.tables for b in t.blocks for row in b.rows for cell in row.cells)
    one = keep.keep([write_results / "cells/sample-sessions/ar" / EVALUATION], "one", tmp_path)
    assert one["added"] == 5, "slices; without the reference row there is no test left"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("density", {"data": "digits", "kernel": "k", "rows": []}, "density"),
        ("cell", {"data": "sample-sessions", "cell": "pq", "split": "0:valid"}, "cell"),
        ("search", {"data": "rsc15-100k", "method": "sr", "split": "v", "trials": [], "objective": "MRR@20"}, "search"),
        ("bench", {"time": "2026", "machine": {}, "sections": {}}, "bench"),
        ("ablations", {"schema": 2, "profile": "p", "main": "MRR@20", "levels": [{"data": "digits"}]}, "ablation"),
    ],
)
def test_files_of_other_commands(tmp_path: Path, name: str, content: dict[str, Any], kind: str) -> None:
    path = tmp_path / f"{name}.json"
    path.write_text(json.dumps(content))
    keep.keep([path], "mine", tmp_path)
    (found,) = kept.read(tmp_path / "mine")
    assert found["kind"] == kind


def test_a_search_leaves_its_paths_behind(tmp_path: Path) -> None:
    study = {"data": "rsc15-100k", "method": "sr", "split": "v", "trials": [], "objective": "MRR@20"}
    (tmp_path / "s.json").write_text(json.dumps({**study, "file": "/a/b.db", "report": {"table": "/a/b.csv"}}))
    keep.keep([tmp_path / "s.json"], "mine", tmp_path)
    assert [found["result"] for found in kept.read(tmp_path / "mine")] == [study]


def test_metrics_of_two_settings_in_one_file(runs: Path, tmp_path: Path) -> None:
    """What emde evaluate --out makes of a folder of runs; runs that no metrics describe are evaluated."""
    evaluate_all([runs / "sample-sessions/sr"], tmp_path / "generated/cells/sample-sessions/sr")
    evaluate_all([runs / "sample-sessions/ar"], tmp_path / "generated/cells/sample-sessions/ar")
    assert keep.keep([tmp_path / "generated"], "mine", tmp_path)["added"] == 3


def test_a_kept_density_that_changed(tmp_path: Path) -> None:
    path = tmp_path / "digits.json"
    for value in (0.5, 0.75):
        rows = [{"method": "emde", "pearson": {"mean": value}}]
        path.write_text(json.dumps({"data": "digits", "kernel": "k", "rows": rows}))
        done = keep.keep([path], "mine", tmp_path, "more seeds")
    assert done["changed"] == [{"run": "digits/emde", "metric": "Pearson", "old": "0.500000", "new": "0.750000"}]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: None, "expected results to keep, found no such file or folder"),
        (lambda folder: folder.mkdir(), "expected results to keep (runs, metrics, densities, ...), found none"),
        (lambda folder: folder.write_text("{}"), "found JSON with no fields"),
        (lambda folder: folder.write_text('{"a": 1}'), "found JSON with a"),
        (lambda folder: folder.write_text("{"), "expected JSON"),
        (lambda folder: folder.write_bytes(b"\x89PNG\xff"), "expected JSON"),
    ],
)
def test_what_cannot_be_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str], make: Any, words: str) -> None:
    make(tmp_path / "source")
    status, _, err = entry(["keep", tmp_path / "source", "--as", "mine", "--root", tmp_path], capsys)
    assert status == 2
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "mine").exists()


def test_a_name_is_one_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("../x", "a/b", "..", ""):
        assert entry(["keep", tmp_path, "--as", name, "--root", tmp_path], capsys)[0] == 2
