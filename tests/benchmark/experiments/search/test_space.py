"""benchmark.experiments.search.space: declared spaces, resolved for data, drawn from, turned into parameters."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from benchmark.experiments import settings
from benchmark.experiments.run import load_ranking_split
from benchmark.experiments.search.space import Declared, Inputs, Multiples, Range, draws, parameters, point_at, resolve
from benchmark.experiments.settings import Settings
from contracts import UserError
from tests.parameters import copy_parameters, edit

PROJECT = Path(__file__).parents[4]
DATA = {"session": "sample-sessions", "topk": "sample-ratings"}


@pytest.fixture(scope="module")
def chosen() -> Settings:
    return settings.load(PROJECT / "params.yaml")


def test_draws_are_seeded_and_reach_everything() -> None:
    space = {"a": [1, 2, 3], "b": ["x", None], "c": Range(low=1, high=2)}
    drawn = list(islice(draws(space, 3), 300))
    assert drawn == list(islice(draws(space, 3), 300))
    assert drawn[:20] != list(islice(draws(space, 4), 20))
    assert len({json.dumps(point) for point in drawn}) == 12


@pytest.mark.parametrize(
    ("declared", "low", "high", "median"),
    [
        (Range(low=5, high=1000), 5, 1000, 502),
        (Range(low=1, high=1000, log=True), 1, 1000, 32),
        (Range(low=0.0, high=2.0), 0, 2, 1.0),
        (Range(low=1.0, high=1e6, log=True), 1, 1e6, 1e3),
    ],
)
def test_ranges_are_uniform_on_their_scale(declared: Range, low: float, high: float, median: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [declared.draw(rng) for _ in range(4000)]
    assert min(drawn) >= low
    assert max(drawn) <= high
    assert all(isinstance(value, int) for value in drawn) == declared.whole
    assert np.median(drawn) == pytest.approx(median, rel=0.2)


@pytest.mark.parametrize("bad", [{"low": 2, "high": 2}, {"low": 0, "high": 1, "log": True}, [], {"of": "hours"}])
def test_bad_declarations_are_refused(bad) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Declared).validate_python(bad)


def test_multiples_follow_the_data(sample) -> None:
    split = load_ranking_split(DATA["session"], ":valid")
    declared = {
        "k": [5, 9],
        "spw": Multiples(of="mean_length", times=[0, 0.5]),
        "snh": Multiples(of="train_days", times=[2]),
    }
    space = resolve(declared, split, [{"k": 9, "spw": 1.0, "snh": 3.0}])
    assert space["k"] == [5, 9]
    assert space["spw"] == [1.0, 1e-5, pytest.approx(split.train.lengths.mean() / 2, rel=1e-3)]
    assert space["snh"] == [3.0, pytest.approx(2 * np.ptp(split.train.last_times) / 86400, rel=1e-3)]


def test_modalities_that_the_data_lacks_are_left_out(sample) -> None:
    declared = {"modalities": Inputs(groups=[["session", "artist"], ["user", "random"]], iterations=[1, 2], dim=[64])}
    own = {"modalities": [{"group": "session", "iterations": 4, "dim": 32}, {"group": "random"}]}
    space = resolve(declared, load_ranking_split(DATA["session"], ":valid"), [own])
    assert space == {
        "modalities.groups": ["session + random", "user + random"],
        "modalities.iterations.0": [4, 1, 2],
        "modalities.dim": [32, 64],
    }
    assert parameters(point_at(space, own)) == own
    point = {"modalities.groups": "user + random", "modalities.iterations.0": 2, "modalities.dim": 64, "n": 3}
    assert parameters(point) == {
        "n": 3,
        "modalities": [{"group": "user", "iterations": 2, "dim": 64}, {"group": "random"}],
    }


def test_every_declared_space_can_be_built_and_holds_the_methods_own_parameters(chosen, sample) -> None:
    for kind, spaces in chosen.spaces.items():
        split = load_ranking_split(DATA[kind], ":valid")
        for method, declared in spaces.items():
            own = chosen.recommender(kind, method, "", {}, None, "cpu").model_dump(mode="json")
            space = resolve(declared, split, [own])
            for point in (point_at(space, own), *islice(draws(space, 0), 30)):
                model = chosen.recommender(kind, method, "", parameters(point), None, "cpu").model_dump(mode="json")
                assert all(model[name] == value for name, value in parameters(point).items() if name != "modalities")
            start = chosen.recommender(kind, method, "", parameters(point_at(space, own)), None, "cpu")
            assert start.model_dump(mode="json") == own


def test_a_range_must_hold_the_methods_own_value(sample) -> None:
    split = load_ranking_split(DATA["topk"], ":valid")
    with pytest.raises(UserError, match="l2: expected a range"):
        resolve({"l2": Range(low=1.0, high=2.0)}, split, [{"l2": 200.0}])
    with pytest.raises(UserError, match="expected session data"):
        resolve({"l2": Multiples(of="mean_length", times=[1])}, split, [{"l2": 200.0}])


def test_a_wrong_space_names_its_file(tmp_path) -> None:
    path = copy_parameters(tmp_path)
    edit(tmp_path / "params/session/ar.yaml", lambda row: row.update(search={"pruning": []}))
    with pytest.raises(UserError, match=r"params/session/ar\.yaml: search\.pruning"):
        settings.load(path)
