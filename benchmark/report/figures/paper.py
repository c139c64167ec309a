"""Figures as they go into a paper: as wide as its column, in its font size, as PDF and as PGF in its own font."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, Formatter, NullFormatter

from benchmark.report.figures.style import SUPERSCRIPTS, drawing, rendered
from benchmark.report.tables.latex import escape
from contracts import UserError
from contracts.runtime.files import write_whole

POINT = 1 / 72.27
"""Inches of a TeX point."""
NARROW = 2.2
"""Inches that a panel needs, without its legend."""
PLAIN = str.maketrans({chr(raised): chr(plain) for plain, raised in SUPERSCRIPTS.items() if plain != ord("−")})


@dataclass(frozen=True)
class Paper:
    """Points of the paper's column (``\\\\the\\\\columnwidth`` prints them) and of its type."""

    width: float = 241.0
    size: float = 8.0


def fitted(figure: Figure, paper: Paper) -> Figure:
    """The figure at a paper's width, panels below each other where they would be narrow, without a title of its own."""
    width, panels = paper.width * POINT, figure.axes
    rows = {round(axes.get_position().y0, 2) for axes in panels}
    columns = min(-(-len(panels) // len(rows)), max(1, int(width / NARROW)))
    height = figure.get_size_inches()[1] / len(rows)
    down = -(-len(panels) // columns)
    grid = GridSpec(down, columns, figure=figure)
    for place, axes in enumerate(panels):
        axes.set_subplotspec(grid[divmod(place, columns)])
        if place % columns == 0:  # panels that share an axis left its labels to the first
            axes.tick_params(labelleft=True)
    if figure.get_suptitle():
        figure.suptitle("")
    for legend in figure.legends:
        legend.set_loc("outside lower center")
        legend.set_ncols(max(1, int(width / 1.3)))
    figure.set_size_inches(width, min(9.0, down * min(height, 0.75 * width)))
    for text in figure.findobj(Text):
        text.set_fontsize(paper.size)
    for axes in panels:
        axes.tick_params(labelsize=paper.size)
    return figure


def save(figure: Figure, folder: Path, name: str, paper: Paper) -> list[Path]:
    """Write NAME.pdf and, where LaTeX is installed, NAME.pgf; returns their paths."""
    own = fitted(figure, paper)
    written = [write_whole(folder / f"{name}.pdf", rendered(own, "pdf"))]
    if shutil.which("pdflatex"):
        written.append(write_whole(folder / f"{name}.pgf", pgf(own)))
    return written


def pgf(figure: Figure) -> bytes:
    """The figure for \\input, its text in the paper's own font; changes the figure's text into LaTeX."""
    for text in figure.findobj(Text):
        text.set_text(_tex(text.get_text()))
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            _formatted(axis)
    with drawing(**{"pgf.texsystem": "pdflatex", "pgf.rcfonts": False, "font.family": ["serif"]}):
        try:
            return re.sub(rb"%% Creator:.*\n", b"", rendered(figure, "pgf"))
        except (RuntimeError, OSError) as error:
            raise UserError(f"pgf: LaTeX refuses the figure: {str(error).splitlines()[0]}") from None


def _formatted(axis: Axis) -> None:
    for get, put in ((axis.get_major_formatter, axis.set_major_formatter),
                     (axis.get_minor_formatter, axis.set_minor_formatter)):  # fmt: skip
        before = get()
        if isinstance(before, FixedFormatter):
            put(FixedFormatter([_tex(word) for word in before.seq]))
        elif not isinstance(before, NullFormatter):
            put(_Tex(before))


class _Tex(Formatter):
    """Another formatter's labels as LaTeX."""

    def __init__(self, inner: Formatter) -> None:
        self.inner = inner

    def __call__(self, x: float, pos: int | None = None) -> str:
        """One label."""
        return _tex(self.inner(x, pos))

    def format_ticks(self, values: list[float]) -> list[str]:
        """All labels."""
        return [_tex(word) for word in self.inner.format_ticks(values)]


def _tex(words: str) -> str:
    """Text for LaTeX; lines stay, powers are set as such."""
    raised: Sequence[str] = "".join(chr(code) for code in SUPERSCRIPTS.values())
    lines = [re.sub(f"[{raised}]+", lambda m: f"$^{{{m[0].translate(PLAIN)}}}$", escape(line))
             for line in words.split("\n")]  # fmt: skip
    return "\n".join(lines)
