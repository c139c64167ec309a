"""Checksums that no source publishes: recorded at the first fetch, enforced from then on.

They lie next to the registry entry, in ``checksums.lock.json``: data set -> file -> sha256 and size. That of the
built-in registry belongs into git, so that everybody gets the files that were first seen; those of a data root
elsewhere (EMDE_DATA) stay there.
"""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock

from benchmark.data import registry
from benchmark.data.registry import File
from benchmark.data.root import data_root, project_root
from benchmark.data.store import sha256
from contracts import UserError
from contracts.runtime.json import read_json, write_json

NAME = "checksums.lock.json"


def lock_path(dataset: str) -> Path:
    """Where a checksum is recorded: beside the built-in entries, or with a user's own data and data roots elsewhere."""
    elsewhere = data_root().resolve() != (project_root() / "data").resolve()
    return (registry.user_folder() if elsewhere else registry.entry_folder(dataset)) / NAME


def recorded(dataset: str, name: str) -> dict | None:
    """{'sha256', 'size'} of a file recorded earlier, or None."""
    for path in (lock_path(dataset), registry.entry_folder(dataset) / NAME):
        if value := _read(path).get(dataset, {}).get(name):
            return value
    return None


def enforced(dataset: str, file: File) -> File:
    """The registry's entry, completed by what was recorded at the first fetch."""
    known = None if file.sha256 else recorded(dataset, file.name)
    return file if known is None else file.model_copy(update={"sha256": known["sha256"], "size": known["size"]})


def record(dataset: str, path: Path) -> None:
    """Remember the checksum of a file (overwrites an older one); processes take turns."""
    target = lock_path(dataset)
    entry = {"sha256": sha256(path), "size": path.stat().st_size}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{NAME}.guard")):
            table = _read(target)
            if table.get(dataset, {}).get(path.name) != entry:
                table.setdefault(dataset, {})[path.name] = entry
                write_json(target, table, sort_keys=True)
    except OSError as error:
        raise UserError(f"{target}: cannot record a checksum: {error.strerror or error}") from None


def _read(path: Path) -> dict[str, dict[str, dict]]:
    if not path.exists():
        return {}
    return read_json(path)
