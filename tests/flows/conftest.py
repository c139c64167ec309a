"""A tiny DVC project with the real stage kinds and shell commands, and a Prefect that leaves the home folder alone."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

PREFECT_HOME = tempfile.mkdtemp(prefix="prefect-test-")  # before anything imports prefect
atexit.register(shutil.rmtree, PREFECT_HOME, ignore_errors=True)
os.environ.update(PREFECT_HOME=PREFECT_HOME, PREFECT_SERVER_ANALYTICS_ENABLED="false", DO_NOT_TRACK="1")
os.environ.pop("PREFECT_API_URL", None)

PARAMS = """
threads: 1
seed: 0
profiles:
  sample:
    title: tiny
    session:
      - data: [sample-sessions]
        methods: [pop, ar]
    density: [digits]
  small:
    title: tiny too
    session:
      - data: [sample-sessions]
        methods: [pop]
methods:
  session: {pop: {}, ar: {}}
  topk: {}
tuned: {}
density:
  digits: {n: [1], k: [1], bandwidth: 1.0, seeds: 1}
"""

DVC = """
vars:
  - profile.yaml
stages:
  profile:
    matrix:
      name:
        - ${profile}
    cmd: echo checked
    params:
      - profiles.${item.name}
  fetch:
    foreach:
      - sample-sessions
      - digits
    do:
      cmd: mkdir -p raw && echo ${item} > raw/${item}
      deps:
        - wish
      outs:
        - raw/${item}
  prepare:
    foreach:
      - sample-sessions
      - digits
    do:
      cmd: mkdir -p prepared && cp raw/${item} prepared/${item}
      deps:
        - raw/${item}
      outs:
        - prepared/${item}
  run:
    foreach:
      sample-sessions--pop: pop
      sample-sessions--ar: ar
    do:
      cmd: sh method.sh ${item} runs/${item}
      deps:
        - prepared/sample-sessions
        - method.sh
      outs:
        - runs/${item}
  evaluate:
    foreach:
      sample-sessions--pop: pop
      sample-sessions--ar: ar
    do:
      cmd: mkdir -p results/generated/${profile}/metrics && cp runs/${item} results/generated/${profile}/metrics/${key}
      deps:
        - runs/${item}
      outs:
        - results/generated/${profile}/metrics/${key}
  density:
    foreach:
      - digits
    do:
      cmd: mkdir -p results/generated/${profile}/density && cp prepared/${item} results/generated/${profile}/density/
      deps:
        - prepared/${item}
      outs:
        - results/generated/${profile}/density/${item}
  tables:
    matrix:
      name:
        - ${profile}
    cmd: >-
      mkdir -p results/generated/${item.name}/tables &&
      cat results/generated/${item.name}/metrics/* > results/generated/${item.name}/tables/tables.md
    deps:
      - results/generated/${item.name}/metrics
      - results/generated/${item.name}/density
    outs:
      - results/generated/${item.name}/tables
"""

METHOD = "mkdir -p runs; echo fitting $1; echo ranked by $1 > $2\n"
SLEEPS = "mkdir -p runs; touch started; sleep 987.5; echo ranked by $1 > $2\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tiny project, as working directory."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    )
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "dvc.yaml").write_text(DVC)
    (tmp_path / "method.sh").write_text(METHOD)
    (tmp_path / "wish").write_text("1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


def dvc(*arguments: str) -> str:
    """Standard output of a DVC command typed by hand."""
    return subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=True).stdout


def python(code: str) -> subprocess.Popen[str]:
    """A Python process that runs some lines."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"expected within {seconds} s: {what}"
        time.sleep(0.05)


def living(folder: Path) -> list[psutil.Process]:
    """Processes at work in a folder, without us."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        inside = process.info["cwd"] and Path(process.info["cwd"]).is_relative_to(folder)
        if inside and process.pid != os.getpid() and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


@pytest.fixture
def running(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """``python -m flows.ui`` on a free port with a database of its own, serving; with the calls of its API."""
    from flows import ui
    from tests.flows.api import Api

    monkeypatch.setenv("PREFECT_HOME", str(project / "prefect"))
    port = ui.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.ui", "--port", str(port)], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "Ctrl-C" in line:
                break
        yield process, Api(port)
    finally:
        process.kill()
        process.wait()
