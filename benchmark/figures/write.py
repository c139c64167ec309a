"""``emde figures``: every figure that the results at hand allow."""

from __future__ import annotations

import json
from pathlib import Path

from benchmark.data.load import TopKSplit, load_split
from benchmark.figures import density, taste
from benchmark.figures.style import save
from contracts import UserError


def write(results: Path, items: str | None, out: Path) -> list[Path]:
    """Figure 4 and the bandwidth from ``results/*.json`` (of ``emde density``), Figure 5 from the ratings ``items``.

    Returns the PDF and PNG files written; raises UserError where there is nothing to draw.
    """
    split = None if items is None else load_split(items)
    if split is not None and not isinstance(split, TopKSplit):
        raise UserError(f"--items: expected ratings, found {type(split).__name__} ({items})")
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(results.glob("*.json"))]
    written = [*save(density.figure_4(found), out, "figure4"), *save(density.bandwidth_figure(found), out, "bandwidth")]
    if split is not None:
        written += save(taste.figure_5(taste.taste_map(split), split.name), out, "figure5")
    return written
