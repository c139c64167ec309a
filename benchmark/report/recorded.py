"""A cell's runs against its entry in dvc.lock, which may hold parameters that were edited while the cell ran.

``benchmark.experiments.unchanged`` fails such a command at its end; between that and DVC's own look, and by
``dvc commit``, other parameters can still be recorded.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmark.data.root import project_root
from benchmark.experiments import run_store
from benchmark.experiments.profiles import GENERATED, JOIN, ROOT, file_of_data
from benchmark.experiments.settings import Reader, load
from benchmark.report.tables.stale import Stale
from contracts import UserError


def require_recorded(out: Path) -> None:
    """Raise UserError where dvc.lock names the present parameters for a cell that was made with others.

    The records of its runs are removed, so that DVC calls the cell stale and runs it again. A cell whose lock names
    other parameters than the present is stale already and left alone, and so is what is no cell.

    out  folder that the evaluation of the cell goes to
    """
    if (project_root() / GENERATED).resolve() not in out.resolve().parents:
        return
    settings = load()
    for profile in settings.profiles:
        for (data, method), listed in settings.cells(profile).items():
            if (project_root() / listed.folder).resolve() != out.resolve():
                continue
            runs = run_store.find_runs(out)
            stale = Stale(settings, profile).runs(data, method, [run_store.read_record(run) for run in runs])
            if stale and _locked(data, JOIN.join(("run", data, listed.name))):
                for run in runs:
                    (run / run_store.RECORD).unlink()
                trouble = f"made with {stale}, as dvc.lock does: edited while it ran"
                raise UserError(f"{out}: {trouble}; its record is removed, run it again")
            return


def _locked(data: str, stage: str) -> bool:
    """Whether dvc.lock has a stage, with the parameters that the files have now."""
    for file in (ROOT, file_of_data(data)):
        path = (project_root() / file).with_suffix(".lock")
        entry = yaml.load(path.read_bytes(), Reader)["stages"].get(stage) if path.is_file() else None
        if entry is not None:
            return all(_same(file, values) for file, values in entry.get("params", {}).items())
    return False


def _same(file: str, values: dict[str, Any]) -> bool:
    """Whether a parameter file holds these values; the keys are dotted."""
    content = yaml.load((project_root() / file).read_bytes(), Reader)
    for key, value in values.items():
        found = content
        for name in key.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        if found != value:
            return False
    return True
