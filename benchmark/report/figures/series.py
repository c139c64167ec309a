"""What the figures of a block show, read from ``Results``: means over slices and seeds, by the row's label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmark.protocol.metric import Metric
from benchmark.protocol.significance import LEVEL
from benchmark.report.figures.intervals import Effect
from benchmark.report.tables.model import Block, Results, Row, Run

PANELS = (("HR", "Recall"), ("MRR", "NDCG"))
"""Families of metrics of the panels: the first of each that was measured."""
Groups = dict[str, dict[str, float]]
"""Row's label -> group (or k, or slice) -> value."""


def ran(block: Block) -> list[Row]:
    """The rows with stored runs."""
    return [row for row in block.rows if row.runs]


def runs_of(results: Results, row: Row) -> list[Run]:
    """The runs of a row, in the order of seeds and slices."""
    return [results.runs[key] for key in row.runs]


def metrics_of(run: Run, masked: bool) -> Mapping[str, float]:
    """Metrics of a run's lists; of those without disliked items where ``masked``."""
    return (run.masked or {}).get("metrics", {}) if masked else run.metrics


def main_metric(block: Block) -> str | None:
    """The metric that figures of one metric show: the first of the second family, of the longest lists tabled."""
    tabled = [Metric.parse(cell.metric) for row in ran(block) for cell in row.cells if cell.ours is not None]
    wanted = (*PANELS[1], *PANELS[0])
    of_family = [metric for metric in tabled if metric.name in wanted and metric.k and not metric.form]
    best = max(of_family, key=lambda metric: (-wanted.index(metric.name), metric.k), default=None)
    return None if best is None else str(best)


def at_k(results: Results, block: Block) -> dict[str, dict[str, dict[int, float]]]:
    """Metric family -> label -> k -> mean; families of ``PANELS`` with at least three k."""
    out: dict[str, dict[str, dict[int, float]]] = {}
    for alternatives in PANELS:
        for family in alternatives:
            lines = {row.label: _family(results, block, row, family) for row in ran(block)}
            if any(len(line) >= 3 for line in lines.values()):
                out[family] = lines
                break
    return out


def _family(results: Results, block: Block, row: Row, family: str) -> dict[int, float]:
    columns: dict[int, list[float]] = {}
    for run in runs_of(results, row):
        for label, value in metrics_of(run, block.masked).items():
            metric = Metric.parse(label)
            if metric.k and not metric.form and metric.name == family:
                columns.setdefault(metric.k, []).append(value)
    return {k: float(np.mean(values)) for k, values in sorted(columns.items())}


def grouped(results: Results, block: Block, what: str, metric: str) -> Groups:
    """Label -> group -> mean over the points of all slices and seeds; what: "position", "popularity", ..."""
    out: Groups = {}
    for row in ran(block):
        parts = [run.breakdown[what] for run in runs_of(results, row) if run.breakdown and what in run.breakdown]
        names = list(dict.fromkeys(name for part in parts for name in part))
        groups = {name: [part[name] for part in parts if name in part] for name in names}
        if groups:
            out[row.label] = {
                name: float(np.average([g[metric] for g in values], weights=[g["points"] for g in values]))
                for name, values in groups.items()
            }
    return out


def slices(block: Block, metric: str) -> Groups:
    """Label -> split -> mean over seeds."""
    cells = [(row.label, cell) for row in ran(block) for cell in row.cells if cell.metric == metric]
    return {label: cell.slices.values for label, cell in cells if cell.slices is not None}


def histories(results: Results, block: Block) -> dict[str, list[Sequence[Mapping[str, float]]]]:
    """Label -> the learning curve of every run that has one."""
    histories = {row.label: [r.record.get("history") or [] for r in runs_of(results, row)] for row in ran(block)}
    return {
        label: kept for label, curves in histories.items() if (kept := [curve for curve in curves if len(curve) > 1])
    }


def differences(block: Block, metric: str) -> list[Effect]:
    """Every row minus the reference row, paired; the largest first."""
    tests = [(row.label, cell.test) for row in block.rows for cell in row.cells if cell.metric == metric]
    effects = [Effect(label, t.difference, t.low, t.high, t.t_holm < LEVEL) for label, t in tests if t is not None]
    return sorted(effects, key=lambda effect: -effect.mean)
