"""``emde figures``: every figure that the results at hand allow, drawn where it is not there already."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from benchmark.data.load import TopKSplit, load_split
from benchmark.report import sensitivity
from benchmark.report.figures import block, density, paper, style, taste
from benchmark.report.tables import text
from benchmark.report.tables.model import Block, Results, Table
from contracts import UserError
from contracts.runtime.json import read_json, to_json, write_json
from contracts.runtime.progress import track
from contracts.runtime.sources import sources_hash

Drawings = Iterator[tuple[str, Figure]]
DRAWN = "drawn.json"
"""Beside the figures: what each group of them was drawn from, and its files."""


def write(
    results: Results, items: str | None, out: Path, wanted: paper.Paper | None = None, only: str | None = None
) -> list[Path]:
    """Figures of every shown table, Figure 4 and the bandwidth where densities were estimated, and of the ablations.

    items   ratings whose items Figure 5 maps (it trains a model), None: no Figure 5
    wanted  the paper that they are for: PDF and PGF in its measures instead of PDF and PNG
    only    the figures of this table, all others stay as they are
    Returns the files; those that lie there, of the same numbers and code, stay. Raises UserError where there is
    nothing to draw, and for a table that is not there.
    """
    split = None if items is None else load_split(items)
    if split is not None and not isinstance(split, TopKSplit):
        raise UserError(f"--items: expected ratings, found {type(split).__name__} ({items})")
    drawn = _Drawn(out, wanted)
    shown = list(text.shown(results))
    if only and only not in (names := [table.id for table, _ in shown]):
        raise UserError(f"--table: {results.profile} has no table {only!r}; expected one of: {', '.join(names)}")
    blocks = [(table, chosen) for table, of_table in shown for chosen in of_table if only in (None, table.id)]
    for table, chosen in track(blocks, "figures", len(blocks)):
        runs = [results.runs[key].model_dump() for row in chosen.rows for key in row.runs if key in results.runs]
        numbers = [table.model_dump(exclude={"blocks"}), chosen.model_dump(), runs]
        drawn.group(f"{table.id} {chosen.label}", numbers, partial(_of_block, results, table, chosen))
    if not only and (densities := list(results.density.values())):
        drawn.group("density", densities, lambda: _of_densities(densities))
    if not only and results.ablation:
        drawn.group("ablations", results.ablation, lambda: iter([("ablations", sensitivity.plot(results.ablation))]))
    if split is not None:
        name, columns = split.name, split.meta["columns"]
        drawn.group("taste", [name, columns], lambda: iter([("figure5", _taste(split))]))
    if not drawn.files:
        raise UserError(f"{results.profile}: expected results to draw, found none")
    drawn.close(all_drawn=not only)
    return drawn.files


def _of_block(results: Results, table: Table, chosen: Block) -> Drawings:
    drawn = [block.cost_figure(table, chosen), *block.figures(results, table, chosen)]
    return ((one.name, one.figure) for one in drawn if one is not None)


def _of_densities(densities: list[dict[str, Any]]) -> Drawings:
    yield "figure4", density.figure_4(densities)
    yield "bandwidth", density.bandwidth_figure(densities)


def _taste(split: TopKSplit) -> Figure:
    return taste.figure_5(taste.kept_taste_map(split), split.name)


class _Drawn:
    """The figures of a folder, and what they were drawn from."""

    def __init__(self, out: Path, wanted: paper.Paper | None) -> None:
        self.out = out
        self.save = style.save if wanted is None else partial(paper.save, paper=wanted)
        self.code = f"{sources_hash(__name__)} matplotlib {version('matplotlib')} {wanted}"
        self.before: dict[str, Any] = read_json(out / DRAWN) if (out / DRAWN).is_file() else {}
        self.now: dict[str, Any] = {}

    @property
    def files(self) -> list[Path]:
        return [self.out / name for group in self.now.values() for name in group["files"]]

    def group(self, name: str, numbers: Any, draw: Callable[[], Drawings]) -> None:
        """Draw a group of figures unless they lie there, of the same numbers and code."""
        key = hashlib.sha256(f"{self.code} {to_json(numbers, sort_keys=True, other=str)}".encode()).hexdigest()
        known = self.before.get(name, {})
        if known.get("key") != key or not all((self.out / file).is_file() for file in known["files"]):
            written = [path.name for stem, figure in draw() for path in self.save(figure, self.out, stem)]
            known = {"key": key, "files": written}
        self.now[name] = known

    def close(self, all_drawn: bool) -> None:
        """Remove what was drawn once and is no longer, unless only a part was drawn."""
        kept = {path.name for path in self.files}
        for group in self.before.values() if all_drawn else ():
            for name in set(group["files"]) - kept:
                (self.out / name).unlink(missing_ok=True)
        write_json(self.out / DRAWN, self.now if all_drawn else self.before | self.now)
