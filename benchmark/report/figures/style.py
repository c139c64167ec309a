"""One look for all figures: colours that colour-blind readers tell apart, markers that differ too, and plain text.

Titles, tokens and names come from the data and are drawn as they are: nothing in them is a formula, letters that the
first font lacks are taken from the other installed ones, and one that none has becomes a box.
"""

from __future__ import annotations

import io
import re
import textwrap
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import LogFormatterSciNotation

from contracts.runtime.files import write_whole

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"
)  # fmt: skip
"""Okabe and Ito's palette."""
GREY, INK = "#8a8f98", "#20242c"
MARKERS = "osD^vPX*<>"
SEQUENTIAL = "viridis"
"""From dark blue to yellow; ordered in grey, too."""
FONTS = (
    "DejaVu Sans",
    *("Noto Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans Arabic", "Noto Sans Hebrew"),
    *("Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai", "Noto Sans Symbols2"),
    *("WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAexGothic", "NanumGothic", "Noto Emoji"),
    *("Arial Unicode MS", "PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Geeza Pro", "Kohinoor Devanagari"),
    *("Segoe UI", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI", "Segoe UI Symbol"),
    *("FreeSans", "Unifont", "Symbola"),
)  # fmt: skip
"""Families in the order in which a letter is looked for; those that are not installed are not asked."""
STYLE: Any = {
    "font.family": [name for name in FONTS if name in set(fontManager.get_font_names())],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "axes.formatter.use_mathtext": False,
    "text.parse_math": False,
    "text.usetex": False,
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{"axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "grid.color": GREY},
}
DPI = 130
LETTERS = 10
"""Of a title, per inch."""
DATED = {"pdf": ("CreationDate", "Producer", "Creator"), "png": ("Software",), "svg": ("Date", "Creator")}
"""Kind of file -> what matplotlib would write into it besides the picture, times and versions; left out."""
LINES = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, "#5b4a9c", "#7a5c2e")
"""Colours of lines, legible on white and on black; neighbours also differ in marker and dash."""

SUPERSCRIPTS = str.maketrans("0123456789-\N{MINUS SIGN}", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁻")


@contextmanager
def drawing(**changes: Any) -> Iterator[None]:
    """The style, with changes, for what is drawn inside; a letter that no font has is no reason for a warning."""
    with mpl.rc_context(STYLE | changes), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


styled = drawing()
"""Decorates the functions that draw."""


class Powers(LogFormatterSciNotation):
    """Labels of a logarithmic axis in plain text (2×10³), where matplotlib's are formulas."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The label at x; empty where none is to stand."""
        inner = re.sub(r"\$\\mathdefault\{(.*)\}\$", r"\1", super().__call__(x, pos)).replace(r"\times", "×")
        return re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(SUPERSCRIPTS), inner)


def log_scale(axes: Axes, names: str) -> None:
    """Make the axes of these names ("x", "y", "xy") logarithmic."""
    for name in names:
        axes.set(**{f"{name}scale": "log"})
        axis = getattr(axes, f"{name}axis")
        axis.set_major_formatter(Powers())
        axis.set_minor_formatter(Powers())


def panels(rows: int, columns: int, width: float, height: float, **keywords: Any) -> tuple[Figure, Any]:
    """A figure of panels, each width x height inches: (figure, array of axes [rows, columns])."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **keywords)


def letters(width: float) -> int:
    """How many letters of a title fit into a width in inches."""
    return int(width * LETTERS)


def titled(figure: Figure, title: str) -> Figure:
    """The figure with a title from its left edge, in as many lines as its width asks."""
    width = letters(figure.get_size_inches()[0])
    lines = textwrap.wrap(title, width, break_long_words=False, break_on_hyphens=False)
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=10)
    return figure


def ordered_colours(count: int) -> list[Any]:
    """Colours for ordered lines, dark to light, all legible on white."""
    return [mpl.colormaps[SEQUENTIAL](0.9 * index / max(1, count - 1)) for index in range(count)]


def looks(labels: Sequence[str], first: str | None = None) -> dict[str, dict[str, Any]]:
    """Colour, marker and dash of every label: ``first`` in blue and thicker, where it is among them."""
    order = sorted(labels, key=lambda label: label != first)
    out: dict[str, dict[str, Any]] = {}
    for index, label in enumerate(order):
        dash = "-" if index < len(LINES) else "--"
        out[label] = {"color": LINES[index % len(LINES)], "marker": MARKERS[index % len(MARKERS)], "linestyle": dash}
    return out | ({first: {**out[first], "linewidth": 2.4, "zorder": 3}} if first in out else {})


def bare(axes: Axes) -> Axes:
    """A map: no ticks and no frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def settled(figure: Figure) -> None:
    """Lay the figure out now, and round where its axes stand: the last digits of the layout's solver differ from run to
    run, and reach the ids of an SVG."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        left, bottom, width, height = (round(float(side), 6) for side in axes.get_position(original=True).bounds)
        axes.set_position((left, bottom, width, height))


def rendered(figure: Figure, kind: str) -> bytes:
    """The figure as a file (pdf, png, svg or pgf); the same numbers give the same bytes."""
    stream = io.BytesIO()
    with drawing(**{"svg.hashsalt": "figure"}):
        settled(figure)
        dated: dict[str, Any] = {"metadata": dict.fromkeys(DATED[kind])} if kind in DATED else {}
        figure.savefig(stream, format=kind, dpi=DPI, **dated)
    drawn = stream.getvalue()
    return _any_fonts(drawn.decode()).encode() if kind == "svg" else drawn


def _any_fonts(svg: str) -> str:
    """The same text whichever of FONTS are installed here: who shows the picture finds letters that the first lacks."""
    return re.sub("font-family: [^;]*;", f"font-family: '{FONTS[0]}', sans-serif;", svg)


def save(figure: Figure, folder: Path, name: str, kinds: Sequence[str] = ("pdf", "png")) -> list[Path]:
    """Write NAME.pdf and NAME.png (or other kinds), each whole; returns their paths."""
    return [write_whole(folder / f"{name}.{kind}", rendered(figure, kind)) for kind in kinds]


def svg(figure: Figure, alt: str) -> str:
    """The figure as inline SVG without background, INK replaced by the page's text colour; deterministic.

    alt describes the picture to those who do not see it; two pictures of one page must differ in it (so do their ids).
    """
    stream = io.StringIO()
    with drawing(**{"svg.hashsalt": alt}):
        settled(figure)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = re.search(r"<svg[^>]*>(.*)</svg>", _any_fonts(stream.getvalue()), re.DOTALL)
    assert body is not None
    inner = re.sub(r"<metadata>.*?</metadata>", "", body.group(1), flags=re.DOTALL)
    inner = re.sub(r'<g id="[^"]*"', "<g", inner).replace(INK, "currentColor").replace("xlink:href", "href")
    width, height = (round(side * 72, 1) for side in figure.get_size_inches())
    look = f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}pt"'
    return f'<svg role="img" aria-label="{escape(alt)}" {look}>{inner}</svg>'
