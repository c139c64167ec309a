"""Checksums that no source publishes: recorded at the first fetch, enforced from then on.

They lie next to the registry entry, in ``checksums.lock.json``: data set -> file -> sha256 and size. That of the
built-in registry belongs into git, so that everybody gets the files that were first seen.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from benchmark.data import registry
from benchmark.data.registry import File
from benchmark.data.store import read_json, sha256, write_json
from contracts import UserError

NAME = "checksums.lock.json"


def lock_path(dataset: str) -> Path:
    """The file of recorded checksums: beside the built-in entries, or beside those of a user's own data."""
    return registry.entry_folder(dataset) / NAME


def recorded(dataset: str, name: str) -> dict | None:
    """{'sha256', 'size'} of a file recorded earlier, or None."""
    return _read(lock_path(dataset)).get(dataset, {}).get(name)


def enforced(dataset: str, file: File) -> File:
    """The registry's entry, completed by what was recorded at the first fetch."""
    known = None if file.sha256 else recorded(dataset, file.name)
    return file if known is None else file.model_copy(update={"sha256": known["sha256"], "size": known["size"]})


def record(dataset: str, path: Path) -> None:
    """Remember the checksum of a file (overwrites an older one); processes take turns."""
    target = lock_path(dataset)
    found = {"sha256": sha256(path), "size": path.stat().st_size}
    try:
        with FileLock(target.with_name(f".{NAME}.guard")):
            table = _read(target)
            if table.get(dataset, {}).get(path.name) != found:
                table.setdefault(dataset, {})[path.name] = found
                write_json(target, table)
    except OSError as error:
        raise UserError(f"{target}: cannot record a checksum: {error.strerror or error}") from None


def _read(path: Path) -> dict[str, dict[str, dict]]:
    if not path.exists():
        return {}
    try:
        return read_json(path)
    except ValueError as error:
        raise UserError(f"{path}: expected JSON, found {error}") from None
