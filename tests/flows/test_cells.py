"""Cells at once: recorded one by one, DVC clean afterwards, the same results, nothing lost by failure or kill."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts import UserError
from flows import cells, cluster, dvc_stages, repro
from flows.cells import Cell, Here
from flows.dvc_stages import Stage, StageError
from tests.flows.conftest import SLEEPS, dvc, living, python, until

METHOD_BODY = "mkdir -p runs; echo ranked by $1 > $2\n"
TWO = [Stage("run@sample-sessions--pop"), Stage("run@sample-sessions--ar")]
# each waits for the other: passes only if both run at the same time
MEETS = """
mkdir -p runs; touch started-$1
for i in $(seq 100); do [ -e started-pop ] && [ -e started-ar ] && break; sleep 0.1; done
[ -e started-pop ] && [ -e started-ar ] || exit 7
echo ranked by $1 > $2
"""


@pytest.fixture
def ready(project: Path) -> Path:
    """The tiny project, data prepared."""
    assert repro.main(["--profile", "sample", "prepare@sample-sessions", "prepare@digits"]) == 0
    return project


def test_cells_are_what_dvc_would_run(project):
    dvc_stages.choose("sample")
    found = cells.cells(TWO)
    assert found[TWO[0]] == Cell(
        "run@sample-sessions--pop", "sh method.sh pop runs/pop", ("runs/pop",), ("prepared/sample-sessions",)
    )


def test_stages_run_together_and_dvc_is_clean(ready: Path):
    (ready / "method.sh").write_text(MEETS)
    (ready / "runs").mkdir()
    (ready / "runs/pop").write_text("an output of before")
    assert repro.main(["--workers", "2"]) == 0
    assert (ready / "runs/pop").read_text() == "ranked by pop\n"
    assert json.loads(dvc("status", "--json")) == {}
    assert "ranked by ar" in (ready / "results/generated/sample/tables/tables.md").read_text()


def test_one_failure_keeps_what_the_others_made(ready: Path, capsys):
    (ready / "method.sh").write_text("[ $1 = pop ] && { echo no luck; exit 3; }; sleep 1; mkdir -p runs; echo ok > $2")
    assert repro.main(["--workers", "2", "run"]) == 1
    said = capsys.readouterr().err
    assert "run@sample-sessions--pop failed with exit status 3; last lines:\nno luck" in said
    assert set(json.loads(dvc("status", "--json", *(s.target for s in TWO)))) == {"run@sample-sessions--pop"}


def test_unknown_targets_and_worker_counts(ready: Path, capsys):
    assert repro.main(["--workers", "2", "runs"]) == 2
    assert "profile sample has no stage runs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        repro.main(["--workers", "0"])


def test_a_time_limit_ends_the_stage(ready: Path):
    (ready / "method.sh").write_text(SLEEPS)
    dvc_stages.choose("sample")
    stage, lines = TWO[0], list[str]()
    with pytest.raises(StageError, match="run sample-sessions / pop was stopped at its time limit of 3 s"):
        dvc_stages.repro(stage, lines.append, 3.0)
    with pytest.raises(StageError, match="run@sample-sessions--pop was stopped at its time limit of 1 s"):
        Here(2, 1.0).run(cells.cells([stage])[stage], lines.append)
    until(lambda: not living(ready), 10, "no process left")


def test_a_killed_parallel_run_goes_on_where_it_was(ready: Path):
    """kill -9 with one cell recorded and one at work: nothing is left running, and only that one runs again."""
    (ready / "method.sh").write_text(f"echo $1 >> ran; [ $1 = ar ] || exec sh sleeps.sh $1 $2; {METHOD_BODY}")
    (ready / "sleeps.sh").write_text(SLEEPS)
    caller = python("from flows import repro; repro.main(['--workers', '2', 'run'])")
    recorded = "run@sample-sessions--ar:"
    until(lambda: recorded in (ready / "dvc.lock").read_text(), 30, "the quick cell to be recorded")
    caller.kill()
    caller.wait()
    until(lambda: not living(ready), 20, "no process left")
    (ready / "sleeps.sh").write_text(METHOD_BODY)
    assert repro.main(["--workers", "2", "run"]) == 0
    assert sorted((ready / "ran").read_text().split()) == ["ar", "pop", "pop"]


def test_results_that_travel_land_whole_and_nowhere_else(project: Path, tmp_path: Path):
    there = tmp_path / "there"
    (there / "runs/pop").mkdir(parents=True)
    (there / "runs/pop/ranks").write_text("1")
    (project / "runs/pop").mkdir(parents=True)
    (project / "runs/pop/old").write_text("0")
    cluster.unpack(cluster.pack(["runs/pop"], there), ["runs/pop"], project)
    assert [path.name for path in (project / "runs/pop").iterdir()] == ["ranks"]
    assert not list((project / ".cache").glob("unpack*"))


def test_no_scheduler_is_one_line(project: Path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1.0)
    with pytest.raises(UserError, match=r"dask: no scheduler answers at tcp://127.0.0.1:1"):
        cluster.Dask("tcp://127.0.0.1:1")


def test_methods_with_a_device_ask_for_a_gpu():
    assert cluster.uses_gpu(Cell("run@sample-sessions--emde", "", ()))
    assert not cluster.uses_gpu(Cell("run@sample-sessions--ar", "", ()))
    assert not cluster.uses_gpu(Cell("evaluate@sample-sessions--emde", "", ()))


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_and_logs_as_it_goes(ready: Path, capsys, tmp_path_factory):
    """Two workers: one in our folder, one in a copy of it with other data: what it reads and makes must travel."""
    (ready / "method.sh").write_text(MEETS.replace("started", f"{ready}/met"))
    away = tmp_path_factory.mktemp("away")
    subprocess.run(["cp", "-r", f"{ready}/.", str(away)], check=True)
    (away / "prepared/sample-sessions").write_text("other data")
    address_file = away / "scheduler.json"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard",
             "--scheduler-file", str(address_file)], cwd=away,
        )
    ]  # fmt: skip
    try:
        until(address_file.exists, 30, "the scheduler to listen")
        address = json.loads(address_file.read_text())["address"]
        started += [
            subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard",
                 "--local-directory", str(folder / ".cache/dask")], cwd=folder,
            )
            for folder in (ready, away)
        ]  # fmt: skip
        from distributed import Client

        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        assert repro.main(["--dask", address]) == 0
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(20)
    assert "repro: run sample-sessions / pop" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in (ready / "runs").iterdir()} == {
        "pop": "ranked by pop\n", "ar": "ranked by ar\n",
    }  # fmt: skip
    assert (away / "prepared/sample-sessions").read_text() == "sample-sessions\n"
    assert json.loads(dvc("status", "--json")) == {}


@pytest.mark.slow
def test_a_worker_that_hears_no_life_ends_our_cells(ready: Path, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setattr(cluster, "BEAT", 0.2)
    monkeypatch.setattr(cluster, "SILENCE", 1.0)
    (ready / "method.sh").write_text(SLEEPS)
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        crew = cluster.Dask(local.scheduler_address)
        crew._stopped.set()  # as if this process had died
        began = time.monotonic()
        with pytest.raises(StageError):
            crew.run(cells.cells([TWO[0]])[TWO[0]], lambda line: None)
        assert time.monotonic() - began < 30
        crew.close()
    until(lambda: not living(ready), 10, "no process left")
