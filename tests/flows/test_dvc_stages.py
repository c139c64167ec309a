"""Stages as plain functions: choosing, staleness, queueing, errors, and no process left behind."""

import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from filelock import FileLock

from contracts import UserError
from flows import dvc_stages
from flows.dvc_stages import Stage, StageError
from tests.flows.conftest import BUSY, SLEEPS, living, python, until

NAMES = [
    "fetch--sample-sessions", "fetch--digits", "prepare--sample-sessions", "prepare--digits",
    "run--sample-sessions--pop", "run--sample-sessions--ar", "evaluate--sample-sessions--pop",
    "evaluate--sample-sessions--ar", "density--digits", "tables--sample",
]  # fmt: skip
EVERY = [Stage("dvc.yaml", name) for name in NAMES]


def names(stages: Iterable[Stage]) -> list[str]:
    return [stage.name for stage in stages]


def test_a_stage_knows_its_parts():
    cell = Stage("pipelines/shop/dvc.yaml", "run--shop--vs-knn-3-seeds-500-sessions")
    assert (cell.kind, cell.data, cell.cell, cell.method) == ("run", "shop", "vs-knn-3-seeds-500-sessions", "vs-knn")
    assert cell.label == "run shop / vs-knn-3-seeds-500-sessions"
    assert cell.target == "pipelines/shop/dvc.yaml:run--shop--vs-knn-3-seeds-500-sessions"
    vectors, methods = Stage("dvc.yaml", "density--digits"), Stage("dvc.yaml", "methods")
    assert (vectors.data, vectors.cell, vectors.label, vectors.target) == (
        "digits", "", "density digits", "density--digits",
    )  # fmt: skip
    assert (methods.kind, methods.data, methods.label) == ("methods", "", "methods")


def test_stages_of_a_profile_come_in_the_order_of_the_data(project):
    assert names(dvc_stages.stages("sample")) == NAMES
    groups = dvc_stages.by_kind(reversed(EVERY))
    assert list(groups) == ["fetch", "prepare", "run", "evaluate", "density", "tables"]
    assert names(groups["prepare"]) == ["prepare--digits", "prepare--sample-sessions"]


def test_a_profile_brings_what_it_needs_of_other_files(project):
    small = dvc_stages.stages("small")
    assert names(small) == [
        "fetch--sample-sessions", "prepare--sample-sessions", "run--sample-sessions--pop",
        "evaluate--sample-sessions--pop", "tables--small",
    ]  # fmt: skip
    assert small[-1].target == "profiles/small/dvc.yaml:tables--small"
    assert small[2].ins == ("prepared/sample-sessions",)
    assert small[2].outs == ("runs/pop",)


def test_cells_of_a_profile(project):
    assert names(dvc_stages.cells(EVERY, "sample", "session", [], ["ar"])) == [
        "fetch--sample-sessions", "prepare--sample-sessions", "run--sample-sessions--ar",
        "evaluate--sample-sessions--ar",
    ]  # fmt: skip
    assert len(dvc_stages.cells(EVERY, "sample", "session", [], [])) == 6


def test_what_is_made_from_other_data_needs_these():
    assert dvc_stages.with_sources(["digits", "ml20m-items", "ml20m"]) == ["ml20m", "digits", "ml20m-items"]


@pytest.mark.parametrize(
    ("kind", "data", "methods", "message"),
    [
        ("session", ["rsc15"], [], "profile sample has no session data set rsc15; it has: sample-sessions"),
        ("session", [], ["knn", "pop"], "profile sample has no session method knn; it has: pop, ar"),
        ("topk", [], [], "profile sample has no topk data set; it has: none at all"),
    ],
)
def test_unknown_names_are_one_clear_line(project, kind, data, methods, message):
    with pytest.raises(UserError) as error:
        dvc_stages.cells(EVERY, "sample", kind, data, methods)
    assert str(error.value) == message


def test_an_unknown_profile_names_the_known_ones(project):
    with pytest.raises(UserError, match=r"unknown profile 'smal'; expected one of: sample, small"):
        dvc_stages.stages("smal")


def test_what_runs_here_is_clean_for_dvc(project):
    """List, stale, repro: the lines arrive, DVC agrees, and a changed input makes exactly its own stages stale."""
    every = dvc_stages.stages("sample")
    lines: list[str] = []
    chain = dvc_stages.select(every, ("fetch", "prepare"), ["digits"], [])
    for stage in chain:
        dvc_stages.repro(stage, lines.append)
    assert "> mkdir -p raw && echo digits > raw/digits" in lines
    assert dvc_stages.stale(every, lines.append) == set(every) - set(chain)
    (project / "wish").write_text("another\n")
    assert names(dvc_stages.stale(chain, lines.append)) == ["fetch--digits"]
    assert dvc_stages.stale([], lines.append) == set()


def test_dvc_is_not_asked_about_what_is_not_there(project, monkeypatch):
    """A stage without an output is stale whatever DVC knows of it; of the others DVC says."""
    chain = dvc_stages.select(dvc_stages.stages("sample"), ("fetch", "prepare"), ["digits"], [])
    for stage in chain:
        dvc_stages.repro(stage, lambda line: None)
    assert dvc_stages.stale(chain, print) == set()
    (project / "prepared/digits").unlink()
    asked: list[tuple[str, ...]] = []
    query = dvc_stages._query
    monkeypatch.setattr(dvc_stages, "_query", lambda *words, log: asked.append(words) or query(*words, log=log))
    assert names(dvc_stages.stale(chain, print)) == ["prepare--digits"]
    assert asked == [("status", "--json", "fetch--digits")]
    (project / "raw/digits").unlink()
    assert dvc_stages.stale(chain, print) == set(chain)
    assert len(asked) == 1


def test_a_failed_stage_ends_with_its_last_lines(project):
    (project / "wish").unlink()
    with pytest.raises(StageError) as error:
        dvc_stages.repro(Stage("dvc.yaml", "fetch--digits"), lambda line: None)
    assert str(error.value).startswith("fetch digits failed with exit status 255; last lines:\n")
    assert "wish" in str(error.value)


def test_a_dvc_typed_by_hand_is_waited_for(monkeypatch):
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    busy = "ERROR: '/p/runs' is busy, it is being blocked by:\n  (PID 4711): dvc repro\n\nIf there are"
    answers = iter([(255, busy), (255, "ERROR: Unable to acquire lock. Most likely"), (0, "done")])
    notes: list[str] = []
    assert dvc_stages._patiently(lambda: next(answers), "run a / b", notes.append) == "done"
    assert notes == [
        "run a / b: waiting for dvc repro (process 4711); trying again in 1 s",
        "run a / b: waiting for another DVC command; trying again in 2 s",
    ]
    assert naps == [1, 2]


def test_waiting_for_a_dvc_typed_by_hand_ends(monkeypatch):
    monkeypatch.setattr(dvc_stages, "PATIENCE", 0.0)
    with pytest.raises(StageError, match="run a / b: waited 0 s for another DVC command"):
        dvc_stages._patiently(lambda: (255, "Unable to acquire lock"), "run a / b", lambda line: None)


def test_writers_queue(project):
    """A second writer waits for the first, and says for whom."""
    notes: list[str] = []
    order: list[str] = []

    def second() -> None:
        with dvc_stages.writer("second", notes.append):
            order.append("second")

    thread = threading.Thread(target=second)
    with dvc_stages.writer("first", notes.append):
        thread.start()
        until(lambda: notes, 5, "a note that the second waits")
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
    assert notes[0].startswith("waiting for first, process ")


def test_a_dead_writer_blocks_nobody(project):
    holder = python("""
        import time
        from flows import dvc_stages
        with dvc_stages.writer("the dead", print):
            print("mine", flush=True)
            time.sleep(60)
    """)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "mine\n"
    holder.kill()
    holder.wait()
    with FileLock(project / ".cache/writer.lock", timeout=2):
        pass


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_the_stage_ends_with_its_caller(project: Path, number: signal.Signals):
    (project / "method.sh").write_text(SLEEPS)
    (project / "prepared").mkdir()
    (project / "prepared/sample-sessions").write_text("")
    # a shell's background job ignores SIGINT, and so would its children
    caller = python("""
        import signal
        from flows import dvc_stages
        signal.signal(signal.SIGINT, signal.default_int_handler)
        dvc_stages.repro(dvc_stages.Stage("dvc.yaml", "run--sample-sessions--pop"), print)
    """)
    until((project / "started").exists, 10, "the stage to run")
    assert any("sleep" in process.name() for process in living(project))
    caller.send_signal(number)
    caller.wait(BUSY * 20)
    until(lambda: not living(project), 10, "no process left")
