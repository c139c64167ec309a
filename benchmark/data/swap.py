"""The files of a data set change all at once or not at all, whatever moment a process is killed at.

New files are built beside their places, under hidden names. When all are complete, one file (the journal) names the
places; then each is moved in. Without a journal the new ones are leftovers; with one, whoever next reads the registry
or takes the lock ends the moving.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from benchmark.data.root import VARIABLE, data_root
from contracts import UserError
from contracts.runtime.files import CannotWrite, remove
from contracts.runtime.json import read_json, to_json


class Swap:
    """The new files of one data set, until they are moved into their places."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._targets: list[Path] = []

    def place(self, target: Path) -> Path:
        """Where to write the file or folder that will lie at ``target`` (below the data root)."""
        new = _new(target)
        remove(new)
        new.parent.mkdir(parents=True, exist_ok=True)
        self._targets.append(target)
        return new

    def commit(self) -> None:
        """From here on the new files count."""
        places = [target.relative_to(data_root()).as_posix() for target in self._targets]
        journal = _journal(self.name)
        _new(journal).write_text(to_json(places), encoding="utf-8")
        os.replace(_new(journal), journal)
        _finish(self.name)

    def discard(self) -> None:
        """Remove what was built and not committed."""
        if not _journal(self.name).exists():
            for target in self._targets:
                with suppress(OSError):
                    remove(_new(target))


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time changes a data set; the next one finds it whole."""
    with writing():
        folder = data_root() / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.resolve() / f"{name}.lock", is_singleton=True)  # the holder may take it again
        lock.acquire()
    try:
        _finish(name)
        yield
    finally:
        lock.release()


@contextmanager
def replacing(name: str) -> Iterator[Swap]:
    """New files for a data set that take their places when the block ends well; the caller holds the lock."""
    swap = Swap(name)
    try:
        with writing():
            yield swap
            swap.commit()
    finally:
        swap.discard()


@contextmanager
def writing() -> Iterator[None]:
    """A full disk or a read-only place while data are written: one line that names the variable to set."""
    try:
        yield
    except OSError as error:
        place = error.filename or data_root()
        reason = error.strerror or str(error).splitlines()[0]
        raise UserError(f"{place}: cannot write: {reason}; {VARIABLE} names another folder for the data") from None
    except CannotWrite as error:
        raise UserError(f"{error}; {VARIABLE} names another folder for the data") from None


def heal() -> None:
    """End what a killed process had begun to move."""
    for journal in sorted((data_root() / ".locks").glob("*.swap")):
        with locked(journal.name.removesuffix(".swap")):
            pass


def _finish(name: str) -> None:
    """Move every new file in; each step may be the last one of a process, and the next one goes on from there."""
    journal = _journal(name)
    if not journal.exists():
        return
    with writing():
        for place in read_json(journal):
            target = data_root() / place
            new, old = _new(target), target.with_name(f".{target.name}.old")
            if new.exists():
                if target.exists():
                    remove(old)
                    os.replace(target, old)
                os.replace(new, target)
            remove(old)
        journal.unlink()


def _journal(name: str) -> Path:
    return data_root() / ".locks" / f"{name}.swap"


def _new(target: Path) -> Path:
    return target.with_name(f".{target.name}.new")
