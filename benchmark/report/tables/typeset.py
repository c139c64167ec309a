"""How wide text is in LaTeX's own type, so that a table is laid out to fit before anyone compiles it.

Computer Modern is the widest of the faces in question (Times in IEEEtran, Libertine in acmart).
"""

from __future__ import annotations

from collections.abc import Sequence

COLUMN, PAGE = 229.0, 345.0
"""Points: the narrowest column (article; acmart has 241, IEEEtran 252), and the narrowest page (article)."""
SIZES = ((9, r"\small"), (8, r"\footnotesize"), (7, r"\scriptsize"))
"""Points, at most, in the three classes at their own size; and the command."""
OPTICAL = {9: 1.028, 8: 1.063, 7: 1.139}
"""Small type is wider for its size."""
BOLD = 1.15
GROUPS = (
    ("iljI.,:;'!|·", 0.28), ("frt()[]s", 0.39), ("-", 0.33), (" *†‡", 0.34), ("eczJ/", 0.45), ("0123456789vyx–", 0.53),
    ("mM@%±+=<>−×", 0.84), ("wW", 0.9),
)  # fmt: skip
EMS = {letter: ems for letters, ems in GROUPS for letter in letters}


def width(words: str, size: int, bold: bool = False) -> float:
    """Points that a line of text takes at a size of ``SIZES``; letters that are not known count as wide capitals."""
    ems = sum(EMS.get(letter, 0.56 if letter.islower() else 0.76) for letter in words)
    return ems * size * OPTICAL[size] * (BOLD if bold else 1)


def widest(lines: Sequence[str], size: int, bold: bool = False) -> float:
    """Points of the widest of some lines; 0 of none."""
    return max((width(line, size, bold) for line in lines), default=0.0)
