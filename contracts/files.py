"""Files written once and whole: nobody ever reads half of one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from contracts.errors import UserError


@contextmanager
def whole_file(path: Path, what: str = "the file") -> Iterator[BinaryIO]:
    """A stream to a temporary name beside ``path``, synced and renamed when the block ends; makes missing folders.

    Raises UserError ("cannot write ``what``") where the system refuses; nothing is left behind if the block fails.
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
        raise UserError(f"{path}: cannot write {what}: {error.strerror or error}") from None
    finally:
        if temporary.exists():  # its folder may not even be one
            temporary.unlink()


def write_whole(path: Path, content: str | bytes, what: str = "the file") -> Path:
    """Write ``content`` as ``whole_file`` does. Returns ``path``."""
    with whole_file(path, what) as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
    return path
