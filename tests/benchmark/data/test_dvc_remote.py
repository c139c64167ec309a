"""``dvc push`` and ``dvc pull`` of raw files and prepared tables, through the pipeline's own stages and a folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parameters import copy_parameters

TARGETS = ["fetch--digits", "prepare--digits"]


@pytest.fixture
def pipeline(project, tmp_path, monkeypatch):
    """A folder with the project's dvc.yaml and the code of its data; runs DVC in it."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc/config").write_text("[core]\n no_scm = true\n analytics = false\n check_update = false\n")
    for name in ("contracts", "benchmark"):  # what the stages depend on, and run
        shutil.copytree(project / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", "pyproject.toml"):
        shutil.copy(project / name, folder)
    copy_parameters(folder)
    for name in ("EMDE_DATA", "EMDE_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": scripts, "PYTHONPATH": str(project)}

    def dvc(*words: str) -> str:
        command = [sys.executable, "-m", "dvc", *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return folder, dvc


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_what_one_pushes_another_pulls(pipeline, tmp_path):
    folder, dvc = pipeline
    dvc("repro", *TARGETS)
    made = {part: contents(folder / "data" / part) for part in ("raw", "prepared")}
    assert "digits/all/vectors.npy" in made["prepared"]
    dvc("remote", "add", "-d", "store", str(tmp_path / "store"))
    dvc("push", *TARGETS)
    for left in ("data", ".dvc/cache"):
        shutil.rmtree(folder / left)
    dvc("pull", *TARGETS)
    assert {part: contents(folder / "data" / part) for part in ("raw", "prepared")} == made
    assert "didn't change, skipping" in dvc("repro", *TARGETS)
