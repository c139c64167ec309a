"""What DVC's users type, in a fresh clone with nothing but the tracked files and a default profile of one cell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.flows.chaos import copy
from tests.parameters import edit

CELL = "evaluate--sample-sessions--ar"
METRICS = "results/generated/cells/sample-sessions/ar/metrics.json"
COSTS = "results/generated/costs/cells/sample-sessions/ar"
AR = "params/session/ar.yaml"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> tuple[Path, Run]:
    """A clone whose default profile is one quick cell, committed after its first run; with a runner of commands."""
    folder = copy(tmp_path_factory.mktemp("clone"))
    (folder / ".dvc/config.local").unlink()
    (folder / "dvc.lock").unlink(missing_ok=True)
    for path in folder.glob("profiles/[!s]*/profile.yaml"):
        path.unlink()
    (folder / "profiles/small/profile.yaml").unlink()
    session = [{"data": ["sample-sessions"], "methods": ["ar"]}]
    edit(folder / "profiles/sample/profile.yaml", lambda p: (p.clear(), p.update(title="one cell", session=session)))

    def run(*command: str, cwd: Path = folder) -> str:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("EMDE_", "PYTHONPATH"))
        }
        environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "200"}
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    run(sys.executable, "-m", "benchmark.cli", "pipeline")
    for words in (("init", "-q"), ("config", "user.email", "a@b"), ("config", "user.name", "c"), ("add", "-A")):
        run("git", *words)
    run("git", "commit", "-qm", "clone")
    run("dvc", "repro", CELL)
    run("git", "add", "-A")
    run("git", "commit", "-qm", "run")
    return folder, run


@pytest.mark.slow
def test_status_is_clean_and_an_edit_makes_its_own_stages_stale(clone) -> None:
    folder, run = clone
    chain = [CELL, "run--sample-sessions--ar", "prepare--sample-sessions", "fetch--sample-sessions"]
    assert json.loads(run("dvc", "status", "--json", *chain)) == {}
    for path, stale in (
        ("baselines/session/association_rules.py", {"run--sample-sessions--ar"}),
        ("benchmark/protocol/breakdown.py", {CELL}),
        ("benchmark/data/parsers/retailrocket.py", {"prepare--sample-sessions"}),
        ("benchmark/cli/result_commands.py", set()),
    ):
        before = (folder / path).read_text()
        (folder / path).write_text(f"{before}\n# a comment\n")
        assert set(json.loads(run("dvc", "status", "--json", *chain))) == stale
        (folder / path).write_text(before)


@pytest.mark.slow
def test_metrics_and_plots_show_something(clone, tmp_path) -> None:
    _, run = clone
    shown = json.loads(run("dvc", "metrics", "show", "--json", METRICS))
    assert 0 < shown[""]["data"][METRICS]["data"]["MRR@20"] < 1
    assert "MRR@20" in run("dvc", "metrics", "show")
    run("dvc", "plots", "show", "-o", str(tmp_path / "plots"))
    page = (tmp_path / "plots/index.html").read_text()
    assert "k, length of the list" in page
    assert run("dvc", "metrics", "diff").strip() == ""


@pytest.mark.slow
def test_experiments_change_a_parameter_of_a_method(clone) -> None:
    """Here, in the queue and in a copy of the project: parameter and metrics stand side by side."""
    folder, run = clone
    run("dvc", "exp", "run", "-S", f"{AR}:+params.pruning=5", "-n", "here", CELL)
    assert "pruning" in run("dvc", "params", "diff")
    assert METRICS in run("dvc", "metrics", "diff")
    assert yaml.safe_load((folder / AR).read_text())["params"] == {"pruning": 5}
    run("git", "checkout", "-q", ".")
    run("dvc", "checkout", "--force", CELL, "run--sample-sessions--ar")
    run("dvc", "exp", "run", "--temp", "-S", "seed=7", "-n", "copied", CELL)
    run("dvc", "exp", "run", "--queue", "-S", "seed=8", "-n", "queued", CELL)
    run("dvc", "queue", "start")
    run("dvc", "queue", "logs", "queued", "-f")
    table = run("dvc", "exp", "show", "--csv")
    assert {"here", "copied", "queued"} <= {line.split(",")[0] for line in table.splitlines()} | set(table.split(","))
    assert "MRR@20" in table.splitlines()[0]
    assert "pruning" in table.splitlines()[0]


@pytest.mark.slow
def test_a_second_clone_pulls_and_has_nothing_to_do(clone, tmp_path) -> None:
    folder, run = clone
    run("dvc", "remote", "add", "-f", "-d", "store", str(tmp_path / "store"))
    run("dvc", "push", "-q", CELL, "--with-deps")
    second = tmp_path / "second"
    run("git", "clone", "-q", str(folder), str(second))
    run("dvc", "remote", "add", "-d", "store", str(tmp_path / "store"), cwd=second)
    run("dvc", "pull", "-q", CELL, "--with-deps", cwd=second)
    said = run("dvc", "repro", CELL, cwd=second)
    assert "Running stage" not in said
    shutil.rmtree(second)


@pytest.mark.slow
def test_a_second_run_in_an_empty_folder_leaves_the_lock_as_it_is(clone, tmp_path) -> None:
    """From the raw files to the metrics: other seconds, other memory, the same hashes; costs lie beside."""
    folder, run = clone
    second = tmp_path / "second"
    run("git", "clone", "-q", str(folder), str(second))
    assert "Running stage 'run--sample-sessions--ar'" in run("dvc", "repro", CELL, cwd=second)
    run("git", "diff", "--exit-code", "dvc.lock", cwd=second)
    (made,) = (second / COSTS).glob("0-*.json")  # the first folder has those of its experiments, too
    spent = [json.loads((place / COSTS / made.name).read_text()) for place in (folder, second)]
    assert spent[0]["of"] == spent[1]["of"]
    assert spent[0]["finished"] != spent[1]["finished"]


@pytest.mark.slow
def test_collecting_garbage_deletes_nothing_that_was_made(clone) -> None:
    folder, run = clone
    run("dvc", "gc", "-w", "--force", "-q")
    run("dvc", "checkout", "-q", "--force", CELL)
    assert (folder / METRICS).is_file()
