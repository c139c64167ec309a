"""``make bench``: speed against this machine's own ceilings, every ratio measured side by side in one run.

python -m benchmark.speed [SECTION ...] [--repeats N] [--set NAME=VALUE ...]

The report goes to results/generated/bench/<time>.json and is written anew after every section. Each section is measured
N times (2): the report keeps the best of every measurement and its spread, by which ``benchmark.speed.compare`` judges.
A section that fails is named in the report and ends the command with status 1; the others are measured all the same.
Nothing here decides a test: timings belong in a report.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmark.data.root import project_root
from benchmark.experiments import environment, settings
from benchmark.report.console import grid, line
from benchmark.speed.sections import SECTIONS
from benchmark.speed.values import best, spreads
from contracts import UserError
from contracts.runtime.json import write_json

log = logging.getLogger("emde")


def measure(section: str, repeats: int, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """A section's results: the best of some repeats, the spread of each measurement, and how busy the machine was."""
    load, began = os.getloadavg()[0], time.perf_counter()
    results = [SECTIONS[section].measure(**sizes) for _ in range(repeats)]
    return {
        "results": best(results),
        "spread": spreads(results),
        "repeats": repeats,
        "wall s": round(time.perf_counter() - began, 1),
        "load before": round(load, 2),
        **({"sizes": sizes} if sizes else {}),
    }


def run(sections: Sequence[str], repeats: int, path: Path, sizes: Mapping[str, Any]) -> dict[str, Any]:
    """Measure sections one after the other; the report is at ``path`` from the first one on."""
    report: dict[str, Any] = {
        **environment.describe(), "time": datetime.now(UTC).isoformat(timespec="seconds"), "sections": {}, "failed": {},
    }  # fmt: skip
    for section in sections:
        try:
            report["sections"][section] = measure(section, repeats, sizes)
        except Exception as error:  # hours of other sections are not to be lost
            log.debug("%s", section, exc_info=True)
            report["failed"][section] = f"{type(error).__name__}: {error}"
            line(f"{section}: failed: {report['failed'][section]}")
        else:
            show_section(section, report["sections"][section]["results"])
        write_json(path, report)
    return report


def show_section(name: str, results: Any) -> None:
    """Rows of like things as one table, everything else as a name and a value."""
    if isinstance(results, list):
        columns = list(dict.fromkeys(key for row in results for key in row))
        grid(columns, ([row.get(key, "") for key in columns] for row in results), name)
        return
    plain = {key: value for key, value in results.items() if not isinstance(value, dict | list)}
    if plain:
        grid([name, "value"], plain.items())
    for key, value in results.items():
        if isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict)):
            show_section(f"{name}: {key}", value)


def read_sizes(words: Sequence[str], sections: Sequence[str]) -> dict[str, Any]:
    """NAME=VALUE words as arguments of every section asked for; raises UserError for a name that one does not take."""
    try:
        sizes = {name: yaml.safe_load(value) for name, _, value in (word.partition("=") for word in words)}
    except yaml.YAMLError:
        raise UserError(f"--set: expected NAME=VALUE with a YAML value, found {' '.join(words)}") from None
    for section in sections:
        takes = list(inspect.signature(SECTIONS[section].measure).parameters)
        if unknown := [name for name in sizes if name not in takes]:
            raise UserError(f"--set: expected sizes of {section} ({', '.join(takes) or 'none'}), found {unknown[0]}")
    return sizes


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmark.speed", description="Measure speed; write a report.")
    made.add_argument("sections", nargs="*", metavar="SECTION", help=f"default: all of {', '.join(SECTIONS)}")
    made.add_argument("--repeats", type=int, default=2, metavar="N", help="times each section is measured (2)")
    made.add_argument("--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE",
                      help="other sizes than the section's own, e.g. clicks=40000 or methods=[ease]")  # fmt: skip
    return made


def main(words: Sequence[str] | None = None) -> int:
    """Run, print, and write the report; 1 where a section failed, 2 where there is no such section or size."""
    args = parser().parse_args(words)
    sections = args.sections or list(SECTIONS)
    try:
        if unknown := sorted(set(sections) - set(SECTIONS)):
            raise UserError(f"expected sections of {', '.join(SECTIONS)}, found {', '.join(unknown)}")
        if args.repeats < 1:
            raise UserError(f"--repeats: expected at least one, found {args.repeats}")
        sizes = read_sizes(args.set, sections)
    except UserError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    environment.set_threads(settings.load().threads)
    torch.set_num_threads(settings.load().threads)
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    path = project_root() / "results/generated/bench" / f"{name}.json"
    report = run(sections, args.repeats, path, sizes)
    line(f"report: {path}")
    return 1 if report["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
