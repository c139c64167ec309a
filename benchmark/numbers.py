"""The log of changed numbers: ``python -m benchmark.numbers REASON`` after kept results changed.

    results/reported/numbers.csv   every headline value when it was first kept; lines are only ever added
    docs/numbers.md                every later change: old value, new value, reason

Followed from the first through the second, every value under results/reported/*/results.json must come out
(``unrecorded``; a test). So no kept number changes, appears or goes without a line that says why.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmark.cli_options import arguments
from benchmark.data.root import project_root
from benchmark.tables.measured import read_json
from contracts import UserError
from contracts.files import write_whole

METRICS = {"session": ("HR@20", "MRR@20"), "topk": ("Recall@20", "NDCG@20")}
FIRST, LOG = "results/reported/numbers.csv", "docs/numbers.md"
GONE = "–"
HEAD = ("results", "run", "metric", "value")
Key = tuple[str, str, str]
"""(folder below results/reported, data/method/split/seed, metric)."""


def found(root: Path) -> dict[Key, str]:
    """The headline values that are kept now, to six digits."""
    out = {}
    for path in sorted((root / "results/reported").glob("*/results.json")):
        results = read_json(path)
        for run, content in results["runs"].items():
            for metric in METRICS[content["record"]["kind"]]:
                out[path.parent.name, run, metric] = f"{content['metrics'][metric]:.6f}"
        for data, content in results["density"].items():
            for row in content["rows"]:
                out[path.parent.name, f"{data}/{row['method']}", "Pearson"] = f"{row['pearson']['mean']:.6f}"
    return out


def recorded(root: Path) -> dict[Key, str]:
    """The values that the two files lead to. Raises UserError where a change does not start from the value before."""
    with open(root / FIRST, newline="", encoding="utf-8") as stream:
        out = {(row["results"], row["run"], row["metric"]): row["value"] for row in csv.DictReader(stream)}
    for number, line in enumerate((root / LOG).read_text(encoding="utf-8").splitlines(), 1):
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 7 or not cells[0][:4].isdigit():
            continue
        _, folder, run, metric, old, new, reason = cells
        before = out.get((folder, run, metric), GONE)
        if old != before or not reason:
            raise UserError(f"{root / LOG}: line {number}: expected a reason and the old value {before}, found {old}")
        out[folder, run, metric] = new
    return {key: value for key, value in out.items() if value != GONE}


def unrecorded(root: Path) -> list[tuple[Key, str, str]]:
    """(key, recorded, found) of every value that differs from the record; GONE for a value that is missing."""
    before, now = recorded(root), found(root)
    keys = sorted(before.keys() | now.keys())
    pairs = [(key, before.get(key, GONE), now.get(key, GONE)) for key in keys]
    return [(key, old, new) for key, old, new in pairs if old != new]


def record(root: Path, reason: str) -> int:
    """Write down what changed, with the reason: first values into the table, the others into the log.

    A value that had gone and is back is a change. Returns how many were written.
    """
    changes = unrecorded(root)
    if "|" in reason or "\n" in reason or not reason.strip():
        raise UserError(f"expected a reason of one line without '|', found {reason!r}")
    ever = {tuple(line[:3]) for line in csv.reader((root / FIRST).read_text(encoding="utf-8").splitlines())}
    first = [(*key, new) for key, _, new in changes if key not in ever]
    later = [(key, old, new) for key, old, new in changes if key in ever]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(first)
    write_whole(root / FIRST, (root / FIRST).read_text(encoding="utf-8") + stream.getvalue())
    date = datetime.now(UTC).date().isoformat()
    lines = [f"| {' | '.join([date, *key, old, new, reason])} |\n" for key, old, new in later]
    write_whole(root / LOG, (root / LOG).read_text(encoding="utf-8") + "".join(lines))
    return len(changes)


def main() -> int:
    """Entry point; one argument, the reason."""
    return arguments(
        "numbers",
        1,
        "the reason of the changes",
        lambda reason: f"{record(project_root(), reason)} values written to {FIRST} and {LOG}",
    )


if __name__ == "__main__":
    sys.exit(main())
