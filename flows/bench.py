"""``python -m flows.bench`` (part of ``make bench``): what orchestration costs, and what a second worker brings.

Real cells (``emde run`` of EMDE on a slice of generated sessions, seconds each) and empty ones, in projects of their
own under a temporary folder. The report goes to results/generated/bench/flows-<time>.json.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from benchmark.data.root import data_root
from benchmark.data.root import project_root as root
from benchmark.experiments import environment
from benchmark.report.console import grid, line
from contracts import UserError
from contracts.runtime.json import read_json, write_json
from flows import processes

CELLS, EMPTY = 30, 100
DATA = "sample-sessions"
RUN = "python -m benchmark.cli run --split 0 --method emde --threads 1"
REAL = f"{RUN} --data {DATA} --set alpha=0.{{item}} --out {{out}}"
NOTHING = "mkdir -p runs && echo {item} > {out}"


def make_project(folder: Path, command: str, count: int) -> Path:
    """A project with ``count`` cells of a command and nothing else, without version control."""
    (folder / ".dvc").mkdir(parents=True)
    config = "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    (folder / ".dvc/config").write_text(config, encoding="utf-8")
    for name in ("params.yaml", "params", "profiles"):
        (shutil.copytree if (root() / name).is_dir() else shutil.copy)(root() / name, folder / name)
    stages = {}
    for item in range(50, 50 + count):
        out = f"runs/{item}"
        stages[f"run--{DATA}--{item}"] = {"cmd": command.format(item=item, out=out), "outs": [out]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}), encoding="utf-8")
    return folder


def timed(folder: Path, *command: str) -> float:
    """Wall seconds of a Python module's command in a project; raises UserError where it fails."""
    env = {**processes.environment(), "EMDE_DATA": str(data_root().resolve())}
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode != 0:
        raise UserError(f"{' '.join(command)} failed in {folder}: {done.stderr.strip().splitlines()[-1]}")
    return round(time.perf_counter() - began, 2)


@contextmanager
def dask(folder: Path, workers: int) -> Iterator[str]:
    """Address of a scheduler with some workers of one thread each."""
    from distributed import Client

    where = folder / ".cache/scheduler.json"
    where.parent.mkdir(exist_ok=True)
    env = {**processes.environment(), "EMDE_DATA": str(data_root().resolve())}
    quiet: dict[str, Any] = {"cwd": folder, "env": env, "stderr": subprocess.DEVNULL}
    python = [sys.executable, "-m"]
    scheduler = [*python, "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard", "--scheduler-file"]
    started = [subprocess.Popen([*scheduler, str(where)], **quiet)]
    try:
        while not where.exists():
            time.sleep(0.1)
        address = read_json(where)["address"]
        worker = [*python, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        for number in range(workers):
            local = ["--local-directory", str(folder / f".cache/worker-{number}")]
            started.append(subprocess.Popen([*worker, *local], **quiet))
        with Client(address) as client:
            client.wait_for_workers(workers, timeout=120)
        yield address
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)
        where.unlink(missing_ok=True)


def lists(folder: Path) -> dict[str, str]:
    """The hash of every run's ranked lists."""
    records = folder.glob("runs/**/run.json")
    return {str(path.parent.relative_to(folder)): read_json(path)["lists_sha256"] for path in records}


def workers(scratch: Path) -> dict[str, Any]:
    """A matrix of real cells on one Dask worker and on two: seconds, speed-up, and whether the lists agree."""
    seconds, hashes = {}, {}
    for count in (1, 2):
        folder = make_project(scratch / f"dask-{count}", REAL, CELLS)
        with dask(folder, count) as address:
            seconds[count] = timed(folder, "flows.repro", "--dask", address)
        hashes[count] = lists(folder)
    if len(hashes[1]) != CELLS or hashes[1] != hashes[2]:
        same = sum(hashes[2].get(name) == value for name, value in hashes[1].items())
        raise UserError(f"two workers: expected the {CELLS} lists of one worker, found {same} of them")
    out = {"cells": CELLS, "one worker s": seconds[1], "two workers s": seconds[2]}
    return {**out, "speed-up": seconds[1] / seconds[2], "cores": os.cpu_count(), "lists equal": True}


def overhead(scratch: Path) -> dict[str, Any]:
    """Seconds per cell that DVC and Prefect add to a command that does nothing, and of a matrix that is up to date."""
    folder = make_project(scratch / "empty", NOTHING, EMPTY)
    first = timed(folder, "flows.repro")
    again = [timed(folder, "flows.repro") for _ in range(3)]
    together = [timed(folder, "flows.repro", "--workers", "2") for _ in range(3)]
    flow = timed(folder, "flows.bench", "--flow")
    return {
        "cells": EMPTY,
        "dvc s per cell": (first - statistics.median(again)) / EMPTY,
        "nothing to do, dvc s": statistics.median(again),
        "nothing to do, two workers s": statistics.median(together),
        "nothing to do, Prefect flow s (server start apart)": flow_seconds(folder),
        "Prefect flow with server start s": flow,
    }


def flow_seconds(folder: Path) -> float:
    """What ``--flow`` measured inside its process."""
    return float((folder / ".cache/flow-seconds").read_text(encoding="utf-8"))


def run_flow() -> None:
    """In the project of the working directory: one flow over all its cells, against a temporary server."""
    from prefect import flow
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
    from prefect.testing.utilities import prefect_test_harness

    from flows import dvc_stages, experiments

    @flow
    def matrix() -> None:
        experiments.execute(dvc_stages.stages("sample"), experiments.HERE)

    quick = temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    with prefect_test_harness(server_startup_timeout=180), quick:
        began = time.perf_counter()
        matrix()
        seconds = time.perf_counter() - began
    Path(".cache").mkdir(exist_ok=True)
    Path(".cache/flow-seconds").write_text(f"{seconds:.2f}", encoding="utf-8")


def main() -> int:
    """Run both, print, write the report."""
    if "--flow" in sys.argv:
        run_flow()
        return 0
    report: dict[str, Any] = {**environment.describe(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
    with tempfile.TemporaryDirectory(prefix="bench-flows-") as scratch:
        report["overhead"] = overhead(Path(scratch))
        grid(["orchestration", "value"], report["overhead"].items())
        try:
            report["workers"] = workers(Path(scratch))
        except UserError as error:
            line(f"flows.bench: {error}")
            return 1
        grid(["Dask", "value"], report["workers"].items())
    name = report["time"].replace(":", "").replace("+0000", "Z")
    path = root() / "results/generated/bench" / f"flows-{name}.json"
    write_json(path, report)
    line(f"report: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
