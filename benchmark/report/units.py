"""Values per session or user beside kept runs, by which any two kept runs of one split can be compared later.

    results/reported/<name>/units/<data>--<method>--<lists>.parquet      one row per session (user): unit, points and
                                                                       the float32 sum over its points of every metric

<lists> are the first digits of the run's lists_sha256: what the values follow from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmark.experiments.headline import EVALUATION, UNITS, PerUnit
from benchmark.protocol.metric import Metric
from benchmark.protocol.significance import contributions
from benchmark.report import kept
from contracts import UserError
from contracts.runtime.files import write_whole
from contracts.runtime.json import read_json

FOLDER = "units"
DIGITS = 12
METRICS: dict[str, Sequence[str]] = {
    "session": ["HR@20", "MRR@20", "P@20", "R@20", "MAP@20"],
    "topk": [str(Metric(name, k, "", m)) for m in (False, True) for name in ("Recall", "NDCG") for k in (1, 5, 10, 20)],
}
"""What is kept per unit; every other metric is the run's own only."""
Units = dict[str, PerUnit]
"""lists_sha256 of a run -> its values."""
Columns = tuple[np.ndarray, dict[str, np.ndarray]]
"""(keys [units, 2] of split and unit, metric -> contributions [units])"""


def path_of(folder: Path, run: Mapping[str, Any]) -> Path:
    """Where the values of a run (its run.json) lie in a folder of kept results."""
    return folder / FOLDER / f"{run['data']}--{run['method']}--{run['lists_sha256'][:DIGITS]}.parquet"


def read(folder: Path, run: Mapping[str, Any]) -> PerUnit | None:
    """The values of a kept run; None where none are kept. Raises UserError for a file of anything else."""
    path = path_of(folder, run)
    if not path.is_file():
        return None
    try:
        return _per_unit(pq.read_table(path), METRICS[run["kind"]])
    except (OSError, KeyError, pa.ArrowInvalid) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: expected values per session or user of a kept run, found {reason}") from None


def of_seed(parts: Sequence[PerUnit], metrics: Iterable[str]) -> Columns:
    """The values of one seed's runs, a run per split in their order; metrics that one of them lacks are left out."""
    split = np.repeat(np.arange(len(parts)), [len(part.unit) for part in parts])
    points = np.concatenate([part.points for part in parts])
    keys = np.stack([split, np.concatenate([part.unit for part in parts])], axis=1)
    return keys, {
        name: contributions(np.concatenate([part.sums[name] for part in parts]), points, split)
        for name in metrics
        if all(name in part.sums for part in parts)
    }


def over_seeds(seeds: Sequence[Columns]) -> Columns | None:
    """Mean over seeds; None where there are none or they are of other sessions or users."""
    if not seeds or any(not np.array_equal(keys, seeds[0][0]) for keys, _ in seeds[1:]):
        return None
    names = [name for name in seeds[0][1] if all(name in values for _, values in seeds)]
    return seeds[0][0], {name: np.mean([values[name] for _, values in seeds], axis=0) for name in names}


def write(folder: Path, records: Iterable[kept.Record], values: Units) -> None:
    """Write the values of kept runs as far as they are given; files of runs that are no longer kept go."""
    runs = [record["run"] for record in records if record["kind"] == "run"]
    for run in runs:
        if (per_unit := values.get(run["lists_sha256"])) is not None:
            write_whole(path_of(folder, run), _file(per_unit, METRICS[run["kind"]]), "the values per session or user")
    wanted = {path_of(folder, run) for run in runs}
    for path in (folder / FOLDER).glob("*.parquet"):
        if path not in wanted:
            path.unlink()


def _file(found: PerUnit, metrics: Sequence[str]) -> bytes:
    columns = {"unit": found.unit.astype(np.int32), "points": found.points.astype(np.int32)}
    sums = {name: found.sums[name].astype(np.float32) for name in metrics if name in found.sums}
    stream = pa.BufferOutputStream()
    pq.write_table(
        pa.table(columns | sums), stream, compression="zstd", compression_level=19, use_dictionary=list(sums),
        column_encoding=dict.fromkeys(columns, "DELTA_BINARY_PACKED"), write_statistics=False,
    )  # fmt: skip
    return bytes(stream.getvalue().to_pybytes())


def of_cell(folder: Path) -> Units:
    """The values that ``emde evaluate`` left in the folder of a cell; none where there are none.

    Two runs of one split and seed cannot be told apart there, and have none.
    """
    if not (folder / UNITS).is_file():
        return {}
    table = pq.read_table(folder / UNITS)
    runs = [result["run"] for result in read_json(folder / EVALUATION)]
    places = [(run["split"], "-" if run.get("seed") is None else str(run["seed"])) for run in runs]
    out: Units = {}
    for run, (split, seed) in zip(runs, places, strict=True):
        values = of_run(table, split, seed, METRICS[run["kind"]])
        if places.count((split, seed)) == 1 and len(values.unit):
            out[run["lists_sha256"]] = values
    return out


def of_run(table: pa.Table, split: str, seed: str, metrics: Sequence[str]) -> PerUnit:
    """The values of one split and seed in the table of a cell; a method without seeds has "-"."""
    return _per_unit(table.filter((pc.field("split") == split) & (pc.field("seed") == seed)), metrics)


def _per_unit(table: pa.Table, metrics: Sequence[str]) -> PerUnit:
    unit, points = (table[name].to_numpy().astype(np.int64) for name in ("unit", "points"))
    names = [name for name in metrics if name in table.column_names]
    return PerUnit(unit, points, {name: table[name].to_numpy().astype(np.float64) for name in names})
