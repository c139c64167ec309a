"""The pages of the claims: one of all, filtered by verdict, and one each, with its rows, commands and picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from benchmark.report.claims.figure import picture, title
from benchmark.report.claims.finding import Finding, Judgement
from benchmark.report.claims.judge import Judged, Page
from benchmark.report.figures.style import svg
from benchmark.report.site import links
from benchmark.report.site.cells import CellPage

SYMBOLS = {
    Judgement.HOLDS: "✓",
    Judgement.FAILS: "✗",
    Judgement.UNDECIDED: "≈",
    Judgement.INDICATED: "↗",
    Judgement.COUNTER: "↘",
    Judgement.NOT_RUN: "–",
    Judgement.NOT_TESTABLE: "○",
}
"""Beside every colour, as ``links.SYMBOLS``."""
Topics = list[tuple[str, list[Judged]]]


def topics(page: Page) -> Topics:
    """The claims, those of one topic together."""
    return [(topic, list(of_topic)) for topic, of_topic in groupby(page.claims, key=lambda judged: judged.claim.topic)]


def drawn(judged: Judged) -> str:
    """The picture as inline SVG; empty where nothing was measured."""
    figure = picture(judged)
    return svg(figure, title(judged)) if figure is not None else ""


def run_pages(cells: Iterable[CellPage]) -> dict[str, str]:
    """lists_sha256 of a run -> the page that shows it, for runs that this site has."""
    return {run.record["lists_sha256"]: links.run(cell.data, cell.method) for cell in cells for run in cell.runs}


def sides(found: Finding, pages: dict[str, str]) -> list[tuple[str, float | None, str, str]]:
    """(row, value, page of its runs or "", command or "") of both sides of a finding."""
    lists: Sequence[Sequence[str]] = found.lists or ((), ())
    commands = found.commands if len(found.commands) == 2 else (*found.commands, "", "")
    values = (found.first_value, found.second_value)
    out = []
    for place, name in enumerate((found.first, found.second)):
        own = lists[place] if place < len(lists) else ()
        out.append((name, values[place], next((pages[n] for n in own if n in pages), ""), commands[place]))
    return out
