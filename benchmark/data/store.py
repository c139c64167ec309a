"""Files written once and whole: temporary name, fsync, rename; and their checksums."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np

VERSION = 3
"""Of prepared data; grows when the same raw files would give other columns. 2: title words are among them. 3: so are
values that attributes had after train."""
CHUNK = 1 << 20


def sha256(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, hexadecimal."""
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        while block := stream.read(CHUNK):
            digest.update(block)
    return digest.hexdigest()


def write_columns(folder: Path, columns: dict[str, np.ndarray]) -> dict[str, str]:
    """Save each column as ``<name>.npy``; returns name -> sha256 of the file."""
    hashes = {}
    for name, column in sorted(columns.items()):
        if column.dtype == object:  # ids that are text
            column = column.astype(str)
        path = folder / f"{name}.npy"
        save_array(path, np.ascontiguousarray(column))
        hashes[path.name] = sha256(path)
    return hashes


def copy_file(source: Path, target: Path) -> None:
    """``shutil.copyfile``, which would name the source where the target's disk is full."""
    with open(source, "rb") as original, open(target, "wb") as copy:
        shutil.copyfileobj(original, copy, CHUNK)


def save_array(path: Path, array: np.ndarray) -> None:
    """``np.save``, but an OSError says why: numpy writes a file through C and knows only how much was written."""
    with open(path, "wb") as stream:
        np.save(SimpleNamespace(write=stream.write), array, allow_pickle=False)


def read_column(folder: Path, name: str) -> np.ndarray:
    """A column, memory-mapped read-only (an empty one cannot be mapped and is read)."""
    path = folder / f"{name}.npy"
    try:
        return np.asarray(np.load(path, mmap_mode="r"))
    except ValueError:
        return np.load(path)
