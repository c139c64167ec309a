"""Keep measured results: ``python -m benchmark.report PROFILE`` copies tables and run records to results/reported/.

What is kept are the tables, every run's record (one JSON line each) and every run's metrics, not the lists.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from benchmark import store
from benchmark.data.root import project_root
from benchmark.tables import results_dir
from contracts import UserError
from contracts.files import write_whole


def keep(profile: str) -> Path:
    """Copy a profile's tables, run records and metrics; returns the folder. Raises UserError if nothing was run."""
    source, target = results_dir(profile), project_root() / "results/reported" / profile
    if not (source / "tables").is_dir():
        raise UserError(
            f"{source}: expected the tables of a finished run, found none; run: make repro PROFILE={profile}"
        )
    target.mkdir(parents=True, exist_ok=True)
    for name in ("tables.md", "tables.csv", "tables.tex"):
        shutil.copyfile(source / "tables" / name, target / name)
    records = [store.read_record(run) for run in store.find_runs(source / "runs")]
    _write_lines(target / "runs.jsonl", records)
    kept = ("data", "split", "method", "seed")
    results = [
        {**{name: result["run"][name] for name in kept}, **{part: result[part] for part in ("metrics", "intervals")}}
        for path in sorted((source / "metrics").glob("*.json"))
        for result in json.loads(path.read_text(encoding="utf-8"))
    ]
    _write_lines(target / "metrics.jsonl", results)
    return target


def _write_lines(path: Path, rows: list[dict]) -> None:
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def main() -> int:
    """Entry point; one argument, the profile."""
    try:
        if len(sys.argv) != 2:
            raise UserError(f"expected one argument, the profile; found {len(sys.argv) - 1}")
        sys.stdout.write(f"{keep(sys.argv[1])}\n")
    except UserError as error:
        sys.stderr.write(f"report: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
