"""Write the figures of kept benchmark reports into docs/performance.md: ``python -m benchmark.bench_page [REPORT]``.

Between ``<!-- figures: NAME -->`` and ``<!-- end -->`` stands what ``BLOCKS[NAME]`` makes of that section, by default
of the newest report under results/reported/bench that has it; every table names its report. The text around is written
by hand. Curves go to docs/performance/scaling.png.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark.bench_compare import read
from benchmark.data.root import project_root
from contracts import UserError
from contracts.files import write_whole

PAGE, CURVES, KEPT = "docs/performance.md", "docs/performance/scaling.png", "results/reported/bench"
BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
LARGEST = 1e12
"""Sizes that are shown; larger extrapolations say no more than "never"."""
Report = Mapping[str, Any]


def kept(root: Path) -> Mapping[str, Report]:
    """Name -> kept report that has sections, the newest first; raises UserError where there is none."""
    found: dict[str, Report] = {}
    for path in sorted((root / KEPT).glob("2*.json"), reverse=True):
        with contextlib.suppress(UserError):  # kept before reports had sections
            found[path.name] = read(path)
    if not found:
        raise UserError(f"{root / KEPT}: expected a report of python -m benchmark.bench with sections, found none")
    return found


def number(value: Any) -> str:
    """Three digits that count; words as they are."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("|", "\\|")
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *([number(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rows_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Some columns of a report's rows."""
    return table(columns, ([row.get(column) for column in columns] for row in rows))


def pairs(results: Mapping[str, Any]) -> str:
    """Names and values."""
    return table(["figure", "value"], ((name, value) for name, value in results.items() if not isinstance(value, list)))


def emde(results: Any) -> str:
    """Training, evaluation and decoding of the release's run."""
    return "\n\n".join(f"{part}:\n\n{pairs(found)}" for part, found in results.items())


def data(results: Any) -> str:
    """Parsing and splitting."""
    columns = ("task", "rows", "parse rows/s", "parse + split rows/s", "peak MB")
    return rows_table([{"task": task, **row} for task, row in results.items()], columns)


def scaling(results: Any) -> str:
    """Exponents of every cost, and where 24 GB or a day end."""
    slopes = rows_table(results["slopes"], ("method", "axis", "cost", "exponent", "at the end"))
    ends = ("24 GB at", "a day at")
    near = ({name: value for name, value in row.items() if name not in ends or (value or 0) < LARGEST}
            for row in results["limits"])  # fmt: skip
    limits = rows_table(list(near), ("method", "axis", *ends))
    return f"![scaling curves](performance/scaling.png)\n\n{slopes}\n\n{limits}"


def full_size(results: Any) -> str:
    """Extrapolated training per data set shape, and the GPU targets."""
    columns = (
        "data", "events", "items", "modalities", "weights", "step cpu s", "epochs", "training, extrapolated, cpu h",
        "codes, extrapolated, cpu s", "query ms/query", "peak MB", "share generated",
    )  # fmt: skip
    waiting = ((row["target"], row["measured"], f"`{row['command']}`") for row in results["GPU targets"])
    targets = table(["target on a GPU", "measured", "command"], waiting)
    return f"{rows_table(results['rows'], columns)}\n\n{targets}"


BLOCKS: dict[str, Callable[[Any], str]] = {
    "ceilings": pairs,
    "data": data,
    "emde": emde,
    "session-methods": lambda rows: rows_table(
        rows, ("method", "fit s", "cpu s", "points/s", "session-rec cpu s", "ratio")
    ),
    "session-scale": lambda found: rows_table(
        found["rows"], ("method", "fit s", "points/s", "peak MB", "fit ~ events^", "rank ~ events^")
    ),
    "topk-scale": lambda found: rows_table(
        found["rows"],
        (
            "method",
            "users",
            "items",
            "likes",
            "fit cpu s",
            "fit / bare (cpu)",
            "evaluate s",
            "evaluate cpu s",
            "peak MB",
        ),
    ),
    "density": lambda found: rows_table(found["rows"], ("points", "method", "pearson", "queries/s", "bytes")),
    "neural-rivals": lambda rows: rows_table(
        rows, ("method", "device", "epoch cpu s", "events/s", "x gru4rec", "authors' cpu s")
    ),
    "scaling": scaling,
    "full-size": full_size,
}
"""One block per section of the report."""


def machine(reports: Mapping[str, Report]) -> str:
    """What the figures were measured on, report by report."""
    return "\n".join(
        f"* `{KEPT}/{name}`, {report['time'][:10]}, code {report['code'][:12]}: {report['machine']['processor']}, "
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
        return f"Not measured ({reason}): `python -m benchmark.bench {section}`."
    found = reports[name]["sections"][section]
    how = f"Section `{section}` of `{name}`: best of {found['repeats']}, load before {found['load before']}"
    spread = sorted(found["spread"].values())
    if spread:
        how += f", median spread of its figures {spread[len(spread) // 2]:.1%}"
    return f"{BLOCKS[section](found['results'])}\n\n{how}."


def rendered(text: str, reports: Mapping[str, Report]) -> str:
    """The page with every block anew; raises UserError for a block of another name."""
    shown = {newest(reports, section) for section in BLOCKS}

    def fill(match: re.Match[str]) -> str:
        if match[2] != "machine" and match[2] not in BLOCKS:
            raise UserError(f"{PAGE}: expected a block of {', '.join(BLOCKS)} or machine, found {match[2]}")
        of = {name: report for name, report in reports.items() if name in shown}
        return f"{match[1]}{machine(of) if match[2] == 'machine' else block(match[2], reports)}\n{match[3]}"

    return BLOCK.sub(fill, text)


def write(root: Path, path: Path | None = None) -> list[Path]:
    """Fill the page of a project from one report (default: from all that are kept); returns the files written."""
    reports = kept(root) if path is None else {path.name: read(path)}
    page = root / PAGE
    written = [write_whole(page, rendered(page.read_text(encoding="utf-8"), reports))]
    if name := newest(reports, "scaling"):
        from benchmark.figures.scaling import curves
        from benchmark.figures.style import png

        rows = reports[name]["sections"]["scaling"]["results"]["rows"]
        written.append(write_whole(root / CURVES, png(curves(rows))))
    return written


def main(words: Sequence[str]) -> int:
    """Entry point; one argument, a report, or none."""
    try:
        written = write(project_root(), Path(words[0]) if words else None)
    except UserError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
