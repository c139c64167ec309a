"""Tables as Markdown, CSV, JSON and one self-contained HTML page; LaTeX has a module of its own."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from benchmark.report.tables import text
from benchmark.report.tables.latex import PageLayout, latex
from benchmark.report.tables.model import Block, Cell, Results, Row, Table
from contracts.runtime.files import write_whole
from contracts.runtime.json import to_json


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def escape(words: str) -> str:
    """Text as Markdown prints it, in tables too: nothing in it is markup, HTML or a formula."""
    return re.sub(r"([\\`*_{}\[\]<>|&$#~])", r"\\\1", " ".join(words.split()))


def markdown(results: Results) -> str:
    """Ours first, with costs; then every published value beside ours with its verdict."""
    parts = [f"# {escape(results.title)}\n"]
    for table, blocks in text.shown(results):
        parts.append(f"## {escape(text.heading(table))}\n\n{escape(f'{table.source}. {table.about}')}\n")
        for block in blocks:
            parts.append(f"### {escape(block.label)}\n\n{escape(block.caption)}\n")
            if block.comparable == "generated":
                parts.append(f"*{text.GENERATED_NOTE}*\n")
            parts.append(
                grid(
                    ["method", *map(escape, table.metrics), *text.cost_names(table), "parameters from"],
                    [_line(table, r) for r in block.rows],
                )
            )
            notes = (
                text.statistics(table, block, "Bold:", "italic:"),
                text.stale_note(block),
                text.COST_NOTE if text.cost_names(table) else "",
            )
            parts.append(escape(" ".join(filter(None, notes))) + "\n")
            against = text.comparisons(table, block)
            if against:
                head = ["method", "metric", "published", "ours", "95% interval", "difference", "verdict", "source"]
                parts.append(grid(head, [_compared(table, row, cell) for row, cell in against]))
    return "\n".join(parts)


def _line(table: Table, row: Row) -> list[str]:
    emphasis = {"best": "**", "second": "*", "": ""}
    values = []
    for cell in row.cells:
        mark = emphasis[cell.mark]
        values.append(f"{mark}{text.value(table, cell)}{mark}{text.spread(cell)}" + (r"\*" if cell.significant else ""))
    return [escape(text.name(row)), *values, *text.costs(table, row), escape(text.foot(row))]


def _compared(table: Table, row: Row, cell: Cell) -> list[str]:
    expected = cell.expected
    return [
        escape(text.name(row)),
        escape(cell.metric),
        text.expected(table, cell),
        text.value(table, cell) + text.spread(cell),
        text.interval(cell),
        text.number(cell.delta, sign=True),
        escape(f"{cell.verdict.value} ({cell.why})" if cell.why else cell.verdict.value),
        escape(expected.source) if expected else "",
    ]


def comma_separated(results: Results) -> str:
    """One line per cell of every declared table, shown or not."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["table", "data", "masked", "method", "metric", "ours", "low", "high", "seeds", "sd_seeds", "sd_slices",
         "published", "difference", "verdict", "why", "source", "mark", "against", "against_difference",
         "t_holm", "wilcoxon_holm", "effect", "fit_seconds", "recommend_seconds", "peak_mb", "stale"]
    )  # fmt: skip
    for table in results.tables:
        for block in table.blocks:
            for row in block.rows:
                for cell in row.cells:
                    values = [table.id, block.data, int(block.masked), row.method, cell.metric, *_fields(row, cell)]
                    writer.writerow(["" if value is None else value for value in values])
    return stream.getvalue()


def _fields(row: Row, cell: Cell) -> list[object]:
    seeds, slices, expected, test, cost = cell.seeds, cell.slices, cell.expected, cell.test, row.cost
    return [
        cell.ours, cell.low, cell.high,
        len(seeds.values) if seeds else None, seeds.sd if seeds else None, slices.sd if slices else None,
        expected.value if expected else None, cell.delta, cell.verdict.value, cell.why,
        expected.source if expected else "", cell.mark,
        *((test.against, test.difference, test.t_holm, test.wilcoxon_holm, test.effect) if test else [None] * 5),
        *((cost.fit_seconds, cost.recommend_seconds, cost.peak_mb) if cost else [None] * 3), row.stale,
    ]  # fmt: skip


def as_json(results: Results) -> str:
    """Everything, as ``schema.json`` describes it."""
    return to_json(results.model_dump(mode="json"), "results.json", compact=True) + "\n"


def html(results: Results) -> str:
    """One self-contained page: no script, nothing loaded from elsewhere."""
    environment = Environment(loader=PackageLoader("benchmark.report"), autoescape=select_autoescape())
    environment.globals.update(text=text, statistics=_statistics)
    return environment.get_template("page.html").render(results=results)


def _statistics(table: Table, block: Block) -> str:
    return text.statistics(table, block, "Bold:", "underlined:")


FORMATS: dict[str, Callable[[Results], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "tex": latex,
    "html": html,
    "json": as_json,
}
FILES = {"md": "tables.md", "csv": "tables.csv", "tex": "tables.tex", "html": "index.html", "json": "results.json"}


def rendered(results: Results, fmt: str, layout: PageLayout | None = None) -> str:
    """The tables in one format; a layout is of LaTeX only."""
    return latex(results, layout) if fmt == "tex" else FORMATS[fmt](results)


def write_all(results: Results, out: Path, layout: PageLayout | None = None) -> Path:
    """Write every format; returns the path of the page."""
    for fmt, name in FILES.items():
        write_whole(out / name, rendered(results, fmt, layout), "the tables")
    return out / FILES["html"]
