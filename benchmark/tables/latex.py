"""Tables as they go into a paper: LaTeX with the booktabs package and nothing else."""

from __future__ import annotations

from benchmark.tables import text
from benchmark.tables.model import Block, Cell, Results, Row, Table, Verdict

ESCAPES = {c: "\\" + c for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "±": r"$\pm$", "<": "$<$", ">": "$>$", "|": "$|$",
    "\\": r"\textbackslash{}",
}  # fmt: skip
SIZES = ((9, r"\scriptsize\setlength{\tabcolsep}{2pt}"), (7, r"\footnotesize\setlength{\tabcolsep}{4pt}"))
"""Type of tables with more columns than that."""
PAGE = 50
"""Lines of a table that fit on a page."""


def escape(words: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(ESCAPES.get(c, c) for c in words)


def latex(results: Results) -> str:
    """One table environment per shown table, its data sets below each other; on several pages where it is long."""
    return "\n".join(_table(table, page, i) for table, blocks in text.shown(results)
                     for i, page in enumerate(_pages([b for b in blocks if any(map(_printable, b.rows))])))  # fmt: skip


def _pages(blocks: list[Block]) -> list[list[Block]]:
    """The blocks in order, as many together as fit on a page."""
    pages: list[list[Block]] = []
    room = 0
    for block in blocks:
        lines = sum(map(_printable, block.rows)) + 2
        if lines > room:
            pages.append([])
            room = PAGE
        pages[-1].append(block)
        room -= lines
    return pages


def _table(table: Table, blocks: list[Block], page: int) -> str:
    columns = len(table.metrics) + 1
    size = next((size for least, size in SIZES if columns > least), r"\small\setlength{\tabcolsep}{4pt}")
    lines = [
        rf"% {table.id}: {table.source}",
        r"\begin{table}[tp]",
        r"\centering",
        rf"\caption{{{_caption(table, blocks)}}}",
        rf"\label{{tab:{table.id}{f'-{page + 1}' if page else ''}}}",
        size,
        rf"\begin{{tabular}}{{l{'c' * len(table.metrics)}}}",
        r"\toprule",
        " & ".join(["Method", *map(escape, table.metrics)]) + r" \\",
    ]
    for block in blocks:
        lines += [r"\midrule", rf"\multicolumn{{{columns}}}{{c}}{{\textbf{{{escape(block.label)}}}}} \\", r"\midrule"]
        lines += [" & ".join([escape(row.label), *(_value(table, cell) for cell in row.cells)]) + r" \\"
                  for row in block.rows if _printable(row)]  # fmt: skip
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _printable(row: Row) -> bool:
    """Whether there is anything to print: ours, or what was published."""
    return any(cell.ours is not None or cell.expected is not None for cell in row.cells)


def _value(table: Table, cell: Cell) -> str:
    if cell.ours is None and cell.verdict == Verdict.TIMED_OUT:
        return "timeout"
    if cell.ours is None:
        return f"{text.expected(table, cell)}$^{{\\dagger}}$" if cell.expected else "--"
    value = text.value(table, cell)
    value = {"best": rf"\textbf{{{value}}}", "second": rf"\underline{{{value}}}", "": value}[cell.mark]
    spread = rf"{{\scriptsize\,$\pm${cell.seeds.sd:.4f}}}" if cell.seeds else ""
    return f"{value}{spread}{'$^{*}$' if cell.significant else ''}"


def _caption(table: Table, blocks: list[Block]) -> str:
    sizes = "; ".join(f"{block.label}: {block.caption}" for block in blocks)
    parts = [f"{table.title}. {sizes}."]
    notes = dict.fromkeys(text.statistics(table, block, "Bold:", "underlined:") for block in blocks)
    parts += [note for note in notes if note]
    cells = [cell for block in blocks for row in block.rows for cell in row.cells]
    if any(cell.seeds for cell in cells):
        parts.append("± is the standard deviation over seeds.")
    caption = escape(" ".join(parts))
    if any(cell.ours is None and cell.expected for cell in cells):
        caption += r" $^{\dagger}$ published, not run here."
    if any(block.comparable == "generated" for block in blocks):
        caption += f" {escape(text.GENERATED_NOTE)}"
    return caption
