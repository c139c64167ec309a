"""The checker: rows that are declared as reproduced must be."""

from __future__ import annotations

from typing import Any

from benchmark.tables.model import Results, Verdict
from contracts import UserError

WORDS = {Verdict.REPRODUCED: "OK", Verdict.CLOSE: "close"}


def verify(results: Results) -> dict[str, Any]:
    """Every required cell of the shown blocks: OK, close (near, but outside tolerance or interval) or FAIL.

    A required row that the profile has and nobody ran fails. Returns {"checks": [...], "failed": number that are
    not OK}; raises UserError where there is nothing to check.
    """
    checks = [
        {"table": table.id, "data": block.data, "method": row.method, "metric": cell.metric,
         "expected": cell.expected.value, "ours": cell.ours, "delta": cell.delta, "why": cell.why or cell.verdict.value,
         "result": WORDS.get(cell.verdict, "FAIL")}
        for table in results.tables
        for block in table.blocks if block.shown
        for row in block.rows
        for cell in row.cells if cell.required and cell.expected is not None
    ]  # fmt: skip
    if not checks:
        raise UserError(f"{results.profile}: no declared table requires anything of its data sets to be reproduced")
    return {"profile": results.profile, "checks": checks, "failed": sum(check["result"] != "OK" for check in checks)}
