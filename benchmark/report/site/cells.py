"""What the page of a cell shows: one method on one data set, all its slices and seeds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.figures.curves import learning_curves
from benchmark.figures.series import AT
from benchmark.figures.style import svg
from benchmark.tables.model import Block, Results, Row, Run, Table

ENVIRONMENT = ("device", "threads", "python", "packages", "machine", "code")


@dataclass(frozen=True)
class Place:
    """A row of a table, with the table and block it stands in."""

    table: Table
    block: Block
    row: Row


@dataclass(frozen=True)
class Cell:
    """The runs of a method on a data set, and the rows of tables that they fill."""

    data: str
    method: str
    label: str
    runs: list[Run]
    places: list[Place]

    @property
    def splits(self) -> list[str]:
        """The slices, in order."""
        return list(dict.fromkeys(run.record["split"] for run in self.runs))

    def per_slice(self, masked: bool = False) -> dict[str, list[float | None]]:
        """Metric -> its mean over seeds for every slice and, last, the mean over slices; longest lists first."""
        tables = [((run.masked or {}).get("metrics", {}) if masked else run.metrics) for run in self.runs]
        out: dict[str, list[float | None]] = {}
        names = dict.fromkeys(name for table in tables for name in table)
        for name in sorted(names, key=_length_of_list, reverse=True):
            column = [
                _mean([t[name] for t, run in zip(tables, self.runs, strict=True)
                       if run.record["split"] == split and name in t])
                for split in self.splits
            ]  # fmt: skip
            out[name] = [*column, _mean([value for value in column if value is not None])]
        return out

    def groups(self) -> dict[str, dict[str, dict[str, float]]]:
        """Position / popularity -> group -> points, HR@20, MRR@20: means over all runs, weighted by points."""
        parts = [run.breakdown for run in self.runs if run.breakdown]
        out: dict[str, dict[str, dict[str, float]]] = {}
        for what in dict.fromkeys(what for part in parts for what in part):
            for name in dict.fromkeys(name for part in parts for name in part[what]):
                found = [part[what][name] for part in parts if name in part[what]]
                weights = [group["points"] for group in found]
                out.setdefault(what, {})[name] = {
                    key: float(np.mean(weights) if key == "points" else
                               np.average([group[key] for group in found], weights=weights)) for key in found[0]
                }  # fmt: skip
        return out

    def learning(self) -> str:
        """The learning curves as inline SVG, empty for what has none."""
        curves = [run.record["history"] for run in self.runs if len(run.record.get("history") or []) > 1]
        if not curves:
            return ""
        title = f"{self.label} on {self.data}"
        return svg(learning_curves({self.label: curves}, title), f"Learning curves of {title}")

    def environments(self) -> list[tuple[list[str], dict[str, Any]]]:
        """Every environment that its runs had, with the runs' names: one, unless some were made elsewhere."""
        found: dict[str, tuple[list[str], dict[str, Any]]] = {}
        for run in self.runs:
            kept = {name: run.record[name] for name in ENVIRONMENT if name in run.record}
            found.setdefault(json.dumps(kept, sort_keys=True), ([], kept))[0].append(name_of(run))
        return list(found.values())

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


def _length_of_list(metric: str) -> int:
    at = AT.fullmatch(metric)
    return int(at[2]) if at else 0


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


def places(results: Results) -> Iterator[Place]:
    """Every row of every table."""
    for table in results.tables:
        for block in table.blocks:
            for row in block.rows:
                yield Place(table, block, row)


def cells(results: Results) -> list[Cell]:
    """Every method on every data set that was run, in the order of the tables."""
    runs: dict[tuple[str, str], list[Run]] = {}
    keys: dict[tuple[str, str], set[str]] = {}
    for key, run in results.runs.items():
        cell = run.record["data"], run.record["method"]
        runs.setdefault(cell, []).append(run)
        keys.setdefault(cell, set()).add(key)
    of_key = {key: cell for cell, found in keys.items() for key in found}
    rows: dict[tuple[str, str], list[Place]] = {}
    for place in places(results):
        if place.row.runs:
            rows.setdefault(of_key[place.row.runs[0]], []).append(place)
    return [Cell(data, method, rows[data, method][0].row.label, found, rows[data, method])
            for (data, method), found in runs.items()]  # fmt: skip
