"""benchmark.search: seeded, resumable after a kill, pruned, on tuning splits only."""

from __future__ import annotations

import csv
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

from benchmark import cli, search_report, settings
from benchmark import search as module
from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.points import evaluation_points
from benchmark.recent import recent
from benchmark.run import load_ranking_split
from benchmark.search import n_points, prepare, search, subsample
from benchmark.settings import Settings
from benchmark.study import Study, measure
from contracts import UserError

PROJECT = Path(__file__).parents[2]
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


def values(found: dict[str, Any]) -> list[Any]:
    return [[trial["params"], trial["MRR@20"], trial["sampler"]] for trial in found["trials"]]


def test_subsample_takes_whole_sessions(sample) -> None:
    split = valid()
    everything = len(evaluation_points(split.test, split.min_prefix))
    assert n_points(split) == everything
    assert subsample(split, None, 0) is split
    assert subsample(split, everything, 0) is split
    few = subsample(split, 100, 0)
    assert 100 <= n_points(few) < 100 + split.test.lengths.max()
    assert (subsample(split, 100, 0).test.items == few.test.items).all()


def test_subsample_of_users(sample) -> None:
    split = load_ranking_split("sample-ratings", ":valid")
    assert isinstance(split, TopKSplit)
    few = subsample(split, 20, 0)
    assert isinstance(few, TopKSplit)
    assert n_points(few) == few.heldout.shape[0] == len(few.user_ids) == 20
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


def test_seeds_differ(sample, chosen, tmp_path) -> None:
    found = [
        values(search(chosen, DATA, "vs-knn", 4, out=tmp_path / str(seed), points=60, seed=seed)) for seed in (0, 1)
    ]
    assert found[0][0] == found[1][0]
    assert found[0][1:] != found[1][1:]


def test_a_small_space_ends_the_search(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "ar", 50, points=60, out=tmp_path)
    assert len(found["trials"]) == len(chosen.search["session"]["ar"]["pruning"])


def test_users_are_searched_by_ndcg(sample, chosen, tmp_path) -> None:
    found = search(chosen, "sample-ratings", "ease", 5, points=40, out=tmp_path)
    assert found["objective"] == "NDCG@20"
    assert {trial["state"] for trial in found["trials"]} == {"complete"}
    best = max(found["trials"], key=lambda trial: trial["NDCG@20"])
    assert found["best"] == {"params": best["params"], "NDCG@20": best["NDCG@20"]}
    assert 0 < best["Recall@20"] < 1
    assert "search of 5 trials on sample-ratings, cold-user:valid (40 users), NDCG@20" in found["entry"]


def test_hopeless_trials_are_pruned_by_their_curve(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "emde", 10, points=60, sessions=300, fixed=TINY, out=tmp_path)
    states = [trial["state"] for trial in found["trials"]]
    assert states[:5] == ["complete"] * 5
    assert "pruned" in states
    for trial in found["trials"]:
        epochs = len(trial["curve"])
        assert epochs == TINY["epochs"] if trial["state"] == "complete" else 1 <= epochs <= TINY["epochs"]
        assert not {"hidden", "modalities"} & set(trial["params"])
        if trial["state"] == "complete":
            assert trial["curve"]["3"] == trial["MRR@20"]  # watching changes nothing: ranked again after the fit
    assert '"hidden": 8' in found["entry"].replace("hidden:", '"hidden":')
    assert "300 most recent train sessions" in found["entry"]


@pytest.mark.parametrize(
    ("kind", "method", "params"),
    [
        ("session", "emde", TINY),
        ("session", "stamp", {"epochs": 3, "dim": 8, "valid_fraction": 0}),
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


def test_the_entry_is_a_line_of_params_yaml(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "ar", 3, points=60, out=tmp_path)
    entry = yaml.safe_load(found["entry"])["ar"]
    assert entry["params"] == found["best"]["params"]
    assert "search of 3 trials on sample-sessions" in entry["source"]
    settings.Tuned.model_validate(entry)
    chosen.recommender("session", "ar", "", entry["params"], None, "cpu")


def test_the_report_holds_every_trial(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "s-knn", 6, points=60, out=tmp_path)
    with open(found["report"]["table"], newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["MRR@20"]) for row in rows] == [trial["MRR@20"] for trial in found["trials"]]
    assert [row["similarity"] for row in rows] == [trial["point"]["similarity"] for trial in found["trials"]]
    assert json.loads(Path(found["report"]["result"]).read_text())["best"] == found["best"]
    axes = search_report.per_parameter(found).axes
    assert [a.get_xlabel() for a in axes if a.get_visible()] == list(found["trials"][0]["point"])
    best = search_report.over_time(found).axes[0].lines[0].get_ydata()
    assert list(best) == list(np.maximum.accumulate([trial["MRR@20"] for trial in found["trials"]]))
    for picture in ("over time", "per parameter"):
        assert Path(found["report"][picture]).read_text().startswith("<?xml")


def test_test_splits_and_unknown_methods_are_refused(sample, chosen, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "load_ranking_split", lambda *_: pytest.fail("opened"))
    with pytest.raises(UserError, match="not for tuning"):
        search(chosen, DATA, "ar", 2, split_name="0", out=tmp_path)
    with pytest.raises(UserError, match=r"no space search\.session\.pop"):
        search(chosen, DATA, "pop", 2, out=tmp_path)


def test_an_abandoned_trial_is_measured_again(sample, chosen, tmp_path) -> None:
    """A process that took a trial and died leaves it running by name only, its lock free."""
    task = prepare(chosen, DATA, "ar", None, 60, None, {})
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
    """Raise TimeoutError in the block after some seconds."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds

    def __enter__(self) -> None:
        def ring(*_: Any) -> None:
            raise TimeoutError

        self.before = signal.signal(signal.SIGALRM, ring)
        signal.alarm(self.seconds)

    def __exit__(self, *_: Any) -> None:
        signal.alarm(0)
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
    task = prepare(chosen, DATA, "vs-knn", None, 300, None, {})
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
    assert "s-knn: {params: {k: 50" in capsys.readouterr().out
    assert cli.main([*call, "--split", "0"]) == 2
    assert "not for tuning" in capsys.readouterr().err
