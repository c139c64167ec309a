"""Write kept benchmark reports into docs/performance.md: ``python -m benchmark.speed.page [REPORT] [--curves DIR]``.

Between ``<!-- measured: NAME -->`` and ``<!-- end -->`` stands what that section of ``SECTIONS`` makes of its results,
by default of the newest report under results/reported/bench that has it; every table names its report. The text around
is written by hand. Curves go to docs/performance/scaling.png; --curves writes them to a folder (PDF, PNG, CSV).
"""

from __future__ import annotations

import argparse
import csv
import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.data.root import project_root
from benchmark.report.figures import scaling as figures
from benchmark.report.figures.style import rendered as drawn
from benchmark.report.figures.style import save
from benchmark.report.kept import read as read_kept
from benchmark.speed.compare import read
from benchmark.speed.scaling import COLUMNS
from benchmark.speed.sections import SECTIONS
from contracts import UserError
from contracts.runtime.files import write_whole

PAGE, CURVES, KEPT = "docs/performance.md", "docs/performance/scaling.png", "results/reported/bench"
BLOCK = re.compile(r"(<!-- measured: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
Report = Mapping[str, Any]


def kept(root: Path) -> Mapping[str, Report]:
    """Time -> kept report that has sections, the newest first; raises UserError where there is none."""
    every = {r["result"]["time"]: r["result"] for r in read_kept(root / KEPT) if r["kind"] == "bench"}
    reports = {time: every[time] for time in sorted(every, reverse=True) if "sections" in every[time]}
    if not reports:
        raise UserError(f"{root / KEPT}: expected a report of python -m benchmark.speed with sections, found none")
    return reports


def machine(reports: Mapping[str, Report]) -> str:
    """What was measured on what machine, report by report."""
    return "\n".join(
        f"* `{KEPT}`, {name}, code {report['code'][:12]}: {report['machine']['processor']}, "
        f"{report['machine']['cores']} cores, {report['threads']} threads, {report['machine']['system']}, torch "
        f"{report['packages']['torch']}"
        for name, report in reports.items()
    )


def newest(reports: Mapping[str, Report], section: str) -> str | None:
    """The name of the first report that has a section."""
    return next((name for name, report in reports.items() if section in report["sections"]), None)


def block(section: str, reports: Mapping[str, Report]) -> str:
    """What a section's block says: its table and how it was measured, or that no report has it."""
    name = newest(reports, section)
    if name is None:
        reasons = [report.get("failed", {}).get(section) for report in reports.values()]
        reason = next(filter(None, reasons), "it was not asked for")
        return f"Not measured ({reason}): `python -m benchmark.speed {section}`."
    measured = reports[name]["sections"][section]
    how = f"Section `{section}` of {name}: best of {measured['repeats']}, load before {measured['load before']}"
    spread = sorted(measured["spread"].values())
    if spread:
        how += f", median spread of its measurements {spread[len(spread) // 2]:.1%}"
    return f"{SECTIONS[section].page(measured['results'])}\n\n{how}."


def rendered(text: str, reports: Mapping[str, Report]) -> str:
    """The page with every block anew; raises UserError for a block of another name."""
    shown = {newest(reports, section) for section in SECTIONS}

    def fill(match: re.Match[str]) -> str:
        if match[2] != "machine" and match[2] not in SECTIONS:
            raise UserError(f"{PAGE}: expected a block of {', '.join(SECTIONS)} or machine, found {match[2]}")
        of = {name: report for name, report in reports.items() if name in shown}
        return f"{match[1]}{machine(of) if match[2] == 'machine' else block(match[2], reports)}\n{match[3]}"

    return BLOCK.sub(fill, text)


def curve_rows(reports: Mapping[str, Report]) -> Sequence[dict[str, Any]]:
    """The rows of the scaling curves; none where no report has them."""
    name = newest(reports, "scaling")
    return reports[name]["sections"]["scaling"]["results"]["rows"] if name else []


def write(root: Path, reports: Mapping[str, Report]) -> list[Path]:
    """Fill the page of a project; returns the files written."""
    page, rows = root / PAGE, curve_rows(reports)
    written = [write_whole(page, rendered(page.read_text(encoding="utf-8"), reports))]
    return [*written, write_whole(root / CURVES, drawn(figures.curves(rows), "png"))] if rows else written


def write_curves(out: Path, reports: Mapping[str, Report]) -> list[Path]:
    """scaling.csv, one column per cost, and the picture as PDF and PNG."""
    rows = curve_rows(reports)
    if not rows:
        raise UserError("scaling: expected a report with this section, found none")
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    table = write_whole(out / "scaling.csv", stream.getvalue())
    return [table, *save(figures.curves(rows), out, "scaling")]


def main(words: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.speed.page", description="Write docs/performance.md.")
    parser.add_argument("report", nargs="?", type=Path, help="default: all kept ones, the newest of each section")
    parser.add_argument("--curves", type=Path, metavar="DIR", help="write only the scaling curves, to this folder")
    args = parser.parse_args(words)
    root = project_root()
    try:
        reports = kept(root) if args.report is None else {args.report.name: read(args.report)}
        written = write(root, reports) if args.curves is None else write_curves(args.curves, reports)
    except UserError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main())
