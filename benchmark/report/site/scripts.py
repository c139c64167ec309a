"""What the pages' scripts read: every page for the search box, every run for the page that compares two."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmark.data import registry
from benchmark.experiments.profiles import GENERATED
from benchmark.report.kept import REPORTED, RunName
from benchmark.report.site import links
from benchmark.report.site.cells import CellPage
from benchmark.report.site.methods import MethodPage
from benchmark.report.tables import text
from benchmark.report.tables.model import Results
from contracts.runtime.json import to_json

Entry = tuple[str, str, str]
"""(words that a reader looks for, what it is, address below the site's root)"""


def searched(results: Results, cells: Iterable[CellPage], methods: Iterable[MethodPage], menu: Sequence[Entry]) -> str:
    """The script that holds every page."""
    names = dict.fromkeys(block.data for table in results.tables for block in table.blocks)
    entries = [
        *((name, "page", target) for _, target, name in menu),
        *((text.heading(table), "table", links.table(table.id)) for table in results.tables),
        *((f"{name}: {registry.get(name).title}", "data", links.data(name)) for name in names),
        *((f"{method.label} ({method.name})", "method", links.method(method.kind, method.name)) for method in methods),
        *((f"{cell.label} on {cell.data}", "run", links.run(cell.data, cell.method)) for cell in cells),
    ]
    return f"const SEARCH = {to_json(entries, 'search.js', compact=True)};\n"


def compared(results: Results) -> str:
    """The script that holds every run: metrics, intervals, parameters, its page, and what ``emde compare`` calls it."""
    runs: dict[str, dict[str, Any]] = {}
    for key, run in results.runs.items():
        data, method, *_ = RunName.parse(key)
        named = run.folder if run.folder.startswith(GENERATED) else f"{REPORTED}/{results.profile}:{key}"
        runs[key] = {
            "metrics": run.metrics,
            "intervals": run.intervals,
            "params": run.record["params"],
            "page": links.run(data, method),
            "folder": "" if "+" in results.profile else named,  # of several kept folders nobody knows which
        }
    return f"const RUNS = {to_json(runs, 'runs.js', compact=True)};\n"
