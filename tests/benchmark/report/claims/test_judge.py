"""The judge, on made-up evidence: every verdict, Holm over the page, seeds, parts of train, published values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmark.protocol.significance import holm, paired
from benchmark.report.claims.finding import Judgement
from benchmark.report.claims.judge import Judged
from tests.benchmark.report.claims.conftest import DATA, SPLIT, Folder, rows


def test_holds_and_does_not(folder: Folder) -> None:
    folder.run("emde", 0.35, seed=0, draw=1)
    folder.run("sr", 0.30, draw=2)
    paper = {"table": "1", "first": "EMDE", "second": "SR"}
    (found,) = folder.judged(rows(paper=paper)).findings
    assert found.verdict is Judgement.HOLDS
    assert found.difference == pytest.approx(0.05)
    assert found.low is not None
    assert 0 < found.low < 0.05
    assert found.paper == (0.3104, 0.301)
    assert (found.first_value, found.second_value) == pytest.approx((0.35, 0.30))
    (found,) = folder.judged(rows("sr", "emde")).findings
    assert found.verdict is Judgement.FAILS
    assert found.difference == pytest.approx(-0.05)


def test_undecided_by_p(folder: Folder) -> None:
    folder.run("emde", 0.301, seed=0, draw=1)
    folder.run("sr", 0.30, draw=2)
    (found,) = folder.judged(rows()).findings
    assert found.verdict is Judgement.UNDECIDED
    assert found.why.startswith("p = ")


def test_undecided_within_the_spread_over_seeds(folder: Folder) -> None:
    """The sessions agree to the last, the seeds do not."""
    for seed, level in enumerate((0.31, 0.35, 0.39)):
        folder.run("emde", level, seed=seed, noise=0.001, draw=seed)
    folder.run("sr", 0.33, noise=0.001, draw=9)
    (found,) = folder.judged(rows()).findings
    assert found.p_holm is not None
    assert found.p_holm < 1e-6
    assert found.spread == pytest.approx(0.04)
    assert found.seeds == 3
    assert found.verdict is Judgement.UNDECIDED
    assert "spread over seeds" in found.why


def test_seeds_without_values_count_for_the_spread(folder: Folder) -> None:
    folder.run("emde", 0.34, seed=0, draw=1)
    folder.run("emde", 0.44, seed=1, valued=False)
    folder.run("sr", 0.30, draw=2)
    (found,) = folder.judged(rows()).findings
    assert found.first_value == pytest.approx(0.34)  # what was tested
    assert found.spread == pytest.approx(0.1 / 2**0.5)
    assert found.verdict is Judgement.UNDECIDED


@pytest.mark.parametrize(("level", "verdict"), [(0.35, Judgement.INDICATED), (0.25, Judgement.COUNTER)])
def test_a_part_of_train_decides_nothing(level: float, verdict: Judgement, folder: Folder) -> None:
    folder.run("emde", level, seed=0, sessions=5000, draw=1)
    folder.run("sr", 0.30, draw=2)
    judged = folder.judged(rows())
    assert [f.verdict for f in judged.findings] == [verdict]
    assert judged.verdict is verdict


def test_all_of_train_goes_before_a_part(folder: Folder) -> None:
    folder.run("emde", 0.10, seed=0, sessions=5000, draw=1)
    folder.run("emde", 0.35, seed=0, draw=1)
    folder.run("sr", 0.30, draw=2)
    (found,) = folder.judged(rows()).findings
    assert found.whole
    assert found.first_value == pytest.approx(0.35)


def test_only_params_yamls_settings_are_emde(folder: Folder) -> None:
    folder.run("emde", 0.9, seed=0, draw=1, hidden=7)
    folder.run("sr", 0.30, draw=2)
    (found,) = folder.judged(rows()).findings
    assert found.verdict is Judgement.NOT_RUN
    assert found.commands == (f"emde run --data {DATA} --method emde --split {SPLIT}",)
    changed = {"method": "emde", "settings": {"hidden": 7}}
    (found,) = folder.judged(rows(changed)).findings
    assert found.verdict is Judgement.HOLDS
    assert found.first == "emde [hidden=7]"


def test_a_baselines_only_setting_is_its_row(folder: Folder) -> None:
    folder.run("emde", 0.35, seed=0, draw=1)
    folder.run("sr", 0.30, draw=2, steps=3)
    assert folder.judged(rows()).verdict is Judgement.HOLDS
    folder.run("sr", 0.30, draw=2, steps=4)
    assert folder.judged(rows()).verdict is Judgement.NOT_RUN  # which of the two?


def test_a_neural_baseline_of_a_part_of_train_enters_no_claim(folder: Folder) -> None:
    data = "yoochoose-1-64"
    folder.run("emde", 0.35, data=data, seed=0, draw=1)
    folder.run("tagnn", 0.20, data=data, seed=0, sessions=100, draw=2)
    (found,) = folder.judged(rows(second="tagnn", data=[data])).findings
    assert found.verdict is Judgement.NOT_RUN
    (found,) = folder.judged(rows(second="tagnn", data={data: {"published": "TAGNN"}})).findings
    assert (found.evidence, found.verdict) == ("published", Judgement.HOLDS)
    assert found.second_value == pytest.approx(0.3112)
    assert found.p is None
    assert (found.low, found.high) == pytest.approx((0.33 - 0.3112, 0.37 - 0.3112))


def test_published_values_within_the_interval_or_not_verified(folder: Folder) -> None:
    data = "yoochoose-1-64"
    folder.run("emde", 0.32, data=data, seed=0, draw=1)
    (found,) = folder.judged(rows(second="tagnn", data={data: {"published": "TAGNN"}})).findings
    assert found.verdict is Judgement.UNDECIDED
    other = "diginetica-srgnn"
    folder.run("emde", 0.32, data=other, seed=0, draw=1)
    (found,) = folder.judged(rows(second="narm", data={other: {"published": "NARM"}})).findings
    assert found.verdict is Judgement.NOT_TESTABLE
    assert "not verified" in found.why
    assert found.second_value == pytest.approx(0.1617)


@pytest.mark.parametrize("turned", [False, True])
def test_kept_tests_stand_in_for_values_either_way_round(turned: bool, folder: Folder) -> None:
    lists = [[folder.run("emde", 0.35, seed=0, valued=False)], [folder.run("sr", 0.30, valued=False)]]
    (found,) = folder.judged(rows()).findings
    assert found.verdict is Judgement.NOT_RUN
    assert "without values per session" in found.why
    sign = -1 if turned else 1
    low, high = sorted((sign * 0.04, sign * 0.06))
    test = {"difference": sign * 0.05, "low": low, "high": high, "effect": 0.1, "units": 9, "t_p": 1e-9,
            "wilcoxon_p": 1e-9}  # fmt: skip
    methods = ["sr", "emde"] if turned else ["emde", "sr"]
    folder.add("test", data=DATA, splits=[SPLIT], method=methods[0], against=methods[1],
               lists=lists[::sign], metrics={"MRR@20": test})  # fmt: skip
    (found,) = folder.judged(rows()).findings
    assert (found.difference, found.low, found.high, found.verdict) == (0.05, 0.04, 0.06, Judgement.HOLDS)


@pytest.mark.parametrize(
    ("level", "verdict"),
    [(0.302, Judgement.HOLDS), (0.29, Judgement.UNDECIDED), (0.20, Judgement.FAILS), (0.40, Judgement.HOLDS)],
)
def test_a_margin(level: float, verdict: Judgement, folder: Folder) -> None:
    folder.run("emde", level, seed=0, noise=0.02, draw=1)
    folder.run("sr", 0.30, noise=0.02, draw=2)
    judged = folder.judged(rows(margin=0.01))
    assert judged.verdict is verdict
    assert judged.findings[0].p is None  # a margin is no test of a difference


def test_holm_is_over_the_page(folder: Folder) -> None:
    levels = {"sr": 0.30, "ar": 0.315, "ct": 0.325}
    folder.run("emde", 0.33, seed=0, draw=1)
    for draw, (method, level) in enumerate(levels.items(), 2):
        folder.run(method, level, draw=draw)
    page = folder.page(*([rows(second=method)] for method in levels))
    found = [judged.findings[0] for judged in page.claims]
    assert page.family == 3
    wanted = holm(np.array([f.p for f in found], float))
    assert [f.p_holm for f in found] == pytest.approx(list(wanted))
    assert found[0].p_holm != found[0].p
    assert page.only("c1").claims[0].findings[0].p_holm == found[1].p_holm


def test_the_paired_test_is_the_protocols(folder: Folder) -> None:
    first, second = folder.run("emde", 0.35, seed=0, draw=1), folder.run("sr", 0.30, draw=2)
    (found,) = folder.judged(rows()).findings
    columns = [folder.values[name].sums["MRR@20"].astype(np.float32).astype(float) for name in (first, second)]
    wanted = paired(*columns)
    assert (found.difference, found.low, found.p) == pytest.approx((wanted.difference, wanted.low, wanted.t_p))


def level(label: str, mean: float, difference: float | None = None, **more: Any) -> dict[str, Any]:
    metrics = {"MRR@20": {"mean": mean, "sd": 0.001, "low": 0, "high": 1}}
    found: dict[str, Any] = {"data": DATA, "factor": "ensemble", "label": label, "cell": "base", "decoder": label,
                             "seeds": 3, "metrics": metrics}  # fmt: skip
    if difference is not None:
        found["difference"] = against(difference)
    return found | more


def against(difference: float) -> dict[str, Any]:
    return {"MRR@20": {"difference": difference, "low": difference - 0.005, "high": difference + 0.005, "t_p": 1e-8}}


WHOLE: dict[str, Any] = {"sessions": None, "sampled_points": None}
ENSEMBLE = {"kind": "ablation", "first": "ensemble/gmean", "second": "ensemble/min", "metrics": ["MRR@20"],
            "data": [DATA]}  # fmt: skip


@pytest.mark.parametrize(
    ("levels", "verdict", "why"),
    [
        ([level("gmean", 0.36, **WHOLE), level("min", 0.31, -0.05, **WHOLE)], Judgement.HOLDS, ""),
        ([level("gmean", 0.36, **WHOLE), level("min", 0.41, 0.05, **WHOLE)], Judgement.FAILS, ""),
        ([level("gmean", 0.36), level("min", 0.31, -0.05)], Judgement.INDICATED, ""),
        ([level("gmean", 0.36, sessions=8000, sampled_points=None), level("min", 0.31, -0.05, **WHOLE)],
         Judgement.INDICATED, ""),
        ([level("gmean", 0.36), level("min", 0.3595, -0.0005)], Judgement.UNDECIDED, "spread"),
        ([level("gmean", 0.36, 0.1), level("min", 0.3, 0.04)], Judgement.UNDECIDED, "not against each other (+0.0600)"),
        ([level("gmean", 0.36, 0.1, **WHOLE), level("min", 0.3, 0.04, beside={"gmean": against(-0.06)}, **WHOLE)],
         Judgement.HOLDS, ""),
        ([level("gmean", 0.36, 0.1, beside={"min": against(0.06)}, factor="other", **WHOLE),
          level("min", 0.3, 0.04, **WHOLE)], Judgement.NOT_RUN, ""),
        ([level("gmean", 0.36), {**level("min", 0), "unavailable": "no such one"}], Judgement.NOT_TESTABLE, "no such"),
        ([level("gmean", 0.36)], Judgement.NOT_RUN, ""),
    ],
)  # fmt: skip
def test_levels_of_ablations(levels: list[dict[str, Any]], verdict: Judgement, why: str, folder: Folder) -> None:
    folder.add("ablation", data=DATA, profile="p", main="MRR@20", levels=levels)
    (found,) = folder.judged(ENSEMBLE).findings
    assert found.verdict is verdict
    assert why in found.why
    if verdict is Judgement.NOT_RUN:
        assert found.commands == (f"emde ablate --data {DATA} --cell base",)


def test_a_level_that_params_yaml_does_not_have(folder: Folder) -> None:
    (found,) = folder.judged({**ENSEMBLE, "first": "weather/rain"}).findings
    assert found.verdict is Judgement.NOT_RUN
    assert found.why == "params.yaml has no level weather/rain yet"


def density(folder: Folder, rows_: dict[str, list[float]], grid: dict[tuple[int, int], float], queries: int) -> None:
    noise = np.array([-0.002, 0.0, 0.002])
    folder.add("density", result={
        "data": "digits", "points": 10, "queries": queries,
        "rows": [{"method": name, "pearson": {"mean": 0, "seeds": values}} for name, values in rows_.items()],
        "grid": [{"n": n, "k": k, "pearson": {"seeds": list(r + noise * (1 + n / 100 + k))}}
                 for (n, k), r in grid.items()],
    })  # fmt: skip


ROWS = {"emde": [0.95, 0.951, 0.952], "hbe": [0.97, 0.969, 0.9705], "emde-zero": [0.5, 0.51, 0.52]}
GRID = {(1, 1): 0.0, (1, 7): 0.2, (1, 12): 0.1, (100, 1): 0.3, (100, 7): 0.9, (100, 12): 0.8}


@pytest.mark.parametrize(
    ("part", "verdict"),
    [
        ({"rule": "above", "second": "emde-zero"}, Judgement.HOLDS),
        ({"rule": "above", "first": "emde-zero", "second": "emde"}, Judgement.FAILS),
        ({"rule": "close", "second": "hbe", "margin": 0.05}, Judgement.HOLDS),
        ({"rule": "close", "second": "hbe", "margin": 0.001}, Judgement.FAILS),
        ({"rule": "grows with N", "k": 7}, Judgement.HOLDS),
        ({"rule": "optimum in K"}, Judgement.HOLDS),
        ({"rule": "above", "second": "race"}, Judgement.NOT_TESTABLE),
    ],
)
def test_densities(part: dict[str, Any], verdict: Judgement, folder: Folder) -> None:
    density(folder, ROWS, GRID, queries=10)
    assert folder.judged({"kind": "density", "data": ["digits"], **part}).verdict is verdict


def test_densities_of_a_part_or_none(folder: Folder) -> None:
    density(folder, ROWS, GRID, queries=5)
    part = {"kind": "density", "rule": "above", "second": "emde-zero"}
    assert folder.judged({**part, "data": ["digits"]}).verdict is Judgement.INDICATED
    (found,) = folder.judged({**part, "data": ["mnist"]}).findings
    assert (found.verdict, found.commands) == (Judgement.NOT_RUN, ("emde density --data mnist",))


def test_an_optimum_at_an_end_and_a_fall_on_the_way(folder: Folder) -> None:
    grid = GRID | {(100, 12): 0.95, (10, 7): 0.95, (10, 1): 0.0, (10, 12): 0.0}
    density(folder, ROWS, grid, queries=10)
    part = {"kind": "density", "data": ["digits"]}
    assert folder.judged({**part, "rule": "optimum in K"}).verdict is Judgement.FAILS
    (found,) = folder.judged({**part, "rule": "grows with N"}).findings
    assert (found.verdict, found.why) == (Judgement.UNDECIDED, "r falls up to N = 100")


def test_scaling_takes_the_newest_report(folder: Folder) -> None:
    for time, exponent in (("2026-01-02", 0.05), ("2026-01-01", 0.9)):
        slopes = [{"method": "emde", "axis": "items", "cost": "ms", "exponent": exponent}]
        folder.add("bench", result={"time": time, "sections": {"scaling": {"results": {"slopes": slopes}}}})
    part = {"kind": "scaling", "method": "emde", "axes": ["items"], "costs": ["ms"], "limit": 0.1}
    assert folder.judged(part).verdict is Judgement.HOLDS
    assert folder.judged({**part, "limit": 0.01}).verdict is Judgement.FAILS
    assert folder.judged({**part, "axes": ["users"]}).verdict is Judgement.NOT_RUN


def test_costs_per_session(folder: Folder) -> None:
    folder.run("emde", 0.3, seed=0, draw=0)  # 10 s
    folder.run("tagnn", 0.3, seed=0, draw=5)  # 60 s
    part = {"kind": "cost", "first": "tagnn", "second": "emde", "data": [DATA]}
    (found,) = folder.judged(part).findings
    assert found.verdict is Judgement.HOLDS
    assert found.why.startswith("6 times")
    assert folder.judged({**part, "first": "emde", "second": "tagnn"}).verdict is Judgement.FAILS
    folder.run("sr-gnn", 0.3, seed=0, draw=0, sessions=10)
    (found,) = folder.judged({**part, "first": "sr-gnn"}).findings
    assert found.verdict is Judgement.INDICATED


def test_property_tests_and_reasons(folder: Folder) -> None:
    name = "tests/emde/test_sketch.py::test_merge_and_subtract"
    assert folder.judged({"kind": "test", "tests": [name]}).verdict is Judgement.HOLDS
    assert folder.judged({"kind": "test", "tests": [f"{name}_at_all"]}).verdict is Judgement.NOT_RUN
    (found,) = folder.judged({"kind": "untestable", "why": "no such data"}).findings
    assert (found.verdict, found.why) == (Judgement.NOT_TESTABLE, "no such data")


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        (["HOLDS", "UNDECIDED", "INDICATED", "NOT_RUN"], "HOLDS"),
        (["FAILS", "COUNTER"], "FAILS"),
        (["HOLDS", "FAILS"], "UNDECIDED"),
        (["UNDECIDED", "INDICATED"], "UNDECIDED"),
        (["INDICATED", "NOT_RUN"], "INDICATED"),
        (["INDICATED", "COUNTER"], "UNDECIDED"),
        (["NOT_RUN", "NOT_TESTABLE"], "NOT_RUN"),
        (["NOT_TESTABLE"], "NOT_TESTABLE"),
    ],
)
def test_a_claim_as_a_whole(verdicts: list[str], whole: str, folder: Folder) -> None:
    from dataclasses import replace

    judged = folder.judged({"kind": "untestable", "why": "a reason"})
    findings = [replace(judged.findings[0], verdict=Judgement[name]) for name in verdicts]
    assert Judged(judged.claim, findings).verdict is Judgement[whole]
