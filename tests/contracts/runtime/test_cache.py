"""contracts.runtime.cache: computed once per content and code, shared between processes, never half a file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from contracts import Sessions
from contracts.runtime import cache
from contracts.runtime.cache import VARIABLE, Arrays, cached
from emde import graph
from emde.modality import Modality, item_vectors

MAKER = "emde.graph"


def arrays(seed: int = 0) -> Arrays:
    vectors = np.random.default_rng(seed).standard_normal((4, 3)).astype(np.float32)
    return {"vectors": vectors, "known": np.array([True, False, True, True])}


def never() -> Arrays:
    pytest.fail("not from the cache")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_made_once(folder: Path) -> None:
    calls = []

    def make() -> Arrays:
        calls.append(1)
        return arrays()

    first, again, other = (cached("vectors", MAKER, what, make) for what in (["a", "b"], ["a", "b"], ["ab", ""]))
    assert len(calls) == 2, "the parts are kept apart"
    assert first.keys() == again.keys() == other.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
        assert array.dtype == again[name].dtype
    assert [path.name for path in folder.iterdir()] == ["vectors"]
    assert len(list((folder / "vectors").iterdir())) == 2


def test_arrays_are_told_apart(folder: Path) -> None:
    """By values, types and shapes."""
    a = np.arange(6)
    for what in (a, a.astype(np.int32), a.reshape(2, 3), a[::-1]):
        cached("vectors", MAKER, [what], arrays)
    assert len(list((folder / "vectors").iterdir())) == 4
    cached("vectors", MAKER, [np.arange(12)[::2] // 2], never)


def test_other_code_makes_it_again(folder: Path, monkeypatch) -> None:
    cached("vectors", MAKER, ["a"], arrays)
    cached("vectors", MAKER, ["a"], never)
    cached("vectors", "emde.kernel", ["a"], lambda: arrays(1))
    monkeypatch.setattr(cache, "sources_hash", lambda name: f"{name}, edited")
    np.testing.assert_array_equal(cached("vectors", MAKER, ["a"], lambda: arrays(2))["vectors"], arrays(2)["vectors"])


@pytest.mark.parametrize("value", ["", None])
def test_off_without_a_folder(monkeypatch, value: str | None) -> None:
    monkeypatch.delenv(VARIABLE) if value is None else monkeypatch.setenv(VARIABLE, value)
    calls: list[int] = []
    for _ in range(2):
        cached("vectors", MAKER, ["a"], lambda: (calls.append(1), arrays())[1])
    assert len(calls) == 2


@pytest.mark.parametrize("damage", ["no archive", "cut short"])
def test_a_damaged_file_is_made_again(folder: Path, caplog, damage: str) -> None:
    cached("vectors", MAKER, ["a"], arrays)
    (path,) = (folder / "vectors").iterdir()
    path.write_bytes(b"PK\x03\x04 no archive" if damage == "no archive" else path.read_bytes()[:-9])
    np.testing.assert_array_equal(cached("vectors", MAKER, ["a"], arrays)["vectors"], arrays()["vectors"])
    assert "computing it again" in caplog.text
    np.testing.assert_array_equal(cached("vectors", MAKER, ["a"], never)["vectors"], arrays()["vectors"])


def test_embeddings_are_cached_by_graph_and_settings(folder: Path, monkeypatch) -> None:
    train = Sessions.from_lists([[0, 1, 2], [2, 3]], 4)
    found = item_vectors(train, Modality(dim=8))
    for other in (Modality(dim=8, seed=1), Modality(dim=8, iterations=1), Modality(dim=9)):
        item_vectors(train, other)
    item_vectors(Sessions.from_lists([[0, 1, 2], [3, 3]], 4), Modality(dim=8))
    assert len(list((folder / "vectors").iterdir())) == 5
    monkeypatch.setattr(graph, "propagate", lambda *_: never())
    for left, right in zip(item_vectors(train, Modality(dim=8)), found, strict=True):
        np.testing.assert_array_equal(left, right)


def test_two_processes_share_it(folder: Path) -> None:
    code = (
        "import numpy as np\nfrom contracts.runtime.cache import cached\n"
        "for i in range(40): assert cached('v', 'emde.graph', [str(i)], lambda: {'a': np.full((50, 50), i)})"
        "['a'][0, 0] == i"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(2)]
    assert [(run.communicate()[1], run.returncode) for run in runs] == [(b"", 0)] * 2
    assert sorted(path.suffix for path in (folder / "v").iterdir()) == [".npz"] * 40
