"""``emde run`` picks its checkpoint up by itself: killed and started again, the same lists, and no checkpoint left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from contracts.checkpoint import VARIABLE

PROJECT = Path(__file__).parents[2]
SMALL = ("hidden=32", "epochs=2", "dtype=float32", "modalities=[{group: random}]")


def test_killed_run_goes_on(sample: Path, tmp_path: Path) -> None:
    for name in ("params.yaml", "dvc.yaml"):  # the marks of a project: what is kept goes here
        shutil.copy(PROJECT / name, tmp_path)
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
