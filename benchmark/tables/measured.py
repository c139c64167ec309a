"""What was measured, read from the results of a profile or from kept ones.

    <folder>/metrics/<data>--<method>.json      emde evaluate: one entry per split and seed
    <folder>/metrics/<data>--<method>.parquet   per session or user: sums of every metric over its points
    <folder>/density/<data>.json                emde density
    <folder>/ablations/compared/ablations.json  emde ablations

Kept results (``results/reported/<name>``) hold all of it but the Parquet files in their ``results.json``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.significance import contributions
from contracts import UserError

COMPARED, COMPARED_SCHEMA = "ablations/compared/ablations.json", 2
"""What ``emde ablations`` writes below a folder of results, and its version."""


class Measured:
    """The results below some folders; where two hold the same cell, the later folder's counts."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        for folder in folders:
            if not folder.is_dir():
                raise UserError(f"{folder}: expected a folder of results, found none")

    @cached_property
    def _cells(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """(data, method) -> results of emde evaluate."""
        out: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for folder in self._folders:
            found: dict[tuple[str, str], list[dict[str, Any]]] = {}
            for path in sorted((folder / "metrics").glob("*.json")):
                data, _, method = path.stem.partition("--")
                found[data, method] = read_json(path)
            for run in self._kept(folder).get("runs", {}).values():
                record = run["record"]
                found.setdefault((record["data"], record["method"]), []).append({**run, "run": record})
            out.update(found)
        return out

    def methods(self, data: str) -> list[str]:
        """Methods that were run on a data set."""
        return [method for of_data, method in self._cells if of_data == data]

    def runs(self, data: str, method: str, splits: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
        """(split, seed) -> result of emde evaluate, in the order of the splits. The seed is "-" where there is none.

        Raises UserError where two runs of one cell differ in anything but split and seed.
        """
        out: dict[tuple[str, str], dict[str, Any]] = {}
        for result in self._cells.get((data, method), []):
            record = result["run"]
            key = record["split"], "-" if record.get("seed") is None else str(record["seed"])
            if key in out:
                raise UserError(
                    f"{data}--{method}: expected one run of split {key[0]} with seed {key[1]}, "
                    "found two with different parameters"
                )
            out[key] = result
        order = {split: i for i, split in enumerate(splits)}
        return {
            key: out[key] for key in sorted(out, key=lambda key: (key[1], order.get(key[0], -1))) if key[0] in order
        }

    def units(
        self, data: str, method: str, splits: Sequence[str], metrics: Sequence[str]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]] | None:
        """Contributions per session or user, mean over seeds: (keys [units] of (split, unit), metric -> [units]).

        None where no per-unit values are stored. Metrics without a value per unit (coverage) are left out.
        """
        path = next(
            (p for f in reversed(self._folders) if (p := f / f"metrics/{data}--{method}.parquet").is_file()), None
        )
        if path is None:
            return None
        try:
            stored = pq.ParquetFile(path)
            wanted = [name for name in metrics if name in stored.schema_arrow.names]
            table = stored.read(columns=["split", "seed", "unit", "points", *wanted])
        except (OSError, pa.ArrowInvalid) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path}: expected metrics per session or user, found {reason}") from None
        (of_split, names), (of_seed, seeds) = (_coded(table[name]) for name in ("split", "seed"))
        unit, points = (table[name].to_numpy() for name in ("unit", "points"))
        keys: list[np.ndarray] = []
        columns: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
        for seed in range(len(seeds)):
            codes = [names.index(name) if name in names else -1 for name in splits]
            parts = [np.flatnonzero((of_split == code) & (of_seed == seed)) for code in codes]
            rows = np.concatenate(parts)
            split = np.repeat(np.arange(len(splits)), [len(part) for part in parts])
            keys.append(np.stack([split, unit[rows]], axis=1))
            for name in wanted:
                sums = table[name].to_numpy().astype(np.float64)[rows]
                columns[name].append(contributions(sums, points[rows], split))
        if any(not np.array_equal(other, keys[0]) for other in keys[1:]):
            raise UserError(f"{path}: expected the same sessions or users for every seed, found others")
        return keys[0], {name: np.mean(values, axis=0) for name, values in columns.items()}

    @cached_property
    def density(self) -> dict[str, Any]:
        """data -> output of emde density."""
        out: dict[str, Any] = {}
        for folder in self._folders:
            out.update(self._kept(folder).get("density", {}))
            out.update({path.stem: read_json(path) for path in sorted((folder / "density").glob("*.json"))})
        return out

    @cached_property
    def ablation(self) -> dict[str, Any]:
        """Output of emde ablations; of the last folder that has one."""
        for folder in reversed(self._folders):
            path = folder / COMPARED
            if found := read_json(path) if path.is_file() else self._kept(folder).get("ablation"):
                return checked(found, folder)
        return {}

    @staticmethod
    @cache
    def _kept(folder: Path) -> dict[str, Any]:
        """The results.json of kept results; empty for a folder of the pipeline."""
        path = folder / "results.json"
        return read_json(path) if path.is_file() else {}


def _coded(column: pa.ChunkedArray) -> tuple[np.ndarray, list[str]]:
    """(codes int [n], their names) of a column of few different strings."""
    coded = column.combine_chunks().dictionary_encode()
    return coded.indices.to_numpy(), coded.dictionary.to_pylist()


def checked(compared: dict[str, Any], where: Path) -> dict[str, Any]:
    """The output of ``emde ablations``; raises UserError where an earlier version wrote it."""
    if (found := compared.get("schema")) != COMPARED_SCHEMA:
        raise UserError(
            f"{where}: compared ablations: expected schema {COMPARED_SCHEMA}, found {found}; "
            "make them again: emde ablations"
        )
    return compared


def read_json(path: Path) -> Any:
    """A JSON file of the pipeline; raises UserError naming file and line."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: expected JSON, found an error at line {error.lineno}") from None
