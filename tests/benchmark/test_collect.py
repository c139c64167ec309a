"""Runs made by hand are kept once each, with what their lists say."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmark import settings, store
from benchmark.collect import collect
from benchmark.evaluate import evaluate
from benchmark.run import Asked, run
from contracts import UserError

PROJECT = Path(__file__).parents[2]


def kept(out: Path) -> list[dict[str, str]]:
    with open(out / "results.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_run_is_kept_once(sample, tmp_path) -> None:
    chosen = settings.load(PROJECT / "params.yaml")
    runs, out = tmp_path / "runs", tmp_path / "out"
    first = run(chosen, Asked("sample-sessions", "sr", "0", device="cpu"), runs)
    assert collect(runs, out) == 1
    run(chosen, Asked("sample-sessions", "ar", "0", device="cpu"), runs)
    assert collect(runs, out) == 2
    found = {row["method"]: row for row in kept(out)}
    assert list(found) == ["ar", "sr"]
    assert float(found["sr"]["HR@20"]) == pytest.approx(evaluate(first)["metrics"]["HR@20"], abs=1e-6)
    assert found["sr"]["lists_sha256"] == store.read_record(first)["lists_sha256"]
    records = [json.loads(line) for line in (out / "runs.jsonl").read_text().splitlines()]
    assert [record["method"] for record in records] == ["ar", "sr"]
    (out / "runs.jsonl").write_text(json.dumps(records[1]) + "\n")
    with pytest.raises(UserError, match=r"results.csv and runs.jsonl: expected the same runs"):
        collect(runs, out)
    (out / "results.csv").write_text("method\nsr\n")
    with pytest.raises(UserError, match="expected the columns data, split"):
        collect(runs, out)
    with pytest.raises(UserError, match=r"found no run\.json"):
        collect(tmp_path / "none", out)
