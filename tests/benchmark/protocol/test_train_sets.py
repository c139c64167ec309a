"""benchmark.protocol.train_sets: the newest sessions, the same catalogue, and every record says so."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest

from benchmark.cli import main as cli
from benchmark.data.load import load_split
from benchmark.experiments import run_store, settings
from benchmark.experiments.run import Asked, run
from benchmark.protocol.train_sets import recent
from contracts import UserError


def test_the_newest_sessions_stay(sample: Path) -> None:
    split = load_split("sample-sessions", "0")
    found = recent(split, 50)
    assert found.train.n_items == split.train.n_items
    assert found.test is split.test
    assert sorted(found.train.last_times) == sorted(split.train.last_times)[-50:]
    assert (np.diff(found.train.offsets) > 0).all()
    assert found.meta["approximate"] == f"fitted on the 50 most recent of {len(split.train):,} train sessions"
    assert found.meta["most_recent"] == 50
    assert recent(split, None) is split
    assert recent(split, len(split.train)) is split


def test_only_sessions_have_a_time(sample: Path) -> None:
    with pytest.raises(UserError, match="--sessions: expected session data, found users of sample-ratings"):
        recent(load_split("sample-ratings"), 50)


def test_a_run_says_on_what_it_was_fitted(sample: Path, tmp_path: Path, capsys) -> None:
    arguments = ["run", "--data", "sample-sessions", "--split", "0", "--method", "ar", "--out", str(tmp_path)]
    chosen = settings.load()
    whole = run(chosen, Asked("sample-sessions", "ar", "0", device="cpu"), tmp_path)
    part = run(chosen, Asked("sample-sessions", "ar", "0", device="cpu", sessions=50), tmp_path)
    assert whole != part
    records = run_store.read_record(whole), run_store.read_record(part)
    assert records[0]["lists_sha256"] != records[1]["lists_sha256"]
    assert [record["sessions"] for record in records] == [None, 50]
    assert shlex.split(records[1]["command"])[-2:] == ["--sessions", "50"]
    assert cli.main([*arguments, "--sessions", "50"]) == 0
    assert "approximate: fitted on the 50 most recent of" in capsys.readouterr().out


def test_the_learning_curve_is_recorded(sample: Path, tmp_path: Path) -> None:
    params = {"epochs": 2, "dim": 8, "patience": 2}
    folder = run(settings.load(), Asked("sample-sessions", "stamp", "0", params, device="cpu", sessions=200), tmp_path)
    history = run_store.read_record(folder)["history"]
    assert [row["epoch"] for row in history if "refit" not in row] == [1, 2]
    assert {"loss", "valid_mrr", "valid_hr"} <= set(history[0])
    assert "refit" in history[-1]
