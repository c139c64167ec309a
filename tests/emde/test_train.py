"""emde.train: killed and resumed is unbroken, early stopping keeps the best epoch, the learning curve."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from contracts import Checkpoint, Interactions, Recommender, Sessions
from contracts.errors import NotFinite
from contracts.runtime.checkpoint import VARIABLE
from emde import EMDE, TopKEMDE
from tests.contract import rows_of

SESSION: dict[str, Any] = {
    "n": 4, "k": 4, "hidden": 24, "epochs": 4, "batch_size": 16, "dtype": "float32", "device": "cpu", "dropout": 0.3,
    "gamma": 0.7, "lr": 0.01, "modalities": [{"group": "session", "iterations": 2, "dim": 16}, {"group": "random"}],
}  # fmt: skip
TOPK = SESSION | {"modalities": [{"group": "user", "iterations": 2, "dim": 16}, {"group": "random"}]}


def sessions(seed: int = 0, n: int = 60) -> Sessions:
    """Walks around 20 items."""
    rng = np.random.default_rng(seed)
    walks = [(rng.integers(20) + np.arange(rng.integers(2, 6))) % 20 for _ in range(n)]
    return Sessions.from_lists([walk.tolist() for walk in walks], 20)


def likes(n: int = 60) -> Interactions:
    """Two communities of 40 items each."""
    rng = np.random.default_rng(0)
    return Interactions(rows_of([(side * 40 + rng.choice(40, 6, False)).tolist() for side in (0, 1) * (n // 2)], 80))


def assert_equal(left: Recommender, right: Recommender) -> None:
    assert left._state.keys() == right._state.keys()
    for name, array in left._state.items():
        assert array.tobytes() == right._state[name].tobytes(), name
    assert left.history == right.history


class Stop(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("kind", ["session", "topk", "session with validation"])
def test_a_training_that_diverges_is_an_error(kind: str, tmp_path: Path, monkeypatch) -> None:
    """Before a checkpoint of it is written, and before the epoch is validated or watched."""
    monkeypatch.setenv(VARIABLE, "0")
    params = {"lr": 1e30, "validation": 0.3 if "validation" in kind else 0.0}
    topk = kind == "topk"
    model = TopKEMDE.create(TOPK | params) if topk else EMDE.create(SESSION | params)
    model.watch(lambda _: pytest.fail("watched")).checkpoint_at(tmp_path / "run.pt")
    name = type(model).__name__.lower()
    with pytest.raises(NotFinite, match=f"^{name}: expected a finite loss, found nan in epoch 1: try a smaller lr"):
        model.fit(likes() if topk else sessions())
    found = model.checkpoint({}) if not (tmp_path / "run.pt").exists() else torch.load(tmp_path / "run.pt")["state"]
    assert isinstance(found, Checkpoint) or torch.isfinite(found["loss"])


def test_scores_that_are_not_finite_are_an_error() -> None:
    """The last step of all may be the one that diverges, after the last loss."""
    model = EMDE.create(SESSION | {"epochs": 1, "batch_size": 1000, "lr": 1e38}).fit(sessions())
    with pytest.raises(NotFinite, match="scores: expected finite"):
        model.recommend(sessions(1), 5)


@pytest.mark.parametrize("after", [1, 5, 13])
@pytest.mark.parametrize("kind", ["session", "topk", "session with validation"])
def test_broken_off_and_resumed_is_unbroken(kind: str, after: int, tmp_path: Path, monkeypatch) -> None:
    params = SESSION | {"validation": 0.3, "patience": 4} if "validation" in kind else SESSION
    cls, train = (TopKEMDE, likes()) if kind == "topk" else (EMDE, sessions())
    params = TOPK if kind == "topk" else params
    monkeypatch.setenv(VARIABLE, "0")
    saves, save = [], Checkpoint.save

    def save_and_stop(self: Checkpoint, state: dict[str, Any]) -> None:
        save(self, state)
        saves.append(1)
        if len(saves) == after:
            raise Stop

    path = tmp_path / "run.pt"
    monkeypatch.setattr(Checkpoint, "save", save_and_stop)
    with pytest.raises(Stop):
        cls.create(params).checkpoint_at(path).fit(train)
    monkeypatch.setattr(Checkpoint, "save", save)
    resumed = cls.create(params).checkpoint_at(path).fit(train)
    assert_equal(resumed, cls.create(params).fit(train))


def test_killed_and_resumed_is_unbroken(tmp_path: Path) -> None:
    """A process ended with SIGKILL at no chosen moment, and another one that goes on."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom emde import EMDE\n"
        "from tests.emde.test_train import SESSION, sessions\n"
        "model = EMDE.create(SESSION | {'epochs': 80}).checkpoint_at(Path(sys.argv[1])).fit(sessions(n=200))\n"
        "model.save(sys.argv[2])\n"
    )
    path, out = tmp_path / "run.pt", tmp_path / "model.safetensors"
    command = [sys.executable, "-c", code, str(path), str(out)]
    env = os.environ | {VARIABLE: "0"}
    run = subprocess.Popen(command, env=env)
    while not path.exists() and run.poll() is None:
        time.sleep(0.01)
    time.sleep(0.3)
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert not out.exists(), "killed before its end"
    subprocess.run(command, env=env | {VARIABLE: "600"}, check=True)
    assert_equal(EMDE.load(out), EMDE.create(SESSION | {"epochs": 80}).fit(sessions(n=200)))


def test_a_finished_epoch_of_other_parameters_is_not_continued(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "0")
    EMDE.create(SESSION).checkpoint_at(tmp_path / "run.pt").fit(sessions())
    changed = SESSION | {"lr": 0.02}
    model = EMDE.create(changed).checkpoint_at(tmp_path / "run.pt").fit(sessions())
    assert_equal(model, EMDE.create(changed).fit(sessions()))


def test_learning_curve(tmp_path: Path) -> None:
    model = EMDE.create(SESSION).fit(sessions())
    assert [row["epoch"] for row in model.history] == [1, 2, 3, 4]
    losses = [row["loss"] for row in model.history]
    assert losses[-1] < losses[0] < 1.2 * np.log(16)
    assert EMDE.load(model.save(tmp_path / "model")).history == model.history
    assert EMDE.create(SESSION | {"epochs": 0}).fit(sessions()).history == []


def test_early_stopping_keeps_the_best_epoch() -> None:
    """Training ends ``patience`` epochs after the best one, whose weights are those of a run that long."""
    params = SESSION | {"epochs": 30, "validation": 0.25, "patience": 3}
    model = EMDE.create(params).fit(sessions())
    values = [row["valid_mrr"] for row in model.history]
    assert all(0 <= value <= 1 for value in values)
    best = int(np.argmax(values))
    assert len(values) == min(best + 1 + 3, 30)
    assert len(values) < 30
    same = EMDE.create(params | {"epochs": best + 1, "patience": 30}).fit(sessions())
    for name, array in same._state.items():
        assert array.tobytes() == model._state[name].tobytes(), name


def test_the_last_sessions_are_held_out() -> None:
    train = sessions(n=20)
    kept, held_out = EMDE.create(SESSION | {"validation": 0.2})._hold_out(train)
    assert (len(kept), len(held_out)) == (16, 4)
    assert kept.last_times.max() <= held_out.last_times.min()
    kept, held_out = EMDE.create(SESSION)._hold_out(train)
    assert (len(kept), len(held_out)) == (20, 0)


def test_reciprocal_rank_by_hand() -> None:
    model = EMDE.create(SESSION).fit(sessions())
    found = Sessions.from_lists([[1, 2, 3], [4], [5, 9]], 20)
    listed, _ = model.recommend(Sessions.from_lists([[1], [1, 2], [5]], 20), 20)
    ranks = [row.tolist().index(item) + 1 for row, item in zip(listed, (2, 3, 9), strict=True)]
    assert model._validate(found) == {"valid_mrr": pytest.approx(np.mean([1 / rank for rank in ranks])), "valid_hr": 1}


def test_top_k_validation() -> None:
    """Of each held-out user's six items the first five are given; recall of the sixth in a list of 20."""
    model = TopKEMDE.create(TOPK | {"epochs": 12, "validation": 0.2, "patience": 12}).fit(likes())
    kept = TopKEMDE.create(TOPK | {"epochs": 12}).fit(likes().take(slice(0, 48)))
    values = [row["valid_recall"] for row in model.history]
    assert len(values) == 12
    users = likes().take(slice(48, 60)).liked
    given = Interactions(rows_of([row.indices[:5].tolist() for row in users], 80))
    listed, _ = kept.recommend(given, 20, given.liked)
    hits = [row.indices[5] in found for row, found in zip(users, listed, strict=True)]
    assert values[-1] == pytest.approx(np.mean(hits))
    assert 0.3 < max(values) <= 1
