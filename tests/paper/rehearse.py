"""``python -m tests.paper.rehearse FOLDER``: the whole paper profile, on stand-ins and small networks, in a copy.

It runs every stage of ``make repro PROFILE=paper``, kills a five-slice cell and has it resumed, and checks what must
be there in the end: every row of the paper's tables, Figures 4 and 5, the modalities of EMDE MM, no warning, nothing
stale. With ``--one-process`` the stages run in one process, which loads the packages once, and are then recorded
(``dvc commit``).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.flows.chaos import copy
from tests.paper.standins import HELD_OUT, MAKERS, make

PROFILE = "paper"
TABLES = ("1", "2", "3", "4", "5", "6", "7", "10")
FIGURES = ("figure4", "figure5")
SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "session": {"emde": {"hidden": 32, "epochs": 4}, "emde-mm": {"hidden": 32, "epochs": 2},
                **{name: {"epochs": 2} for name in ("gru4rec", "narm", "stamp", "nextitnet", "sr-gnn", "tagnn")}},
    "topk": {"emde": {"hidden": 64, "epochs": 2}, "emde-mm": {"hidden": 64, "epochs": 2}, "multvae": {"epochs": 2}},
}  # fmt: skip
"""Kind -> row -> parameters laid over the published ones."""
EVALUATED, COSTS = "results/generated/cells", "results/generated/costs/cells"
RESULTS = f"results/generated/profiles/{PROFILE}"
KILLED = ("retail", "emde")
MEASURED = "rehearsal.json"


def edit(path: Path, change: Any) -> None:
    """A YAML file, changed in place by ``change(content)``."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def shrink(root: Path) -> None:
    """Small networks, few epochs and seeds, and as many held-out users as the stand-ins have."""
    for name, users in HELD_OUT.items():
        edit(
            root / f"benchmark/data/registry/{name}.yaml",
            lambda c, users=users: c["options"].update(heldout_users=users),
        )
    listed = yaml.safe_load((root / f"profiles/{PROFILE}/profile.yaml").read_text(encoding="utf-8"))
    for kind, rows in SMALL.items():
        for row, params in rows.items():
            data = {name for group in listed[kind] if row in group["methods"] for name in group["data"]}

            def lay(content: Any, data: set[str] = data, params: dict[str, Any] = params) -> None:
                tuned = content.setdefault("tuned", {})
                for name in sorted(data):
                    entry = tuned.setdefault(name, {"params": {}, "source": "rehearsal"})
                    entry["params"] = {**entry["params"], **params}

            edit(root / f"params/{kind}/{row}.yaml", lay)
    edit(root / "params/ablations.yaml", lambda c: small_base(c["base"]["retail"]))
    edit(root / "params/density.yaml", lambda c: [c[data].update(seeds=2, n=[1, 10, 50]) for data in listed["density"]])
    python(root, "benchmark.cli", "pipeline")


def small_base(base: dict[str, Any]) -> None:
    """Of Table 6: a rotation of 1,024 dimensions alone takes OPQ minutes."""
    base["params"].update(hidden=32, epochs=2)
    for one in (one for modalities in base["modalities"].values() for one in modalities):
        one.update({} if one["group"] == "random" else {"dim": 128})


def python(root: Path, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """A module of the copy."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=root, env=environment(root), capture_output=True, text=True
    )
    if check and done.returncode:
        sys.exit(f"{' '.join(arguments)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def environment(root: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("EMDE_MIRROR", "EMDE_DATA", "EMDE_CACHE")}
    return {**kept, "PYTHONPATH": str(root), "NO_COLOR": "1"}


def stand_in(root: Path) -> None:
    """Stand-ins in the places where the real files belong, taken as they are."""
    for name in MAKERS:
        make(name, root / "data/raw" / name)
    python(root, "benchmark.cli", "data", "fetch", "--offline", "--as-is", *MAKERS)


def in_one_process(root: Path) -> None:
    """Every stage of the profile that was not rehearsed in this copy before, in order, in this process.

    Into rehearsal.json: processor seconds of every stage, those that ``emde plan`` says of every cell once the data are
    prepared (without the start of processes, of which there is none), warnings.
    """
    from benchmark.cli.main import main as command
    from benchmark.experiments import settings
    from benchmark.speed import plan
    from flows import dvc_stages

    heard: list[str] = []

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    logging.getLogger("emde").addHandler(Heard(logging.WARNING))
    warnings.showwarning = lambda message, category, *_: heard.append(f"{category.__name__}: {message}")
    measured: dict[str, Any] = {"cpu seconds": {}, "planned": {}, "warnings": []}
    if (root / MEASURED).is_file():
        measured = json.loads((root / MEASURED).read_text())
    chosen = dvc_stages.stages(PROFILE)
    for stage in chosen:
        if stage.name in measured["cpu seconds"]:
            continue
        if stage.kind == "run" and not measured["planned"]:
            for row in plan.plan(settings.load(), PROFILE)["cells"]:
                ablation = row["method"].startswith(plan.ABLATION)
                stages = ["ablate"] if ablation else ["run", "evaluate"]
                name = f"{row['data']}--{row['method'].removeprefix(plan.ABLATION)}"
                expected = row["cpu_hours"] * 3600 - len(stages) * plan.START
                measured["planned"][name] = {"stages": stages, "cpu seconds": expected}
        heard.clear()
        began = time.process_time()
        status = command(shlex.split(stage.command)[3:])
        seconds = round(time.process_time() - began, 2)
        said = [line for line in heard if "taken as they are" not in line]
        print(stage.name, f"{seconds} processor seconds, exit status {status}", *said, flush=True)
        if status:
            raise SystemExit(status)
        measured["cpu seconds"][stage.name] = seconds
        measured["warnings"] += said
        (root / MEASURED).write_text(json.dumps(measured, indent=1))
    targets = [stage.target for stage in chosen]
    for start in range(0, len(targets), 100):
        subprocess.run(
            [sys.executable, "-m", "dvc", "commit", "--quiet", "--force", *targets[start : start + 100]], check=True
        )


def resume(root: Path) -> dict[str, Any]:
    """Kill a five-slice cell in its third slice, within an epoch; what of it ran again, whether lists are the same."""
    data, method = KILLED
    out = root / EVALUATED / data / method / "runs"
    expected = lists(out)
    arguments = ["benchmark.cli", "run", "--data", data, "--split", "all", "--method", method, "--resume", "--out",
                 str(out), "--costs", str(root / COSTS / data / method)]  # fmt: skip
    for folder in sorted(out.glob("*/*/[234]-*")):
        subprocess.run(["rm", "-r", str(folder)], check=True)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    slow = {**environment(root), "EMDE_CHECKPOINT_SECONDS": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=root, env=slow, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while "epoch 2," not in process.stderr.readline():
        assert process.poll() is None, "ended before it could be killed"
    said = time.time_ns()
    while not any(path.stat().st_mtime_ns > said for path in (root / ".cache/checkpoints").glob("*.pt")):
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = python(root, *arguments).stderr
    kept = all(path.stat().st_mtime_ns == time_ns for path, time_ns in before.items())
    first = re.search(r"epoch (\d+),", again)
    return {
        "kept slices untouched": kept,
        "two slices kept": again.count("is there") == 2,
        "went on from a checkpoint": "going on from a checkpoint" in again,
        "in the third epoch": first is not None and first[1] == "3",
        "same lists": lists(out) == expected,
    }


def lists(out: Path) -> dict[str, str]:
    """Run folder -> hash of its lists."""
    return {path.parent.name: json.loads(path.read_text())["lists_sha256"] for path in sorted(out.rglob("run.json"))}


def troubles(root: Path) -> Iterable[str]:
    """What is not as it must be, a line each."""
    results = json.loads((root / RESULTS / "tables/results.json").read_text())
    known = {table["id"]: table for table in results["tables"]}
    for name in TABLES:
        for block in known[name]["blocks"]:
            for row in block["rows"] if block["shown"] else []:
                empty = [c["metric"] for c in row["cells"] if c["ours"] is None]
                if empty:
                    where = f"Table {name}, {block['label']}, {row['label']}"
                    yield f"{where}: no value of {', '.join(empty)}: {row['note']}"
    for name in FIGURES:
        if not list((root / RESULTS / "figures").glob(f"{name}*.pdf")):
            yield f"{name}: not drawn"
    for run in results["runs"].values():
        record = run["record"]
        if record["method"].startswith("emde-mm"):
            asked = [one["group"] for one in record["params"]["modalities"]]
            made = [one["group"] for one in record["modalities"]]
            if made != asked and "attributes" not in asked:
                yield f"{record['data']}, {record['method']}: asked {asked}, made {made}"
    if (root / MEASURED).is_file():
        measured = json.loads((root / MEASURED).read_text())
        yield from measured["warnings"]
        yield from off_plan(measured["cpu seconds"], measured["planned"])
    status = subprocess.run([sys.executable, "-m", "dvc", "status", f"profiles/{PROFILE}/dvc.yaml"], cwd=root,
                            env=environment(root), capture_output=True, text=True).stdout  # fmt: skip
    if "up to date" not in status:
        yield f"dvc status: {status[:2000]}"


def off_plan(seconds: Mapping[str, float], planned: Mapping[str, Any]) -> Iterable[str]:
    """Print what ``emde plan`` said beside what cells took, by method; a line where the sum is off by more than two."""
    sums: dict[str, list[float]] = {}
    for cell, said in planned.items():
        taken = sum(seconds[f"{kind}--{cell}"] for kind in said["stages"])
        for label in ("all cells", cell.partition("--")[2] if "run" in said["stages"] else "ablations"):
            total = sums.setdefault(label, [0.0, 0.0])
            total[0] += said["cpu seconds"]
            total[1] += taken
    for label, (expected, taken) in sums.items():
        print(f"plan: {label}: {expected:.1f} processor seconds expected, {taken:.1f} taken: {expected / taken:.2f}")
    expected, taken = sums["all cells"]
    if not taken / 2 < expected < taken * 2:
        yield f"plan: {expected:.0f} processor seconds expected, {taken:.0f} taken"


def main() -> int:
    """Exit status 1 where something is not as it must be."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.paper.rehearse", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("folder", type=Path, help="a new folder for the copy of the project")
    parser.add_argument("--one-process", action="store_true", help="load the packages once instead of for every stage")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    root = args.folder.resolve()
    if args.inside:
        in_one_process(root)
        return 0
    if not (root / "dvc.yaml").exists():
        root.mkdir(parents=True, exist_ok=True)
        copy(root)
        shrink(root)
        stand_in(root)
    began = time.monotonic()
    ways = {True: ["tests.paper.rehearse", str(root), "--inside"], False: ["flows.repro", "--profile", PROFILE]}
    command = [sys.executable, "-m", *ways[args.one_process]]
    done = subprocess.run(command, cwd=root, env=environment(root))
    resumed = resume(root) if not done.returncode else {}
    found = list(troubles(root)) if not done.returncode else [f"exit status {done.returncode}"]
    found += [what for what, held in resumed.items() if not held]
    for line in found:
        print(line)
    print(f"rehearsal: {len(found)} troubles, {time.monotonic() - began:.0f} s; {resumed}; {root / RESULTS}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
