"""What the page of a cell shows: one method on one data set, all its slices and seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.protocol.metric import Metric
from benchmark.report.figures.curves import learning_curves
from benchmark.report.figures.style import svg
from benchmark.report.kept import RunName
from benchmark.report.tables.model import Block, Results, Row, Run, Table
from contracts.runtime.json import to_json

ENVIRONMENT = ("device", "threads", "python", "packages", "machine", "code", "sources")


@dataclass(frozen=True)
class TablePlace:
    """A row of a table, with the table and block it stands in."""

    table: Table
    block: Block
    row: Row

    @property
    def ran(self) -> bool:
        """Whether anything of it was measured; hyper-parameters are not."""
        return self.table.kind != "parameters" and any(cell.ours is not None for cell in self.row.cells)


@dataclass(frozen=True)
class CellPage:
    """The runs of a method on a data set, their keys in ``Results.runs``, and the rows of tables that they fill."""

    data: str
    method: str
    label: str
    runs: list[Run]
    keys: list[str]
    places: list[TablePlace]

    @property
    def splits(self) -> list[str]:
        """The slices, in order."""
        return list(dict.fromkeys(run.record["split"] for run in self.runs))

    def per_slice(self, masked: bool = False) -> dict[str, list[float | None]]:
        """Metric -> its mean over seeds for every slice and, last, the mean over slices; longest lists first."""
        tables = [((run.masked or {}).get("metrics", {}) if masked else run.metrics) for run in self.runs]
        out: dict[str, list[float | None]] = {}
        names = dict.fromkeys(name for table in tables for name in table)
        for name in sorted(names, key=lambda name: Metric.parse(name).k, reverse=True):
            column = [
                _mean([t[name] for t, run in zip(tables, self.runs, strict=True)
                       if run.record["split"] == split and name in t])
                for split in self.splits
            ]  # fmt: skip
            out[name] = [*column, _mean([value for value in column if value is not None])]
        return out

    def groups(self) -> dict[str, dict[str, dict[str, float]]]:
        """Position / popularity / next item -> group -> points, HR@20, MRR@20: means weighted by points."""
        parts = [run.breakdown for run in self.runs if run.breakdown]
        out: dict[str, dict[str, dict[str, float]]] = {}
        for what in dict.fromkeys(what for part in parts for what in part):
            for name in dict.fromkeys(name for part in parts for name in part.get(what, {})):
                groups = [part[what][name] for part in parts if name in part.get(what, {})]
                weights = [group["points"] for group in groups]
                out.setdefault(what, {})[name] = {
                    key: float(np.mean(weights) if key == "points" else
                               np.average([group[key] for group in groups], weights=weights)) for key in groups[0]
                }  # fmt: skip
        return out

    def learning(self) -> str:
        """The learning curves as inline SVG, empty for what has none."""
        curves = [run.record["history"] for run in self.runs if len(run.record.get("history") or []) > 1]
        if not curves:
            return ""
        return svg(learning_curves({self.data: curves}, ""), f"Learning curves of {self.label} on {self.data}")

    def environments(self) -> list[tuple[list[str], dict[str, Any]]]:
        """Every environment that its runs had, with the runs' names: one, unless some were made elsewhere."""
        spread: dict[str, tuple[list[str], dict[str, Any]]] = {}
        for run in self.runs:
            kept = {name: run.record[name] for name in ENVIRONMENT if name in run.record}
            spread.setdefault(to_json(kept, sort_keys=True), ([], kept))[0].append(name_of(run))
        return list(spread.values())

    def parameters(self, described: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Name, value, default and description of every parameter; the seed is the runs' own."""
        texts = {entry["name"]: entry for entry in described}
        nothing = {"default": None, "description": ""}
        return [
            {**nothing, **texts.get(name, {}), "name": name, "value": value}
            for name, value in self.runs[0].record["params"].items()
            if name != "seed"
        ]


def name_of(run: Run) -> str:
    """``split 0, seed 1``"""
    seed = run.record.get("seed")
    return f"split {run.record['split']}" + ("" if seed is None else f", seed {seed}")


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def places(results: Results) -> Iterator[TablePlace]:
    """Every row of every table."""
    for table in results.tables:
        for block in table.blocks:
            for row in block.rows:
                yield TablePlace(table, block, row)


def cells(results: Results) -> list[CellPage]:
    """Every method on every data set that was run, in the order of the tables."""
    runs: dict[tuple[str, str], list[Run]] = {}
    keys: dict[tuple[str, str], list[str]] = {}
    for key, run in results.runs.items():
        cell = RunName.parse(key)[:2]
        runs.setdefault(cell, []).append(run)
        keys.setdefault(cell, []).append(key)
    of_key = {key: cell for cell, of_cell in keys.items() for key in of_cell}
    rows: dict[tuple[str, str], list[TablePlace]] = {}
    for place in places(results):
        if place.row.runs:
            rows.setdefault(of_key[place.row.runs[0]], []).append(place)
    return [CellPage(data, method, rows[data, method][0].row.label, of_cell, keys[data, method],
                 rows[data, method])
            for (data, method), of_cell in runs.items()]  # fmt: skip
