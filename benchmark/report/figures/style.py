"""One look for all figures: colours that colour-blind readers tell apart, and markers that differ too."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from contracts.files import write_whole

BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442"
)  # fmt: skip
"""Okabe and Ito's palette."""
GREY, INK = "#8a8f98", "#20242c"
MARKERS = "osD^vPX*<>"
SEQUENTIAL = "viridis"
"""From dark blue to yellow; ordered in grey, too."""
STYLE: Any = {
    "font.family": "sans-serif",
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
    **{f"{part}.color": INK for part in ("text", "xtick", "ytick")},
    **{"axes.edgecolor": INK, "axes.labelcolor": INK, "axes.titlecolor": INK, "grid.color": GREY},
}
DPI = 130
LINES = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY, "#5b4a9c", "#7a5c2e")
"""Colours of lines, legible on white and on black; neighbours also differ in marker and dash."""


styled = mpl.rc_context(STYLE)
"""Decorates the functions that draw."""


def panels(rows: int, columns: int, width: float, height: float, **keywords: Any) -> tuple[Figure, Any]:
    """A figure of panels, each width x height inches: (figure, array of axes [rows, columns])."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **keywords)


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


def png(figure: Figure) -> bytes:
    """The figure as a PNG file; the same numbers give the same bytes."""
    return _rendered(figure, "png", {"Software": None})


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write NAME.pdf and NAME.png, whole; returns their paths."""
    pdf = _rendered(figure, "pdf", {"CreationDate": None, "Producer": None, "Creator": None})
    return [write_whole(folder / f"{name}.pdf", pdf), write_whole(folder / f"{name}.png", png(figure))]


def svg(figure: Figure, alt: str) -> str:
    """The figure as inline SVG without background, INK replaced by the page's text colour; deterministic.

    alt describes the picture to those who do not see it; two pictures of one page must differ in it (so do their ids).
    """
    stream = io.StringIO()
    with mpl.rc_context(STYLE | {"svg.hashsalt": alt}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    body = re.search(r"<svg[^>]*>(.*)</svg>", stream.getvalue(), re.DOTALL)
    assert body is not None
    inner = re.sub(r"<metadata>.*?</metadata>", "", body.group(1), flags=re.DOTALL)
    inner = re.sub(r'<g id="[^"]*"', "<g", inner).replace(INK, "currentColor").replace("xlink:href", "href")
    width, height = (round(side * 72, 1) for side in figure.get_size_inches())
    look = f'viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}pt"'
    return f'<svg role="img" aria-label="{escape(alt)}" {look}>{inner}</svg>'


def _rendered(figure: Figure, kind: str, metadata: dict[str, None]) -> bytes:
    stream = io.BytesIO()
    with mpl.rc_context(STYLE):
        figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata)
    return stream.getvalue()
