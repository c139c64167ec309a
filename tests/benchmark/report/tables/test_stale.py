"""A row whose runs are not what params.yaml asks for now says so in every format, and is compared with nothing."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from benchmark.experiments import settings
from benchmark.experiments.headline import EVALUATION
from benchmark.experiments.profiles import Group, Profile
from benchmark.experiments.settings import MethodRow, Settings, Tuned
from benchmark.report.site import build as site
from benchmark.report.tables import render
from benchmark.report.tables.build import build
from benchmark.report.tables.commands import commands
from benchmark.report.tables.declaration import BlockDeclaration, Declaration, declarations
from benchmark.report.tables.model import Results, Row, Verdict
from benchmark.report.tables.stale import Stale
from benchmark.report.tables.variants import rows as variants
from benchmark.report.tables.verdict import Tolerance
from benchmark.report.tables.verify import verify
from tests.benchmark.report.tables.conftest import measured

SLICES = [str(i) for i in range(5)]
REASON = "k 100, params.yaml asks 77"


def changed(k: int = 77) -> Settings:
    """params.yaml after S-KNN's k was changed."""
    chosen = settings.load()
    row = MethodRow(tuned={"rsc15": Tuned(params={"k": k}, source="a test")})
    methods = {**chosen.methods, "session": {**chosen.methods["session"], "s-knn": row}}
    return chosen.model_copy(update={"methods": methods})


def filled(folder: Path, chosen: Settings, stale: Stale | None = None) -> Results:
    declared = Declaration(
        id="t", title="t", kind="ranking", source="s", expected=["session-rec"], against="s-knn",
        metrics=["MRR@20", "HR@20"], tolerance=Tolerance(absolute=1, close=1),
        blocks=[BlockDeclaration(data="rsc15", rows=["@run"], required=["s-knn"])],
    )  # fmt: skip
    planned = {"rsc15": ["s-knn"]}
    return build([declared], measured(folder), chosen, "sample", planned, stale)


def rows(results: Results) -> dict[str, Row]:
    return {row.method: row for row in results.tables[0].blocks[0].rows}


@pytest.fixture
def folder(write_cell) -> Path:
    """S-KNN, measured with k = 100 and the best; AR beside it. Nothing is tuned on rsc15 here."""
    write_cell("rsc15", "ar", {(split, None): 0.3 for split in SLICES})
    path = write_cell("rsc15", "s-knn", {(split, None): 0.4 for split in SLICES})
    scored = json.loads((path / "cells/rsc15/s-knn" / EVALUATION).read_text())
    for result in scored:
        result["run"]["params"]["k"] = 100
    (path / "cells/rsc15/s-knn" / EVALUATION).write_text(json.dumps(scored))
    return path


def test_a_parameter_that_was_changed(folder: Path) -> None:
    fresh = rows(filled(folder, changed(100)))["s-knn"]
    assert (fresh.stale, fresh.cells[0].verdict, fresh.cells[0].mark) == ("", Verdict.OTHER_SETTINGS, "best")
    assert "published with k 500, ours 100" in fresh.cells[0].why
    results = filled(folder, changed())
    row, other = rows(results)["s-knn"], rows(results)["ar"]
    assert row.stale == REASON
    assert [cell.ours for cell in row.cells] == pytest.approx([0.4, 0.4])
    assert {(cell.verdict, cell.why) for cell in row.cells} == {(Verdict.NOT_COMPARABLE, f"stale: {REASON}")}
    assert [cell.mark for cell in row.cells] == ["", ""]
    assert [cell.mark for cell in other.cells] == ["best", "best"]
    assert other.cells[0].test is None, "no test against a stale row"
    assert verify(results)["failed"] == 2


def test_the_command_says_what_params_yaml_no_longer_asks(folder: Path, tmp_path: Path) -> None:
    """Typed as it was recorded, it would make another row."""
    edited(folder, command="emde run --data rsc15 --method s-knn --set sample_size=500")
    results = filled(folder, changed())
    again = {key: run.again for key, run in results.runs.items() if "s-knn" in key}
    assert set(again.values()) == {"emde run --data rsc15 --method s-knn --set sample_size=500 --set k=100"}
    assert {run.again for run in filled(folder, changed(100)).runs.values()} == {
        "emde run", "emde run --data rsc15 --method s-knn --set sample_size=500"
    }  # fmt: skip
    assert {row["method"]: row["commands"] for row in commands(results)}["s-knn"] == [*set(again.values())]
    site.build(results, changed().methods, tmp_path / "made", tmp_path / "site")
    assert "--set sample_size=500 --set k=100" in (tmp_path / "site/runs/rsc15--s-knn.html").read_text()


def test_every_format_says_so(folder: Path, tmp_path: Path) -> None:
    results = filled(folder, changed())
    texts = {fmt: make(results) for fmt, make in render.FORMATS.items()}
    assert "| S-KNN ‡ |" in texts["md"]
    assert f"| stale: {REASON} |" in texts["md"]
    assert r"S-KNN $^{\ddagger}$ &" in texts["tex"]
    assert r"$^{\ddagger}$ not measured with the present settings." in texts["tex"]
    assert "S-KNN ‡</th>" in texts["html"]
    assert f"stale: {REASON}" in texts["html"]
    lines = {(line["method"], line["stale"]) for line in csv.DictReader(io.StringIO(texts["csv"]))}
    assert lines == {("s-knn", REASON), ("ar", "")}
    assert REASON in {row["stale"] for row in json.loads(texts["json"])["tables"][0]["blocks"][0]["rows"]}
    site.build(results, changed().methods, tmp_path / "made", tmp_path / "site")
    for page in ("index.html", "tables/t.html"):
        assert "S-KNN ‡" in (tmp_path / "site" / page).read_text()
    assert f"stale: {REASON}" in (tmp_path / "site/runs/rsc15--s-knn.html").read_text()


def edited(folder: Path, **changes: Any) -> None:
    path = folder / "cells/rsc15/s-knn" / EVALUATION
    scored = json.loads(path.read_text())
    for result in scored:
        result["run"] |= changes
    path.write_text(json.dumps(scored))


def of_profile(seeds: int = 1, sessions: int | None = None) -> Stale:
    chosen = changed(100)
    group = Group(data=["rsc15"], methods=["s-knn", "emde"], seeds=seeds, sessions=sessions)
    profiles = {"p": Profile(title="p", session=[group])}
    return Stale(chosen.model_copy(update={"profiles": profiles}), "p")


def reason(folder: Path, stale: Stale, method: str = "s-knn") -> str:
    return rows(filled(folder, stale.settings, stale))[method].stale


def test_other_train_sessions_than_the_profiles(folder: Path) -> None:
    assert reason(folder, of_profile()) == ""
    assert reason(folder, of_profile(sessions=5000)) == "fitted on all of train, the profile asks 5,000 sessions"
    edited(folder, sessions=5000)
    assert reason(folder, of_profile()) == "fitted on 5,000 sessions, the profile asks all of train"


def test_other_seeds_than_the_profiles(folder: Path, write_cell) -> None:
    write_cell("rsc15", "emde", {(split, seed): 0.3 for split in SLICES for seed in (0, 1)})
    assert reason(folder, of_profile(2), "emde") == ""
    assert reason(folder, of_profile(3), "emde") == "seeds 0, 1, params.yaml asks 0, 1, 2"


def test_other_data_than_the_prepared(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    for split in SLICES:
        path = tmp_path / "data/prepared/rsc15" / split / "split.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"columns": {"a": "new", "added since": "b"}}))
    edited(folder, data_hashes={"columns": {"a": "new"}})
    assert reason(folder, of_profile()) == ""
    edited(folder, data_hashes={"columns": {"a": "old"}})
    assert reason(folder, of_profile()) == "made from other data than the prepared"


def test_runs_by_hand_never_were_params_yamls(folder: Path) -> None:
    edited(folder, params_source="command line")
    assert rows(filled(folder, changed()))["s-knn"].stale == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"n": 9}, "n 9, params.yaml asks 100"),
        ({"gone": 1}, "gone 1, which is no parameter now"),
        ({"coder": None}, ""),
    ],
)
def test_densities(change: dict[str, Any], why: str) -> None:
    chosen = settings.load()
    stale, density = Stale(chosen, None), chosen.density["digits"]
    params = chosen.density_estimator("emde-n100", 1.0, 0).model_dump(mode="json")
    found = {name: value for name, value in {**params, **change}.items() if value is not None}
    row = {"method": "emde-n100", "params": found, "pearson": {"seeds": [0.5] * density.seeds}}
    result = {"data": "digits", "rule": density.bandwidth_rule, "normalisation": density.normalisation, "h": 1.0}
    assert stale.density(result, row) == why
    assert "seeds, params.yaml asks" in stale.density(result, {**row, "pearson": {"seeds": [0.5]}})
    assert stale.density({**result, "rule": "9 x median distance"}, row).startswith("bandwidth 9 x median distance, ")


def test_ablations(tmp_path: Path) -> None:
    level = {
        "data": "sample-sessions", "factor": "partition", "label": "opq", "cell": "opq", "split": "0:valid", "train": 9,
        "points": 30, "seeds": 3, "metrics": {"MRR@20": {"mean": 0.3, "sd": 0.01, "low": 0.28, "high": 0.32}},
        "params": {"coder": "opq", "hidden": 7},
    }  # fmt: skip
    path = tmp_path / "ablations/ablations.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema": 2, "profile": "p", "main": "MRR@20", "levels": [level]}))
    results = build([declarations()["6"]], measured(tmp_path), settings.load(), "sample", {})
    (row,) = [row for block in results.tables[0].blocks for row in block.rows if row.stale]
    assert "hidden 7, params.yaml asks" in row.stale
    assert row.cells[1].why == f"stale: {row.stale}"


def test_several_kept_settings_are_rows_of_their_own() -> None:
    """Params.yaml's has the method's name, the others say what differs."""

    def kept(sessions: int | None = None, **params: Any) -> dict[str, Any]:
        run = {"data": "rsc15", "method": "s-knn", "base": "s-knn", "kind": "session", "split": "0", "seed": None}
        return {"run": {**run, "params": params, "sessions": sessions}}

    a, b, c = kept(k=100), kept(k=500, similarity="jaccard"), kept(9, k=100)
    found = variants([a, b, c], lambda run: run["params"]["k"] == 100)
    assert found == {
        ("rsc15", "s-knn"): [a],
        ("rsc15", "s-knn [k=500]"): [b],
        ("rsc15", "s-knn [sessions=9]"): [c],
    }
    assert list(variants([b], lambda run: False)) == [("rsc15", "s-knn")]
    assert list(variants([a, kept(k=100, similarity="jaccard")], lambda run: True)) == [("rsc15", "s-knn")]
    neither = variants([kept(k=1), kept(k=2)], lambda run: False)
    assert [name for _, name in neither] == ["s-knn [k=1]", "s-knn [k=2]"]
