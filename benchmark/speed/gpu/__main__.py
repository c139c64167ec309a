"""``make gpu`` / ``python -m benchmark.speed.gpu OUT``: five steps, each with a time limit, results as they come.

The machine needs torch, NumPy, SciPy, numba, pandas, pyarrow, rich, psutil, filelock, threadpoolctl, safetensors and
PyYAML; neither Prefect nor DVC. What else it lacks, and the data, come in a folder that ``--pack`` made elsewhere:

    python -m benchmark.speed.gpu --pack DIR           here: wheels and prepared columns, less than 60 MB
    python -m benchmark.speed.gpu OUT --from DIR       there
    python -m benchmark.speed.gpu OUT --tiny           anywhere: all of it in minutes, with tiny models, on a CPU too

    OUT/steps.json      how each step ended, and after how many seconds
    OUT/runs            the run store: ranked lists and records
    OUT/kept/gpu        the kept records of the runs (``emde keep``) and of the measurements (``bench.jsonl``)
    OUT/results.tar.gz  all but the run store, which may be large, in one file

Nothing but the standard library is loaded before ``--from`` has been unpacked.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[3]
LIMITS = {"tests": 60, "emde": 230, "baselines": 110, "topk": 80, "steps": 100}
"""Seconds of each step, in their order: together less than ten minutes."""
UNHURRIED = 10.0
"""Times as long a step may take with --tiny, which is for a CPU."""


def unpack(folder: Path, into: Path) -> dict[str, str]:
    """Wheels on the path of this process and of those it starts, data sets under EMDE_DATA; returns the variables."""
    site, data = into / "site", into / "data"
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as zipped:
            zipped.extractall(site)
    for columns in sorted(folder.glob("*.tar.gz")):
        with tarfile.open(columns) as opened:
            opened.extractall(data / "prepared", filter="data")
    sys.path.insert(0, str(site))
    paths = [str(site), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(paths), **({"EMDE_DATA": str(data)} if data.is_dir() else {})}


def limited(command: Sequence[str], variables: dict[str, str], limit: float, log: Path) -> tuple[str, float]:
    """Run a command, what it says going to a log; ("done", "time limit" or "failed: ...", seconds)."""
    began = time.perf_counter()
    with open(log, "ab") as stream:
        started = subprocess.Popen(
            command, stdout=stream, stderr=subprocess.STDOUT, cwd=PROJECT, env={**os.environ, **variables},
            start_new_session=True,
        )  # fmt: skip
        try:
            status = started.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)  # the step's own session: its processes and no others
            started.wait()
            return "time limit", time.perf_counter() - began
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or [f"status {status}"]
    return "done" if status == 0 else f"failed: {said[-1]}", time.perf_counter() - began


def archive(out: Path) -> None:
    """What is to be brought home so far, in one file."""
    with tarfile.open(out / "results.part", "w:gz") as made:
        for name in ("steps.json", "log.txt", "kept"):
            if (out / name).exists():
                made.add(out / name, name)
    (out / "results.part").replace(out / "results.tar.gz")


def run(out: Path, chosen: Sequence[str], tiny: bool, variables: dict[str, str], share: float) -> int:
    """The steps in their order; 1 where one failed (a time limit is no failure)."""
    from benchmark.report.console import line
    from contracts.runtime.json import write_json

    out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"began": datetime.now(UTC).isoformat(timespec="seconds"), "tiny": tiny, "steps": {}}
    for step in chosen:
        limit = LIMITS[step] * share
        command = [sys.executable, "-m", "benchmark.speed.gpu", str(out), "--step", step, *(["--tiny"] if tiny else [])]
        ended, seconds = limited(command, variables, limit, out / "log.txt")
        report["steps"][step] = {"ended": ended, "seconds": round(seconds, 1), "limit": limit}
        line(f"{step}: {ended} after {seconds:.1f} s (limit {limit:.0f} s)")
        write_json(out / "steps.json", report)
        archive(out)
    return int(any(step["ended"].startswith("failed") for step in report["steps"].values()))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmark.speed.gpu", description="Measure on a GPU.")
    made.add_argument("out", type=Path, nargs="?", metavar="OUT", help="folder of the results")
    made.add_argument("--from", dest="packed", type=Path, metavar="DIR", help="folder that --pack made")
    made.add_argument("--pack", type=Path, metavar="DIR", help="write wheels and data there, for another machine")
    made.add_argument("--python", default="3.12", metavar="VERSION", help="with --pack: of that machine (3.12)")
    made.add_argument("--steps", nargs="+", choices=LIMITS, default=list(LIMITS), help="default: all")
    made.add_argument("--share", type=float, metavar="X", help=f"of every step's time limit (1; --tiny: {UNHURRIED:g})")
    made.add_argument("--tiny", action="store_true", help="tiny models and data: whether all runs through")
    made.add_argument("--step", choices=LIMITS, help=argparse.SUPPRESS)
    return made


def main(words: Sequence[str] | None = None) -> int:
    """0: all steps ended; 1: one failed; 2: asked for what is not there."""
    options = parser().parse_args(words)
    if (options.out is None) == (options.pack is None):
        parser().error("expected OUT or --pack DIR")
    if options.packed is not None and not options.packed.is_dir():
        parser().error(f"--from: expected a folder, found {options.packed}")
    with tempfile.TemporaryDirectory() as temporary:
        variables = {} if options.packed is None else unpack(options.packed.resolve(), Path(temporary))
        from contracts import UserError

        try:
            if options.pack is not None:
                from benchmark.speed.gpu import pack

                return pack.pack(options.pack, options.python)
            if options.step is None:
                share = options.share or (UNHURRIED if options.tiny else 1.0)
                return run(options.out.resolve(), options.steps, options.tiny, variables, share)
            from benchmark.speed.gpu import steps

            return steps.STEPS[options.step](options.out, options.tiny)
        except UserError as error:
            sys.stderr.write(f"gpu: {error}\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
