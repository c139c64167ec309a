"""Keep measured results: ``python -m benchmark.report PROFILE`` copies tables, figures and compared ablations.

They go to results/reported/. ``results.json`` among them holds every run's record, metrics and intervals; the lists are
not kept. Then ``python -m benchmark.numbers REASON`` records which kept values changed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from benchmark.cli_options import arguments
from benchmark.data.root import project_root
from benchmark.tables import results_dir
from contracts import UserError
from contracts.files import whole_folder

KEPT = ("tables.md", "tables.csv", "tables.tex", "results.json")


def keep(profile: str) -> Path:
    """Copy a profile's tables, figures (PNG) and compared ablations; returns the folder.

    Raises UserError if nothing was run.
    """
    source, target = results_dir(profile) / "tables", project_root() / "results/reported" / profile
    if not source.is_dir():
        raise UserError(
            f"{source}: expected the tables of a finished run, found none; run: make repro PROFILE={profile}"
        )
    target.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(source / name, target / name)
    folders = {"figures": sorted((source.parent / "figures").glob("*.png"))}
    compared = sorted((source.parent / "ablations/compared").glob("*.*"))
    folders |= {"ablations/compared": compared} if compared else {}
    for name, paths in folders.items():
        with whole_folder(target / name) as folder:
            for path in paths:
                shutil.copyfile(path, folder / path.name)
    return target


def main() -> int:
    """Entry point; one argument, the profile."""
    return arguments("report", 1, "the profile", lambda profile: str(keep(profile)))


if __name__ == "__main__":
    sys.exit(main())
