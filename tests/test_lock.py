"""The lock holds for every Python and system that the suite says it runs on."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.lock import LOCK, PROJECT, PYTHONS, SYSTEMS, applies, environment, open_ends, pin, read, written


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("python", PYTHONS)
def test_nothing_is_left_open(python: str, system: str) -> None:
    """All that is required there, by what is required there, is pinned there, to a version that is accepted."""
    lock = read(LOCK.read_text(encoding="utf-8"))
    assert not open_ends(lock, environment(python, system))


def test_what_is_left_open_is_seen() -> None:
    lock, where = read(LOCK.read_text(encoding="utf-8")), environment("3.14", "linux")
    assert not applies(lock["backports-zstd"], where)
    lock["pandas"] = read("pandas==0.1")["pandas"]
    del lock["whenever"], lock["numba"]
    found = sorted(text.partition(":")[0] for text in open_ends(lock, where))
    assert {text[:5] for text in found} == {"numba", "panda", "whene"}


def test_how_the_lock_is_written() -> None:
    installed = [("B", "2", ">=3.10,<3.14"), ("a.b", "1", None), ("torch", "2", None), ("pip", "1", None)]
    other = 'other==3; sys_platform == "no such system"\n'
    assert written(installed, f"gone==1\n{other}") == f'a.b==1\nB==2; python_version < "3.14"\n{other}'
    assert pin("c", "1", ">=3.9") == "c==1"
    with pytest.raises(SystemExit, match="no upper bound"):
        pin("c", "1", ">=3.12")


def test_classifiers_and_workflow_name_the_same_pythons() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {text.rpartition(" ")[2] for text in project["classifiers"] if text.startswith("Programming Language")}
    assert named >= set(PYTHONS)
    workflow = (PROJECT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    for python in PYTHONS:
        assert f'"{python}"' in workflow


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS[1:])
def test_pip_finds_wheels_of_all_of_it(python: str, tmp_path: Path) -> None:
    """pip's resolver, nothing installed. antlr4 comes as source. pip judges markers by its own Python, so we do."""
    if not os.environ.get("EMDE_INDEX"):
        pytest.skip("asks the package index for minutes: EMDE_INDEX=1 does it")
    where = environment(python, "linux")
    lines = [f"{line.name}{line.specifier}" for name, line in read(LOCK.read_text(encoding="utf-8")).items()
             if applies(line, where) and name != "antlr4-python3-runtime"]  # fmt: skip
    (tmp_path / "lock.txt").write_text("\n".join(lines))
    pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps", "--ignore-installed"]
    pip += ["--python-version", python, "--only-binary=:all:", "--target", str(tmp_path / "none")]
    if subprocess.run([*pip[:3], "index", "versions", "pip"], capture_output=True).returncode:
        pytest.skip("no package index answers")
    done = subprocess.run([*pip, "--requirement", str(tmp_path / "lock.txt")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "none").exists()
