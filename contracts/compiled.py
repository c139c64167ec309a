"""Where compiled code is kept: numba refuses to load a module whose cache it can write nowhere."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

VARIABLE = "NUMBA_CACHE_DIR"


def ensure_cache() -> None:
    """Where neither the code's folder nor HOME's cache can be written, NUMBA_CACHE_DIR becomes a temporary folder.

    To be called before numba is loaded, which reads the variable once. Where that fails too, one line ends the process.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "numba"
    if os.environ.get(VARIABLE) or _writable(Path(__file__).parent / "__pycache__") or _writable(home):
        return
    user = os.getuid() if hasattr(os, "getuid") else 0
    place = Path(tempfile.gettempdir()) / f"emde-numba-{user}"
    # what lies there is executed: nobody else's folder will do
    if not _writable(place) or (place.stat().st_uid != user):
        sys.stderr.write(f"emde: {place}: cannot keep compiled code there, nor in {home}; set {VARIABLE} to a folder\n")
        raise SystemExit(2)  # this is an import: nobody is there yet to catch a UserError
    os.environ[VARIABLE] = str(place)


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


ensure_cache()
