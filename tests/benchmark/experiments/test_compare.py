"""emde compare: two runs of one split, against the numbers worked out by hand and by scipy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from benchmark.data.load import SessionSplit, load_split
from benchmark.experiments import settings
from benchmark.experiments.compare import compare
from benchmark.experiments.evaluate import score
from benchmark.experiments.run import Asked, run
from contracts import UserError

PROJECT = Path(__file__).parents[3]


def run_of(root: Path, method: str, data: str = "sample-sessions", split: str | None = None, **params: Any) -> Path:
    return run(settings.load(PROJECT / "params.yaml"), Asked(data, method, split, params, device="cpu"), root)


def test_differences_are_those_of_the_metrics(sample, tmp_path) -> None:
    first, second = run_of(tmp_path, "ar"), run_of(tmp_path, "sr")
    found = compare(first, second)
    (a, units_a), (b, units_b) = score(first), score(second)
    assert found["units"] == len(units_a.unit)
    for name, row in found["metrics"].items():
        assert row["first"] == pytest.approx(a["metrics"][name])
        assert row["second"] == pytest.approx(b["metrics"][name])
        assert row["difference"] == pytest.approx(b["metrics"][name] - a["metrics"][name])
        assert row["low"] <= row["difference"] <= row["high"]
        assert row["t_holm"] >= row["t_p"]
    sums = units_b.sums["MRR@20"] - units_a.sums["MRR@20"]
    assert found["metrics"]["MRR@20"]["t_p"] == pytest.approx(stats.ttest_1samp(sums, 0).pvalue)


def test_sessions_where_they_differ_most(sample, tmp_path) -> None:
    first, second = run_of(tmp_path, "ar"), run_of(tmp_path, "sr")
    found = compare(first, second, "HR@20", top=7)
    a, b = score(first)[1], score(second)[1]
    sums = b.sums["HR@20"] - a.sums["HR@20"]
    shown = [row["difference"] for row in found["sessions"]]
    assert len(shown) == 7
    assert np.abs(shown).tolist() == np.sort(np.abs(sums))[::-1][:7].tolist()
    split = load_split("sample-sessions")
    assert isinstance(split, SessionSplit)
    for row in found["sessions"]:
        assert len(row["items"]) == split.test.lengths[row["unit"]] == row["points"] + 1
        assert row["points"] * (row["second"] - row["first"]) == pytest.approx(row["difference"])


def test_a_run_with_itself(sample, tmp_path) -> None:
    folder = run_of(tmp_path, "ar")
    assert {row["t_p"] for row in compare(folder, folder)["metrics"].values()} == {1.0}


def test_users(sample, tmp_path) -> None:
    first, second = (run_of(tmp_path, method, "sample-ratings") for method in ("top-pop", "ease"))
    found = compare(first, second)
    assert found["metric"] == "NDCG@20"
    assert found["metrics"]["NDCG@20"]["difference"] > 0
    assert any(name.startswith("masked ") for name in found["metrics"])


def test_nothing_in_common(sample, tmp_path) -> None:
    first, other = run_of(tmp_path, "ar"), run_of(tmp_path, "sr", split="1")
    with pytest.raises(UserError, match=r"expected a run on split '0' as .* is, found '1'"):
        compare(first, other)
    with pytest.raises(UserError, match="expected a run on data 'sample-sessions'"):
        compare(first, run_of(tmp_path, "top-pop", "sample-ratings"))
    with pytest.raises(UserError, match="--metric: unknown metric 'BLEU'"):
        compare(first, first, "BLEU")
    with pytest.raises(UserError, match="expected a run directory"):
        compare(first, tmp_path / "nothing")
