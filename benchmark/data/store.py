"""Files written once and whole: temporary name, fsync, rename; and their checksums."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from contracts.files import whole_folder, write_whole

CHUNK = 1 << 20


def sha256(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, hexadecimal."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Write JSON with sorted keys, atomically."""
    write_whole(path, json.dumps(value, indent=1, sort_keys=True, default=_plain) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"not JSON: {type(value)}")


def write_columns(folder: Path, columns: dict[str, np.ndarray]) -> dict[str, str]:
    """Save each column as ``<name>.npy``; returns name -> sha256 of the file."""
    hashes = {}
    for name, column in sorted(columns.items()):
        path = folder / f"{name}.npy"
        np.save(path, np.ascontiguousarray(column), allow_pickle=False)
        hashes[path.name] = sha256(path)
    return hashes


def read_column(folder: Path, name: str) -> np.ndarray:
    """A column, memory-mapped read-only (an empty one cannot be mapped and is read)."""
    path = folder / f"{name}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except ValueError:
        return np.load(path)


@contextmanager
def replace_folder(target: Path) -> Iterator[Path]:
    """``whole_folder`` of a data set, after a tidying.

    The caller holds the data set's lock: what a killed process left behind is removed.
    """
    for left in target.parent.glob(f".{target.name}.[0-9]*.*"):
        shutil.rmtree(left, ignore_errors=True)
    with whole_folder(target) as temporary:
        yield temporary
