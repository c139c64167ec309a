"""Files written once and whole: nobody ever reads half of one."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import UserError


def write_whole(path: Path, content: str | bytes, what: str = "the file") -> Path:
    """Write under a temporary name beside ``path``, sync, rename; makes missing folders. Returns ``path``.

    Raises UserError ("cannot write ``what``") where the system refuses; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if temporary.exists():  # its folder may not even be one
            temporary.unlink()
        raise UserError(f"{path}: cannot write {what}: {error.strerror or error}") from None
    return path
