"""Compare two reports of ``make bench``: what became slower or larger beyond the noise that they measured themselves.

python -m benchmark.speed.compare OLD NEW [--all]

A measurement regressed where it is worse by more than its tolerance: FACTOR times the largest of its spread in either
report (that of two or three repeats says little) and the 90th percentile of its section's spreads. What was
measured once is listed as not judged. Exit status: 0, 1 where something regressed, 2 for reports that cannot be
compared.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.report.console import grid, line
from benchmark.speed.values import better, measurements
from contracts import UserError
from contracts.runtime.json import read_json

FACTOR = 2.0
SAME = ("processor", "cores", "threads")
"""What two reports must agree in: other machines have other measurements."""


@dataclass(frozen=True)
class Change:
    """One measurement in two reports; ``worse`` is how much, relative to the better one (below 0: it improved)."""

    section: str
    name: str
    old: float
    new: float
    worse: float
    tolerance: float | None

    @property
    def verdict(self) -> str:
        """regressed, improved, within the noise, or not judged (measured once)."""
        if self.tolerance is None:
            return "not judged"
        return "regressed" if self.worse > self.tolerance else "improved" if -self.worse > self.tolerance else "noise"


def read(path: Path) -> dict[str, Any]:
    """A report of ``benchmark.speed``; raises UserError for anything else."""
    try:
        report = read_json(path)
    except (OSError, UserError) as error:
        raise UserError(f"{path}: expected a report of python -m benchmark.speed, found {error}") from None
    if not isinstance(report, dict) or not isinstance(report.get("sections"), dict):
        raise UserError(f"{path}: expected a report of python -m benchmark.speed with 'sections', found none")
    return report


def compare(old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    """Every measurement with a better side that both reports hold, the worst change first.

    Raises UserError where the machines or the threads differ, or no section is in both.
    """
    for field in SAME:
        ours, theirs = ({**report.get("machine", {}), **report}.get(field) for report in (old, new))
        if ours != theirs:
            raise UserError(f"{field}: expected two reports of one kind of machine, found {ours!r} and {theirs!r}")
    both = [name for name in old["sections"] if name in new["sections"]]
    if not both:
        held = " and ".join(", ".join(report["sections"]) or "none" for report in (old, new))
        raise UserError(f"sections: expected one that both reports hold, found {held}")
    changes = [change for name in both for change in _section(name, old["sections"][name], new["sections"][name])]
    return sorted(changes, key=lambda change: -change.worse)


def _section(section: str, old: dict[str, Any], new: dict[str, Any]) -> list[Change]:
    before, now = dict(measurements(old["results"])), dict(measurements(new["results"]))
    both = [*old["spread"].values(), *new["spread"].values()]
    typical = float(np.quantile(both, 0.9)) if both else 0.0
    changes = []
    for name in before:
        if not better(name) or name not in now or min(before[name], now[name]) <= 0:
            continue
        own = [part["spread"][name] for part in (old, new) if name in part["spread"]]
        tolerance = FACTOR * max(*own, typical) if len(own) == 2 else None
        ratio = now[name] / before[name]
        worse = ratio - 1 if ratio > 1 else 1 - 1 / ratio
        changes.append(Change(section, name, before[name], now[name], -better(name) * worse, tolerance))
    return changes


def show(changes: Sequence[Change], everything: bool) -> None:
    """A table of what changed (or of everything), and one line of counts."""
    listed = [change for change in changes if everything or change.verdict in ("regressed", "improved")]
    rows = [
        [c.section, c.name, f"{c.old:.4g}", f"{c.new:.4g}", f"{c.worse:+.1%}",
         "–" if c.tolerance is None else f"{c.tolerance:.1%}", c.verdict]
        for c in listed
    ]  # fmt: skip
    if rows:
        grid(["section", "measurement", "old", "new", "worse by", "tolerance", "verdict"], rows)
    counts = {verdict: sum(c.verdict == verdict for c in changes)
              for verdict in ("regressed", "improved", "noise", "not judged")}  # fmt: skip
    line(f"{len(changes)} measurements: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def main(words: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.speed.compare", description=compare.__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--all", action="store_true", help="list every measurement, not only what changed")
    args = parser.parse_args(words)
    try:
        changes = compare(read(args.old), read(args.new))
    except UserError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    show(changes, args.all)
    return 1 if any(change.verdict == "regressed" for change in changes) else 0


if __name__ == "__main__":
    sys.exit(main())
