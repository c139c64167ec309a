"""Numbers and words that every format shares."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.tables.model import Block, Cell, Results, Row, Table, Verdict

GENERATED_NOTE = "Generated data: nothing in this table is comparable with the paper."
COSTS = ("fit s", "rank s", "peak MB")
COST_NOTE = "Seconds are summed over slices; fit includes compiling on first use. Peak memory is the whole process's."
MARKS = "{best} the best value, {second} the second"
TIES = ", each with all that do not differ from it significantly"
TESTS = "* differs from {against} (paired t-test over {unit}, Holm-corrected, p < .05)"
UNITS = {"evaluation points": "sessions", "test users": "users"}


def number(value: float | None, digits: int = 4, sign: bool = False) -> str:
    """A number as printed everywhere; a dash where there is none."""
    return "–" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def value(table: Table, cell: Cell) -> str:
    """Ours; hyper-parameters as they are."""
    return _as_is(cell.ours) if table.kind == "parameters" else number(cell.ours)


def expected(table: Table, cell: Cell) -> str:
    """The published value, as ``value`` prints ours."""
    found = cell.expected.value if cell.expected else None
    return _as_is(found) if table.kind == "parameters" else number(found)


def _as_is(found: float | None) -> str:
    return number(None) if found is None else f"{found:g}"


def spread(cell: Cell) -> str:
    """The standard deviation over seeds, empty for a single run."""
    return f" ± {cell.seeds.sd:.4f}" if cell.seeds else ""


def interval(cell: Cell) -> str:
    """The 95% interval in brackets, empty where there is none."""
    return "" if cell.low is None else f"[{cell.low:.4f}, {cell.high:.4f}]"


def cost_names(table: Table) -> tuple[str, ...]:
    """The columns of ``costs``; hyper-parameters cost nothing."""
    return () if table.kind == "parameters" else COSTS


def costs(table: Table, row: Row) -> list[str]:
    """Seconds of fit, seconds of ranking, peak memory."""
    if row.cost is None:
        return [number(None)] * len(cost_names(table))
    return [number(row.cost.fit_seconds, 2), number(row.cost.recommend_seconds, 2), number(row.cost.peak_mb, 0)]


def shown(results: Results) -> Iterator[tuple[Table, list[Block]]]:
    """The tables that documents show, with their shown blocks."""
    for table in results.tables:
        blocks = [block for block in table.blocks if block.shown]
        if blocks:
            yield table, blocks


def heading(table: Table) -> str:
    """``Table 1. Session-based recommendation``; tables that are not the paper's have a title only."""
    return f"Table {table.id}. {table.title}" if table.id.isdigit() else table.title


def comparisons(table: Table, block: Block) -> list[tuple[Row, Cell]]:
    """Every cell of a block that has a published value or timed out; of hyper-parameters those that differ."""
    return [
        (row, cell)
        for row in block.rows
        for cell in row.cells
        if (cell.expected is not None or cell.verdict == Verdict.TIMED_OUT)
        and not (table.kind == "parameters" and cell.verdict == Verdict.REPRODUCED)
    ]


def statistics(table: Table, block: Block, best: str, second: str) -> str:
    """What the marks of a block mean; empty where it has none."""
    if table.kind == "parameters":
        return "No difference to the published values." if not comparisons(table, block) else ""
    cells = [cell for row in block.rows for cell in row.cells]
    marked, tested = any(cell.mark for cell in cells), any(cell.test for cell in cells)
    if not marked and not tested:
        return ""
    against = next((row.label for row in block.rows if row.method == table.against), table.against or "")
    parts = [MARKS + TIES * tested] * marked + [TESTS] * tested
    words = "; ".join(parts) + "."
    return words.format(best=best, second=second, against=against, unit=UNITS.get(block.unit, block.unit))
