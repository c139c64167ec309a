"""A part of a table: some of its rows, metrics and data sets, in the order in which they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from benchmark.report.tables.declaration import BlockDeclaration, Declaration
from benchmark.report.tables.model import Block, Results, Row, Table
from contracts import UserError

Part = TypeVar("Part")


@dataclass(frozen=True)
class Choice:
    """What is asked for; empty is all.

    table     the id of a declared table
    declared  a declaration of the user's own instead of the suite's
    """

    table: str | None = None
    declared: Path | None = None
    rows: Sequence[str] = ()
    metrics: Sequence[str] = ()
    data: Sequence[str] = ()

    @property
    def parts(self) -> bool:
        """Whether it leaves out anything of a table."""
        return bool(self.rows or self.metrics or self.data)

    def extended(self, declared: Declaration) -> Declaration:
        """The declaration with the rows and metrics that it lacks, so that they are filled as well."""
        if declared.kind != "ranking":
            return declared
        metrics = [*declared.metrics, *(name for name in self.metrics if name not in declared.metrics)]
        blocks = [self._block(declared, block) for block in declared.blocks]
        return declared.model_copy(update={"metrics": metrics, "blocks": blocks})

    def _block(self, declared: Declaration, block: BlockDeclaration) -> BlockDeclaration:
        rows = block.rows or declared.rows
        return block.model_copy(update={"rows": [*rows, *(name for name in self.rows if name not in rows)]})

    def of(self, results: Results) -> Results:
        """The results with what was chosen of their tables; raises UserError for a name that nothing has a value of."""
        if not self.parts:
            return results
        blocks = [block for table in results.tables for block in table.blocks if block.shown]
        _known("--data", self.data, (block.data for block in blocks))
        blocks = [block for block in blocks if not self.data or block.data in self.data]
        filled = [row for block in blocks for row in block.rows if _filled(row)]
        _known("--rows", self.rows, (row.method for row in filled))
        cells = [cell for row in filled for cell in row.cells]
        _known("--metrics", self.metrics, (c.metric for c in cells if c.ours is not None or c.expected))
        tables = [self._table(table) for table in results.tables]
        return results.model_copy(update={"tables": [table for table in tables if table.blocks]})

    def _table(self, table: Table) -> Table:
        metrics = [name for name in self.metrics or table.metrics if name in table.metrics]
        places = [table.metrics.index(name) for name in metrics]
        blocks = [self._rows(block, places) for block in _ordered(table.blocks, self.data, lambda block: block.data)]
        return table.model_copy(update={"metrics": metrics, "blocks": [b for b in blocks if b.rows] if metrics else []})

    def _rows(self, block: Block, places: Sequence[int]) -> Block:
        rows = [row.model_copy(update={"cells": [row.cells[place] for place in places]})
                for row in _ordered(block.rows, self.rows, lambda row: row.method)]  # fmt: skip
        return block.model_copy(update={"rows": rows})


def _ordered(found: Sequence[Part], wanted: Sequence[str], name: Callable[[Part], str]) -> list[Part]:
    """What is wanted by name, in that order; all where nothing is."""
    if not wanted:
        return list(found)
    return [one for asked in wanted for one in found if name(one) == asked]


def _filled(row: Row) -> bool:
    return any(cell.ours is not None or cell.expected for cell in row.cells)


def _known(option: str, wanted: Sequence[str], names: Iterable[str]) -> None:
    known = dict.fromkeys(names)
    if unknown := [name for name in wanted if name not in known]:
        raise UserError(f"{option}: nothing of {', '.join(unknown)} there; expected some of: {', '.join(known)}")
