"""A data set changes as a whole: killed before any step that touches files, what stood before is there, or the new."""

from __future__ import annotations

import multiprocessing
import os
import pathlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmark.data import add, given_vectors, registry
from benchmark.data.load import load_split
from contracts import UserError
from tests.benchmark.data.conftest import sessions

KILLED = 9


def _die_before(step: int, data: str, work: Callable[..., object], arguments: tuple) -> None:
    """In a process of its own: ``work``, killed before the ``step``-th change of the file system."""
    os.environ["EMDE_DATA"] = data
    left = [step]

    def counted(change: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*words, **named):
            left[0] -= 1
            if left[0] < 0:
                os._exit(KILLED)
            return change(*words, **named)

        return wrapper

    for module, name in ((os, "replace"), (shutil, "rmtree"), (shutil, "copyfile")):
        setattr(module, name, counted(getattr(module, name)))
    pathlib.Path.unlink = counted(pathlib.Path.unlink)
    work(*arguments)
    os._exit(0)


def killed_at_every_step(work: Callable[..., object], *arguments):
    """Yield after each kill; ends when ``work`` gets through."""
    context = multiprocessing.get_context("forkserver")  # forks of a process without threads
    context.set_forkserver_preload(["benchmark.data.add", "benchmark.data.fetch"])
    for step in range(200):
        child = context.Process(target=_die_before, args=(step, os.environ["EMDE_DATA"], work, arguments))
        child.start()
        child.join()
        if child.exitcode == 0:
            return
        assert child.exitcode == KILLED
        yield step
    raise AssertionError("it never got through")


def state(root: Path) -> tuple:
    """What a reader finds of ``mine``: (entry, raw copies, items of the split)."""
    entry = registry.get("mine")
    raw = {path.name: path.read_bytes() for path in (root / "raw/mine").iterdir()}
    return entry, raw, load_split("mine").item_ids.tolist()


def leftovers(root: Path) -> list[Path]:
    return [path for path in root.rglob(".*") if path.name.endswith((".new", ".old", ".tmp", ".swap"))]


def test_add_again_killed_at_any_moment(root, tmp_path):
    sessions(n=100).to_csv(tmp_path / "old.csv", index=False)
    sessions(n=100, n_items=8).to_csv(tmp_path / "new.csv", index=False)
    add.add_sessions("mine", tmp_path / "old.csv")
    before, finished = state(root), 0
    for step in killed_at_every_step(add.add_sessions, "mine", tmp_path / "new.csv"):
        now = state(root)
        if now != before:
            assert (set(now[1]), now[0].files[0].name) == ({"new.csv"}, "new.csv"), f"half of each at step {step}"
            assert len(now[2]) == 8
            finished += 1
            shutil.rmtree(root)
            add.add_sessions("mine", tmp_path / "old.csv")
    assert finished >= 5, "kills between the renames: ended by the next reader"
    assert len(state(root)[2]) == 8
    assert leftovers(root) == []


def test_vectors_and_their_ids_change_together(root, tmp_path):
    sessions(n=100).to_csv(tmp_path / "mine.csv", index=False)
    add.add_sessions("mine", tmp_path / "mine.csv")
    for name, value in (("a", 1.0), ("b", 2.0)):
        np.save(tmp_path / f"{name}.npy", np.full((10, 2), value))
        (tmp_path / f"{name}.txt").write_text("".join(f"{item}\n" for item in range(10 * (name == "b"), 20)[:10]))
    add.add_vectors("mine", "text", tmp_path / "a.npy", tmp_path / "a.txt")
    for _ in killed_at_every_step(add.add_vectors, "mine", "text", tmp_path / "b.npy", tmp_path / "b.txt"):
        vectors, known = given_vectors.item_vectors("mine", "text", np.arange(20))
        assert vectors[known, 0].tolist() in ([1.0] * 10, [2.0] * 10)
        assert known[0] == (vectors[known, 0][0] == 1.0)
    assert vectors[known, 0].tolist() == [2.0] * 10


def test_prepare_killed_at_any_moment(root, tmp_path):
    from benchmark.data.prepare import prepare

    sessions(n=100).to_csv(tmp_path / "mine.csv", index=False)
    add.add_sessions("mine", tmp_path / "mine.csv")
    before = state(root)
    for step in killed_at_every_step(prepare, "mine"):
        assert state(root) == before, step
    assert leftovers(root) == []


@pytest.mark.parametrize("named", [True, False], ids=["with an earlier one", "the first"])
def test_a_failed_add_leaves_what_was_there(root, tmp_path, named):
    sessions(n=100).to_csv(tmp_path / "good.csv", index=False)
    sessions(n=100).assign(ItemId=range(400)).to_csv(tmp_path / "bad.csv", index=False)
    if named:
        add.add_sessions("mine", tmp_path / "good.csv")
        before = state(root)
    with pytest.raises(UserError, match=r"bad.csv: no session is left after min_support=5"):
        add.add_sessions("mine", tmp_path / "bad.csv")
    if named:
        assert state(root) == before
    else:
        assert "mine" not in registry.names()
    assert leftovers(root) == []
