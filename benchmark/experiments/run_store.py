"""The run store: ranked lists and the record of how they came about.

    <root>/<data>/<method>/<split>-<hash of parameters>/
        ranks.parquet           the ranked lists: the stored truth
        ranks_masked.parquet    top-k data with ratings: the lists without the users' disliked items
        model.safetensors       where it was kept (emde run --keep-model): the fitted model
        run.json                parameters, seed, data hashes, learning curve; of a run by hand also its costs: code
                                version, package versions, device, times, memory (``costs``)

Metrics are not stored here: they are derived from the lists by ``benchmark.experiments.evaluate``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from contracts import UserError
from contracts.runtime.files import CannotWrite, whole_folder
from contracts.runtime.json import read_json, to_json

RANKS, MASKED, RECORD, MODEL = "ranks.parquet", "ranks_masked.parquet", "run.json", "model.safetensors"
Lists = tuple[np.ndarray, np.ndarray]
"""Ranked lists: items int32 [n, k], scores float32 [n, k]."""
NEEDED = ("data", "split", "data_hashes", "lists_sha256")
"""What a record must hold for its lists to be scored."""


def parameter_hash(params: dict[str, Any]) -> str:
    """Eight hex digits that name a set of parameters (the device is not one)."""
    kept = {name: value for name, value in params.items() if name != "device"}
    return hashlib.sha256(to_json(kept, "parameters", sort_keys=True).encode()).hexdigest()[:8]


def run_dir(root: Path, data: str, method: str, split: str, params: dict[str, Any]) -> Path:
    """The one place where a run's directory is named."""
    return root / data / method / f"{split.replace(':', '.')}-{parameter_hash(params)}"


def same_columns(recorded: dict[str, str], prepared: dict[str, str]) -> bool:
    """Whether every prepared column (name -> sha256) that a record names is as it was; added ones don't count."""
    return bool(recorded) and all(prepared.get(name) == value for name, value in recorded.items())


def write_run(
    folder: Path,
    record: dict[str, Any],
    rows: dict[str, np.ndarray],
    items: np.ndarray,
    scores: np.ndarray,
    masked: Lists | None = None,
) -> None:
    """Write a whole run at once: everything into a temporary folder, synced, then renamed into place.

    rows    what each list belongs to (session, position, ...), each [n]; items int32, scores float32 [n, k]
    masked  the lists without the users' disliked items, of the same rows
    """
    try:
        with whole_folder(folder) as temporary:
            _write_lists(temporary / RANKS, rows, (items, scores))
            if masked is not None:
                _write_lists(temporary / MASKED, rows, masked)
            (temporary / RECORD).write_text(to_json(record, f"{folder / RECORD}", indent=1) + "\n", encoding="utf-8")
            for path in temporary.iterdir():
                with open(path, "rb") as stream:
                    os.fsync(stream.fileno())
    except OSError as error:
        raise CannotWrite(folder, "the run", error) from None


def _write_lists(path: Path, rows: dict[str, np.ndarray], lists: Lists) -> None:
    columns = {name: pa.array(values) for name, values in rows.items()}
    for name, values in zip(("items", "scores"), lists, strict=True):
        columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    pq.write_table(pa.table(columns), path, compression="zstd", write_page_checksum=True)


def read_record(folder: Path) -> dict[str, Any]:
    """run.json of a run; raises UserError if the folder is no run."""
    try:
        record = read_json(folder / RECORD)
    except FileNotFoundError:
        raise UserError(f"{folder}: expected a run directory with {RECORD}, found none") from None
    missing = [name for name in NEEDED if not isinstance(record, dict) or name not in record]
    if missing:
        raise UserError(f"{folder / RECORD}: expected the record of a run, found no {', '.join(missing)}")
    return record


def read_ranks(folder: Path, name: str = RANKS) -> Lists:
    """The lists of a run, or with ``MASKED`` those without disliked items."""
    try:
        table = pq.read_table(folder / name, columns=["items", "scores"], page_checksum_verification=True)
        lists = [table[name].combine_chunks() for name in ("items", "scores")]
        if not all(pa.types.is_fixed_size_list(column.type) for column in lists):
            raise UserError(f"{folder / name}: expected ranked lists, found {table.schema.types}")
    except (OSError, pa.ArrowInvalid) as error:
        trouble = str(error).splitlines()[0]
        raise UserError(f"{folder / name}: expected ranked lists, found {trouble}") from None
    k = lists[0].type.list_size
    items, scores = (column.flatten().to_numpy(zero_copy_only=False).reshape(-1, k) for column in lists)
    return items, scores


def finished(folder: Path) -> bool:
    """Whether a whole run lies there."""
    try:
        record = read_record(folder)
        named = {RANKS: record["lists_sha256"], MASKED: record.get("masked_sha256")}
        return all(lists_hash(read_ranks(folder, name)[0]) == value for name, value in named.items() if value)
    except UserError:
        return False


def keep_only(root: Path, folders: Collection[Path]) -> None:
    """Remove every other run below a run store."""
    kept = {folder.resolve() for folder in folders}
    for folder in find_runs(root):
        if folder.resolve() not in kept:
            shutil.rmtree(folder)


def lists_hash(items: np.ndarray) -> str:
    """sha256 of the listed items: equal lists, equal hash, whatever the file format."""
    return hashlib.sha256(np.ascontiguousarray(items, np.int32).tobytes()).hexdigest()


def find_runs(folder: Path) -> list[Path]:
    """Every run directory at or below a folder, sorted."""
    if (folder / RECORD).is_file():
        return [folder]
    # a killed write leaves a hidden folder, which is no run
    folders = sorted(path.parent for path in folder.rglob(RECORD) if not path.parent.name.startswith("."))
    if not folders:
        raise UserError(f"{folder}: expected a run directory (or a folder of them), found no {RECORD}")
    return folders
