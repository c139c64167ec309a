"""``emde run`` picks its checkpoint up by itself: killed and started again, the same lists, and no checkpoint left.

Of its own code only: in a copy of the sources, what was kept before an edit is used after it or not.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmark.experiments import run as runs
from benchmark.experiments import run_store, settings
from benchmark.experiments.run import Asked, run
from contracts.runtime.checkpoint import VARIABLE
from tests.parameters import copy_parameters

PROJECT = Path(__file__).parents[3]
PACKAGES = ("contracts", "emde", "baselines", "benchmark", "flows")
SMALL = ("hidden=32", "epochs=2", "dtype=float32", "modalities=[{group: random}]")


def copied(target: Path) -> Path:
    """The suite in a folder of its own, compiled kernels included."""
    for name in PACKAGES:
        shutil.copytree(PROJECT / name, target / name)
    copy_parameters(target)
    shutil.copytree(PROJECT / "results/paper", target / "results/paper")
    return target


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new), encoding="utf-8")


def run_in(project: Path, *words: str, **variables: str) -> dict:
    """The record of ``emde run`` by the sources in ``project``, and what it said."""
    command = [sys.executable, "-m", "benchmark.cli", "run", "--split", "0", "--json", "--device", "cpu", *words]
    env = os.environ | {"PYTHONPATH": str(project)} | variables
    done = subprocess.run(command, cwd=project, env=env, capture_output=True)
    assert done.returncode == 0, done.stderr
    record = project / json.loads(done.stdout)["run_dir"] / "run.json"
    return json.loads(record.read_text()) | {"said": done.stderr.decode()}


def test_other_code_makes_other_vectors(sample: Path, tmp_path: Path) -> None:
    """A change in emde/graph.py changes the next run's lists, with the cache as without."""
    project = copied(tmp_path / "suite")
    words = ["--data", "sample-sessions", "--method", "emde", "--set", "epochs=0", "--set", "hidden=8"]
    words += ["--set", "modalities=[{group: session, iterations: 2, dim: 16}]"]
    first = run_in(project, *words, EMDE_CACHE=str(tmp_path / "cache"))
    assert len(list(tmp_path.glob("cache/vectors/*.npz"))) == 1
    edit(project / "emde/graph.py", "range(iterations):\n        z = graph", "range(5):\n        z = graph")
    second = run_in(project, *words, EMDE_CACHE=str(tmp_path / "cache"))
    without = run_in(project, *words, EMDE_CACHE="")
    assert second["lists_sha256"] != first["lists_sha256"]
    assert second["lists_sha256"] == without["lists_sha256"]
    assert second["sources"] == without["sources"] != first["sources"]


def test_checkpoints_of_other_code_are_not_continued(sample: Path, tmp_path: Path) -> None:
    """An edited optimiser begins anew; an edit elsewhere costs nothing."""
    project = copied(tmp_path / "suite")
    words = ["--data", "sample-sessions", "--method", "emde", *(w for s in SMALL for w in ("--set", s))]
    command = [sys.executable, "-m", "benchmark.cli", "run", "--split", "0", "--device", "cpu", *words]
    env = os.environ | {VARIABLE: "0", "PYTHONPATH": str(project)}
    killed = subprocess.Popen([*command, "--out", "runs"], cwd=project, env=env, stderr=subprocess.DEVNULL)
    while killed.poll() is None and not list(project.glob(".cache/checkpoints/*.pt")):
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (checkpoint,) = project.glob(".cache/checkpoints/*.pt")
    shutil.copy(checkpoint, tmp_path)

    edit(project / "baselines/session/association_rules.py", "def fit(", "def fit_all(")
    assert "going on from a checkpoint" in run_in(project, *words, "--out", "runs", **{VARIABLE: "600"})["said"]
    shutil.copy(tmp_path / checkpoint.name, checkpoint)
    edit(project / "contracts/runtime/training.py", "fused=True)", "fused=True, betas=(0.5, 0.999))")
    resumed = run_in(project, *words, "--out", "runs", **{VARIABLE: "600"})
    assert "checkpoint of another run (data, parameters, code or versions differ)" in resumed["said"]
    assert "going on" not in resumed["said"]


def test_killed_run_goes_on(sample: Path, tmp_path: Path) -> None:
    copy_parameters(tmp_path)  # a suite: what is kept goes here
    command = [sys.executable, "-m", "benchmark.cli", "run", "--data", "sample-sessions", "--split", "0",
               "--method", "emde", "--json", "--device", "cpu"]  # fmt: skip
    command += [word for setting in SMALL for word in ("--set", setting)]
    env = os.environ | {VARIABLE: "0", "PYTHONPATH": str(PROJECT)}
    checkpoints = tmp_path / ".cache/checkpoints"

    def run(out: str) -> dict:
        done = subprocess.run([*command, "--out", out], cwd=tmp_path, env=env | {VARIABLE: "600"}, capture_output=True)
        assert done.returncode == 0, done.stderr
        record = tmp_path / json.loads(done.stdout)["run_dir"] / "run.json"
        return json.loads(record.read_text()) | {"said": done.stderr.decode()}

    killed = subprocess.Popen([*command, "--out", "killed"], cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
    while killed.poll() is None and not list(checkpoints.glob("*.pt")):
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert len(list(checkpoints.glob("*.pt"))) == 1
    assert not list((tmp_path / "killed").rglob("run.json"))

    resumed, unbroken = run("killed"), run("unbroken")
    assert "going on from a checkpoint" in resumed["said"]
    assert "checkpoint" not in unbroken["said"]
    assert resumed["lists_sha256"] == unbroken["lists_sha256"]
    assert resumed["history"] == unbroken["history"]
    assert [row["epoch"] for row in unbroken["history"]] == [1, 2]
    assert not list(checkpoints.glob("*.pt")), "removed on success"


def test_finished_slices_stay_and_others_are_run(sample: Path, tmp_path: Path, monkeypatch) -> None:
    """A missing, a damaged and another code's slice are run; runs of other parameters are removed."""
    chosen = settings.load(PROJECT / "params.yaml")

    def cell(**overrides: int) -> dict[str, int]:
        asked = [Asked("sample-sessions", "ar", str(split), overrides) for split in range(4)]
        folders = [run(chosen, one, tmp_path, resume=True) for one in asked]
        run_store.keep_only(tmp_path, folders)
        return {folder.name[0]: (folder / "run.json").stat().st_mtime_ns for folder in run_store.find_runs(tmp_path)}

    first = cell()
    one, other, third, _ = run_store.find_runs(tmp_path)
    shutil.rmtree(one)
    (other / "ranks.parquet").write_bytes(b"")
    edited = third / "run.json"
    edited.write_text(edited.read_text().replace('"identity": "', '"identity": "0'))
    again = cell()
    assert [again[split] == first[split] for split in "0123"] == [False, False, False, True]
    assert cell() == again
    assert len(cell(pruning=5)) == 4
    monkeypatch.setattr(runs, "sources_hash", lambda module: "other code")
    assert not cell().items() & again.items()
