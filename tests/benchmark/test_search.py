"""benchmark.search: seeded, resumable, on tuning splits only."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from benchmark import cli, settings
from benchmark import search as module
from benchmark.data.load import SessionSplit, load_split
from benchmark.points import evaluation_points
from benchmark.search import OBJECTIVE, RandomSampler, append, read_trials, resolve_space, search, subsample
from benchmark.settings import Multiples, Settings
from contracts import UserError

PROJECT = Path(__file__).parents[2]
DATA = "sample-sessions"
SPACE = {"a": [1, 2, 3], "b": ["x", "y"], "c": [None, 0.5]}


@pytest.fixture(scope="module")
def chosen() -> Settings:
    return settings.load(PROJECT / "params.yaml")


def valid() -> SessionSplit:
    split = load_split(DATA, ":valid")
    assert isinstance(split, SessionSplit)
    return split


def draws(seed: int, n: int) -> list[Any]:
    sampler = RandomSampler(SPACE, seed)
    return [sampler.ask([]) for _ in range(n)]


def test_draws_are_seeded_distinct_and_exhaustive() -> None:
    size = math.prod(len(values) for values in SPACE.values())
    all_of_them = draws(3, size)
    assert len({json.dumps(params) for params in all_of_them}) == size
    assert draws(3, size + 1)[-1] is None
    assert draws(3, 5) == all_of_them[:5]  # more trials continue the same sequence
    assert draws(4, 5) != all_of_them[:5]


def test_multiples_follow_the_data(sample) -> None:
    split = valid()
    declared = {
        "k": [5, 9],
        "spw": Multiples(of="mean_length", times=[0, 0.5]),
        "snh": Multiples(of="train_days", times=[2]),
    }
    space = resolve_space(declared, split)
    assert space["k"] == [5, 9]
    assert space["spw"] == [1e-5, pytest.approx(split.train.lengths.mean() / 2, rel=1e-3)]
    assert space["snh"] == [pytest.approx(2 * np.ptp(split.train.last_times) / 86400, rel=1e-3)]


def test_every_declared_choice_can_be_built(chosen, sample) -> None:
    for method, declared in chosen.search["session"].items():
        for name, values in resolve_space(declared, valid()).items():
            for value in values:
                model = chosen.recommender("session", method, "", {name: value}, None, "cpu")
                assert model.model_dump()[name] == value


def test_subsample_takes_whole_sessions(sample) -> None:
    split = valid()
    everything = len(evaluation_points(split.test, split.min_prefix))
    assert subsample(split, None, 0) is split
    assert subsample(split, everything, 0) is split
    few = subsample(split, 100, 0)
    assert 100 <= len(evaluation_points(few.test, few.min_prefix)) < 100 + split.test.lengths.max()
    assert (subsample(split, 100, 0).test.items == few.test.items).all()


def test_a_search_is_resumed_without_repeating(sample, chosen, tmp_path) -> None:
    first = search(chosen, DATA, "s-knn", 3, points=300, out=tmp_path)
    assert [trial["trial"] for trial in first["trials"]] == [0, 1, 2]
    assert first["trials"][0]["params"] == {"k": 100, "sample_size": 1000, "similarity": "jaccard"}  # its defaults
    path = Path(first["file"])
    assert len(path.read_text().splitlines()) == 3
    with open(path, "ab") as stream:
        stream.write(b'{"data": "sample-sess')  # killed while writing
    second = search(chosen, DATA, "s-knn", 5, points=300, out=tmp_path)
    assert second["repeated"] == 3
    assert second["trials"][:3] == first["trials"]
    assert len(read_trials(path)) == 5
    assert len({json.dumps(trial["params"]) for trial in second["trials"]}) == 5
    whole = search(chosen, DATA, "s-knn", 5, points=300, out=tmp_path / "other")
    same = [{key: trial[key] for key in ("trial", "params", OBJECTIVE)} for trial in whole["trials"]]
    assert same == [{key: trial[key] for key in ("trial", "params", OBJECTIVE)} for trial in second["trials"]]
    assert search(chosen, DATA, "s-knn", 2, points=250, out=tmp_path)["repeated"] == 0  # other points, other trials


def test_the_entry_is_a_line_of_params_yaml(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "ar", 3, points=300, out=tmp_path)
    entry = yaml.safe_load(found["entry"])["ar"]
    assert entry["params"] == found["best"]["params"]
    assert found["best"][OBJECTIVE] == max(trial[OBJECTIVE] for trial in found["trials"])
    assert "search of 3 trials on sample-sessions" in entry["source"]
    settings.Tuned.model_validate(entry)
    chosen.recommender("session", "ar", "", entry["params"], None, "cpu")


def test_a_small_space_ends_the_search(sample, chosen, tmp_path) -> None:
    found = search(chosen, DATA, "ar", 50, points=300, out=tmp_path)
    assert len(found["trials"]) == len(chosen.search["session"]["ar"]["pruning"])


def test_test_splits_and_unknown_methods_are_refused(sample, chosen, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "load_split", lambda *_: pytest.fail("opened"))
    with pytest.raises(UserError, match="not for tuning"):
        search(chosen, DATA, "ar", 2, split_name="0", out=tmp_path)
    with pytest.raises(UserError, match=r"no space search\.session\.pop"):
        search(chosen, DATA, "pop", 2, out=tmp_path)


def test_a_space_of_an_unknown_row_is_refused(tmp_path) -> None:
    content = yaml.safe_load((PROJECT / "params.yaml").read_text())
    content["search"]["session"]["nonsense"] = {"k": [1]}
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(UserError, match=r"search\.session.*nonsense"):
        settings.load(path)


def test_trials_survive_damage(tmp_path) -> None:
    path = tmp_path / "trials.jsonl"
    assert read_trials(path) == []
    append(path, {"params": {"k": 1}, OBJECTIVE: 0.5})
    path.write_bytes(path.read_bytes() + b'{"half": \xff')
    append(path, {"params": {"k": 2}, OBJECTIVE: 0.25})
    assert [trial["params"]["k"] for trial in read_trials(path)] == [1, 2]


def test_the_command(sample, tmp_path, capsys, monkeypatch) -> None:
    for variable in ("EMDE_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(variable, "2")
    monkeypatch.chdir(PROJECT)
    call = ["search", "--data", DATA, "--method", "ar", "--trials", "2", "--points", "200", "--out", str(tmp_path)]
    assert cli.main([*call, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert Path(found["file"]).is_relative_to(tmp_path)
    assert len(found["trials"]) == 2
    assert cli.main([*call, "--split", "0"]) == 2
    assert "not for tuning" in capsys.readouterr().err
