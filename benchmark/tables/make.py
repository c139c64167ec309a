"""What ``emde tables`` does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.data.root import project_root
from benchmark.settings import Settings
from benchmark.tables.build import build
from benchmark.tables.declaration import declarations
from benchmark.tables.measured import Measured
from benchmark.tables.model import Results
from contracts import UserError


def results_dir(profile: str) -> Path:
    """Where everything of a profile lies."""
    return project_root() / "results/generated" / profile


def collect(settings: Settings, profile: str, kept: Sequence[Path] = (), only: str | None = None) -> Results:
    """The declared tables of a profile, or of kept results (``results/reported/...``).

    only  the id of one table; raises UserError where it has nothing to show
    """
    tables = declarations()
    if only is not None and only not in tables:
        raise UserError(f"--table: no table {only!r}; expected one of: {', '.join(tables)}")
    wanted = [table for name, table in tables.items() if only in (None, name)]
    planned: dict[str, list[str]] = {}
    if not kept:
        for cell in settings.cells(profile).values():
            planned.setdefault(cell["data"], []).append(cell["method"])
        planned.update({data: [] for data in settings.profile(profile).density})
    folders = list(kept) or [path for path in [results_dir(profile)] if path.is_dir()]
    name = "+".join(path.name for path in kept) if kept else profile
    results = build(wanted, Measured(folders), settings, name, planned)
    if only is not None and not any(block.shown for block in results.tables[0].blocks):
        raise UserError(f"--table {only}: nothing of it was run or is in {name}; it needs one of: "
                        + ", ".join(dict.fromkeys(block.data for block in wanted[0].blocks)))  # fmt: skip
    return results


def finished(settings: Settings, profile: str, kept: Sequence[Path] = ()) -> Results:
    """What the stage ``tables`` of a profile left; of kept results the tables made now. Raises UserError without."""
    if kept:
        return collect(settings, profile, kept)
    path = results_dir(profile) / "tables/results.json"
    try:
        return Results.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"{path}: expected the tables of a finished run, found none; run: make repro PROFILE={profile}, "
            f"or: emde tables --profile {profile} --out {path.parent}"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UserError(f"{path}: {field}: {first['msg']}; make the tables again") from None


def make(
    settings: Settings, profile: str, number: str | None, fmt: str | None, out: Path | None, kept: Sequence[Path] = ()
) -> dict[str, Any]:
    """Render tables; with ``out`` write every format there (``results.json`` and the page ``index.html``, too)."""
    from benchmark.tables import render

    results = collect(settings, profile, kept, number)
    tables = [table.model_dump(mode="json") for table in results.tables]
    result: dict[str, Any] = {"profile": results.profile, "verdicts": results.verdicts, "tables": tables}
    if out is not None:
        result["page"] = str(render.write_all(results, out))
    if out is None or fmt:
        result["text"] = render.FORMATS[fmt or "md"](results)
    return result
