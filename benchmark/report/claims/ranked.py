"""Findings about rows: tested over sessions or users, against a published value, or in what they cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from benchmark.data import registry
from benchmark.protocol.metric import of_lists
from benchmark.protocol.significance import Tested, paired
from benchmark.report import published
from benchmark.report.claims.declaration import Paired, Place, Priced, Printed, Selected
from benchmark.report.claims.finding import Finding, Judgement
from benchmark.report.claims.kept_rows import Evidence, KeptRow, split_names
from contracts.runtime.json import to_json

UNVERIFIED = "unverified"
OWN = "emde"
"""The method whose cost is that of its own settings only."""


def command(data: str, wanted: Selected, splits: list[str]) -> str:
    """The command line that makes a row."""
    words = ["emde", "run", "--data", data, "--method", wanted.method]
    words += ["--split", "all" if len(splits) > 1 else splits[0]]
    for name, value in wanted.settings.items():
        words += ["--set", f"{name}={to_json(value, compact=True)}"]
    return shlex.join(words)


def printed(paper: Printed | None, dataset: str, metric: str) -> tuple[float, float] | None:
    """The paper's values of both rows; None where one of them is not printed."""
    if paper is None or not dataset:
        return None
    known = published.paper_tables()
    pair = [known.get((paper.table, dataset, method, metric)) for method in (paper.first, paper.second)]
    return None if pair[0] is None or pair[1] is None else (pair[0], pair[1])


def compared(claim: str, part: Paired, kept: Evidence) -> Iterator[Finding]:
    """A finding for every data set and metric of paired rows."""
    for data, place in part.data.items():
        splits = split_names(data, place.split)
        rows = [kept.row(data, wanted, splits) for wanted in (part.first, part.second)]
        for metric in part.metrics:
            bare = Finding(claim, "paired", data, metric, part.first.label, part.second.label, margin=part.margin,
                           paper=printed(part.paper, place.paper, metric))  # fmt: skip
            yield _compared(bare, part, place, rows, splits, kept)


def _compared(
    bare: Finding, part: Paired, place: Place, rows: list[KeptRow | None], splits: list[str], kept: Evidence
) -> Finding:
    own, other = rows
    if place.published and own is not None and other is None:
        return _against_published(bare, own, place, of_lists(bare.metric, part.first.masked))
    wanted = (part.first, part.second)
    missing = [command(bare.data, w, splits) for w, row in zip(wanted, rows, strict=True) if row is None]
    if own is None or other is None:
        return replace(bare, verdict=Judgement.NOT_RUN, commands=tuple(missing))
    columns = [of_lists(bare.metric, w.masked) for w in wanted]
    filled = replace(
        bare, first_value=own.value(columns[0]), second_value=other.value(columns[1]),
        spread=_larger(own.spread(columns[0]), other.spread(columns[1])),
        seeds=max(len(own.all_seeds), len(other.all_seeds)), whole=own.whole and other.whole,
        commands=(own.commands[0], other.commands[0]), lists=(own.lists, other.lists),
    )  # fmt: skip
    test = _tested(own, other, columns) or (kept.test(own, other, columns[0]) if columns[0] == columns[1] else None)
    if test is None:
        why = "kept without values per session or user: run both again and keep them"
        return replace(filled, verdict=Judgement.NOT_RUN, why=why)
    return replace(filled, difference=test.difference, low=test.low, high=test.high,
                   p=None if part.margin else test.t_p)  # fmt: skip


def _tested(own: KeptRow, other: KeptRow, metrics: list[str]) -> Tested | None:
    ours, theirs = own.column(metrics[0]), other.column(metrics[1])
    if ours is None or theirs is None or not np.array_equal(ours[0], theirs[0]):
        return None
    return paired(ours[1], theirs[1])


def _larger(one: float | None, other: float | None) -> float | None:
    return max((spread for spread in (one, other) if spread is not None), default=None)


def _against_published(bare: Finding, own: KeptRow, place: Place, metric: str) -> Finding:
    """Our row's own interval against the value published for the same split."""
    filled = replace(bare, evidence="published", second=f"{place.published}, published", whole=own.whole,
                     commands=(own.commands[0],), lists=(own.lists,), seeds=len(own.all_seeds))  # fmt: skip
    known = [value for value in published.lookup(bare.data, own.splits[0], place.published.lower(), bare.metric)
             if value.origin == "srgnn"]  # fmt: skip
    if not known:
        return replace(filled, verdict=Judgement.NOT_TESTABLE, why=f"{place.published} has no published {bare.metric}")
    theirs, (low, high), ours = known[0].value, own.interval(metric), own.value(metric)
    assert ours is not None
    filled = replace(filled, first_value=ours, second_value=theirs, difference=ours - theirs, low=low - theirs,
                     high=high - theirs, spread=own.spread(metric))  # fmt: skip
    if UNVERIFIED in known[0].source:
        return replace(filled, verdict=Judgement.NOT_TESTABLE, why="published value not verified: shown, not judged")
    return filled


def priced(claim: str, part: Priced, kept: Evidence) -> Iterator[Finding]:
    """Processor seconds of the fit per train session: log of the ratio, with no interval."""
    for data, place in part.data.items():
        splits = split_names(data, place.split)
        bare = Finding(claim, "cost", data, "fit, processor s per 1,000 train sessions", part.first.label,
                       part.second.label)  # fmt: skip
        costs = [_cost(kept, data, wanted, splits) for wanted in (part.first, part.second)]
        missing = [command(data, w, splits) for w, cost in zip((part.first, part.second), costs, strict=True)
                   if cost is None]  # fmt: skip
        own, other = costs
        if own is None or other is None:
            yield replace(bare, verdict=Judgement.NOT_RUN, commands=tuple(missing))
            continue
        holds, whole = own[0] > other[0], own[1] and other[1]
        sides = (Judgement.HOLDS, Judgement.FAILS) if whole else (Judgement.INDICATED, Judgement.COUNTER)
        yield replace(bare, first_value=own[0], second_value=other[0], difference=own[0] - other[0], whole=whole,
                      verdict=sides[not holds], why=f"{own[0] / other[0]:.2g} times the cost, one run each",
                      commands=(own[2], other[2]))  # fmt: skip


def _cost(kept: Evidence, data: str, wanted: Selected, splits: list[str]) -> tuple[float, bool, str] | None:
    """(seconds per 1,000 sessions, fitted on all of train, command): of the row, or else of the run that saw most."""
    whole = registry.get(data).expected.get(splits[0], {}).get("train.sessions")
    row = kept.row(data, wanted, splits)
    runs = list(row.runs.values()) if row else kept.fitted(data, wanted.method, splits)
    timed = [(run.record.get("sessions") or whole, run) for run in runs if run.record.get("seconds", {}).get("fit_cpu")]
    known = [(int(sessions), run) for sessions, run in timed if sessions]
    if not known or (wanted.method == OWN and row is None):
        return None
    most = max(sessions for sessions, _ in known)
    of_most = [run for sessions, run in known if sessions == most]
    seconds = float(np.mean([run.record["seconds"]["fit_cpu"] for run in of_most]))
    return 1000 * seconds / most, most == whole, of_most[0].command
