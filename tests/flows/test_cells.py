"""Cells at once: recorded one by one, DVC clean afterwards, the same results, nothing lost by failure or kill."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts import UserError
from flows import bench, cluster, dvc_stages, repro
from flows.cells import Here
from flows.dvc_stages import Stage, StageError
from tests.flows.conftest import BUSY, METHOD, SLEEPS, TABLES, dvc, living, python, until

METHOD_BODY = "echo ranked by $1 > $2\n"
NAMES = ["run--sample-sessions--pop", "run--sample-sessions--ar"]
# each waits for the other: passes only if both run at the same time
MEETS = """
touch started-$1
for i in $(seq 100); do [ -e started-pop ] && [ -e started-ar ] && break; sleep 0.1; done
[ -e started-pop ] && [ -e started-ar ] || exit 7
echo ranked by $1 > $2
"""


@pytest.fixture
def ready(project: Path) -> Path:
    """The tiny project, data prepared."""
    assert repro.main(["--profile", "sample", "fetch", "prepare"]) == 0
    return project


def two() -> list[Stage]:
    """The run stages."""
    return [stage for stage in dvc_stages.stages("sample") if stage.name in NAMES]


def test_stages_run_together_and_dvc_is_clean(ready: Path):
    (ready / "method.sh").write_text(MEETS)
    (ready / "runs").mkdir()
    (ready / "runs/pop").write_text("an output of before")
    assert repro.main(["--workers", "2"]) == 0
    assert (ready / "runs/pop").read_text() == "ranked by pop\n"
    assert json.loads(dvc("status", "--json", "dvc.yaml")) == {}
    assert "ranked by ar" in (ready / TABLES.format("sample") / "tables.md").read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_failure_stops_only_what_needs_it(ready: Path, capsys, workers: str):
    """The other cell is run, recorded and evaluated, the tables are made from it, and DVC calls the rest stale."""
    (ready / "method.sh").write_text("[ $1 = pop ] && { echo no luck; exit 3; }; echo ranked by $1 > $2")
    assert repro.main(["--workers", workers]) == 1
    said = capsys.readouterr().err
    assert "no luck" in said
    assert "repro: 2 cells: 0 up to date, 1 run, 1 failed\n" in said
    assert "2 left out" in said
    stale = set(json.loads(dvc("status", "--json", "dvc.yaml")))
    assert stale == {"run--sample-sessions--pop", "evaluate--sample-sessions--pop", "tables--sample"}
    made = (ready / TABLES.format("sample") / "tables.md").read_text()
    assert "ranked by ar" in made
    assert "ranked by pop" not in made
    assert '"sample-sessions/pop": "no luck"' in made
    (ready / "method.sh").write_text(METHOD)
    assert repro.main(["--workers", workers]) == 0
    assert json.loads(dvc("status", "--json", "dvc.yaml")) == {}


def test_nothing_to_do_is_one_question_and_a_summary(ready: Path, capsys, monkeypatch):
    assert repro.main([]) == 0
    asked: list[tuple[str, ...]] = []
    query = dvc_stages._query
    monkeypatch.setattr(dvc_stages, "_query", lambda *words, log: asked.append(words) or query(*words, log=log))
    capsys.readouterr()
    assert repro.main(["--workers", "2"]) == 0
    assert [words[0] for words in asked] == ["status"]
    assert capsys.readouterr().err.splitlines() == [
        "repro: 2 cells: 2 up to date, 0 run, 0 failed", "repro: 10 stages: 10 up to date, 0 run, 0 failed",
    ]  # fmt: skip


def test_same_results_make_nothing_after_them_anew(ready: Path, capsys):
    """A cell whose code changed runs again; its lists are the same, so that nothing else does."""
    assert repro.main([]) == 0
    (ready / "method.sh").write_text(f"# a comment\n{METHOD}")
    capsys.readouterr()
    assert repro.main(["--workers", "2"]) == 0
    assert "10 stages: 8 up to date, 2 run, 0 failed" in capsys.readouterr().err


def test_a_cell_is_evaluated_as_soon_as_it_ran(ready: Path):
    """Not after all runs: the slow cell works until the quick one has its metrics."""
    waits = "for i in $(seq 300); do [ -e metrics/ar ] && break; sleep 0.1; done; [ -e metrics/ar ]"
    (ready / "method.sh").write_text(f"[ $1 = ar ] || {{ {waits}; }} || exit 7\n{METHOD_BODY}")
    assert repro.main(["--workers", "2"]) == 0


def test_one_worker_evaluates_each_cell_after_its_run(ready: Path, capsys):
    assert repro.main(["--workers", "1"]) == 0
    ran = [line.split("'")[1] for line in capsys.readouterr().err.splitlines() if "Running stage" in line]
    assert [name.split("--")[0] for name in ran if "sample-sessions--" in name] == ["run", "evaluate"] * 2


def test_unknown_targets_and_worker_counts(ready: Path, capsys):
    assert repro.main(["--workers", "2", "runs"]) == 2
    assert "profile sample has no stage runs" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        repro.main(["--workers", "0"])


def test_a_time_limit_ends_the_stage(ready: Path):
    (ready / "method.sh").write_text(SLEEPS)
    stage, lines = two()[0], list[str]()
    with pytest.raises(StageError, match="run sample-sessions / pop was stopped at its time limit of 3 s"):
        dvc_stages.repro(stage, lines.append, 3.0)
    with pytest.raises(StageError, match="run sample-sessions / pop was stopped at its time limit of 1 s"):
        Here(2, 1.0).run(stage, lines.append)
    until(lambda: not living(ready), 10, "no process left")


def test_a_killed_parallel_run_goes_on_where_it_was(ready: Path):
    """kill -9 with one cell recorded and one at work: nothing is left running, and only that one runs again."""
    (ready / "method.sh").write_text(f"echo $1 >> ran; [ $1 = ar ] || exec sh sleeps.sh $1 $2; {METHOD_BODY}")
    (ready / "sleeps.sh").write_text(SLEEPS)
    caller = python("from flows import repro; repro.main(['--workers', '2', 'run'])")
    recorded = "run--sample-sessions--ar:"
    until(lambda: recorded in (ready / "dvc.lock").read_text(), 30, "the quick cell to be recorded")
    caller.kill()
    caller.wait()
    until(lambda: not living(ready), 20, "no process left")
    (ready / "sleeps.sh").write_text(METHOD_BODY)
    assert repro.main(["--workers", "2", "run"]) == 0
    assert sorted((ready / "ran").read_text().split()) == ["ar", "pop", "pop"]


def test_no_scheduler_is_one_line(project: Path, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT", 1.0)
    with pytest.raises(UserError, match=r"dask: no scheduler answers at tcp://127.0.0.1:1"):
        cluster.Dask("tcp://127.0.0.1:1")


def test_methods_with_a_device_ask_for_a_gpu():
    assert cluster.uses_gpu(Stage("dvc.yaml", "run--sample-sessions--emde"))
    assert not cluster.uses_gpu(Stage("dvc.yaml", "run--sample-sessions--ar"))
    assert not cluster.uses_gpu(Stage("dvc.yaml", "evaluate--sample-sessions--emde"))


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_and_logs_as_it_goes(ready: Path, capsys, tmp_path_factory):
    """Two workers in our folder; a third in a copy of it is refused: what it made would stay there."""
    from distributed import Client

    (ready / "method.sh").write_text(MEETS)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    away = elsewhere / "project"
    subprocess.run(["cp", "-r", str(ready), str(away)], check=True)
    with bench.dask(ready, 2) as address:
        assert repro.main(["--dask", address]) == 0
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-dashboard"]
        third = subprocess.Popen([*worker, "--local-directory", str(elsewhere / "dask")], cwd=away)
        try:
            with Client(address) as client:
                client.wait_for_workers(3, timeout=60)
            with pytest.raises(UserError, match=r"dask: tcp://\S+: expected to run in the project's folder"):
                cluster.Dask(address)
        finally:
            third.terminate()
            third.wait(BUSY * 20)
    assert "repro: run sample-sessions / pop" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in (ready / "runs").iterdir()} == {
        "pop": "ranked by pop\n", "ar": "ranked by ar\n",
    }  # fmt: skip
    assert json.loads(dvc("status", "--json", "dvc.yaml")) == {}


@pytest.mark.slow
def test_a_worker_that_came_later_elsewhere_runs_nothing(ready: Path):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as local:
        crew = cluster.Dask(local.scheduler_address)
        crew._token.unlink()  # as if the worker's folder were another
        with pytest.raises(StageError, match="expected to run in the project's folder"):
            crew.run(two()[0], lambda line: None)
        crew.close()
    assert not (ready / "runs").exists()


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
            crew.run(two()[0], lambda line: None)
        assert time.monotonic() - began < 30
        crew.close()
    until(lambda: not living(ready), 10, "no process left")
