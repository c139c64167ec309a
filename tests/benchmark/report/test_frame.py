"""Results as a pandas table: every value of the stored runs, once, and their points."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark import results
from benchmark.experiments import run_store, settings
from benchmark.experiments.evaluate import evaluate, evaluate_all
from benchmark.experiments.profiles import Listed
from benchmark.experiments.run import Asked, run
from benchmark.report.tables.measured import RUNS
from contracts import UserError
from tests.parameters import copy_parameters

KEY = ["data", "method", "split"]


@pytest.fixture
def cells(sample, tmp_path, monkeypatch) -> Path:
    """A project in which two cells of the profile sample were run."""
    known = settings.load(copy_parameters(tmp_path))
    monkeypatch.setenv("EMDE_PROJECT", str(tmp_path))
    for kind, data, method in (("session", "sample-sessions", "ar"), ("topk", "sample-ratings", "ease")):
        folder = tmp_path / Listed(kind, data, method).folder
        evaluate_all([run(known, Asked(data, method, device="cpu"), folder / RUNS)], folder)
    return tmp_path


def test_a_profile_and_its_points(cells) -> None:
    frame = results(profile="sample", parameters=True)
    stored = {(r["run"]["data"], r["run"]["method"], r["run"]["split"]): r
              for r in map(evaluate, run_store.find_runs(cells / "results"))}  # fmt: skip
    assert len(frame) == sum(len(r["metrics"]) + len((r["masked"] or {"metrics": ()})["metrics"])
                             for r in stored.values())  # fmt: skip
    for _, line in frame.iterrows():
        result = stored[tuple(line[KEY])]
        part = result["masked"] if line["masked"] else result
        assert line["value"] == part["metrics"][line["metric"]]
        assert list(line[["low", "high"]].dropna()) == part["intervals"].get(line["metric"], [])
    params = stored["sample-sessions", "ar", "0"]["run"]["params"]
    of_ar = frame[frame.method == "ar"].iloc[0]
    assert {name: of_ar[f"params.{name}"] for name in params} == params

    points = results(profile="sample", points=True)
    assert points.groupby(KEY).size().to_dict() == {key: r["run"]["n_points"] for key, r in stored.items()}
    for metric, masked, name in (("HR@20", False, "HR@20"), ("NDCG@20", True, "masked NDCG@20")):
        means = points.groupby(KEY)[name].mean().dropna()
        wanted = frame[(frame.metric == metric) & (frame.masked == masked)].set_index(KEY)["value"]
        assert means.to_dict() == pytest.approx(wanted.to_dict())
    assert not points.duplicated([*KEY, "session", "position", "user"]).any()


def test_kept_results_and_stored_runs(project, sample, tmp_path) -> None:
    kept = results(kept="small")
    ar = kept[(kept.data == "rsc15-100k") & (kept.row == "ar")].set_index("metric")["value"]
    assert ar["HR@20"] == pytest.approx(0.6340, abs=5e-5)
    assert kept.seed.isna().any()
    both = results(kept=["small", project / "results/reported/plus"])
    assert set(both.row) == set(kept.row) | {"emde-plus"} | set(results(kept="plus").row)
    run(settings.load(), Asked("sample-sessions", "pop", "0"), tmp_path)
    assert list(results(runs=tmp_path)["method"].unique()) == ["pop"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kept": "nowhere"}, "nowhere: expected a folder of results"),
        ({"kept": "small", "points": True}, "which have no lists"),
        ({"kept": "small", "runs": "x"}, "one of profile, kept and runs"),
        ({"profile": "nothing"}, "unknown profile 'nothing'"),
    ],
)
def test_wrong_words(arguments, words: str) -> None:
    with pytest.raises(UserError, match=words):
        results(**arguments)


def test_nothing_was_run(tmp_path, monkeypatch) -> None:
    copy_parameters(tmp_path)
    monkeypatch.setenv("EMDE_PROJECT", str(tmp_path))
    for points in (False, True):
        with pytest.raises(UserError, match="found nothing of sample"):
            results(points=points)
