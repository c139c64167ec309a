"""The commands behind the rows of tables: ``emde verify --commands`` and ``--row N``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmark.experiments.headline import HEADLINE
from benchmark.report.tables.model import Results, Run
from contracts import UserError

NOT_RECORDED = "not recorded"


def commands(results: Results) -> list[dict[str, Any]]:
    """Every measured row once, numbered from 1 in the order of the tables: those of runs, density, ablations.

    Returns [{"row", "tables": [ids], "data", "method", "commands": [...], "runs": [keys], "stale"}]; ``runs`` is empty
    where the row is of no stored run.
    """
    rows_of: dict[tuple[str, ...], dict[str, Any]] = {}
    for table in results.tables:
        for block in (block for block in table.blocks if block.shown):
            for row in (row for row in block.rows if row.runs):
                lines = [results.runs[key].again or NOT_RECORDED for key in row.runs]
                of_row = {"tables": [], "data": block.data, "method": row.method,
                          "commands": list(dict.fromkeys(lines)), "runs": row.runs, "stale": row.stale}  # fmt: skip
                of_row = rows_of.setdefault(tuple(row.runs), of_row)
                of_row["tables"] = list(dict.fromkeys([*of_row["tables"], table.id]))
    others = [("density", data, "all of its methods", f"emde density --data {data}") for data in results.density]
    others += [
        ("ablation", level["data"], level["cell"], f"emde ablate --data {level['data']} --cell {level['cell']}")
        for level in results.ablation.get("levels", []) if "metrics" in level
    ]  # fmt: skip
    for kind, data, method, line in others:
        rows_of.setdefault((line,), {"tables": [kind], "data": data, "method": method, "commands": [line], "runs": [],
                                   "stale": ""})  # fmt: skip
    return [{"row": number, **row} for number, row in enumerate(rows_of.values(), 1)]


def repeat(results: Results, number: int, again: Callable[[str], list[dict[str, Any]]]) -> dict[str, Any]:
    """Run the commands of a row, and compare what they give with what the row shows.

    again  runs one command; returns what ``emde evaluate`` says of its runs
    Returns {"row", "commands", "checks": [...], "failed"}: a check per run and headline metric, OK where the lists are
    the same, close where the value lies in the interval of the old one, else FAIL. Raises UserError for a row that is
    not there, or of no stored run.
    """
    rows = commands(results)
    if not 1 <= number <= len(rows):
        raise UserError(f"--row: expected a number from 1 to {len(rows)} (emde verify --commands), found {number}")
    row = rows[number - 1]
    if not row["runs"]:
        raise UserError(f"--row {number}: it is of no stored run; type its command: {row['commands'][0]}")
    if NOT_RECORDED in row["commands"]:
        raise UserError(f"--row {number}: expected a command of every run of {row['method']} on {row['data']}, "
                        "found runs whose command was not recorded")  # fmt: skip
    checks = []
    for key in row["runs"]:
        run = results.runs[key]
        alike = [new for new in again(run.again)
                 if all(new["run"].get(part) == run.record.get(part) for part in ("split", "seed"))]  # fmt: skip
        if not alike:
            raise UserError(f"--row {number}: {run.again}: expected a run of split {run.record['split']}, found others")
        checks += _checks(key, run, alike[0])
    failed = sum(check["result"] == "FAIL" for check in checks)
    return {"row": number, "commands": row["commands"], "stale": row["stale"], "checks": checks, "failed": failed}


def _checks(key: str, old: Run, new: dict[str, Any]) -> list[dict[str, Any]]:
    same = old.record["lists_sha256"] == new["run"]["lists_sha256"]
    differing = [name for name in {**old.record["params"], **new["run"]["params"]}
                 if name != "device" and old.record["params"].get(name) != new["run"]["params"].get(name)]  # fmt: skip
    why = "the same lists" if same else "; ".join(
        ["other lists", *(f"{name} was {old.record['params'].get(name)}" for name in differing)]
    )  # fmt: skip
    out = []
    for metric in HEADLINE[old.record["kind"]]:
        was, now, (low, high) = old.metrics[metric], new["metrics"][metric], old.intervals[metric]
        result = "OK" if same else "close" if low <= now <= high else "FAIL"
        out.append({"run": key, "metric": metric, "shown": was, "now": now, "delta": now - was, "result": result,
                    "why": why})  # fmt: skip
    return out
