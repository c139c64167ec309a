"""The format of kept results: written sorted and whole, read back, merged; anything else is one clear line."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmark.report import kept, units
from contracts import UserError

PROJECT = Path(__file__).parents[3]
FOLDERS = sorted(path for path in (PROJECT / "results/reported").iterdir() if path.is_dir())


def run(method: str = "sr", value: float = 0.5, lists: str = "a", **record: Any) -> kept.Record:
    found = {"data": "rsc15-100k", "split": "published", "kind": "session", "method": method, "base": method,
             "params": {}, "seed": None, "lists_sha256": lists}  # fmt: skip
    return kept.record("run", {"run": {**found, **record}, "metrics": {"HR@20": value}, "intervals": {}})


def search(method: str, points: int) -> kept.Record:
    study = {"data": "rsc15-100k", "split": "published:valid", "method": method, "points": points, "trials": []}
    return kept.record("search", {"result": study})


def compared(own: str, against: str) -> kept.Record:
    content = {"data": "rsc15-100k", "splits": ["published"], "method": "sr", "against": "emde"}
    return kept.record("test", {**content, "lists": [[own], [against]], "metrics": {}})


def test_written_sorted_and_read_back(tmp_path: Path) -> None:
    records = [run("vs-knn", params={"k": 100}), run("ar"), search("ar", 5)]
    kept.write(tmp_path, records)
    first = (tmp_path / "rsc15-100k.jsonl").read_bytes()
    assert kept.read(tmp_path) == [records[1], records[0], records[2]]
    kept.write(tmp_path, records[::-1])
    assert (tmp_path / "rsc15-100k.jsonl").read_bytes() == first, "whatever the order they come in"
    kept.write(tmp_path, [run(data="movielens-100k")])
    assert [path.name for path in kept.files(tmp_path)] == ["movielens-100k.jsonl"], "no file of former records stays"


def test_a_large_file_is_parted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGEST", 500)
    records = [run(seed=seed) for seed in range(10)]
    paths = kept.write(tmp_path, records)
    assert len(paths) > 2
    assert all(path.stat().st_size <= 500 for path in paths)
    assert kept.read(tmp_path) == records


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"found nan in metrics\.HR@20"):
        kept.write(tmp_path, [run(value=math.nan)])
    assert kept.files(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "expected JSON"),
        ('{"data": "x"}', "expected a kept record (emde keep), found none: no 'kind'"),
        ('{"kind": "run", "schema": 9}', "expected a kept record of schema 1"),
        ('{"kind": "run", "schema": 1}', "expected a kept record (emde keep), found none: no 'run'"),
        ("[]", "expected a kept record"),
    ],
)
def test_other_lines_are_refused(tmp_path: Path, line: str, words: str) -> None:
    (tmp_path / "x.jsonl").write_text(line + "\n")
    with pytest.raises(UserError) as error:
        kept.read(tmp_path)
    assert words in str(error.value)
    assert str(tmp_path / "x.jsonl: line 1") in str(error.value)


def test_a_run_takes_the_place_of_the_same_run_only() -> None:
    old = [run("vs-knn", params={"k": 100}), run("vs-knn", params={"k": 500}), run("sr")]
    merged = kept.merged(old, [run("vs-knn", 0.6, params={"k": 500})])
    assert sorted(r["metrics"]["HR@20"] for r in merged) == [0.5, 0.5, 0.6]
    assert len(kept.merged(old, [run("vs-knn", params={"k": 100}, sessions=9)])) == 4
    assert len(kept.merged(old, [run("sr", seed=1)])) == 4


def test_a_parameter_that_was_added_later_makes_no_other_run() -> None:
    """VS-KNN's defaults, said in full and not at all."""
    found = kept.merged([run("vs-knn", params={"k": 100})], [run("vs-knn", params={"k": 100, "sample_size": 1000})])
    assert [list(r["run"]["params"]) for r in found] == [["k", "sample_size"]]
    other = run("vs-knn", params={"k": 100, "sample_size": 7})
    assert len(kept.merged([run("vs-knn", params={"k": 100})], [other])) == 2


def test_replacing_drops_every_setting_of_the_method() -> None:
    old = [run("item-knn", params={"n_sims": 20}), run("item-knn"), run("sr"), search("item-knn", 5), search("sr", 5)]
    found = kept.merged(old, [run("item-knn", 0.7), search("item-knn", 9)], replace=True)
    names = [(r["kind"], (r.get("run") or r["result"])["method"]) for r in sorted(found, key=kept.key)]
    assert names == [("run", "item-knn"), ("run", "sr"), ("search", "item-knn"), ("search", "sr")]


def test_tests_of_replaced_lists_go() -> None:
    old = [run(lists="a"), run("emde", lists="b"), compared("a", "b")]
    assert compared("a", "b") in kept.merged(old, [run("ar", lists="c")])
    assert compared("a", "b") not in kept.merged(old, [run(lists="changed")])


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_everything_reported_is_in_the_format(folder: Path) -> None:
    """Also small, sorted, strict JSON, and nothing else beside it but text and pictures."""
    records = kept.read(folder)
    assert records
    assert len({kept.key(found) for found in records}) == len(records)
    for path in kept.files(folder):
        assert path.stat().st_size < 1_000_000
        assert "NaN" not in path.read_text()
        assert "Infinity" not in path.read_text()
    valued = {units.path_of(folder, found["run"]) for found in records if found["kind"] == "run"}
    beside = set((folder / units.FOLDER).glob("*"))
    assert beside <= valued
    assert all(path.stat().st_size < 1_000_000 for path in beside)
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file() and path not in beside}
    assert suffixes <= {".jsonl", ".md", ".png", ".svg", ".pdf"}
    assert (folder / "README.md").is_file()
