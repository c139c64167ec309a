"""Files written once and whole: nobody ever reads half of one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from contracts.errors import UserError


class CannotWrite(UserError):
    """The system refuses a file: disk full, read-only place.

    path  the file
    """

    def __init__(self, path: Path, what: str, error: OSError) -> None:
        self.path = path
        super().__init__(f"{path}: cannot write {what}: {error.strerror or str(error).splitlines()[0]}")


@contextmanager
def whole_file(path: Path, what: str = "the file") -> Iterator[BinaryIO]:
    """A stream to a temporary name beside ``path``, synced and renamed when the block ends; makes missing folders.

    Raises CannotWrite where the system refuses; nothing is left behind if the block fails.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise CannotWrite(path, what, error) from None
    finally:
        if temporary.exists():  # its folder may not even be one
            temporary.unlink()


def write_whole(path: Path, content: str | bytes, what: str = "the file") -> Path:
    """Write ``content`` as ``whole_file`` does. Returns ``path``."""
    with whole_file(path, what) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
    return path


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A new folder beside ``target`` that takes its place when the block ends well; makes missing parents.

    What was there is moved aside until then, so that a kill at any moment loses neither. OSError is the caller's.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    temporary.mkdir()
    try:
        yield temporary
        if target.exists():
            os.replace(target, old)
        os.replace(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def remove(path: Path) -> None:
    """Delete a file, a folder, or nothing."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
