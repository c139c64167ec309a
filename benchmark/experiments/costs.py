"""The record of costs: what a result took and what it was made with, which is no part of the result.

Stages pass ``--costs PLACE``: what they leave then holds what its inputs decide and nothing else, and its costs lie in
PLACE, which is no output of DVC: below results/generated, those of <rest> in costs/<rest>. Without the option, the
result itself holds them (a run by hand). A record of costs names the content of its result: one that was left by an
earlier result of the same place is not taken for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from contracts.runtime.json import read_json, to_json, write_json

FIELDS = (
    "seconds", "cpu_seconds", "peak_rss_mb", "peak_gpu_mb", "evaluation_peak_rss_mb", "device", "finished", "sources",
    "identity", "code", "python", "packages", "machine", "threads",
)  # fmt: skip
OF_ROWS = ("query_us", "fit_s")
"""Costs of the rows of a density."""
FOLDER = "costs"
OF = "of"
"""The hash of the result that a record of costs belongs to."""
Result = Mapping[str, Any]


def apart(result: Result) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the inputs decide, costs) of a run's record, an evaluation, a density or an ablation cell."""
    kept, spent = _without(result, FIELDS), {name: result[name] for name in FIELDS if name in result}
    if "rows" in result:
        kept["rows"] = [_without(row, OF_ROWS) for row in result["rows"]]
        spent["rows"] = {row["method"]: {name: row[name] for name in OF_ROWS} for row in result["rows"]}
    return kept, {OF: _hash(kept), **spent}


def _without(content: Result, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name not in names}


def _hash(result: Result) -> str:
    return hashlib.sha256(to_json(result, sort_keys=True).encode()).hexdigest()


def write(result: Result, place: Path | None) -> dict[str, Any]:
    """Leave the costs in a file and return the rest; where there is no place for them, the whole result."""
    if place is None:
        return dict(result)
    kept, spent = apart(result)
    write_json(place, spent)
    return kept


def of_run(folder: Path, place: Path | None) -> dict[str, Any]:
    """run.json of a run with its costs, from the record at ``place`` where it has one."""
    return together(read_json(folder / "run.json"), [] if place is None or not place.is_file() else _below(place))


def together(result: Result, known: Sequence[Result]) -> dict[str, Any]:
    """A result with those of the found costs that are its own; as it is where none is (it may hold them itself)."""
    content = _hash(result)
    spent = next((costs for costs in known if costs.get(OF) == content), {})
    whole = {**result, **_without(spent, (OF, "rows"))}
    if "rows" in spent:
        whole["rows"] = [{**row, **spent["rows"].get(row["method"], {})} for row in result["rows"]]
    return whole


def read(path: Path) -> Any:
    """A JSON file of results (of ``emde evaluate``, ``density``, ``ablate``), each with its costs."""
    content = read_json(path)
    if isinstance(content, list):
        return evaluated(content, path.parent)
    return together(content, _below(_place(path))) if isinstance(content, dict) else content


def evaluated(results: Sequence[Result], *where: Path) -> list[dict[str, Any]]:
    """Results of ``emde evaluate`` with the costs of their runs.

    where  places of costs; or folders of cells, or anything in them
    """
    known = [spent for path in where for spent in _below(path) or _below(_place(path))]
    return [{**together(result, known), "run": together(result["run"], known)} for result in results]


def _place(path: Path) -> Path | None:
    """Where the costs lie of a result at a path, or of the nearest folder around it that has some."""
    path = path.absolute()
    for inner in (path, *path.parents):
        for outer in inner.parents:
            if (place := outer / FOLDER / inner.relative_to(outer)).exists():
                return place
    return None


def _below(place: Path | None) -> list[Result]:
    """The records of costs at a place: a file, or those of a folder."""
    if place is None:
        return []
    paths = [place] if place.is_file() else sorted(place.glob("*.json"))
    return [costs for path in paths for costs in _listed(read_json(path)) if OF in costs]


def _listed(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]
