"""The sections of the benchmark: what each measures, and how the page shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmark.speed import ceilings, density_queries, full_size, parsing, release_run, scaling, sessions, topk

LARGEST = 1e12
"""Sizes that are shown; larger extrapolations say no more than "never"."""


@dataclass(frozen=True)
class Section:
    """measure() gives results, numbers and words in dicts and lists; its arguments are sizes. page() is Markdown."""

    measure: Callable[..., Any]
    page: Callable[[Any], str]


def number(value: Any) -> str:
    """Three digits that count; words as they are."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value).replace("|", "\\|")
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *([number(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rows(*columns: str) -> Callable[[Any], str]:
    """Shows some columns of results that are rows, or hold them as "rows"."""

    def shown(results: Any) -> str:
        own: Sequence[Mapping[str, Any]] = results["rows"] if isinstance(results, dict) else results
        return table(columns, ([row.get(column) for column in columns] for row in own))

    return shown


def pairs(results: Mapping[str, Any]) -> str:
    """Names and values."""
    return table(
        ["measurement", "value"], ((name, value) for name, value in results.items() if not isinstance(value, list))
    )


def parts(results: Mapping[str, Any]) -> str:
    """Names and values of each part."""
    return "\n\n".join(f"{part}:\n\n{pairs(values)}" for part, values in results.items())


def tasks(results: Mapping[str, Any]) -> str:
    """Parsing and splitting."""
    columns = ("task", "rows", "parse rows/s", "parse + split rows/s", "peak MB")
    return rows(*columns)([{"task": task, **row} for task, row in results.items()])


def growth(results: Any) -> str:
    """Exponents of every cost, and where 24 GB or a day end."""
    ends = ("24 GB at", "a day at")
    near = [{name: value for name, value in row.items() if name not in ends or (value or 0) < LARGEST}
            for row in results["limits"]]  # fmt: skip
    slopes = rows("method", "axis", "cost", "exponent", "at the end")(results["slopes"])
    return f"![scaling curves](performance/scaling.png)\n\n{slopes}\n\n{rows('method', 'axis', *ends)(near)}"


SHAPES = rows(
    "data", "events", "items", "modalities", "weights", "step cpu s", "epochs", "training, extrapolated, cpu h",
    "codes, extrapolated, cpu s", "query ms/query", "peak MB", "share generated",
)  # fmt: skip


def shapes(results: Any) -> str:
    """Extrapolated training per data set shape, and the GPU targets with today's command for each."""
    commands = dict(full_size.TARGETS)
    waiting = ((row["target"], row["measured"], f"`{commands.get(row['target'], row['command'])}`")
               for row in results["GPU targets"])  # fmt: skip
    return f"{SHAPES(results)}\n\n{table(['target on a GPU', 'measured', 'command'], waiting)}"


SECTIONS = {
    "ceilings": Section(ceilings.report, pairs),
    "data": Section(parsing.report, tasks),
    "density": Section(density_queries.report, rows("points", "method", "pearson", "queries/s", "bytes")),
    "session-scale": Section(
        sessions.scale, rows("method", "fit s", "points/s", "peak MB", "fit ~ events^", "rank ~ events^")
    ),
    "topk-scale": Section(topk.report, rows("method", "users", "items", "likes", "fit cpu s", "fit / bare (cpu)",
                                            "evaluate s", "evaluate cpu s", "peak MB")),
    "session-methods": Section(
        sessions.beside_session_rec, rows("method", "fit s", "cpu s", "points/s", "session-rec cpu s", "ratio")
    ),
    "emde": Section(release_run.report, parts),
    "neural-baselines": Section(
        sessions.neural, rows("method", "device", "epoch cpu s", "events/s", "x gru4rec", "authors' cpu s")
    ),
    "scaling": Section(scaling.report, growth),
    "full-size": Section(full_size.report, shapes),
}  # fmt: skip
