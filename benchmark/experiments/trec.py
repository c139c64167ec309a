"""Stored runs as TREC run and qrels files, which other evaluation tools read (trec_eval, ir_measures, ranx)."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.experiments import run_store
from benchmark.experiments.evaluate import evaluate
from benchmark.experiments.run import load_ranking_split
from benchmark.protocol.points import Points, points_of
from contracts.ranking import PAD
from contracts.runtime.files import whole_file

RUN, QRELS = "run.trec", "qrels.trec"
NEXT, LATER = 2, 1
"""Relevance grades of a session's next item and of the later ones; held-out items of users have ``LATER``."""
UNKNOWN = "not-in-train"


def export(folder: Path, out: Path) -> dict[str, Any]:
    """Write ``run.trec`` and ``qrels.trec``; returns their paths and numbers of queries and lines.

    A query is an evaluation point, ``session.position``, or a test user. HR and MRR are Success and RR at grade 2,
    P and R_distinct are P and R at grade 1. Scores are list length - rank + 1: evaluation tools order equal scores
    by name, which would undo our ranking. Raises UserError for what is no run.
    """
    record = evaluate(folder)["run"]  # also checks the lists against the prepared data
    split = load_ranking_split(record["data"], record["split"])
    items, _ = run_store.read_ranks(folder)
    ids = document_ids(split.item_ids)
    if isinstance(split, SessionSplit):
        points = points_of(split)
        queries, relevant = _queries(points, 0, len(points)), judgements(points)
    else:
        queries, relevant = _users(split)
    tag = f"{record['method']}-{run_store.parameter_hash(record['params'])}"
    run = (
        f"{query} Q0 {ids[item]} {rank} {items.shape[1] - rank + 1} {tag}"
        for query, row in zip(queries, items, strict=True)
        for rank, item in enumerate(row.tolist(), 1)
        if item != PAD
    )
    qrels = (f"{query} 0 {ids[item] if item >= 0 else UNKNOWN} {grade}" for query, item, grade in relevant)
    listed, judged = _write(out / RUN, run, "the run"), _write(out / QRELS, qrels, "the qrels")
    return {"run": str(out / RUN), "qrels": str(out / QRELS), "queries": len(queries), "listed": listed,
            "judged": judged}  # fmt: skip


def _write(path: Path, lines: Iterable[str], what: str) -> int:
    """Write lines one by one, as there may be more than fit into memory; returns how many."""
    written = 0
    with whole_file(path, what) as stream:
        for line in lines:
            stream.write(f"{line}\n".encode())
            written += 1
    return written


def document_ids(raw: np.ndarray) -> list[str]:
    """Raw item ids, or catalogue positions where one of them has blanks, which end a field."""
    names = [str(value) for value in raw]
    return names if all(name and not any(c.isspace() for c in name) for name in names) else [*map(str, range(len(raw)))]


Judged = tuple[str, int, int]


def judgements(points: Points) -> Iterator[Judged]:
    """(query, item, grade) of every point's distinct remaining items, in the order in which they come next."""
    first = np.flatnonzero(np.diff(points.session, prepend=-1))
    for begin, stop in pairwise([*first.tolist(), len(points)]):
        items = points.test.items[points.target[begin] : points.end[begin]].tolist()
        again, coming = _next_positions(items)
        for here, query in enumerate(_queries(points, begin, stop)):
            for position in coming:
                yield query, items[position], NEXT if position == here else LATER
            coming.pop(0)  # that was here
            if again[here] < len(items):
                insort(coming, again[here])


def _queries(points: Points, start: int, stop: int) -> list[str]:
    rows = slice(start, stop)
    return [f"{s}.{p}" for s, p in zip(points.session[rows].tolist(), points.position[rows].tolist(), strict=True)]


def _next_positions(items: list[int]) -> tuple[list[int], list[int]]:
    """Where the item of every position stands next (behind the last: nowhere); where every item stands first."""
    again, first = [len(items)] * len(items), dict[int, int]()
    for position in range(len(items) - 1, -1, -1):
        again[position] = first.get(items[position], len(items))
        first[items[position]] = position
    return again, sorted(first.values())


def _users(split: TopKSplit) -> tuple[list[str], Iterator[Judged]]:
    queries = [str(user) for user in range(split.heldout.shape[0])]
    rows, columns = split.heldout.nonzero()
    return queries, ((queries[row], int(column), LATER) for row, column in zip(rows, columns, strict=True))
