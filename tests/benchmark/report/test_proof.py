"""A second run against the committed lock: hashes of the same inputs, values within tolerances."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from benchmark.experiments import settings
from benchmark.report import proof
from contracts import UserError
from contracts.runtime.json import write_json
from tests.parameters import write_parameters

ROWS = {"session": {"ar": {}, "emde": {}, "emde-random": {"base": "emde"}}, "topk": {}, "density": {}}
PROFILE = {
    "title": "two and one of several seeds",
    "session": [
        {"data": ["sample-sessions"], "methods": ["ar", "emde"]},
        {"data": ["sample-sessions"], "methods": ["emde-random"], "seeds": 3},
    ],
}


def lock(path: Path, **changes: str) -> Path:
    stage = {"cmd": "make", "deps": [{"path": "in", "md5": "a"}], "outs": [{"path": "out", "md5": "b"}]}
    for part, value in changes.items():
        stage[part] = value if part == "cmd" else [{**stage[part][0], "md5": value}]
    path.write_text(yaml.safe_dump({"schema": "2.0", "stages": {"run--d--m": stage}}))
    return path


def test_the_same_inputs_with_other_outputs_are_a_difference(tmp_path: Path) -> None:
    committed = lock(tmp_path / "old.lock")
    assert proof.differences(committed, lock(tmp_path / "same.lock")) == []
    assert proof.differences(committed, lock(tmp_path / "code.lock", deps="c", outs="c")) == []
    assert proof.differences(committed, lock(tmp_path / "time.lock", outs="c")) == [
        "run--d--m: out: another hash, from the same inputs"
    ]
    assert proof.stale(committed, lock(tmp_path / "all.lock", cmd="x", outs="c")) == ["run--d--m: cmd, outs"]


def test_values_hold_within_tolerances_and_each_difference_is_a_line(tmp_path: Path, monkeypatch) -> None:
    """A method that draws nothing must give the very values; one that draws may differ as another seed would,
    the mean over seeds by less."""
    path = write_parameters(
        tmp_path, {"threads": 1, "seed": 0, "final_fit": "train", "methods": ROWS, "profiles": {"sample": PROFILE}}
    )
    monkeypatch.setenv("EMDE_PROJECT", str(tmp_path))
    known = settings.load(path)
    with pytest.raises(UserError, match=r"proof\.json: expected the values of the committed dvc\.lock"):
        proof.verify(known)

    def measured(cell: str, hr: float) -> None:
        write_json(tmp_path / f"results/generated/cells/sample-sessions/{cell}/metrics.json", {"HR@20": hr})

    measured("ar", 0.5)
    measured("emde", 0.6)
    measured("emde-random-3-seeds", 0.55)
    proof.record(tmp_path)
    assert proof.same_machine(tmp_path)
    assert proof.verify(known)["differences"] == []
    measured("emde", 0.65)
    measured("emde-random-3-seeds", 0.565)
    assert proof.verify(known)["failed"] == 0
    measured("ar", 0.51)
    measured("emde", 0.66)
    measured("emde-random-3-seeds", 0.575)
    assert proof.verify(known)["differences"] == [
        "sample-sessions/ar HR@20: expected 0.500000 +- 1e-06, found 0.510000",
        "sample-sessions/emde HR@20: expected 0.600000 +- 0.055, found 0.660000",
        "sample-sessions/emde-random-3-seeds HR@20: expected 0.550000 +- 0.02, found 0.575000",
    ]
