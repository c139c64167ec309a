"""Stored runs as TREC run and qrels files, which other evaluation tools read (trec_eval, ir_measures, ranx)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmark import store
from benchmark.data.load import SessionSplit, TopKSplit
from benchmark.evaluate import evaluate
from benchmark.points import evaluation_points
from benchmark.run import load_ranking_split
from contracts.files import write_whole
from contracts.ranking import PAD

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
    items, _ = store.read_ranks(folder)
    ids = document_ids(split.item_ids)
    queries, relevant = _sessions(split) if isinstance(split, SessionSplit) else _users(split)
    tag = f"{record['method']}-{store.parameter_hash(record['params'])}"
    run = [
        f"{query} Q0 {ids[item]} {rank} {items.shape[1] - rank + 1} {tag}"
        for query, row in zip(queries, items, strict=True)
        for rank, item in enumerate(row.tolist(), 1)
        if item != PAD
    ]
    qrels = [f"{query} 0 {ids[item] if item >= 0 else UNKNOWN} {grade}" for query, item, grade in relevant]
    write_whole(out / RUN, "\n".join(run) + "\n", "the run")
    write_whole(out / QRELS, "\n".join(qrels) + "\n", "the qrels")
    return {"run": str(out / RUN), "qrels": str(out / QRELS), "queries": len(queries), "listed": len(run),
            "judged": len(qrels)}  # fmt: skip


def document_ids(raw: np.ndarray) -> list[str]:
    """Raw item ids, or catalogue positions where one of them has blanks, which end a field."""
    names = [str(value) for value in raw]
    return names if all(name and not any(c.isspace() for c in name) for name in names) else [*map(str, range(len(raw)))]


Judged = tuple[str, int, int]


def _sessions(split: SessionSplit) -> tuple[list[str], list[Judged]]:
    points = evaluation_points(split.test, split.min_prefix)
    queries = [f"{s}.{p}" for s, p in zip(points.session.tolist(), points.position.tolist(), strict=True)]
    relevant = []
    for i, query in enumerate(queries):
        remaining = points.test.items[points.target[i] : points.end[i]].tolist()
        relevant += [(query, item, NEXT if item == remaining[0] else LATER) for item in dict.fromkeys(remaining)]
    return queries, relevant


def _users(split: TopKSplit) -> tuple[list[str], list[Judged]]:
    queries = [str(user) for user in range(split.heldout.shape[0])]
    rows, columns = split.heldout.nonzero()
    return queries, [(queries[row], int(column), LATER) for row, column in zip(rows, columns, strict=True)]
