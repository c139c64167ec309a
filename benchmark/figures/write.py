"""``emde figures``: every figure that the results at hand allow."""

from __future__ import annotations

from pathlib import Path

from benchmark import sensitivity
from benchmark.data.load import TopKSplit, load_split
from benchmark.figures import block, density, taste
from benchmark.figures.style import save
from benchmark.tables import text
from benchmark.tables.model import Results
from contracts import UserError
from contracts.progress import track


def write(results: Results, items: str | None, out: Path) -> list[Path]:
    """Figures of every shown table, Figure 4 and the bandwidth where densities were estimated, and of the ablations.

    items  ratings whose items Figure 5 maps (it trains a model), None: no Figure 5
    Returns the PDF and PNG files written; raises UserError where there is nothing to draw.
    """
    split = None if items is None else load_split(items)
    if split is not None and not isinstance(split, TopKSplit):
        raise UserError(f"--items: expected ratings, found {type(split).__name__} ({items})")
    blocks = [(table, chosen) for table, found in text.shown(results) for chosen in found]
    written: list[Path] = []
    for table, chosen in track(blocks, "figures", len(blocks)):
        for drawn in block.figures(results, table, chosen):
            written += save(drawn.figure, out, drawn.name)
    if found := list(results.density.values()):
        written += [*save(density.figure_4(found), out, "figure4"),
                    *save(density.bandwidth_figure(found), out, "bandwidth")]  # fmt: skip
    if results.ablation:
        written += save(sensitivity.forest(results.ablation), out, "ablations")
    if split is not None:
        written += save(taste.figure_5(taste.taste_map(split), split.name), out, "figure5")
    if not written:
        raise UserError(f"{results.profile}: expected results to draw, found none")
    return written
