"""``emde keep``: evaluated runs and other results into ``results/reported/<name>``, where they stay.

A source is a run (or a folder of them), a folder of results (results/generated, a profile's in it, or kept ones), or
one file that another command wrote: an evaluation, a density, compared ablations, a cell of them, a search, a report
of ``make bench``. Runs may be of any version of the code: their records say which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmark.data.root import project_root
from benchmark.experiments import costs, run_store, settings
from benchmark.experiments.evaluate import evaluate_all
from benchmark.experiments.headline import EVALUATION, HEADLINE
from benchmark.report import kept, units
from benchmark.report.tables.kept_tests import paired_tests
from benchmark.report.tables.make import made as profile_made
from benchmark.report.tables.measured import Made, Measured, checked
from contracts import UserError
from contracts.runtime.files import write_whole
from contracts.runtime.json import to_json

LOG = "docs/numbers.md"
"""Where changes of kept values are logged: the headline of every run and ablation; Pearson's r of densities."""
GONE = "–"
LOCAL = ("file", "report")
"""Where a search's own files lie, which is nowhere else so."""


def keep(
    sources: Sequence[Path], name: str, root: Path | None = None, why: str = "", replace: bool = False
) -> dict[str, Any]:
    """Add results to the kept ones of a name; what was kept of the same run before is replaced.

    root     default: results/reported of the project. Only there are changed values logged in docs/numbers.md
    why      the reason, needed where a headline value that is kept changes
    replace  kept runs and searches of the same data, method and split go, whatever their parameters
    Returns folder, added, replaced, gone (counts of records), changed: [{run, metric, old, new}]. Raises UserError,
    with nothing written, where a source holds nothing to keep or a reason is missing.
    """
    if not re.fullmatch(r"[\w.-]*\w[\w.-]*", name):
        raise UserError(f"--as: expected a name of letters, digits, '.', '_' and '-', found {name!r}")
    reason = " ".join(why.split()).replace("|", "/")
    folder = (root or project_root() / "results/reported") / name
    parts = [gathered(source) for source in sources]
    new = [record for part in parts for record in part.records]
    old = kept.read(folder)
    records = kept.merged(old, new, replace)
    changed = changes(old, records)
    if changed and not reason:
        first = f"{changed[0]['run']}, {changed[0]['metric']}: {changed[0]['old']} -> {changed[0]['new']}"
        raise UserError(f"{folder}: {len(changed)} kept values would change ({first}); say why: --why REASON")
    kept.write(folder, records)
    units.write(folder, records, {lists: values for part in parts for lists, values in part.values.items()})
    if root is None:
        log(name, changed, reason)
    before, after = ({kept.key(record): record for record in side} for side in (old, records))
    return {
        "folder": str(folder),
        "added": len(after.keys() - before.keys()),
        "replaced": sum(before[k] != after[k] for k in before.keys() & after.keys()),
        "gone": len(before.keys() - after.keys()),
        "changed": changed,
    }


@dataclass(frozen=True)
class Gathered:
    """What a source makes: records, and the values per session or user of its runs as far as it has them."""

    records: list[kept.Record]
    values: units.Units = field(default_factory=dict)


def gathered(source: Path) -> Gathered:
    """Everything that a source makes; raises UserError where it holds nothing to keep."""
    if source.is_file():
        return Gathered(list(_of_file(source)))
    if kept.files(source):
        return _kept(source)
    if source.parent.name == "profiles":
        return _of_made(profile_made(settings.load(), source.name))
    if any((source / part).is_dir() for part in ("cells", "density")):
        return _of_made(Made.below(source))
    folders = run_store.find_runs(source) if any(source.rglob(run_store.RECORD)) else []
    return _runs(folders) if folders else Gathered(_files(source))


def _of_made(made: Made) -> Gathered:
    """What was evaluated of some cells, with the paired tests among them, densities and compared ablations."""
    cells = [made.root / place for place in made.cells.values()]
    places = [place / EVALUATION for place in cells] + [made.root / place for place in made.density.values()]
    places += [made.root / made.ablation] if made.ablation else []
    paths = [path for path in places if path.is_file()]
    if not paths:
        raise UserError(f"{made.root}: expected results to keep, found none that were run")
    records = [record for path in paths for record in _of_file(path)]
    values = {lists: of_run for place in cells for lists, of_run in units.of_cell(place).items()}
    return Gathered(records + paired_tests(Measured([], made)), values)


def _kept(folder: Path) -> Gathered:
    """A folder of kept results."""
    records = kept.read(folder)
    runs = [record["run"] for record in records if record["kind"] == "run"]
    values = {run["lists_sha256"]: per_unit for run in runs if (per_unit := units.read(folder, run)) is not None}
    return Gathered(records, values)


def _files(folder: Path) -> list[kept.Record]:
    """Of a folder of files: a search's, ablation cells, reports."""
    if not folder.is_dir():
        raise UserError(f"{folder}: expected results to keep, found no such file or folder")
    records = [record for path in sorted(folder.rglob("*.json")) for record in _of_file(path)]
    if not records:
        raise UserError(f"{folder}: expected results to keep (runs, metrics, densities, ...), found none")
    return records


def _runs(folders: Sequence[Path]) -> Gathered:
    """Runs of the store, evaluated now: their metrics, and the paired tests among them."""
    cells: dict[str, dict[str, list[Path]]] = {}
    for run in folders:
        record = run_store.read_record(run)
        setting = to_json(kept.settings_of(record), sort_keys=True)
        cells.setdefault(f"{record['data']}--{record['method']}", {}).setdefault(setting, []).append(run)
    out: list[kept.Record] = []
    values: units.Units = {}
    with TemporaryDirectory() as temporary:
        for cell, settings in cells.items():
            for number, runs in enumerate(settings.values()):
                data, _, method = cell.partition("--")
                place = Path(temporary) / "cells" / data / (f"{number}-{method}" if number else f"~{method}")
                out += [kept.record("run", result) for result in costs.evaluated(evaluate_all(runs, place), *runs)]
                values |= units.of_cell(place)
        return Gathered(out + paired_tests(Measured([], Made.below(Path(temporary)))), values)


def _of_file(path: Path) -> Iterator[kept.Record]:
    """The records of one JSON file with their costs, told by what it holds; raises UserError for anything else."""
    content = costs.read(path)
    if isinstance(content, dict) and "runs" in content and isinstance(content["runs"], list):
        content = content["runs"]
    one = content[0] if isinstance(content, list) and content else content
    fields = set(one) if isinstance(one, dict) else set()
    if {"run", "metrics", "intervals"} <= fields:
        for result in content if isinstance(content, list) else [content]:
            yield kept.record("run", result)
    elif {"levels", "main"} <= fields:
        levels = checked(content, path)["levels"]
        head = {"profile": content["profile"], "main": content["main"]}
        for data in dict.fromkeys(level["data"] for level in levels):
            yield kept.record(
                "ablation", {"data": data, **head, "levels": [level for level in levels if level["data"] == data]}
            )
    else:
        kinds = {"density": {"data", "rows", "kernel"}, "cell": {"data", "cell", "split"},
                 "search": {"data", "method", "trials", "objective"}, "bench": {"time", "machine"}}  # fmt: skip
        kind = next((kind for kind, needed in kinds.items() if needed <= fields), None)
        if kind is None:
            known = "metrics, a density, ablations, a search, a report of make bench"
            raise UserError(f"{path}: expected {known}; found JSON with {', '.join(sorted(fields)[:6]) or 'no fields'}")
        apart = LOCAL if kind == "search" else ()
        yield kept.record(kind, {"result": {name: value for name, value in content.items() if name not in apart}})


def values(record: kept.Record) -> dict[tuple[str, str], str]:
    """(run, metric) -> headline value to six digits of one record."""
    if record["kind"] == "run":
        metrics, cell = record["metrics"], str(kept.RunName.of(record["run"]))
        return {(cell, m): f"{metrics[m]:.6f}" for m in HEADLINE[record["run"]["kind"]] if m in metrics}
    if record["kind"] == "density":
        result = record["result"]
        return {(f"{result['data']}/{row['method']}", "Pearson"): f"{row['pearson']['mean']:.6f}"
                for row in result["rows"]}  # fmt: skip
    if record["kind"] == "ablation":
        return {(f"{level['data']}/{level['cell']}/{level['decoder']}", m): f"{level['metrics'][m]['mean']:.6f}"
                for level in record["levels"] if "metrics" in level for m in HEADLINE["session"]}  # fmt: skip
    return {}


def changes(old: Sequence[kept.Record], new: Sequence[kept.Record]) -> list[dict[str, str]]:
    """Headline values of old records that are other ones now, or gone; what is only added is no change."""
    known = {kept.key(record) for record in old}
    of_cell: dict[tuple[str, str], list[kept.Record]] = {}
    for record in new:
        for key in values(record):
            of_cell.setdefault(key, []).append(record)
    out = []
    for record in old:
        for (cell, metric), before in values(record).items():
            there = of_cell.get((cell, metric), [])
            heirs = [r for r in there if kept.same(r, record)] or [r for r in there if kept.key(r) not in known]
            after = ", ".join(values(heir)[cell, metric] for heir in heirs) or GONE
            out += [{"run": cell, "metric": metric, "old": before, "new": after}] * (after != before)
    return out


def log(name: str, changed: Sequence[dict[str, str]], why: str) -> None:
    """Add changed values to docs/numbers.md."""
    if not changed:
        return
    path, date = project_root() / LOG, datetime.now(UTC).date().isoformat()
    lines = [" | ".join([date, name, *change.values(), why]) for change in changed]
    write_whole(path, path.read_text(encoding="utf-8") + "".join(f"| {line} |\n" for line in lines), "the log")
