"""Keep runs made by hand: ``python -m benchmark.collect RUNS OUT``.

Every run below RUNS is scored and added to OUT/results.csv (metrics at 20 with intervals, cost, hash of the lists, code
version) and OUT/runs.jsonl (its ``run.json``). A run of the same data, split, train sessions, method and parameters
takes the place of an earlier one.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

from benchmark import store
from benchmark.cli_options import arguments
from benchmark.evaluate import evaluate
from contracts import UserError
from contracts.files import write_whole

METRICS = ("HR@20", "MRR@20", "P@20", "R@20", "MAP@20", "NDCG@20")
SHOWN = ("HR@20", "MRR@20")
"""With intervals."""
KEY = ("data", "split", "sessions", "method", "params")
COLUMNS = (
    *KEY, "seed", "epochs", *METRICS, *(f"{name} {end}" for name in SHOWN for end in ("low", "high")),
    "points", "fit cpu seconds", "recommend cpu seconds", "peak MB", "lists_sha256", "code",
)  # fmt: skip


def row(result: dict[str, Any]) -> dict[str, str]:
    """One line of results.csv from what ``evaluate`` returns."""
    run = result["run"]
    last = [entry for entry in run.get("history") or [] if entry.get("refit")] or run.get("history") or []
    found = {
        "data": run["data"], "split": run["split"], "sessions": run.get("sessions") or "", "method": run["method"],
        "params": json.dumps(run["params"], sort_keys=True), "seed": "" if run["seed"] is None else run["seed"],
        "epochs": int(last[-1]["epoch"]) if last else "",
        **{name: f"{result['metrics'][name]:.6f}" for name in METRICS if name in result["metrics"]},
        **{f"{name} {end}": f"{bound:.6f}" for name in SHOWN if name in result["intervals"]
           for end, bound in zip(("low", "high"), result["intervals"][name], strict=True)},
        "points": run["n_points"], "fit cpu seconds": run["seconds"]["fit_cpu"],
        "recommend cpu seconds": run["seconds"]["recommend_cpu"], "peak MB": run["peak_rss_mb"],
        "lists_sha256": run["lists_sha256"], "code": run["code"],
    }  # fmt: skip
    return {name: str(found.get(name, "")) for name in COLUMNS}


def collect(runs: Path, out: Path) -> int:
    """Add the runs below a folder to kept ones; returns how many. Raises UserError where there are none."""
    folders = store.find_runs(runs)
    table, records = _read(out)
    for folder in folders:
        result = evaluate(folder)
        found = row(result)
        key = tuple(found[name] for name in KEY)
        table[key], records[key] = found, result["run"]
    order = sorted(table, key=lambda key: (key[:4], table[key]["seed"], key[4]))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table[key] for key in order)
    lines = "".join(json.dumps(records[key], separators=(",", ":")) + "\n" for key in order)
    write_whole(out / "results.csv", stream.getvalue())
    write_whole(out / "runs.jsonl", lines)
    return len(folders)


def _read(out: Path) -> tuple[dict[tuple[str, ...], dict[str, str]], dict[tuple[str, ...], Any]]:
    """What was kept before, by ``KEY``; both files have the same order."""
    if not (out / "results.csv").is_file():
        return {}, {}
    with open(out / "results.csv", newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if reader.fieldnames != list(COLUMNS):
            raise UserError(f"{out / 'results.csv'}: expected the columns {', '.join(COLUMNS)}; found others")
        rows = list(reader)
    records = [json.loads(line) for line in (out / "runs.jsonl").read_text(encoding="utf-8").splitlines()]
    if [r["lists_sha256"] for r in rows] != [r["lists_sha256"] for r in records]:
        raise UserError(f"{out}: results.csv and runs.jsonl: expected the same runs in the same order, found others")
    keys = [tuple(r[name] for name in KEY) for r in rows]
    return dict(zip(keys, rows, strict=True)), dict(zip(keys, records, strict=True))


def main() -> int:
    """Entry point; two arguments."""
    return arguments(
        "collect",
        2,
        "a folder of runs and where to keep them",
        lambda runs, out: f"{collect(Path(runs), Path(out))} runs kept in {out}",
    )


if __name__ == "__main__":
    sys.exit(main())
