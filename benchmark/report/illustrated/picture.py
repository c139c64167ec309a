"""What every module of this folder returns."""

from __future__ import annotations

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """One section of the page.

    name  file name without suffix; alt describes the picture to those who do not see it
    text  paragraphs of plain text; numbers in it come from the computation that drew the picture
    """

    name: str
    title: str
    text: tuple[str, ...]
    alt: str
    figure: Figure
