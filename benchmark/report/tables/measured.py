"""What was measured, read from the results of a profile or from kept ones.

    cells/<data>/<cell>/evaluation.json   emde evaluate: one entry per split and seed
    cells/<data>/<cell>/units.parquet     per session or user: sums of every metric over its points
    density/<data>.json                   emde density
    profiles/<name>/ablations             emde ablations

Kept results (``results/reported/<name>``, ``benchmark.report.kept``) hold all of it; the values per session or user
run by run (``benchmark.report.units``), or what the paired tests found, or both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmark.experiments import costs
from benchmark.experiments.headline import EVALUATION, UNITS, PerUnit
from benchmark.protocol.significance import Tested
from benchmark.report import kept
from benchmark.report import units as per_unit
from benchmark.report.tables import variants
from contracts import UserError
from contracts.runtime.json import read_json

COMPARED, COMPARED_SCHEMA = "ablations.json", 2
"""What ``emde ablations`` writes, and its version."""
RUNS = "runs"
"""The run store in the folder of a cell."""


@dataclass(frozen=True)
class Made:
    """Where the results of a profile lie, run or not: paths relative to ``root``.

    cells     (data, method) -> folder of the cell
    density   vector set -> file
    ablation  the compared ablations, None where the profile has none
    """

    root: Path = Path()
    cells: Mapping[tuple[str, str], Path] = field(default_factory=dict)
    density: Mapping[str, Path] = field(default_factory=dict)
    ablation: Path | None = None

    @classmethod
    def below(cls, folder: Path) -> Made:
        """All that lies below a folder laid out as results/generated; of two cells of one method the later name's."""
        cells = {}
        for path in sorted(folder.glob(f"cells/*/*/{EVALUATION}")):
            record = read_json(path)[0]["run"]
            cells[record["data"], record["method"]] = path.parent
        density = {path.stem: path for path in sorted(folder.glob("density/*.json"))}
        return cls(cells=cells, density=density)


class Measured:
    """The results of a profile, or those below some folders of kept ones, of which the later counts for a cell.

    current  whether a run (its run.json) has the settings of params/: which of several kept settings of a method
             has the method's name
    failed   (data, method) -> the last line of a cell that failed: it has no results, whatever an earlier run left
    priced   whether results of a profile have the record of their costs beside them (kept ones hold it)
    """

    def __init__(
        self,
        folders: Sequence[Path],
        made: Made | None = None,
        current: Callable[[Mapping[str, Any]], bool] = lambda record: True,
        priced: bool = False,
        failed: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self.failed = failed or {}
        self._folders, self._made, self._current = folders, made or Made(), current
        self._values: dict[Path, PerUnit | None] = {}
        self._read: Callable[[Path], Any] = costs.read if priced else read_json
        for folder in folders:
            if not folder.is_dir():
                raise UserError(f"{folder}: expected a folder of results, found none")

    @cached_property
    def evaluated(self) -> dict[tuple[str, str], list[dict[str, Any]]]:
        """(data, method) -> results of emde evaluate."""
        out: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for folder in self._folders:
            of_kind = [record for record in self._kept(folder) if record["kind"] == "run"]
            out.update(variants.rows(of_kind, self._current))
        here = {cell: self._made.root / folder / EVALUATION for cell, folder in self._made.cells.items()
                if cell not in self.failed}  # fmt: skip
        return out | {cell: self._read(path) for cell, path in here.items() if path.is_file()}

    def place(self, data: str, method: str) -> Path:
        """The run store of a profile's cell, relative to the project; of a kept cell nothing is known of it."""
        folder = self._made.cells.get((data, method))
        return Path() if folder is None else folder / RUNS

    @property
    def cells(self) -> list[tuple[str, str, set[str]]]:
        """(data, method, splits) of everything that was run."""
        return [(*cell, {result["run"]["split"] for result in found}) for cell, found in self.evaluated.items()]

    def methods(self, data: str) -> list[str]:
        """Methods that were run on a data set."""
        return [method for of_data, method in self.evaluated if of_data == data]

    def mixed(self, data: str, method: str) -> bool:
        """Whether there are two runs of a split with the same seed: their values per unit cannot be told apart."""
        of_cell = self.evaluated.get((data, method), [])
        pairs = [(result["run"]["split"], result["run"].get("seed")) for result in of_cell]
        return len(set(pairs)) < len(pairs)

    def runs(self, data: str, method: str, splits: Sequence[str]) -> dict[tuple[str, str], dict[str, Any]]:
        """(split, seed) -> result of emde evaluate, in the order of the splits. The seed is "-" where there is none.

        Raises UserError where two runs of one cell differ in anything but split and seed.
        """
        out: dict[tuple[str, str], dict[str, Any]] = {}
        for result in self.evaluated.get((data, method), []):
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
        folder = self._made.cells.get((data, method))
        if folder is None:
            return self._kept_units(data, method, splits, metrics)
        if not (path := self._made.root / folder / UNITS).is_file():
            return None
        try:
            stored = pq.ParquetFile(path)
            wanted = [name for name in metrics if name in stored.schema_arrow.names]
            table = stored.read(columns=["split", "seed", "unit", "points", *wanted])
        except (OSError, pa.ArrowInvalid) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f"{path}: expected metrics per session or user, found {reason}") from None
        seeds = [
            per_unit.of_seed([per_unit.of_run(table, split, seed, wanted) for split in splits], wanted)
            for seed in table["seed"].unique().to_pylist()
        ]
        if (found := per_unit.over_seeds(seeds)) is None:
            raise UserError(f"{path}: expected the same sessions or users for every seed, found others")
        return found

    def _kept_units(
        self, data: str, method: str, splits: Sequence[str], metrics: Sequence[str]
    ) -> per_unit.Columns | None:
        """``units`` of kept runs, if the values of every split are kept."""
        found, seeds = self.runs(data, method, splits), []
        for seed in dict.fromkeys(seed for _, seed in found):
            runs = [found[split, seed]["run"] for split in splits if (split, seed) in found]
            parts = [part for run in runs if (part := self._kept_run(run)) is not None]
            if len(parts) < len(splits):
                return None
            seeds.append(per_unit.of_seed(parts, metrics))
        return per_unit.over_seeds(seeds)

    def _kept_run(self, run: Mapping[str, Any]) -> PerUnit | None:
        """The values of a kept run, from the last of the folders that holds them; read once."""
        if (place := per_unit.path_of(Path(), run)) not in self._values:
            read = (per_unit.read(folder, run) for folder in reversed(self._folders))
            self._values[place] = next((part for part in read if part is not None), None)
        return self._values[place]

    @cached_property
    def _tests(self) -> dict[str, dict[str, Tested]]:
        """Lists of two rows as ``_pair`` writes them -> column -> the kept test of the first against the second."""
        return {
            _pair(*found["lists"]): {name: Tested(**test) for name, test in found["metrics"].items()}
            for folder in self._folders
            for found in self._kept(folder)
            if found["kind"] == "test"
        }

    def tests(self, runs: Mapping[Any, Any], against: Mapping[Any, Any]) -> dict[str, Tested]:
        """Column -> the kept test of some runs against others (both as ``runs`` gives them); empty where none is."""
        return self._tests.get(_pair(lists_of(runs), lists_of(against)), {})

    @cached_property
    def density(self) -> dict[str, Any]:
        """data -> output of emde density."""
        out: dict[str, Any] = {}
        for folder in self._folders:
            of_kind = [record["result"] for record in self._kept(folder) if record["kind"] == "density"]
            out.update({result["data"]: result for result in of_kind})
        here = {data: self._made.root / path for data, path in self._made.density.items()}
        return out | {data: self._read(path) for data, path in here.items() if path.is_file()}

    @cached_property
    def ablation(self) -> dict[str, Any]:
        """Output of emde ablations; of the last folder that has one."""
        if self._made.ablation is not None and (path := self._made.root / self._made.ablation).is_file():
            return checked(read_json(path), path)
        for folder in reversed(self._folders):
            if of_kind := [record for record in self._kept(folder) if record["kind"] == "ablation"]:
                levels = [level for record in of_kind for level in record["levels"]]
                head = {name: of_kind[0][name] for name in ("profile", "main")}
                return {"schema": COMPARED_SCHEMA, **head, "levels": levels}
        return {}

    def require(self) -> None:
        """Raise UserError for a folder that holds no kept results."""
        for folder in self._folders:
            if not self._kept(folder):
                raise UserError(f"{folder}: expected kept results (*.jsonl, see emde keep), found none")

    def kinds(self) -> dict[str, int]:
        """Kind -> how many kept records there are."""
        return dict(Counter(record["kind"] for folder in self._folders for record in self._kept(folder)))

    def _kept(self, folder: Path) -> list[kept.Record]:
        return self._records[folder]

    @cached_property
    def _records(self) -> dict[Path, list[kept.Record]]:
        return {folder: kept.read(folder) for folder in self._folders}


def lists_of(runs: Mapping[Any, Any]) -> list[str]:
    """The hashes of the lists of a row's runs, in their order."""
    return [result["run"]["lists_sha256"] for result in runs.values()]


def _pair(own: Sequence[str], against: Sequence[str]) -> str:
    return f"{' '.join(own)} / {' '.join(against)}"


def checked(compared: dict[str, Any], where: Path) -> dict[str, Any]:
    """The output of ``emde ablations``; raises UserError where an earlier version wrote it."""
    if (schema := compared.get("schema")) != COMPARED_SCHEMA:
        raise UserError(
            f"{where}: compared ablations: expected schema {COMPARED_SCHEMA}, found {schema}; "
            "make them again: emde ablations"
        )
    return compared
