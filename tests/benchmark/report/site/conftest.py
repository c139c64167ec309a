"""Small made-up results, as the tables leave them."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.report.tables.model import (
    Block,
    Cell,
    Cost,
    Expected,
    PairedTest,
    Results,
    Row,
    Run,
    Slices,
    Table,
    Verdict,
)

NASTY = '<b>"5 & 10"</b> €'
"""An item's name that must come out as text."""


def made_run(method: str, split: str, level: float, points: int, history: bool) -> Run:
    """A run whose metrics at k = 20 are ``level``."""
    metrics = {f"{name}@{k}": level - step for name in ("HR", "MRR") for k, step in ((1, 0.2), (10, 0.1), (20, 0.0))}
    record: dict[str, Any] = {
        "data": "sample-sessions", "split": split, "kind": "session", "method": method, "base": method,
        "params": {"seed": 0, "alpha": 0.8} if method == "emde" else {"pruning": 20}, "params_source": "a test",
        "seed": 0 if method == "emde" else None, "n_points": points, "lists_sha256": "ab" * 32, "device": "cpu",
        "command": f"emde run --data sample-sessions --split {split} --method {method} --set 'a={{\"b\": 1}}'",
        "data_hashes": {"raw": {"events.csv": "cd" * 32}, "columns": {}, "vectors": {}},
        "peak_rss_mb": 100.0, "peak_gpu_mb": None, "packages": {"numpy": "2.4"}, "python": "3.11", "threads": 2,
        "seconds": {"fit": 2.0, "fit_cpu": 1.5, "recommend": 0.5, "recommend_cpu": 0.25},
    }  # fmt: skip
    if history:
        record["history"] = [{"epoch": e, "loss": 5.0 - e} for e in (1.0, 2.0, 3.0)]
    group = {"points": points / 6, "HR@20": level, "MRR@20": level + 0.05 if split == "1" else level - 0.05}
    listed = [{"item": NASTY, "hit": True}, {"item": "other", "hit": False}]
    return Run(
        folder=f"sample-sessions/{method}/{split}-0000",
        record=record,
        again=record["command"],
        metrics=metrics,
        intervals={name: [value - 0.01, value + 0.01] for name, value in metrics.items()},
        ties={"HR@20": [level - 0.01, level + 0.01]},
        breakdown={"position": {"1": group, "2": group}, "popularity": {"Q1": group, "Q5": group}},
        examples=[{"unit": 7, "position": 2, "seen": ["a", "b"], "next": [NASTY], "list": listed}],
    )


def made_row(method: str, label: str, level: float, expected: float | None, verdict: Verdict, ran: bool = True) -> Row:
    """A row of one metric, of two slices where it was run."""
    test = PairedTest(against="emde", difference=-0.1, low=-0.2, high=-0.05, effect=-0.5, units=200, t_p=0.001,
                      wilcoxon_p=0.002, t_holm=0.002, wilcoxon_holm=0.004, family=2)  # fmt: skip
    slices = Slices(values={"0": level - 0.05, "1": level + 0.05}, sd=0.05, low=level - 0.1, high=level + 0.1)
    cell = Cell(
        metric="MRR@20",
        ours=level if ran else None,
        low=level - 0.02 if ran else None,
        high=level + 0.02 if ran else None,
        slices=slices if ran else None,
        expected=None if expected is None else Expected(value=expected, source="a paper", origin="paper"),
        delta=level - expected if ran and expected is not None else None,
        verdict=verdict,
        why="made up" if ran else "",
        test=test if ran and method != "emde" else None,
    )
    cost = Cost(fit_seconds=4.0 if method == "emde" else 0.0, recommend_seconds=1.0, fit_cpu_seconds=3.0,
                recommend_cpu_seconds=0.5, peak_mb=100.0, peak_gpu_mb=None, points=1200)  # fmt: skip
    seed = "0" if method == "emde" else "-"
    runs = [f"sample-sessions/{method}/{split}/{seed}" for split in ("0", "1")] if ran else []
    return Row(method=method, label=label, seeded=ran, cells=[cell], cost=cost if ran else None, runs=runs,
               parameters_from="a test" if ran else "", note="" if ran else "not run")  # fmt: skip


def made_results() -> Results:
    """A table of two data sets, one of them run with two methods on two slices."""
    rows = [
        made_row("emde", "EMDE", 0.35, 0.34, Verdict.REPRODUCED),
        made_row("ar", "AR", 0.25, 0.5, Verdict.DIFFERS),
        made_row("gru4rec", "GRU4Rec", 0.0, 0.3, Verdict.NOT_RUN, ran=False),
    ]
    shared: dict[str, Any] = {"masked": False, "unit": "evaluation points", "splits": ["0", "1"], "title": "A title"}
    ran = Block(data="sample-sessions", label="Sessions", protocol="slices", points=1200, comparable="public",
                shown=True, caption="Two slices", rows=rows, **shared)  # fmt: skip
    missing = made_row("ct", "CT", 0.0, 0.2, Verdict.NOT_RUN, ran=False)
    unrun = Block(data="rsc15", label="RSC15", protocol="published", points=None, comparable="paper", shown=False,
                  caption="Not run", rows=[missing], **shared)  # fmt: skip
    table = Table(id="1", title="Sessions", kind="ranking", source="A paper, Table 1", about="Made up.",
                  metrics=["MRR@20"], against="emde", blocks=[ran, unrun])  # fmt: skip
    runs = {
        key: made_run(row.method, split, level, points, row.method == "emde")
        for row in rows[:2]
        for key, split, level, points in zip(
            row.runs, ("0", "1"), (row.cells[0].slices.values.values() if row.cells[0].slices else ()), (600, 1800),
            strict=True,
        )
    }  # fmt: skip
    return Results(profile="made", title="Made up", verdicts={"reproduced": 1, "differs": 1, "not run": 2},
                   hyper_parameters={"as published": 1}, tables=[table], runs=runs)  # fmt: skip


@pytest.fixture
def results() -> Results:
    """Made-up results."""
    return made_results()
