"""Tables as they go into a paper: LaTeX with the booktabs package and nothing else.

A table fits one column of article, acmart and IEEEtran, or with ``wide`` their page: the largest type that fits is
taken, and metrics that do not fit beside each other stand below each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

from benchmark.report import published
from benchmark.report.tables import text
from benchmark.report.tables.model import Block, Cell, Expected, Results, Row, Table, Verdict
from benchmark.report.tables.typeset import COLUMN, PAGE, SIZES, widest, width

ESCAPES = {c: "\\" + c for c in "&%$#_{}"} | {
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "±": r"$\pm$", "<": "$<$", ">": "$>$", "|": "$|$",
    "\\": r"\textbackslash{}", "[": "{[}", "]": "{]}", "*": "{*}", text.STALE: r"$^{\ddagger}$", "−": "$-$",
    "×": r"$\times$", text.BROUGHT: r"$^{\S}$",
}  # fmt: skip
HEIGHT = 390
"""Points of a page's height that the lines of a table may take, beside caption and notes (article has 550)."""
GAP, LEAST_GAP = 6.0, 2.0
"""Points on either side of a column: LaTeX's own, and the least."""
INDENT = "   "
"""About a quad."""
LABELS = (0.42, 0.3)
"""Shares of the width that names of rows may take before they are wrapped, the better one first."""
COUNTED = {"evaluation points": "evaluation points", "test users": "test users", "queries": "queries"}
HOW = {published.SLICES: "mean over {n} time slices", "published": "one split", "cold-user": "cold users",
       published.ABLATION: "on a tuning split, mean over seeds", published.DENSITY: "mean over seeds"}  # fmt: skip


@dataclass(frozen=True)
class PageLayout:
    """What a reader of the paper sees of a value.

    digits     after the decimal point
    spread     behind a value: nothing, the standard deviation over seeds, or the 95% interval
    published  the published value: in a column beside ours, in a line below, or not at all
    caption    instead of the table's own; label: instead of ``tab:ID``
    wide       across the page instead of one column
    """

    digits: int = 4
    spread: Literal["none", "sd", "ci"] = "sd"
    published: Literal["beside", "below", "none"] = "beside"
    caption: str = ""
    label: str = ""
    wide: bool = False

    @property
    def room(self) -> float:
        """Points that a table may take."""
        return PAGE if self.wide else COLUMN


@dataclass(frozen=True)
class Line:
    """A line of a table: a row's own values, or the published ones below it."""

    block: Block
    row: Row
    label: str
    below: bool


@dataclass(frozen=True)
class Column:
    """One metric, line by line: ours, what stands behind it, the published value; the last two may be empty."""

    metric: str
    ours: list[tuple[str, str]]
    after: list[str]
    published: list[str]

    def width(self, size: int) -> float:
        """Points it takes, without the space around it."""
        plain = widest([value for value, mark in self.ours if mark != "best"], size)
        own = max(plain, widest([value for value, mark in self.ours if mark == "best"], size, bold=True))
        own = max(own + widest(self.after, size), width("ours", size) if self.published else 0)
        beside = widest([*self.published, "publ."], size) + 2 * LEAST_GAP if self.published else 0
        return max(own + beside, width(self.metric, size))

    @property
    def spec(self) -> str:
        """Of the tabular."""
        return "r" + "@{}l" * bool(self.after) + "r" * bool(self.published)

    @property
    def count(self) -> int:
        """How many columns of the tabular it takes."""
        return 1 + bool(self.after) + bool(self.published)


def escape(words: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(ESCAPES.get(c, c) for c in " ".join(words.split()))


def signed(words: str) -> str:
    """Text in which what stands before a number is a minus, no hyphen."""
    return re.sub(r"(?<![\w.])-(?=[.\d])", "−", words)


def latex(results: Results, layout: PageLayout | None = None) -> str:
    """One table environment per shown table, its data sets below each other; on several pages where it is long."""
    layout = layout or PageLayout()
    rows = [(table, [line for block in blocks for line in _lines(block, layout)]) for table, blocks in
             text.shown(results)]  # fmt: skip
    return "\n".join(page for table, lines in rows if lines for page in _Typeset(table, lines, layout).pages())


def _lines(block: Block, layout: PageLayout) -> list[Line]:
    """The lines of a block: of every row that has anything to print, ours or what was published."""
    out = []
    for row in block.rows:
        ours = any(cell.ours is not None or cell.verdict == Verdict.TIMED_OUT for cell in row.cells)
        theirs = layout.published != "none" and any(cell.expected for cell in row.cells)
        below = theirs and layout.published == "below"
        if ours or (theirs and not below):
            out.append(Line(block, row, text.name(row), False))
        if below:
            out.append(Line(block, row, f"{INDENT}published" if ours else f"{row.label}, published", True))
    return out


class _Typeset:
    """One table, of as many environments as it needs pages; their columns are the same."""

    def __init__(self, table: Table, lines: list[Line], layout: PageLayout) -> None:
        self.table, self.lines, self.layout = table, lines, layout
        self.several = len({id(line.block) for line in lines}) > 1
        self.columns = [self._column(index, metric) for index, metric in enumerate(table.metrics)]
        self.labels = [line.label for line in lines]
        self.size, self.panels, self.wrapped, self.gap = self._fitted()

    def pages(self) -> list[str]:
        """The environments."""
        parts: list[list[int]] = []
        room, before = 0, None
        for index, line in enumerate(self.lines):
            height = self._height(index) * len(self.panels)
            needed = height * (1 + (self.layout.published == "below")) + (line.block is not before) * len(self.panels)
            if needed > room and not line.label.startswith(INDENT):
                parts.append([])
                room = int(HEIGHT / (1.2 * self.size)) - 3 * len(self.panels)
            parts[-1].append(index)
            room -= height + (line.block is not before) * len(self.panels)
            before = line.block
        return [_Page(self, part, number).tex() for number, part in enumerate(parts)]

    def _height(self, index: int) -> int:
        """Lines that a row takes in one panel."""
        return 1 if self.wrapped is None else math.ceil(1.15 * width(self.labels[index], self.size) / self.wrapped)

    def _column(self, index: int, metric: str) -> Column:
        cells = [(line, line.row.cells[index]) for line in self.lines]
        ours, after, theirs = [], [], []
        for line, cell in cells:
            ours.append((self._expected(cell.expected), "") if line.below else self._ours(cell))
            after.append("" if line.below or cell.ours is None else self._after(cell))
            theirs.append(self._expected(cell.expected))
        beside = self.layout.published == "beside" and any(cell.expected for _, cell in cells)
        return Column(metric, ours, after if any(after) else [], theirs if beside else [])

    def _ours(self, cell: Cell) -> tuple[str, str]:
        if cell.ours is None:
            return ("timeout" if cell.verdict == Verdict.TIMED_OUT else "–"), ""
        return self._number(cell.ours), cell.mark

    def _expected(self, expected: Expected | None) -> str:
        return self._number(expected.value) if expected else "–"

    def _number(self, value: float) -> str:
        if self.table.kind == "parameters":
            return signed(f"{value:g}")
        return signed(re.sub(r"^(-?)0\.", r"\1.", f"{value:.{self.layout.digits}f}"))

    def _after(self, cell: Cell) -> str:
        spread = ""
        if self.layout.spread == "sd" and cell.seeds:
            spread = f" ±{self._number(cell.seeds.sd)}"
        if self.layout.spread == "ci" and cell.low is not None and cell.high is not None:
            spread = f" [{self._number(cell.low)}, {self._number(cell.high)}]"
        return spread + "*" * cell.significant

    def _fitted(self) -> tuple[int, list[list[Column]], float | None, float]:
        """(size, metrics that stand beside each other, points of a wrapped first column, space beside columns).

        The fewest panels whose metrics fit beside each other, in the largest type. One metric that fits nowhere is
        set in the smallest.
        """
        for count in range(1, len(self.columns) + 1):
            panels = _parted(self.columns, count)
            for (size, _), share in product(SIZES, LABELS):
                wanted, most = widest([*self.labels, "Method"], size), share * self.layout.room
                gap = min(self._gap(panel, size, min(wanted, most)) for panel in panels)
                if gap >= LEAST_GAP:
                    return size, panels, most if wanted > most else None, min(GAP, gap)
        return SIZES[-1][0], panels, most, LEAST_GAP

    def _gap(self, panel: Sequence[Column], size: int, first: float) -> float:
        """Points that are left on either side of each column, where ``panel`` stands beside the names."""
        spaces = sum(1 + bool(column.published) for column in panel)
        return (self.layout.room - first - sum(column.width(size) for column in panel)) / (2 * spaces)


class _Page:
    """One table environment: some lines of a table."""

    def __init__(self, whole: _Typeset, part: Sequence[int], number: int) -> None:
        self.whole, self.part, self.number = whole, part, number
        self.table, self.layout, self.lines = whole.table, whole.layout, [whole.lines[index] for index in part]
        self.blocks = list({id(line.block): line.block for line in self.lines}.values())

    def tex(self) -> str:
        """The environment."""
        whole = self.whole
        name = "table*" if self.layout.wide else "table"
        own = self.layout.label or f"tab:{self.table.id}"
        tabulars = [self._tabular(panel, whole.wrapped) for panel in whole.panels]
        return "\n".join([
            "% " + " ".join(f"{self.table.id}: {self.table.source}".split()),
            rf"\begin{{{name}}}[tp]",
            r"\centering",
            rf"\caption{{{escape(self.layout.caption) or self._caption()}}}",
            rf"\label{{{own}{f'-{self.number + 1}' if self.number else ''}}}",
            rf"{dict(SIZES)[whole.size]}\setlength{{\tabcolsep}}{{{whole.gap:.1f}pt}}",
            "\n\\par\\medskip\n".join(tabulars),
            *self._foot(),
            rf"\end{{{name}}}",
            "",
        ])  # fmt: skip

    def _tabular(self, panel: Sequence[Column], wrapped: float | None) -> str:
        first = "l" if wrapped is None else f"p{{{wrapped:.0f}pt}}"
        count = 1 + sum(column.count for column in panel)
        lines = [rf"\begin{{tabular}}{{@{{}}{first}{''.join(column.spec for column in panel)}@{{}}}}", r"\toprule"]
        lines += _head(panel)
        before = None
        for index, line in zip(self.part, self.lines, strict=True):
            if line.block is not before:
                lines.append(r"\midrule")
                if self.whole.several:
                    lines.append(self._title(line.block, count))
            before = line.block
            name = _name(self.whole.labels[index], self.whole.size, wrapped)
            lines.append(" & ".join([name, *_cells(panel, index)]) + r" \\")
        return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])

    def _title(self, block: Block, count: int) -> str:
        words = block.label + (f" (n = {block.points:,})" if block.points and block.unit in COUNTED else "")
        kind = (
            "@{}l"
            if width(words, self.whole.size) < 0.6 * self.layout.room
            else f"@{{}}p{{{0.9 * self.layout.room:.0f}pt}}"
        )
        return rf"\multicolumn{{{count}}}{{{kind}}}{{\itshape {_n(escape(words))}}} \\"

    def _caption(self) -> str:
        """What it shows, n, how it was measured, how it was tested; in words of a reader of the paper."""
        hows = dict.fromkeys(
            HOW.get(block.protocol, "" if block.protocol == published.PARAMETERS else f"split {block.protocol}")
            .format(n=len(block.splits)) for block in self.blocks
        )  # fmt: skip
        counted = dict.fromkeys(COUNTED[block.unit] for block in self.blocks if block.unit in COUNTED and block.points)
        what = f"{self.table.title.rstrip('.')}{' (continued)' if self.number else ''}"
        if len(self.blocks) == 1:
            block = self.blocks[0]
            size = [f"n = {block.points:,} {block.unit}"] if counted else []
            parts = [f"{what}, {block.label}{_bracketed([*size, *filter(None, hows)])}."]
        else:
            size = [f"n: {' or '.join(counted)}"] if counted else []
            parts = [f"{what}{_bracketed([*size, '; '.join(filter(None, hows))])}."]
        families = {cell.test.family for line in self.lines for cell in line.row.cells if cell.test}
        if families:
            unit = " or ".join(dict.fromkeys(text.UNITS.get(block.unit, block.unit) for block in self.blocks))
            parts.append(f"Paired t-tests over {unit}, Holm-corrected over {text.family(families)} comparisons.")
        return _n(escape(" ".join(parts)))

    def _foot(self) -> Iterator[str]:
        notes = [escape(note) for note in self._notes()]
        if notes:
            yield r"\par\vspace{2pt}\begin{minipage}{\linewidth}\raggedright\scriptsize"
            yield " ".join(notes).replace("underlined:", r"\underline{underlined}:").replace("Bold:", r"\textbf{Bold}:")
            yield r"\end{minipage}"

    def _notes(self) -> Iterator[str]:
        """What the signs mean, and what a reader must know of some rows."""
        cells = [cell for line in self.lines for cell in line.row.cells]
        if any(cell.mark for cell in cells):
            tied = all(block.tied for block in self.blocks)
            yield text.MARKS.format(best="Bold:", second="underlined:") + text.TIES * tied + "."
        if any(cell.significant for cell in cells):
            names = {row.method: row.label for block in self.blocks for row in block.rows}
            against = self.table.against or ""
            yield f"* differs from {names.get(against, against)} (p < .05)."
        if self.layout.spread == "sd" and any(cell.seeds for cell in cells):
            yield "± standard deviation over seeds."
        if self.layout.spread == "ci" and any(cell.low is not None for cell in cells):
            yield "In brackets: 95% intervals."
        if self.layout.published != "none":
            sources = dict.fromkeys(cell.expected.source for cell in cells if cell.expected)
            if sources and len(sources) <= 3:
                yield f"Published: {'; '.join(sources)}."
            apart = [line.row for line in self.lines if not line.below]
            others = [row.label for row in apart if any(c.verdict == Verdict.OTHER_SETTINGS for c in row.cells)]
            if others:
                yield f"Published with other settings than ours: {', '.join(others)}."
        if any(line.row.stale for line in self.lines):
            yield f"{text.STALE} not measured with the present settings."
        if any(text.BROUGHT in line.label for line in self.lines):
            yield f"{text.BROUGHT} {text.ELSEWHERE}, judged here on the same points."
        if any(block.comparable == "generated" for block in self.blocks):
            yield text.GENERATED_NOTE
        yield from (
            f"{block.label}: {block.approximate.replace('+-', '±')}." for block in self.blocks if block.approximate
        )


def _parted(columns: Sequence[Column], count: int) -> list[list[Column]]:
    """The columns in order, in so many parts of about one length."""
    size = -(-len(columns) // count)
    return [list(columns[start : start + size]) for start in range(0, len(columns), size)]


def _head(panel: Sequence[Column]) -> list[str]:
    """The names of the metrics; ours and published below them where any has both."""
    names = [_spanned(escape(column.metric), column.count) for column in panel]
    if not any(column.published for column in panel):
        return [" & ".join(["Method", *names]) + r" \\"]
    rules, parts, place = [], [], 2
    for column in panel:
        if column.published:
            rules.append(rf"\cmidrule(lr){{{place}-{place + column.count - 1}}}")
        parts += [_spanned("ours", column.count - bool(column.published)), *["publ."] * bool(column.published)]
        place += column.count
    return [" & ".join(["", *names]) + r" \\", "".join(rules), " & ".join(["Method", *parts]) + r" \\"]


def _spanned(words: str, count: int) -> str:
    return rf"\multicolumn{{{count}}}{{c}}{{{words}}}"


def _name(words: str, size: int, wrapped: float | None) -> str:
    """A row's name; where it is wrapped it may break behind punctuation, and hangs."""
    shown = r"\quad " * words.startswith(INDENT) + escape(words)
    if wrapped is None or width(words, size) < wrapped:
        return shown
    return r"\raggedright\hangindent1em " + re.sub(r"(\\_|[=/:,])", r"\1\\allowbreak{}", shown)


def _cells(panel: Sequence[Column], index: int) -> Iterator[str]:
    for column in panel:
        value, mark = column.ours[index]
        shown = escape(value)
        yield {"best": rf"\textbf{{{shown}}}", "second": rf"\underline{{{shown}}}"}.get(mark, shown)
        if column.after:
            spread, star = column.after[index].rstrip("*"), column.after[index].endswith("*")
            yield (rf"\,{{\scriptsize {escape(spread)}}}" if spread else "") + r"$^{*}$" * star
        if column.published:
            yield escape(column.published[index])


def _n(words: str) -> str:
    """LaTeX in which n is a symbol."""
    return re.sub(r"\bn(?= =|:)", "$n$", words)


def _bracketed(parts: Sequence[str]) -> str:
    said = "; ".join(filter(None, parts))
    return f" ({said})" if said else ""
