"""What ``emde tables`` does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from benchmark.data.root import project_root
from benchmark.experiments.profiles import DEFAULT, compared_folder, density_file, profile_folder
from benchmark.experiments.settings import Settings, load
from benchmark.report.kept import folders
from benchmark.report.tables.build import build
from benchmark.report.tables.choose import Choice
from benchmark.report.tables.declaration import Declaration, declarations, read
from benchmark.report.tables.latex import PageLayout, latex
from benchmark.report.tables.measured import COMPARED, Made, Measured
from benchmark.report.tables.model import Results
from benchmark.report.tables.others import others
from benchmark.report.tables.stale import Stale
from contracts import UserError
from contracts.errors import invalid
from contracts.runtime.json import read_json


def made(settings: Settings, name: str) -> Made:
    """Where the results of a profile lie."""
    profile = settings.profile(name)
    return Made(
        root=project_root(),
        cells={cell: Path(listed.folder) for cell, listed in profile.cells.items()},
        density={data: Path(density_file(data)) for data in profile.density},
        ablation=Path(compared_folder(name)) / COMPARED if profile.ablations else None,
    )


def collect(
    settings: Settings,
    profile: str,
    kept: Sequence[Path] = (),
    choice: Choice | None = None,
    priced: bool = False,
    failed: Mapping[str, str] | None = None,
) -> Results:
    """The declared tables of a profile, or of kept results (``results/reported/...``), and one of all other runs.

    choice  one table, or parts of some; raises UserError where it has nothing to show, and for kept results that
            fill no table
    priced  with what the runs of a profile cost, which the inputs do not decide (of kept results: always)
    failed  <data>/<cell> -> the last line of a cell that failed
    """
    choice = choice or Choice()
    stale = Stale(settings, None if kept else profile)
    cells = {f"{cell.data}/{cell.name}": key for key, cell in settings.cells(profile).items()} if failed else {}
    lines = {cells[name]: line for name, line in (failed or {}).items() if name in cells}
    measured = Measured(kept, None if kept else made(settings, profile), stale.current, priced, lines)
    if kept:
        measured.require()
    wanted = _wanted(choice, measured, bool(kept))
    planned: dict[str, list[str]] = {}
    if not kept:
        for data, method in settings.cells(profile):
            planned.setdefault(data, []).append(method)
        planned.update({data: [] for data in settings.profile(profile).density})
    name = "+".join(path.resolve().name for path in kept) if kept else profile
    results = build([choice.extended(table) for table in wanted], measured, settings, name, planned, stale)
    if any(block.shown for table in results.tables for block in table.blocks):
        return choice.of(results)
    if choice.table or choice.declared:
        needs = ", ".join(dict.fromkeys(block.data for table in wanted for block in table.blocks))
        raise UserError(f"--table {wanted[0].id}: nothing of it was run or is in {name}; it needs one of: {needs}")
    if kept:
        counts = ", ".join(f"{count} of kind {kind}" for kind, count in measured.kinds().items())
        raise UserError(f"{name}: expected results that fill a table, found records that do not: {counts}")
    return results


def _wanted(choice: Choice, measured: Measured, kept: bool) -> list[Declaration]:
    """The declarations of the tables that are asked for."""
    if choice.declared is not None:
        return [read(choice.declared)]
    declared = declarations()
    tables = {**declared, **{table.id: table for table in others(declared.values(), measured)}}
    if choice.table is None:  # of hyper-parameters nothing is measured
        return [table for table in tables.values() if not kept or table.kind != "parameters"]
    if choice.table not in tables:
        raise UserError(f"--table: no table {choice.table!r}; expected one of: {', '.join(tables)}")
    return [tables[choice.table]]


def finished(settings: Settings, profile: str, kept: Sequence[Path] = ()) -> Results:
    """What the stage ``tables`` of a profile left; of kept results the tables made now. Raises UserError without."""
    if kept:
        return collect(settings, profile, kept)
    path = profile_folder(profile) / "tables/results.json"
    try:
        return Results.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise UserError(
            f"{path}: expected the tables of a finished run, found none; run: make repro PROFILE={profile}, "
            f"or: emde tables --profile {profile} --out {path.parent}"
        ) from None
    except ValidationError as error:
        raise UserError(f"{invalid(str(path), error)}; make the tables again") from None


def make(
    settings: Settings,
    profile: str,
    kept: Sequence[Path] = (),
    choice: Choice | None = None,
    fmt: str | None = None,
    out: Path | None = None,
    layout: PageLayout | None = None,
    failed: Path | None = None,
) -> dict[str, Any]:
    """Render tables; with ``out`` write every format there (``results.json`` and the page ``index.html``, too).

    failed  a JSON file: <data>/<cell> -> the last line of a cell that failed

    Printed tables show costs; written ones of a profile hold what the inputs decide (costs: ``benchmark.report.costs``)
    """
    from benchmark.report.tables import render

    lines = None if failed is None else read_json(failed)
    results = collect(settings, profile, kept, choice, priced=out is None, failed=lines)
    tables = [table.model_dump(mode="json") for table in results.tables]
    result: dict[str, Any] = {"profile": results.profile, "verdicts": results.verdicts, "tables": tables}
    if out is not None:
        result["page"] = str(render.write_all(results, out, layout))
    if out is None or fmt:
        result["text"] = render.rendered(results, fmt or "md", layout)
    return result


def latex_table(
    table: str | Path,
    *,
    profile: str = DEFAULT,
    kept: str | Path | Sequence[str | Path] = (),
    rows: Sequence[str] = (),
    metrics: Sequence[str] = (),
    data: Sequence[str] = (),
    **layout: Any,
) -> str:
    """A table as it goes into a paper, with the package booktabs.

    table    the id of a declared table, or the file of a declaration of your own
    profile  of whose results; kept: of kept results instead (``public``, or folders)
    rows, metrics, data  names of what is shown, in that order; empty: all
    layout   digits, spread (none, sd, ci), published (beside, below, none), caption, label, wide: as in ``Layout``
    Raises UserError for a name that nothing has a value of.
    """
    own = table if isinstance(table, Path) else None
    choice = Choice(None if own else str(table), own, rows, metrics, data)
    return latex(collect(load(), profile, folders(kept), choice), PageLayout(**layout))
