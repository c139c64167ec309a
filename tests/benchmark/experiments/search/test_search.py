"""benchmark.experiments.search.search: seeded, resumable after a kill, pruned, on tuning splits only."""

from __future__ import annotations

import csv
import itertools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark.cli import main as cli
from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.experiments import published_parameters, settings
from benchmark.experiments.run import load_ranking_split
from benchmark.experiments.search import search as module
from benchmark.experiments.search.search import prepare, subsample
from benchmark.experiments.search.study import Study, measure
from benchmark.experiments.settings import Settings
from benchmark.experiments.tuned import save
from benchmark.protocol.points import points_of
from benchmark.protocol.train_sets import recent
from benchmark.report import search_report
from contracts import UserError
from tests.parameters import copy_parameters

PROJECT = Path(__file__).parents[4]
DATA = "sample-sessions"
TINY = {"modalities": [{"group": "random"}], "hidden": 8, "batch_size": 256, "n": 4, "epochs": 3}


@pytest.fixture(scope="module")
def chosen() -> Settings:
    return settings.load(PROJECT / "params.yaml")


@pytest.fixture
def threads(monkeypatch) -> None:
    for variable in ("EMDE_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(variable, "2")


def valid() -> SessionSplit:
    split = load_ranking_split(DATA, ":valid")
    assert isinstance(split, SessionSplit)
    return split


def search(chosen: Settings, data: str, method: str, trials: int, out: Path, **options: Any) -> dict[str, Any]:
    choice = {name: options.pop(name, None) for name in ("split_name", "points")}
    rungs = prepare(chosen, data, method, sizes=options.pop("sizes", [None]), fixed=options.pop("fixed", {}), **choice)
    return module.search(rungs, trials, out, **options)


def values(found: dict[str, Any]) -> list[Any]:
    return [[trial["params"], trial["MRR@20"], trial["sampler"]] for trial in found["trials"]]


def test_subsample_takes_whole_sessions(sample) -> None:
    split = valid()
    everything = len(points_of(split))
    assert split.n_points == everything
    assert subsample(split, None, 0) is split
    assert subsample(split, everything, 0) is split
    few = subsample(split, 100, 0)
    assert 100 <= few.n_points < 100 + split.test.lengths.max()
    assert (subsample(split, 100, 0).test.items == few.test.items).all()


def test_subsample_of_users(sample) -> None:
    split = load_ranking_split("sample-ratings", ":valid")
    assert isinstance(split, TopKSplit)
    few = subsample(split, 20, 0)
    assert isinstance(few, TopKSplit)
    assert few.n_points == few.heldout.shape[0] == len(few.user_ids) == 20
    row = list(split.user_ids).index(few.user_ids[3])
    assert (few.heldout[3] != split.heldout[row]).nnz == 0
    assert (few.profiles.liked[3] != split.profiles.liked[row]).nnz == 0


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_interrupted_search_is_the_unbroken_one(sample, chosen, tmp_path, sampler) -> None:
    ask = {"points": 100, "sampler": sampler}
    first = search(chosen, DATA, "vs-knn", 4, out=tmp_path, **ask)
    own = chosen.recommender("session", "vs-knn", "", {}, None, "cpu").model_dump()
    assert first["trials"][0]["params"] == {name: own[name] for name in first["trials"][0]["params"]}
    second = search(chosen, DATA, "vs-knn", 14, out=tmp_path, **ask)
    assert second["repeated"] == 4
    assert second["trials"][:4] == first["trials"]
    assert len({json.dumps(trial["params"]) for trial in second["trials"]}) == 14
    assert values(search(chosen, DATA, "vs-knn", 14, out=tmp_path / "unbroken", **ask)) == values(second)
    samplers = [trial["sampler"] for trial in second["trials"]]
    assert samplers[:10] == ["own parameters", *["random"] * 9]
    assert set(samplers[10:]) == {sampler}
    other = search(chosen, DATA, "vs-knn", 2, out=tmp_path, points=90, seed=1)  # other points, another study
    assert other["repeated"] == 0


def test_trials_of_other_code_are_not_taken(sample, chosen, tmp_path, monkeypatch) -> None:
    search(chosen, DATA, "ar", 2, out=tmp_path, points=60)
    assert search(chosen, DATA, "ar", 2, out=tmp_path, points=60)["repeated"] == 2
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(module, "sources_hash", lambda *names: (asked.append(names), "edited")[1])
    assert search(chosen, DATA, "ar", 2, out=tmp_path, points=60)["repeated"] == 0
    assert asked == [("baselines.session.association_rules", *module.MEASURED_BY)]


def test_a_trial_that_diverges_counts_for_nothing(sample, chosen, tmp_path, caplog) -> None:
    def asked(space: dict[str, list[float]], fixed: dict[str, Any], trials: int) -> dict[str, Any]:
        rows = chosen.methods["session"]
        row = rows["emde"].model_copy(update={"search": space})
        other = chosen.model_copy(update={"methods": {**chosen.methods, "session": {**rows, "emde": row}}})
        return search(other, DATA, "emde", trials, points=60, sizes=[300], fixed=fixed, out=tmp_path)

    found = asked({"lr": [1e-3, 1e30]}, TINY, 3)
    states = {trial["point"]["lr"]: trial["state"] for trial in found["trials"]}
    assert states.pop(1e30) == "pruned"
    assert set(states.values()) == {"complete"}
    assert found["best"]["params"]["lr"] in states
    assert "expected a finite loss" in caplog.text
    with pytest.raises(UserError, match="expected a trial that ends well, found 1 that did not: emde: expected a"):
        asked({"alpha": [0.9]}, TINY | {"lr": 1e30}, 1)


def test_seeds_differ(sample, chosen, tmp_path) -> None:
    found = [
        values(search(chosen, DATA, "vs-knn", 4, out=tmp_path / str(seed), points=60, seed=seed)) for seed in (0, 1)
    ]
    assert found[0][0] == found[1][0]
    assert found[0][1:] != found[1][1:]


def test_a_small_space_ends_the_search(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "ar", 50, points=60, out=tmp_path)
    assert len(found["trials"]) == len(chosen.spaces["session"]["ar"]["pruning"])


def test_users_are_searched_by_ndcg(sample, chosen, tmp_path) -> None:
    found = search(chosen, "sample-ratings", "ease", 5, points=40, out=tmp_path)
    assert found["objective"] == "NDCG@20"
    assert {trial["state"] for trial in found["trials"]} == {"complete"}
    best = max(found["trials"], key=lambda trial: trial["NDCG@20"])
    assert found["best"] == {"params": best["params"], "NDCG@20": best["NDCG@20"]}
    assert 0 < best["Recall@20"] < 1
    assert "search of 5 trials on sample-ratings, cold-user:valid (40 users), NDCG@20" in found["tuned"]["source"]


def test_hopeless_trials_are_pruned_by_their_curve(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "emde", 10, points=60, sizes=[300], fixed=TINY, out=tmp_path)
    states = [trial["state"] for trial in found["trials"]]
    assert states[:5] == ["complete"] * 5
    assert "pruned" in states
    for trial in found["trials"]:
        epochs = len(trial["curve"])
        assert epochs == TINY["epochs"] if trial["state"] == "complete" else 1 <= epochs <= TINY["epochs"]
        assert not {"hidden", "modalities"} & set(trial["params"])
        if trial["state"] == "complete":
            assert trial["curve"]["3"] == trial["MRR@20"]  # watching changes nothing: ranked again after the fit
    assert found["tuned"]["params"]["hidden"] == 8
    assert "300 most recent train sessions" in found["tuned"]["source"]


def test_the_best_third_goes_on_to_more_of_train(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "vs-knn", 9, points=60, sizes=[100, 300, None], out=tmp_path)
    assert [(rung["train"], rung["trials"]) for rung in found["rungs"]] == [(100, 9), (300, 3), ("all", 2)]
    by_rung = [[t for t in found["trials"] if t["train"] == rung["train"]] for rung in found["rungs"]]
    assert [trial["trial"] for trial in found["trials"]] == list(range(14))
    for lower, upper in itertools.pairwise(by_rung):
        best = sorted(lower, key=lambda trial: (-trial["MRR@20"], trial["trial"]))[: len(upper)]
        assert upper[0]["sampler"] == "own parameters"
        assert upper[0]["params"] == by_rung[0][0]["params"]
        assert {str(trial["params"]) for trial in upper[1:]} <= {str(trial["params"]) for trial in best}
    assert found["best"]["MRR@20"] == max(trial["MRR@20"] for trial in by_rung[-1])
    again = search(chosen, DATA, "vs-knn", 9, points=60, sizes=[100, 300, None], out=tmp_path)
    assert again["repeated"] == 14
    assert again["trials"] == found["trials"]
    assert "search of 9 on 100 train sessions -> 3 on 300 train sessions -> 2 trials on" in found["tuned"]["source"]


def test_without_processor_time_only_what_needs_no_search_is_measured(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "vs-knn", 9, points=60, sizes=[100, None], out=tmp_path, cap=1e-9)
    assert [(trial["train"], trial["sampler"]) for trial in found["trials"]] == [
        (100, "own parameters"),
        ("all", "own parameters"),
    ]


def test_published_parameters_are_measured_on_all_of_train(sample, chosen, tmp_path, monkeypatch) -> None:
    """Also where a parameter of theirs is not searched otherwise; they are never pruned."""
    published = published_parameters.Published({"lr": 1e-5, "w": 0.02}, "a paper", "a.csv")
    monkeypatch.setattr(published_parameters, "find", lambda method, data: published if data else None)
    found = search(chosen, DATA, "emde", 9, points=60, sizes=[100, 300], fixed=TINY, out=tmp_path)
    last = [trial for trial in found["trials"] if trial["train"] == 300]
    assert [trial["sampler"] for trial in last[:2]] == ["own parameters", "published parameters"]
    assert (last[1]["params"]["lr"], last[1]["params"]["w"], last[1]["state"]) == (1e-5, 0.02, "complete")
    assert {trial["sampler"] for trial in last[2:]} <= {"promoted"}


@pytest.mark.parametrize(
    ("kind", "method", "params"),
    [
        ("session", "emde", TINY),
        ("session", "stamp", {"epochs": 3, "dim": 8, "validation": 0}),
        ("topk", "emde", {**TINY, "n": 2}),
        ("topk", "multvae", {"epochs": 3, "hidden": 8, "latent": 4}),
    ],
)
def test_watching_changes_nothing(sample, chosen, kind, method, params) -> None:
    split = load_ranking_split({"session": DATA, "topk": "sample-ratings"}[kind], ":valid")
    split = subsample(recent(split, 300) if kind == "session" else split, 40, 0)
    seen: list[tuple[int, dict[str, float]]] = []

    def fitted(watched: bool):
        model = chosen.recommender(kind, method, "", params, 0, "cpu")
        if watched:
            model.watch(lambda epoch: seen.append((epoch, measure(model, split))))
        return model.fit(split.train)

    alone, watched = measure(fitted(False), split), measure(fitted(True), split)
    assert alone == watched
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert seen[-1][1] == watched


def test_what_is_found_becomes_the_tuned_entry(sample, chosen, tmp_path, monkeypatch) -> None:
    """The rest of the file stays as it is; a preset may keep it instead of the method."""
    found = search(chosen, DATA, "ar", 3, points=60, out=tmp_path)
    assert found["tuned"]["params"] == found["best"]["params"]
    assert "search of 3 trials on sample-sessions" in found["tuned"]["source"]
    path = copy_parameters(tmp_path)
    (tmp_path / "dvc.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    before = yaml.safe_load((tmp_path / "params/session/ar.yaml").read_text())
    assert save(chosen, "ar", found) == tmp_path / "params/session/ar.yaml"
    after = yaml.safe_load((tmp_path / "params/session/ar.yaml").read_text())
    assert after["tuned"].pop(DATA) == found["tuned"]
    assert after == before
    known = settings.load(path)
    expected = chosen.recommender("session", "ar", "", found["tuned"]["params"], None, "cpu")
    assert known.recommender("session", "ar", DATA, {}, None, "cpu") == expected
    for row, message in (("sr", "expected ar or a preset of it"), ("nothing", "expected a session method with a file")):
        with pytest.raises(UserError, match=message):
            save(chosen, row, found)


def test_the_report_holds_every_trial(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "s-knn", 6, points=60, out=tmp_path)
    report = search_report.write(found, tmp_path, "report")
    with open(report["table"], newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["MRR@20"]) for row in rows] == [trial["MRR@20"] for trial in found["trials"]]
    assert [row["similarity"] for row in rows] == [trial["point"]["similarity"] for trial in found["trials"]]
    assert json.loads(Path(report["result"]).read_text())["best"] == found["best"]
    axes = search_report.per_parameter(found).axes
    assert [a.get_xlabel() for a in axes if a.get_visible()] == list(found["trials"][0]["point"])
    best = search_report.over_time(found).axes[0].lines[0].get_ydata()
    assert list(best) == list(np.maximum.accumulate([trial["MRR@20"] for trial in found["trials"]]))
    for picture in ("over time", "per parameter"):
        assert Path(report[picture]).read_text().startswith("<?xml")


def test_test_splits_and_unknown_methods_are_refused(sample, chosen, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "load_ranking_split", lambda *_: pytest.fail("opened"))
    with pytest.raises(UserError, match="not for tuning"):
        search(chosen, DATA, "ar", 2, split_name="0", out=tmp_path)
    with pytest.raises(UserError, match=r"expected a space, search in params/session/pop\.yaml"):
        search(chosen, DATA, "pop", 2, out=tmp_path)


def test_an_abandoned_trial_is_measured_again(sample, chosen, tmp_path) -> None:
    """A process that took a trial and died leaves it running by name only, its lock free."""
    (task,) = prepare(chosen, DATA, "ar", None, 60, [None], {})
    path = tmp_path / DATA / "ar" / "0.valid.db"
    taken = Study(task, path, "random", 0)._take(3)
    assert taken is not None
    trial, lock = taken
    with pytest.raises(TimeoutError), _limit(2):
        Study(task, path, "random", 0).work(1)  # its process lives: others wait for it
    lock.release()
    found = search(chosen, DATA, "ar", 3, points=60, sampler="random", out=tmp_path)
    assert found["trials"][0]["params"] == trial.user_attrs["params"]
    assert len(found["trials"]) == 3


class _limit:
    """Raise TimeoutError in the block after some seconds, and again: one may be lost, in a callback of C code."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        def ring(*_: Any) -> None:
            raise TimeoutError

        self.before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, self.seconds, 0.5)

    def __exit__(self, *_: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self.before)


@pytest.mark.slow
def test_kill_9_loses_and_repeats_nothing(sample, chosen, tmp_path) -> None:
    """Two workers, one of them a child of the other: the whole group is killed while both measure."""
    call = [
        *(sys.executable, "-m", "benchmark.cli", "search", "--data", DATA, "--method", "vs-knn", "--trials", "300"),
        *("--points", "300", "--sampler", "random", "--workers", "2", "--threads", "1", "--out", str(tmp_path)),
    ]
    path = tmp_path / DATA / "vs-knn" / "0.valid.db"
    process = subprocess.Popen(call, cwd=PROJECT, env={**os.environ, "EMDE_THREADS": "1"}, start_new_session=True)
    deadline = time.monotonic() + 240
    while finished(path) < 8 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = finished(path)
    assert 8 <= before < 300
    (task,) = prepare(chosen, DATA, "vs-knn", None, 300, [None], {})
    kept = {trial["finished"] + json.dumps(trial["params"]) for trial in Study(task, path, "random", 0).trials()}
    assert len(kept) == before
    found = search(chosen, DATA, "vs-knn", before + 6, points=300, sampler="random", out=tmp_path)
    assert found["repeated"] == before
    assert kept < {trial["finished"] + json.dumps(trial["params"]) for trial in found["trials"]}
    assert len({json.dumps(trial["params"]) for trial in found["trials"]}) == before + 6
    unbroken = search(chosen, DATA, "vs-knn", before + 6, points=300, sampler="random", out=tmp_path / "unbroken")
    assert sorted(map(str, values(found))) == sorted(map(str, values(unbroken)))


def finished(path: Path) -> int:
    """Finished trials in a storage, read as another program would."""
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(path, timeout=30) as connection:
            return connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0]
    except sqlite3.OperationalError:  # its tables are not there yet
        return 0


def test_the_command(sample, tmp_path, capsys, monkeypatch, threads) -> None:
    monkeypatch.chdir(PROJECT)
    call = ["search", "--data", DATA, "--method", "s-knn", "--trials", "2", "--points", "60", "--set", "k=50"]
    call += ["--out", str(tmp_path)]
    assert cli.main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert Path(found["file"]).is_relative_to(tmp_path)
    assert [set(trial["params"]) for trial in found["trials"]] == [{"sample_size", "similarity"}] * 2
    assert found["fixed"] == {"k": 50}
    assert cli.main(call) == 0
    assert 'tuned.sample-sessions of s-knn: {"params": {"k": 50' in capsys.readouterr().out
    assert cli.main([*call, "--split", "0"]) == 2
    assert "not for tuning" in capsys.readouterr().err
