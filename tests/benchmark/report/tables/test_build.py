"""Tables from made-up results: values, intervals, seeds, verdicts, tests, marks."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from benchmark.experiments import settings
from benchmark.report.keep import keep
from benchmark.report.tables import model, render, text
from benchmark.report.tables.build import build
from benchmark.report.tables.declaration import BlockDeclaration, Declaration, declarations
from benchmark.report.tables.measured import Made, Measured
from benchmark.report.tables.model import Results, Row, Verdict
from benchmark.report.tables.verdict import Tolerance
from contracts import UserError
from tests.benchmark.report.tables.conftest import measured

SLICES = [str(i) for i in range(5)]


def filled(found: Path | Measured, planned: dict[str, list[str]] | None = None, **changes) -> Results:
    """One table on RETAIL and generated sessions, of what lies below a folder or was measured."""
    declared = Declaration(
        id="t", title="t", kind="ranking", source="EMDE paper", expected=["paper", "session-rec"], against="emde",
        metrics=["MRR@20", "HR@20"], tolerance=Tolerance(absolute=0.001, close=0.05),
        blocks=[
            BlockDeclaration(data="retail", rows=["emde", "vs-knn", "s-knn", "stan", "narm", "@run"],
                             timed_out=["narm"], required=["vs-knn", "s-knn"], **changes),
            BlockDeclaration(data="sample-sessions", rows=["@run"]),
        ],
    )  # fmt: skip
    return build(
        [declared], measured(found) if isinstance(found, Path) else found, settings.load(), "sample", planned or {}
    )


def rows(results: Results, block: int = 0) -> dict[str, Row]:
    return {row.method: row for row in results.tables[0].blocks[block].rows}


def test_mean_over_slices_and_seeds(write_cell) -> None:
    levels = {(split, seed): 0.3 + 0.01 * int(split) + 0.002 * seed for split in SLICES for seed in (0, 1, 2)}
    found = rows(filled(write_cell("retail", "emde", levels)))["emde"].cells[0]
    assert found.ours == pytest.approx(0.322)
    assert found.slices is not None
    assert found.slices.values == pytest.approx({split: 0.302 + 0.01 * int(split) for split in SLICES})
    assert found.seeds is not None
    assert found.seeds.values == pytest.approx({"0": 0.320, "1": 0.322, "2": 0.324})
    assert found.seeds.sd == pytest.approx(0.002)
    assert found.low is not None
    half = np.sqrt(5 * 0.02**2) / 2 / 5  # five independent intervals of width 0.02
    assert (found.low, found.high) == pytest.approx((0.322 - half, 0.322 + half))
    assert found.delta == pytest.approx(0.322 - 0.3524)


def test_a_failed_cell_says_so_and_has_no_values_of_before(write_cell) -> None:
    folder = write_cell("retail", "vs-knn", {("0", None): 0.3395})
    last = "emde: out of memory"
    row = rows(filled(Measured([], Made.below(folder), failed={("retail", "vs-knn"): last})))["vs-knn"]
    assert {(cell.ours, cell.verdict, cell.why) for cell in row.cells} == {(None, Verdict.FAILED, last)}
    assert text.foot(row) == f"failed: {last}"


def test_verdicts(write_cell) -> None:
    folder = write_cell("retail", "vs-knn", {(split, None): 0.3395 for split in SLICES})
    write_cell("retail", "s-knn", {(split, None): 0.32 for split in SLICES})
    write_cell("retail", "narm", {(split, 0): 0.3 for split in SLICES})
    write_cell("retail", "ours-alone", {(split, None): 0.3 for split in SLICES})
    write_cell("sample-sessions", "ar", {(split, None): 0.3 for split in SLICES})
    results = filled(folder)
    found = {name: row.cells[0].verdict for name, row in rows(results).items()}
    assert found == {
        "emde": Verdict.NOT_RUN, "vs-knn": Verdict.REPRODUCED, "s-knn": Verdict.DIFFERS, "stan": Verdict.NOT_RUN,
        "narm": Verdict.TIMED_OUT, "ours-alone": Verdict.NOT_COMPARABLE,
    }  # fmt: skip
    generated = rows(results, 1)["ar"].cells[0]
    assert (generated.verdict, generated.why) == (Verdict.NOT_COMPARABLE, "generated data")
    assert results.verdicts["reproduced"] == 1  # HR@20 of VS-KNN is not .3395
    stan = rows(results)["stan"].cells[0]
    assert stan.expected is not None
    assert (stan.expected.origin, stan.expected.value) == ("session-rec", pytest.approx(0.3638, abs=1e-4))


def test_some_slices_are_not_the_published_mean(write_cell) -> None:
    results = filled(write_cell("retail", "vs-knn", {("0", None): 0.3395, ("1", None): 0.3395}))
    cell = rows(results)["vs-knn"].cells[0]
    assert (cell.verdict, cell.why) == (Verdict.NOT_COMPARABLE, "2 of 5 slices were run")


def test_part_of_train_is_not_the_published_train(write_cell) -> None:
    folder = write_cell("retail", "vs-knn", {(split, None): 0.3395 for split in SLICES})
    path = folder / "cells/retail/vs-knn/evaluation.json"
    scored = json.loads(path.read_text())
    for result in scored:
        result["run"] |= {"sessions": 5000, "approximate": "fitted on the 5,000 most recent of 9,999 train sessions"}
    path.write_text(json.dumps(scored))
    results = filled(folder)
    cell = rows(results)["vs-knn"].cells[0]
    why = "fitted on the 5,000 most recent train sessions only"
    assert (cell.verdict, cell.why) == (Verdict.NOT_COMPARABLE, why)
    assert "fitted on the 5,000 most recent of 9,999 train sessions" in results.tables[0].blocks[0].caption


def test_paired_tests_and_marks(write_cell) -> None:
    folder = write_cell("retail", "emde", {(split, seed): 0.35 for split in SLICES for seed in (0, 1)})
    for name, level in {"vs-knn": 0.35, "s-knn": 0.33, "stan": 0.31}.items():
        write_cell("retail", name, {(split, None): level for split in SLICES})
    found = rows(filled(folder))
    assert found["emde"].cells[0].test is None
    test = found["s-knn"].cells[0].test
    assert test is not None
    assert (test.against, test.units) == ("emde", 1000)
    assert test.difference == pytest.approx(-0.02, abs=1e-6)
    assert test.low < -0.02 < test.high < 0
    assert test.t_p < test.t_holm < 0.05
    assert found["s-knn"].cells[0].significant
    assert not found["vs-knn"].cells[0].significant
    assert [found[name].cells[0].mark for name in ("emde", "vs-knn", "s-knn", "stan")] == ["best", "best", "second", ""]


def test_rows_on_other_sessions_are_refused(write_cell) -> None:
    folder = write_cell("retail", "emde", {(split, 0): 0.35 for split in SLICES})
    write_cell("retail", "vs-knn", {(split, None): 0.35 for split in SLICES[:4]})
    with pytest.raises(UserError, match="retail: vs-knn and emde were not evaluated on the same"):
        filled(folder)


def test_two_runs_of_one_cell_are_refused(write_cell) -> None:
    folder = write_cell("retail", "emde", {("0", 0): 0.35})
    path = folder / "cells/retail/emde/evaluation.json"
    path.write_text(json.dumps(json.loads(path.read_text()) * 2))
    with pytest.raises(UserError, match="retail--emde: expected one run of split 0 with seed 0"):
        filled(folder)


def test_without_values_per_session_there_is_no_test(write_cell) -> None:
    folder = write_cell("retail", "emde", {(split, 0): 0.35 for split in SLICES}, units=False)
    write_cell("retail", "vs-knn", {(split, None): 0.33 for split in SLICES})
    found = rows(filled(folder))
    assert found["vs-knn"].cells[0].test is None
    assert [found[name].cells[0].mark for name in ("emde", "vs-knn")] == ["best", "second"]


def test_shown_is_what_was_run_or_planned(write_cell) -> None:
    folder = write_cell("sample-sessions", "ar", {(split, None): 0.3 for split in SLICES})
    assert [block.shown for block in filled(folder).tables[0].blocks] == [False, True]
    assert [block.shown for block in filled(folder, {"retail": ["emde"]}).tables[0].blocks] == [True, True]


def test_kept_results_give_the_same_tables(write_cell, tmp_path) -> None:
    folder = write_cell("retail", "vs-knn", {(split, None): 0.3395 for split in SLICES}, units=False)
    results = filled(folder)
    keep([folder], "kept", tmp_path)
    assert filled(Measured([tmp_path / "kept"])).tables == results.tables


def test_the_schema_is_the_committed_one() -> None:
    """After a change: ``model.SCHEMA.write_text(model.schema())`` of benchmark.report.tables."""
    assert model.SCHEMA.read_text() == model.schema()


def test_results_follow_the_schema(write_cell) -> None:
    folder = write_cell("retail", "emde", {(split, 0): 0.35 for split in SLICES})
    text = filled(folder).model_dump_json()
    jsonschema.validate(json.loads(text), json.loads(model.SCHEMA.read_text()))
    assert Results.model_validate_json(text).model_dump_json() == text


def test_hyper_parameters_are_the_papers() -> None:
    """Table 10 against our parameters: every value but those of data the paper does not name."""
    results = build([declarations()["10"]], Measured([]), settings.load(), "sample", {})
    cells = [cell for block in results.tables[0].blocks for row in block.rows for cell in row.cells]
    assert len(cells) == 60
    assert {cell.verdict for cell in cells} == {Verdict.AS_PUBLISHED}
    assert (results.verdicts, results.hyper_parameters) == ({}, {"as published": 60})


def test_ablations_fill_table_6(tmp_path) -> None:
    """Levels stand under the paper's names; the paper's values are of another split and not compared."""
    level = {
        "data": "sample-sessions", "factor": "partition", "label": "opq", "cell": "opq", "split": "0:valid", "train": 9,
        "points": 30, "seeds": 3, "metrics": {"MRR@20": {"mean": 0.3, "sd": 0.01, "low": 0.28, "high": 0.32}},
    }  # fmt: skip
    path = tmp_path / "ablations/ablations.json"
    path.parent.mkdir(parents=True)
    empty = {"data": "sample-sessions", "factor": "partition", "label": "pq", "cell": "pq", "unavailable": "why"}
    test = {"against": "base", "difference": -0.01, "low": -0.02, "high": -0.001, "effect": -0.2, "units": 30,
            "t_p": 0.01, "wilcoxon_p": 0.02, "t_holm": 0.03, "wilcoxon_holm": 0.04}  # fmt: skip
    level["difference"] = {"MRR@20": test}
    path.write_text(json.dumps({"schema": 2, "levels": [level, empty]}))
    results = build([declarations()["6"]], measured(tmp_path), settings.load(), "sample", {})
    blocks = {block.data: block for block in results.tables[0].blocks}
    assert [name for name, block in blocks.items() if block.shown] == ["sample-sessions"]
    found = {row.method: row for row in blocks["sample-sessions"].rows}
    cell = found["partition: opq"].cells[1]
    assert (cell.metric, cell.ours, cell.low, cell.verdict) == ("MRR@20", 0.3, 0.28, Verdict.NOT_COMPARABLE)
    assert cell.significant
    assert "* differs from the base model (paired t-test over sessions" in render.FORMATS["md"](results)
    assert found["partition: pq"].note == "why"
    paper = {row.method: row for row in blocks["retail"].rows}["partition: opq"].cells[1]
    assert paper.expected is not None
    assert (paper.expected.value, paper.verdict) == (0.35937, Verdict.NOT_RUN)
    path.write_text(json.dumps({"schema": 1, "levels": [level]}))
    with pytest.raises(UserError, match="compared ablations: expected schema 2, found 1; make them again"):
        build([declarations()["6"]], measured(tmp_path), settings.load(), "sample", {})


def test_density_rows_are_judged_over_seeds(tmp_path) -> None:
    """Ten seeds around the reference's mean reproduce it; ten beside it do not."""

    def row(method: str, values: list[float]) -> dict:
        one = {"mean": float(np.mean(values)), "sd": 0.01, "seeds": values}
        names = ("pearson", "spearman", "relative_error", "query_us", "fit_s")
        params = settings.load().density_estimator(method, 0.9, 0).model_dump(mode="json")
        return {"method": method, "params": params, "source": "s", "bytes": 8, **dict.fromkeys(names, one)}

    spread = [0.95 + 0.01 * (i - 4.5) / 3 for i in range(10)]
    rows_ = [row("emde", spread), row("emde-n100", [0.5, 0.54] * 5), row("race", [0.9] * 10)]
    content = {"data": "digits", "rows": rows_, "points": 1797, "dim": 64, "kernel": "laplacian (L2)", "h": 0.9,
               "rule": settings.load().density["digits"].bandwidth_rule, "normalisation": "none", "queries": 1797,
               "peak_rss_mb": 1.0}  # fmt: skip
    (tmp_path / "density").mkdir()
    (tmp_path / "density/digits.json").write_text(json.dumps(content))
    results = build([declarations()["5"]], measured(tmp_path), settings.load(), "sample", {})
    found = {row.method: row.cells[0] for row in results.tables[0].blocks[0].rows}
    assert {name: cell.verdict for name, cell in found.items()} == {
        "emde": Verdict.REPRODUCED, "emde-n100": Verdict.DIFFERS, "race": Verdict.NOT_COMPARABLE,
    }  # fmt: skip
    assert found["emde"].required
    assert results.density["digits"] == content
