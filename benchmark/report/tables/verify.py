"""The checker: what has a published value and was run must agree with it."""

from __future__ import annotations

from typing import Any

from benchmark.report.tables.model import Cell, Results, Row, Verdict
from contracts import UserError

WORDS = {Verdict.REPRODUCED: "OK", Verdict.AS_PUBLISHED: "OK", Verdict.CLOSE: "close"}


def verify(results: Results) -> dict[str, Any]:
    """Every cell with a published value whose row was run: OK, close (near, but outside tolerance or interval) or FAIL.

    A row that its table declares as reproduced fails where it is stale or nobody ran it. Returns {"checks": [...],
    "failed": number that are not OK} and, of the other cells with a published value, how many were "not_run", are
    "stale", or are "not_comparable": of other data or another split. A check is "set" where it is of a hyper-parameter
    and not of a measured value. Raises UserError where nothing is published.
    """
    checks = []
    counts = {"not_run": 0, "stale": 0, "not_comparable": 0}
    for table in results.tables:
        for block in table.blocks:
            for row in block.rows if block.shown else []:
                for cell in row.cells:
                    if cell.expected is None:
                        continue
                    if (why := _left_out(row, cell)) is not None:
                        counts[why] += 1
                    else:
                        where = {"table": table.id, "data": block.data, "method": row.method}
                        checks.append({**where, "set": table.kind == "parameters", **_checked(cell)})
    if not checks and not any(counts.values()):
        raise UserError(f"{results.profile}: nothing is published for what its tables show")
    failed = sum(check["result"] != "OK" for check in checks)
    return {"profile": results.profile, "checks": checks, "failed": failed, **counts}


def _left_out(row: Row, cell: Cell) -> str | None:
    """Why a cell need not agree with its published value; None where it must."""
    if cell.required:
        return None
    if all(other.ours is None for other in row.cells):
        return "not_run"
    if row.stale:
        return "stale"
    return "not_comparable" if cell.verdict == Verdict.NOT_COMPARABLE else None


def _checked(cell: Cell) -> dict[str, Any]:
    assert cell.expected is not None
    return {"metric": cell.metric, "expected": cell.expected.value, "ours": cell.ours, "delta": cell.delta,
            "why": cell.why or cell.verdict.value, "result": WORDS.get(cell.verdict, "FAIL")}  # fmt: skip
