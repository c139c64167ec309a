"""``emde compare``: two runs, each a stored one or a kept one with its values per session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.experiments.compare import Scored, compared
from benchmark.experiments.evaluate import score
from benchmark.report import kept, units
from contracts import UserError


def compare(first: str, second: str, metric: str | None = None, top: int = 10) -> dict[str, Any]:
    """``benchmark.experiments.compare.compared`` of two runs: folders, or FOLDER:RUN of kept results."""
    return compared(scored(first), scored(second), metric, top)


def scored(text: str) -> Scored:
    """A run's folder, or FOLDER:RUN, where RUN is data/method/split/seed or the first digits of lists_sha256.

    Raises UserError where FOLDER keeps no such run, several, or none of its values per session or user.
    """
    place, _, name = text.rpartition(":")
    if Path(text).exists() or not place or not kept.files(Path(place)):
        return text, *score(Path(text))
    runs = [record for record in kept.read(Path(place)) if record["kind"] == "run"]
    named = [run for run in runs if name in (str(kept.RunName.of(run["run"])), run["run"]["lists_sha256"][: len(name)])]
    lists = dict.fromkeys(run["run"]["lists_sha256"] for run in named)
    if len(lists) != 1 or not name:
        of_data = {str(kept.RunName.of(run["run"])) for run in runs if run["run"]["data"] == name.partition("/")[0]}
        known = ", ".join(run[:12] for run in lists) or ", ".join(sorted(of_data)[:8]) or "data/method/split/seed"
        raise UserError(f"{text}: expected one kept run ({known}), found {len(lists)}")
    values = units.read(Path(place), named[0]["run"])
    if values is None:
        raise UserError(f"{text}: expected values per session or user ({units.FOLDER}/), found none; "
                        "keep the run again: emde keep")  # fmt: skip
    return text, {name: part for name, part in named[0].items() if name not in ("kind", "schema")}, values
