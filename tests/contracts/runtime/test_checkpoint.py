"""contracts.runtime.checkpoint: whole files, of one run only, written when due."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from contracts import Checkpoint, UserError, recommender
from contracts.runtime.checkpoint import VARIABLE, digest
from emde import EMDE

STATE = {"weights": torch.arange(3.0), "epoch": 2, "history": [{"loss": 0.5}], "rng": torch.Generator().get_state()}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deeper" / "run.ckpt"
    Checkpoint(path, {"lr": 0.1}).save(STATE)
    assert [child.name for child in path.parent.iterdir()] == ["run.ckpt"]
    found = Checkpoint(path, {"lr": 0.1}).restore()
    assert found is not None
    assert found.keys() == STATE.keys()
    assert torch.equal(found["weights"], STATE["weights"])
    assert torch.equal(found["rng"], STATE["rng"])
    assert (found["epoch"], found["history"]) == (2, [{"loss": 0.5}])


def test_of_another_run(tmp_path: Path, caplog) -> None:
    Checkpoint(tmp_path / "run.ckpt", {"lr": 0.1}).save(STATE)
    assert Checkpoint(tmp_path / "run.ckpt", {"lr": 0.2}).restore() is None
    assert "checkpoint of another run" in caplog.text
    assert Checkpoint(tmp_path / "other.ckpt", {"lr": 0.1}).restore() is None


def test_without_a_path_nothing_happens(monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    checkpoint = Checkpoint(None, {})
    checkpoint.save(STATE)
    assert checkpoint.restore() is None
    assert not checkpoint.due()


def test_due(tmp_path: Path, monkeypatch) -> None:
    kept = Checkpoint(tmp_path / "run.ckpt", {})
    assert not kept.due()
    assert kept.due_after_epoch(), "the first epoch's, whatever it costs"
    kept.save(STATE)
    kept.cost = 60.0
    assert not kept.due_after_epoch(), "writing took as long as many such epochs"
    monkeypatch.setenv(VARIABLE, "0")
    assert Checkpoint(tmp_path / "run.ckpt", {}).due()
    for value in ("soon", "-1"):
        monkeypatch.setenv(VARIABLE, value)
        with pytest.raises(UserError, match=f"{VARIABLE}: expected seconds from 0, found '{value}'"):
            Checkpoint(tmp_path / "run.ckpt", {})


def test_a_failed_write_keeps_the_last_one(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "run.ckpt", {})
    checkpoint.save(STATE)
    with pytest.raises(AttributeError):
        checkpoint.save({"weights": lambda: None})  # what cannot be pickled
    assert [child.name for child in tmp_path.iterdir()] == ["run.ckpt"]
    found = checkpoint.restore()
    assert found is not None
    assert found["epoch"] == 2


def test_damaged(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    path.write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"run\.ckpt: expected a checkpoint"):
        Checkpoint(path, {}).restore()


def test_a_recommender_knows_its_own(tmp_path: Path) -> None:
    """Parameters and data are part of what a checkpoint belongs to."""
    a, b = np.arange(3), sp.csr_matrix(np.eye(2))
    model, other = EMDE().checkpoint_at(tmp_path / "c"), EMDE(lr=0.1).checkpoint_at(tmp_path / "c")
    model.checkpoint({"a": a, "b": b, "none": None}).save(STATE)
    assert model.checkpoint({"a": a, "b": b}).restore()
    assert other.checkpoint({"a": a, "b": b}).restore() is None
    assert model.checkpoint({"a": a + 1, "b": b}).restore() is None
    assert model.checkpoint({"a": a, "b": b * 2}).restore() is None


def test_other_code_begins_anew(tmp_path: Path, monkeypatch) -> None:
    """The method's and all that it imports; not the commit."""
    model = EMDE().checkpoint_at(tmp_path / "c")
    model.checkpoint({}).save(STATE)
    assert model.checkpoint({}).restore()
    asked: list[str] = []
    monkeypatch.setattr(recommender, "sources_hash", lambda name: (asked.append(name), "edited")[1])
    assert model.checkpoint({}).restore() is None
    assert asked == ["emde.session"]


def test_digest() -> None:
    plain = digest([np.arange(4)])
    assert plain == digest([np.arange(8)[::2] // 2])
    assert len({plain, digest([np.arange(4, dtype=np.int32)]), digest([np.arange(4).reshape(2, 2)])}) == 3
