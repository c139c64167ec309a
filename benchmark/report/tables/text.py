"""Numbers and words that every format shares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmark.experiments.headline import ELSEWHERE
from benchmark.report.tables.model import Block, Cell, Results, Row, Table, Verdict

GENERATED_NOTE = "Generated data: nothing in this table is comparable with the paper."
COSTS = ("fit s", "rank s", "peak MB")
COST_NOTE = "Seconds are summed over slices; fit includes compiling on first use. Peak memory is the whole process's."
MARKS = "{best} the best value, {second} the second"
TIES = ", each with all that do not differ from it significantly"
TESTS = "* differs from {against} (paired t-test over {unit}, Holm-corrected over {family} comparisons, p < .05)"
UNITS = {"evaluation points": "sessions", "test users": "users"}


STALE = "‡"
"""Behind the name of a row that params.yaml no longer asks for."""
BROUGHT = "§"
"""Behind the name of a row whose lists another library made."""


def name(row: Row) -> str:
    """The row's label, marked where the row is stale, or its lists are from elsewhere."""
    marks = [STALE] * bool(row.stale) + [BROUGHT] * (row.note == ELSEWHERE)
    return " ".join([row.label, *marks])


def foot(row: Row) -> str:
    """Where the row's parameters and codes come from, or why there is no value; first of all, that it is stale."""
    made = f"; codes of {row.modalities}" if row.modalities else ""
    return f"stale: {row.stale}" if row.stale else (row.parameters_from or row.note) + made


def stale_note(block: Block) -> str:
    """Which rows of a block are stale, and why, and which are of lists from elsewhere; empty where none is."""
    notes = "; ".join(f"{row.label}: {row.stale}" for row in block.rows if row.stale)
    stale = f"{STALE} stale, not what params.yaml asks for now, compared with nothing ({notes})." if notes else ""
    brought = f"{BROUGHT} {ELSEWHERE}, judged here on the same points." \
        if any(row.note == ELSEWHERE for row in block.rows) else ""  # fmt: skip
    return " ".join(filter(None, [stale, brought]))


def number(value: float | None, digits: int = 4, sign: bool = False) -> str:
    """A number as printed everywhere; a dash where there is none."""
    return "–" if value is None else f"{value:{'+' if sign else ''}.{digits}f}"


def counted(count: int, what: str) -> str:
    """``1 seed``, ``3 seeds``."""
    return f"{count:,} {what}" + "s" * (count != 1)


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
    """The columns of ``costs``; none for hyper-parameters, and where no row says what it cost."""
    priced = table.kind != "parameters" and any(row.cost for block in table.blocks for row in block.rows)
    return COSTS if priced else ()


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
        if (cell.expected is not None or cell.verdict == Verdict.TIMED_OUT) and cell.verdict != Verdict.AS_PUBLISHED
    ]


def statistics(table: Table, block: Block, best: str, second: str) -> str:
    """What the marks of a block mean; empty where it has none."""
    if table.kind == "parameters":
        return "No difference to the published values." if not comparisons(table, block) else ""
    cells = [cell for row in block.rows for cell in row.cells]
    families = {cell.test.family for cell in cells if cell.test}
    marked, tested = any(cell.mark for cell in cells), bool(families)
    if not marked and not tested:
        return ""
    against = next((row.label for row in block.rows if row.method == table.against), table.against or "")
    parts = [MARKS + TIES * block.tied] * marked + [TESTS] * tested
    words = "; ".join(parts) + "."
    names = {"against": against, "unit": UNITS.get(block.unit, block.unit), "family": family(families)}
    return words.format(best=best, second=second, **names)


def family(sizes: Iterable[int]) -> str:
    """How many tests were corrected together, as words name it."""
    return " or ".join(map(str, sorted(set(sizes))))
