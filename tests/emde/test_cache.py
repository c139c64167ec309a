"""emde.cache: computed once per content, shared between processes, never half a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contracts import Sessions
from emde import graph
from emde.cache import VARIABLE, cached
from emde.modality import Modality, item_vectors


def vectors(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    return np.random.default_rng(seed).standard_normal((4, 3)).astype(np.float32), np.array([True, False, True, True])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_made_once(folder: Path) -> None:
    calls = []

    def make() -> tuple[np.ndarray, np.ndarray]:
        calls.append(1)
        return vectors()

    first, again, other = cached(["a", "b"], make), cached(["a", "b"], make), cached(["ab", ""], make)
    assert len(calls) == 2, "the parts are kept apart"
    for left, right in zip(first, again, strict=True):
        np.testing.assert_array_equal(left, right)
        assert left.dtype == right.dtype
    assert other[0].shape == (4, 3)
    assert len(list(folder.iterdir())) == 2


def test_off_without_a_folder(monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    calls: list[int] = []
    for _ in range(2):
        cached(["a"], lambda: (calls.append(1), vectors())[1])
    assert len(calls) == 2


def test_a_damaged_file_is_made_again(folder: Path, caplog) -> None:
    cached(["a"], vectors)
    next(folder.iterdir()).write_bytes(b"PK\x03\x04 no archive")
    np.testing.assert_array_equal(cached(["a"], vectors)[0], vectors()[0])
    assert "computing the vectors again" in caplog.text
    np.testing.assert_array_equal(cached(["a"], lambda: pytest.fail("not from the cache"))[0], vectors()[0])


def test_embeddings_are_cached_by_graph_and_settings(folder: Path, monkeypatch) -> None:
    train = Sessions.from_lists([[0, 1, 2], [2, 3]], 4)
    found = item_vectors(train, Modality(dim=8))
    for other in (Modality(dim=8, seed=1), Modality(dim=8, iterations=1), Modality(dim=9)):
        item_vectors(train, other)
    item_vectors(Sessions.from_lists([[0, 1, 2], [3, 3]], 4), Modality(dim=8))
    assert len(list(folder.iterdir())) == 5
    monkeypatch.setattr(graph, "propagate", lambda *_: pytest.fail("not from the cache"))
    np.testing.assert_array_equal(item_vectors(train, Modality(dim=8))[0], found[0])


def test_two_processes_share_it(folder: Path) -> None:
    code = (
        "import numpy as np\nfrom emde.cache import cached\n"
        "for i in range(40): assert cached([str(i)], lambda: (np.full((50, 50), i), np.ones(50, bool)))[0][0, 0] == i"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [(b"", 0)] * 2
    assert sorted(path.suffix for path in folder.iterdir()) == [".npz"] * 40
