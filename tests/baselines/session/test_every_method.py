"""What holds for every rival: short lists, unknown items, saving, and the registry's rule of one class a file."""

import importlib
from pathlib import Path

import numpy as np
import pytest

import baselines.session
from baselines.session.shared.neural import NeuralRecommender
from contracts import SessionRecommender, Sessions, UserError

from ._oracles import random_sessions

FILES = sorted(path.stem for path in Path(baselines.session.__path__[0]).glob("[!_]*.py"))


def method(name: str) -> type[SessionRecommender]:
    module = importlib.import_module(f"baselines.session.{name}")
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, SessionRecommender) and value.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


@pytest.mark.parametrize("name", FILES)
def test_documented(name):
    kind = method(name)
    assert kind.__doc__
    assert kind.citation
    assert all(field.description for field in kind.model_fields.values())


@pytest.mark.parametrize("name", FILES)
def test_unknown_items_are_as_if_they_had_not_happened(name):
    model = method(name)().fit(random_sessions(3))
    with_unknown = Sessions.from_lists([[-1, 2, -1, 3, -1], [-1, -1], [], [2, 3]], 9)
    items, scores = model.recommend(with_unknown, 12)
    np.testing.assert_array_equal(items[0], items[3])
    # a matrix product rounds a row differently at another place of the batch
    np.testing.assert_allclose(scores[0], scores[3], rtol=1e-5 if isinstance(model, NeuralRecommender) else 0)
    assert (items[0] >= 0).any()
    assert (items[1:3] == -1).all()
    assert (scores[1:3] == 0).all()


@pytest.mark.parametrize("name", FILES)
def test_survives_saving(name, tmp_path):
    model, prefixes = method(name)().fit(random_sessions(4)), random_sessions(5, n=600)
    before = model.recommend(prefixes, 6)
    after = method(name).load(model.save(tmp_path / "model")).recommend(prefixes, 6)
    for left, right in zip(before, after, strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", FILES)
def test_read_only_arrays_and_empty_sessions(name):
    train = random_sessions(6)
    frozen = Sessions.from_lists([[], [0], []], 9)
    for array in (train.items, train.times, train.offsets, frozen.items, frozen.offsets):
        array.flags.writeable = False
    items, _ = method(name)().fit(train).recommend(frozen, 3)
    assert (items[[0, 2]] == -1).all()
    method(name)().fit(Sessions.from_lists([[], [0, 1], []], 3)).recommend(frozen, 3)


@pytest.mark.parametrize("name", FILES)
def test_an_empty_train_is_refused(name):
    with pytest.raises(UserError, match="empty"):
        method(name)().fit(Sessions.from_lists([], 0))
