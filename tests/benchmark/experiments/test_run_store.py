"""benchmark.experiments.run_store: names, whole writes, damaged runs."""

from __future__ import annotations

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmark.experiments import run_store
from contracts import UserError

ITEMS = np.array([[3, 1, -1], [2, 0, 1]], np.int32)
SCORES = np.array([[2.5, 1, 0], [9, 8, 7]], np.float32)
ROWS = {"session": np.array([0, 4], np.int32), "position": np.array([1, 2], np.int32)}
RECORD = {"data": "d", "split": "all", "data_hashes": {}, "lists_sha256": "", "params": {"k": 3}}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "d" / "m" / "published-00000000"
    run_store.write_run(path, RECORD, ROWS, ITEMS, SCORES)
    return path


def test_name_of_a_run(tmp_path) -> None:
    params = {"k": 100, "similarity": "cosine", "device": "auto"}
    path = run_store.run_dir(tmp_path, "rsc15", "vs-knn", "published:valid", params)
    assert path.parent == tmp_path / "rsc15" / "vs-knn"
    assert path.name == f"published.valid-{run_store.parameter_hash(params)}"
    assert len(run_store.parameter_hash(params)) == 8


def test_hash_of_parameters() -> None:
    base = run_store.parameter_hash({"k": 100, "w": [1, 2], "device": "auto"})
    assert base == run_store.parameter_hash({"device": "cuda", "w": [1, 2], "k": 100})  # neither order nor device
    assert base == run_store.parameter_hash({"w": [1, 2], "k": 100})
    for other in ({"k": 101, "w": [1, 2]}, {"k": 100, "w": [2, 1]}, {"k": 100}, {"kk": 100, "w": [1, 2]}):
        assert run_store.parameter_hash(other) != base


def test_round_trip(folder) -> None:
    items, scores = run_store.read_ranks(folder)
    np.testing.assert_array_equal(items, ITEMS)
    np.testing.assert_array_equal(scores, SCORES)
    assert (items.dtype, scores.dtype) == (np.int32, np.float32)
    assert run_store.read_record(folder) == RECORD
    table = pq.read_table(folder / run_store.RANKS)
    assert table.column_names == ["session", "position", "items", "scores"]
    assert table["session"].to_pylist() == [0, 4]
    assert sorted(path.name for path in folder.iterdir()) == ["ranks.parquet", "run.json"]
    assert [path.name for path in folder.parent.iterdir()] == [folder.name], "no temporary folder stays"


def test_no_points(tmp_path) -> None:
    empty = {name: column[:0] for name, column in ROWS.items()}
    run_store.write_run(tmp_path / "run", RECORD, empty, ITEMS[:0], SCORES[:0])
    assert run_store.read_ranks(tmp_path / "run")[0].shape == (0, 3)


def test_writing_again_replaces_the_whole_run(folder) -> None:
    (folder / "left-over").write_text("x")
    run_store.write_run(folder, RECORD | {"data": "new"}, ROWS, ITEMS[::-1], SCORES)
    assert run_store.read_record(folder)["data"] == "new"
    assert run_store.read_ranks(folder)[0].tolist() == ITEMS[::-1].tolist()
    assert not (folder / "left-over").exists()


@pytest.mark.parametrize("step", ["write_table", "replace"])
def test_an_interrupted_write_leaves_the_old_run_or_none(folder, monkeypatch, step: str) -> None:
    def fail(*_, **__):
        raise KeyboardInterrupt

    if step == "write_table":
        monkeypatch.setattr(run_store.pq, "write_table", fail)
    else:
        monkeypatch.setattr(run_store.os, "fsync", fail)
    with pytest.raises(KeyboardInterrupt):
        run_store.write_run(folder, RECORD | {"data": "new"}, ROWS, ITEMS, SCORES)
    assert run_store.read_record(folder) == RECORD
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    with pytest.raises(KeyboardInterrupt):
        run_store.write_run(folder.with_name("other"), RECORD, ROWS, ITEMS, SCORES)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_folder_that_cannot_be_written(tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((UserError, OSError)):
        run_store.write_run(tmp_path / "file" / "run", RECORD, ROWS, ITEMS, SCORES)


def test_find_runs(folder, tmp_path) -> None:
    other = tmp_path / "d" / "m" / "0-11111111"
    run_store.write_run(other, RECORD, ROWS, ITEMS, SCORES)
    assert run_store.find_runs(folder) == [folder]
    assert run_store.find_runs(tmp_path) == [other, folder]
    with pytest.raises(UserError, match="expected a run directory"):
        run_store.find_runs(tmp_path / "nothing")


def test_what_a_killed_run_left_is_no_run(folder, tmp_path) -> None:
    """write_run's temporary folder, had it been killed with -9 before renaming."""
    left = folder.with_name(f".{folder.name}.abc123")
    left.mkdir()
    (left / run_store.RECORD).write_text(json.dumps(RECORD))
    assert run_store.find_runs(tmp_path) == [folder]


def test_missing(tmp_path) -> None:
    with pytest.raises(UserError, match=r"expected a run directory with run\.json, found none"):
        run_store.read_record(tmp_path)
    with pytest.raises(UserError, match="expected ranked lists"):
        run_store.read_ranks(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"data": "d"', b"\xff\xfe\x00garbage\x93"])
def test_damaged_record(folder, content: bytes) -> None:
    (folder / run_store.RECORD).write_bytes(content)
    with pytest.raises(UserError, match=r"run\.json: expected JSON") as caught:
        run_store.read_record(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[1, 2]", b"{}", b'"text"', b"null"])
def test_record_without_the_fields(folder, content: bytes) -> None:
    """Valid JSON that is no record: one clear line from evaluate, not a KeyError."""
    from benchmark.experiments.evaluate import evaluate

    (folder / run_store.RECORD).write_bytes(content)
    with pytest.raises(UserError, match=r"run\.json"):
        evaluate(folder)


def big_run(path) -> bytes:
    rng = np.random.default_rng(0)
    items = rng.integers(0, 30_000, (3000, 20)).astype(np.int32)
    rows = {"session": np.arange(3000, dtype=np.int32)}
    run_store.write_run(path, RECORD, rows, items, rng.random((3000, 20), np.float32))
    return (path / run_store.RANKS).read_bytes()


@pytest.mark.parametrize("damage", ["empty", "text", "head", "tail", "middle", "other columns", "ragged"])
def test_damaged_ranks(tmp_path, damage: str) -> None:
    import pyarrow as pa

    folder = tmp_path / "run"
    whole = big_run(folder)
    path = folder / run_store.RANKS
    if damage == "other columns":
        pq.write_table(pa.table({"x": [1]}), path)
    elif damage == "ragged":
        pq.write_table(pa.table({"items": [[1], [2, 3]], "scores": [[1.0], [2.0, 3.0]]}), path)
    else:
        content = {
            "empty": b"", "text": b"hello", "head": whole[: len(whole) // 2], "tail": whole[len(whole) // 2 :],
            "middle": whole[: len(whole) // 2] + bytes(200) + whole[len(whole) // 2 + 200 :],
        }[damage]  # fmt: skip
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"ranks\.parquet: expected ranked lists"):
        run_store.read_ranks(folder)
