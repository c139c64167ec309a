"""Parameters from outside, the saved file, and work spread over threads."""

from __future__ import annotations

import os
import threading
from typing import ClassVar, Literal

import numpy as np
import pytest
import scipy.sparse as sp
from pydantic import BaseModel, Field

from contracts import (
    DensityEstimator,
    Estimator,
    Interactions,
    Recommender,
    SessionRecommender,
    Sessions,
    TopKRecommender,
    UserError,
    for_chunks,
    n_threads,
    require_events,
)


class Part(BaseModel, extra="forbid"):
    depth: int = 1


class Toy(Recommender):
    """A recommender of nothing."""

    kind: ClassVar[str] = "session"

    k: int = Field(3, ge=1, le=9)
    similarity: Literal["cosine", "jaccard"] = "cosine"
    parts: tuple[Part, ...] = ()

    def fit(self, train: Sessions) -> Toy:
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(prefixes), k), np.int32), np.zeros((len(prefixes), k), np.float32)


class Other(Toy):
    """Another class."""


@pytest.mark.parametrize("base", [SessionRecommender, TopKRecommender, DensityEstimator])
def test_a_method_must_be_whole(base: type[Estimator]) -> None:
    """What leaves out fit (or recommend, query) cannot be made."""
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (base,), {"__module__": __name__})()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"kk": 1}, "toy: unknown parameter 'kk'; expected one of: k, similarity, parts"),
        ({"k": 0}, "toy: parameter 'k': Input should be greater than or equal to 1, found 0"),
        ({"k": 10}, "toy: parameter 'k': Input should be less than or equal to 9, found 10"),
        ({"k": "many"}, "toy: parameter 'k': .*integer.*, found 'many'"),
        ({"k": 2.5}, "toy: parameter 'k': .*integer.*, found 2.5"),
        ({"k": None}, "toy: parameter 'k': .*integer.*, found None"),
        ({"similarity": "dice"}, "toy: parameter 'similarity': .*'cosine' or 'jaccard', found 'dice'"),
        ({"parts": [{"depth": 1}, {"depth": "x"}]}, "toy: parameter 'parts.1.depth': .*, found 'x'"),
        ({"parts": [{"deep": 1}]}, "'parts.0.deep'"),
        ({"parts": 3}, "toy: parameter 'parts': .*, found 3"),
    ],
)
def test_bad_parameters_are_named_in_one_line(params, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        Toy.create(params, "toy")
    assert "\n" not in str(caught.value)


def test_good_parameters() -> None:
    assert Toy.create({"k": "5"}).k == 5
    assert Toy.create({}).model_dump() == {"k": 3, "similarity": "cosine", "parts": ()}
    with pytest.raises(UserError, match=r"^Toy: unknown"):
        Toy.create({"kk": 1})


def filled() -> Toy:
    model = Toy(k=4, parts=(Part(depth=2),))
    model._state = {
        "floats": np.linspace(0, 1, 7),
        "bytes": np.arange(6, dtype=np.uint8).reshape(2, 3),
        "turned": np.arange(6, dtype=np.int32).reshape(2, 3).T,  # not C-contiguous
        "empty": np.zeros(0, np.float32),
    }
    model.set_csr("matrix", sp.csr_matrix(np.array([[0, 1.5, 0], [2, 0, 0]], np.float32)))
    return model


def test_round_trip(tmp_path) -> None:
    path = filled().save(tmp_path / "a" / "b.safetensors")
    loaded = Toy.load(path)
    assert loaded.model_dump() == filled().model_dump()
    assert loaded._state.keys() == filled()._state.keys()
    for name, array in filled()._state.items():
        np.testing.assert_array_equal(loaded._state[name], array)
        assert loaded._state[name].dtype == array.dtype
    assert loaded.get_csr("matrix").toarray().tolist() == [[0, 1.5, 0], [2, 0, 0]]


def test_another_class_is_refused(tmp_path) -> None:
    path = filled().save(tmp_path / "model")
    with pytest.raises(UserError, match="expected a saved Other, found Toy"):
        Other.load(path)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch) -> None:
    path = filled().save(tmp_path / "model")
    before = path.read_bytes()

    def fail(*_):
        raise KeyboardInterrupt

    for broken in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, broken, fail)
            changed = filled()
            changed._state["floats"] = np.zeros(7)
            with pytest.raises(KeyboardInterrupt):
                changed.save(path)
        assert path.read_bytes() == before
        new = tmp_path / f"new-{broken}"
        with monkeypatch.context() as patch:
            patch.setattr(os, broken, fail)
            with pytest.raises(KeyboardInterrupt):
                filled().save(new)
        assert not new.exists()
    assert np.array_equal(Toy.load(path)._state["floats"], np.linspace(0, 1, 7))


def test_require_events() -> None:
    with pytest.raises(UserError, match="toy: the train set is empty"):
        require_events(Sessions.from_lists([[]], 2), "toy")
    with pytest.raises(UserError, match="toy: the train set is empty"):
        require_events(Interactions(sp.csr_matrix((4, 2), dtype=np.float32)), "toy")
    require_events(Sessions.from_lists([[1]], 2), "toy")


@pytest.mark.parametrize("threads", ["1", "2", "5"])
@pytest.mark.parametrize(("total", "chunk"), [(0, 4), (1, 4), (4, 4), (17, 4), (1000, 256)])
def test_chunks_cover_everything_once(monkeypatch, threads: str, total: int, chunk: int) -> None:
    monkeypatch.setenv("EMDE_THREADS", threads)
    assert n_threads() == int(threads)
    counts, sizes, lock = np.zeros(total, int), [], threading.Lock()

    def work(start: int, stop: int) -> None:
        with lock:
            counts[start:stop] += 1
            sizes.append(stop - start)

    for_chunks(total, work, chunk)
    assert (counts == 1).all()
    assert sum(sizes) == total
    assert all(0 < size <= chunk for size in sizes)


def test_an_error_in_a_chunk_is_not_lost(monkeypatch) -> None:
    monkeypatch.setenv("EMDE_THREADS", "2")

    def work(start: int, stop: int) -> None:
        if start == 8:
            raise UserError("chunk 2")

    with pytest.raises(UserError, match="chunk 2"):
        for_chunks(17, work, 4)


def test_default_number_of_threads(monkeypatch) -> None:
    monkeypatch.delenv("EMDE_THREADS")
    assert n_threads() >= 1
    monkeypatch.setenv("EMDE_THREADS", "0")
    with pytest.raises(UserError, match="EMDE_THREADS: expected a whole number from 1, found '0'"):
        n_threads()
