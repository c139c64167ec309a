"""``python -m tests.flows.chaos [--kills N]``: kill -9 at random moments, run again, compare with an undisturbed run.

Two copies of the project run the same cells. In one, the server, the worker or a stage is killed again and
again, each time followed by another run from the UI's side; when all is done before the last kill, its results
are compared and thrown away, and it starts anew. Each time and at the end both must hold the same ranked lists and
metrics; no process may be left, and no run may still be called running. Prints the time lost.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from flows import deploy, ui
from tests.flows.api import Api
from tests.flows.conftest import BUSY, living, until

PATIENCE = deploy.QUIET.total_seconds() + 30
ROOT = Path(__file__).resolve().parents[2]
VICTIMS = {"server": "prefect server start", "worker": "prefect worker start", "stage": "benchmark.cli "}
FLOW = "session-based/table-1"


def copy(target: Path) -> Path:
    """The project's tracked files in a folder of their own, without results."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    (target / ".dvc/config.local").write_text("[core]\n    no_scm = true\n")
    return target


def environment(folder: Path) -> dict[str, str]:
    """Ours, with everything of Prefect's in the folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_API")}
    return {**kept, "PYTHONPATH": str(folder), "PREFECT_HOME": str(folder / ".cache/prefect"), "NO_COLOR": "1"}


def results(folder: Path) -> dict[str, Any]:
    """What must not depend on kills: the hash of every run's lists, and its metrics."""
    out: dict[str, Any] = {}
    root = folder / "results/generated/cells"
    for path in sorted(root.glob("**/run.json")):
        out[str(path.relative_to(root))] = json.loads(path.read_text())["lists_sha256"]
    for path in sorted(root.glob("*/*/evaluation.json")):
        values = [(one["run"]["split"], one["metrics"]) for one in json.loads(path.read_text())]
        out[str(path.relative_to(root))] = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    return out


class Chaos:
    """A copy of the project whose flow is run, and perhaps disturbed; nothing of it outlives the block."""

    def __init__(self, folder: Path, parameters: dict[str, Any], rng: np.random.Generator) -> None:
        self.folder, self.parameters, self.rng = folder, parameters, rng
        self.port = ui.free_port()
        self.ui: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Chaos":
        return self

    def __exit__(self, *_: object) -> None:
        if self.ui is not None:
            self.ui.kill()
            self.ui.wait()

    def serve(self) -> Api:
        """Server and worker, started where they are not there."""
        if self.ui is not None and self.ui.poll() is None:
            return Api(self.port)
        self.ui = subprocess.Popen(
            [sys.executable, "-m", "flows.ui", "--port", str(self.port)],
            cwd=self.folder, env=environment(self.folder), stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.ui.stderr is not None
        said = []
        for line in self.ui.stderr:
            if "Ctrl-C" in line:
                return Api(self.port)
            said.append(line)
        raise AssertionError(f"flows.ui ended with {self.ui.wait()}: {''.join(said)}")

    def find(self, victim: str) -> psutil.Process | None:
        """The process to kill; None where it is not there (yet)."""
        assert self.ui is not None
        try:
            below = psutil.Process(self.ui.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return None
        for process in reversed(below):  # the innermost last
            try:
                command = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if "guard.py" not in command and f"{VICTIMS[victim]}" in command.replace("/bin/emde", "/bin/emde "):
                return process
        return None

    def strike(self, victim: str) -> bool:
        """Start a run, kill the victim at a random moment of it, and wait until nothing of that run is left.

        False where the run ended before.
        """
        api = self.serve()
        run = api.create(FLOW, **self.parameters)
        for seconds in (0.0, float(self.rng.uniform(0, 6))):
            time.sleep(seconds)
            until(lambda: self.find("stage") or api.state(run)["type"] == "COMPLETED", 120 + PATIENCE, "a stage")
        process = self.find(victim)
        if process is None or api.state(run)["type"] == "COMPLETED":
            return False
        process.kill()
        if victim == "stage":
            api.wait(run, "FAILED", "CRASHED", "COMPLETED", seconds=900)  # it goes on with all other stages
        elif victim == "worker":  # flows.ui starts another; heartbeats say what became of the run
            api.wait(run, "CRASHED", seconds=PATIENCE)
            assert self.find("stage") is None, "nothing left of the killed run"
        else:
            assert self.ui is not None
            assert self.ui.wait(BUSY * 90) == 2, "flows.ui must say what died and end"
            until(lambda: not living(self.folder), 60, "nothing left of the killed run")
        return True

    def forget(self) -> None:
        """Throw away what was made, so that the next run begins at the beginning."""
        for name in ("results/generated", ".dvc/cache", ".cache/checkpoints"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
        (self.folder / "dvc.lock").unlink(missing_ok=True)

    def finish(self) -> None:
        """Run to the end, see that no run is called running, stop."""
        api = self.serve()
        run = api.create(FLOW, **self.parameters)
        api.wait(run, "COMPLETED", seconds=900)
        running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
        until(lambda: api.call("/flow_runs/count", running) == 0, PATIENCE, "the dead runs to be Crashed")
        assert self.ui is not None
        self.ui.terminate()
        assert self.ui.wait(BUSY * 60) == 0
        until(lambda: not living(self.folder), 30, "no process left")


def chaos(kills: int, methods: list[str], seed: int) -> dict[str, Any]:
    """Run both copies; returns the figures. Raises AssertionError where something was lost."""
    rng = np.random.default_rng(seed)
    parameters = {"profile": "sample", "methods": methods}
    with tempfile.TemporaryDirectory(prefix="chaos-") as scratch:
        calm, wild = copy(Path(scratch, "calm")), copy(Path(scratch, "wild"))
        began = time.monotonic()
        with Chaos(calm, parameters, rng) as undisturbed:
            undisturbed.finish()
        calm_seconds = time.monotonic() - began
        expected = results(calm)
        assert expected, "the undisturbed run must have results"
        began, struck, rounds = time.monotonic(), 0, 1
        with Chaos(wild, parameters, rng) as disturbed:
            while struck < kills:
                victim = list(VICTIMS)[struck % len(VICTIMS)]
                if disturbed.strike(victim):
                    struck += 1
                    sys.stderr.write(f"chaos: {struck} of {kills}: killed the {victim}\n")
                else:
                    disturbed.finish()
                    compare(expected, results(wild))
                    disturbed.forget()
                    rounds += 1
                    sys.stderr.write("chaos: all done and as expected; once more from the beginning\n")
            disturbed.finish()
        wild_seconds = time.monotonic() - began
        compare(expected, results(wild))
    return {
        "kills": kills,
        "rounds": rounds,
        "results": len(expected),
        "undisturbed_seconds": round(calm_seconds, 1),
        "disturbed_seconds": round(wild_seconds, 1),
        "lost_seconds_per_kill": round((wild_seconds - rounds * calm_seconds) / max(kills, 1), 1),
    }


def compare(expected: dict[str, Any], found: dict[str, Any]) -> None:
    """Raises AssertionError naming what differs."""
    assert found == expected, f"results differ: {sorted(set(expected.items()) ^ set(found.items()))}"


def main() -> int:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m tests.flows.chaos")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--methods", nargs="*", default=[], help="session methods of the sample profile (default: all)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    sys.stdout.write(json.dumps(chaos(args.kills, args.methods, args.seed)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
