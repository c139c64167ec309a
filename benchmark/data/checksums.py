"""Checksums that no source publishes: recorded at the first fetch, enforced from then on.

They live in ``checksums.json`` in the data root: data set -> file -> sha256 and size.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from benchmark.data.registry import File
from benchmark.data.root import data_root
from benchmark.data.store import read_json, sha256, write_json

NAME = "checksums.json"


def recorded(dataset: str, name: str) -> dict | None:
    """{'sha256', 'size'} of a file recorded earlier, or None."""
    path = data_root() / NAME
    return read_json(path).get(dataset, {}).get(name) if path.exists() else None


def enforced(dataset: str, file: File) -> File:
    """The registry's entry, completed by what was recorded at the first fetch."""
    known = recorded(dataset, file.name)
    if known is None or file.sha256:
        return file
    return file.model_copy(update={"sha256": known["sha256"], "size": known["size"]})


def record(dataset: str, path: Path) -> None:
    """Remember the checksum of a file (overwrites an older one)."""
    root = data_root()
    root.mkdir(parents=True, exist_ok=True)
    with FileLock(root / f".{NAME}.lock"):
        table = read_json(root / NAME) if (root / NAME).exists() else {}
        table.setdefault(dataset, {})[path.name] = {"sha256": sha256(path), "size": path.stat().st_size}
        write_json(root / NAME, table)
