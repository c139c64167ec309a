"""Tables as Markdown, CSV, LaTeX (booktabs) and one self-contained HTML page."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, select_autoescape

from contracts.files import write_whole

if TYPE_CHECKING:
    from benchmark.tables import Block, Cell, Row, Table

GENERATED_NOTE = "Generated data: nothing in this table is comparable with the paper."
COSTS = ("fit s", "rank s", "peak MB")
COST_NOTE = "Seconds are summed over splits; fit includes compiling on first use. Peak memory is the whole process's."


def number(value: float | None, digits: int = 4, sign: bool = False) -> str:
    """A number as printed everywhere; a dash where there is none."""
    return "–" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def interval(cell: Cell) -> str:
    """The 95% interval in brackets, empty where there is none."""
    return "" if cell.low is None else f"[{cell.low:.4f}, {cell.high:.4f}]"


def costs(row: Row) -> list[str]:
    """Seconds of fit, seconds of ranking, peak memory."""
    return [number(row.fit_seconds, 2), number(row.recommend_seconds, 2), number(row.peak_mb, 0)]


def comparisons(block: Block) -> list[tuple[Row, Cell]]:
    """Every cell of a block that has a published value."""
    return [(row, cell) for row in block.rows for cell in row.cells if cell.published is not None]


def best(block: Block, index: int) -> float | None:
    """The best value of a column."""
    values = [row.cells[index].ours for row in block.rows]
    return max((value for value in values if value is not None), default=None)


def as_dict(table: Table) -> dict[str, Any]:
    """A table as plain data, differences included."""
    out = asdict(table)
    for block, plain in zip(table.blocks, out["blocks"], strict=True):
        for row, plain_row in zip(block.rows, plain["rows"], strict=True):
            for cell, plain_cell in zip(row.cells, plain_row["cells"], strict=True):
                plain_cell["difference"] = cell.difference
    return out


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in escaped]) + "\n"


def markdown(tables: Sequence[Table], title: str) -> str:
    """Everything as Markdown."""
    parts = [f"# {title}\n"]
    for table in tables:
        parts.append(f"## Table {table.number}. {table.title}\n")
        for block in table.blocks:
            parts.append(f"### {block.caption}\n")
            if block.comparable == "generated":
                parts.append(f"**{GENERATED_NOTE}**\n")
            rows = []
            for row in block.rows:
                values = []
                for index, cell in enumerate(row.cells):
                    text = number(cell.ours)
                    values.append(f"**{text}**" if cell.ours is not None and cell.ours == best(block, index) else text)
                rows.append([row.method, *values, *costs(row), row.note])
            parts.append(f"{COST_NOTE}\n")
            parts.append(_grid(["method", *block.metrics, *COSTS, "parameters from"], rows))
            found = comparisons(block)
            if found:
                parts.append(
                    _grid(
                        ["method", "metric", "published", "ours", "95% interval", "difference", "source"],
                        [
                            [
                                row.method,
                                cell.metric,
                                number(cell.published),
                                number(cell.ours),
                                interval(cell),
                                number(cell.difference, sign=True),
                                cell.source,
                            ]
                            for row, cell in found
                        ],
                    )
                )
    return "\n".join(parts)


def comma_separated(tables: Sequence[Table], title: str) -> str:
    """One line per value: table, data, method, metric, ours, low, high, published, difference, source, costs."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["table", "data", "method", "metric", "ours", "low", "high", "published", "difference", "source",
                     "fit_seconds", "recommend_seconds", "peak_mb"])  # fmt: skip
    for table in tables:
        for block in table.blocks:
            for row in block.rows:
                for cell in row.cells:
                    values = [cell.ours, cell.low, cell.high, cell.published, cell.difference, cell.source,
                              row.fit_seconds, row.recommend_seconds, row.peak_mb]  # fmt: skip
                    writer.writerow([table.number, block.data, row.method, cell.metric,
                                     *("" if v is None else v for v in values)])  # fmt: skip
    return stream.getvalue()


TEX_ESCAPES = {c: "\\" + c for c in "&%$#_{}"} | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--"}


def tex_escape(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(TEX_ESCAPES.get(c, c) for c in text.replace("\\", "/"))


def latex(tables: Sequence[Table], title: str) -> str:
    """booktabs tables, the best value of a column in bold; needs only the booktabs package."""
    parts = [f"% {title}"]
    for table in tables:
        for block in table.blocks:
            caption = f"{table.title}: {block.caption}."
            if block.comparable == "generated":
                caption += f" {GENERATED_NOTE}"
            parts += [r"\begin{table}", r"\centering", rf"\caption{{{tex_escape(caption)}}}"]
            parts += [rf"\begin{{tabular}}{{l{'r' * len(block.metrics)}}}", r"\toprule"]
            parts += [" & ".join(["Method", *map(tex_escape, block.metrics)]) + r" \\", r"\midrule"]
            for row in block.rows:
                values = []
                for index, cell in enumerate(row.cells):
                    text = tex_escape(number(cell.ours))
                    top = cell.ours is not None and cell.ours == best(block, index)
                    values.append(rf"\textbf{{{text}}}" if top else text)
                parts.append(" & ".join([tex_escape(row.method), *values]) + r" \\")
            parts += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(parts)


def html(tables: Sequence[Table], title: str) -> str:
    """One self-contained page: no script, nothing loaded from elsewhere."""
    environment = Environment(loader=PackageLoader("benchmark"), autoescape=select_autoescape())
    environment.globals.update(
        number=number, interval=interval, costs=costs, comparisons=comparisons, best=best,
        note=GENERATED_NOTE,
        cost_note=COST_NOTE, cost_names=COSTS,
    )  # fmt: skip
    return environment.get_template("page.html").render(tables=tables, title=title)


FORMATS: dict[str, Callable[[Sequence[Table], str], str]] = {
    "md": markdown,
    "csv": comma_separated,
    "tex": latex,
    "html": html,
}


def write_all(tables: Sequence[Table], title: str, out: Path) -> Path:
    """Write tables.md, tables.csv, tables.tex and index.html; returns the path of the page."""
    names = {"md": "tables.md", "csv": "tables.csv", "tex": "tables.tex", "html": "index.html"}
    for fmt, name in names.items():
        write_whole(out / name, FORMATS[fmt](tables, title), "the tables")
    return out / names["html"]
