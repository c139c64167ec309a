"""Arrays computed once: files named by the hash of all that decides them, the code that makes them included.

EMDE_CACHE names the folder (the command line sets it to .cache of the project); empty or not set, nothing is kept.
Files appear whole under their final name, so any number of processes may share the folder; the worst that can happen
is that two compute the same arrays. Everything in it may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from contracts.runtime.files import whole_file
from contracts.runtime.sources import sources_hash

VARIABLE = "EMDE_CACHE"
Arrays = dict[str, np.ndarray]
log = logging.getLogger("emde")


def cached(kind: str, maker: str, what: Iterable[str | np.ndarray], make: Callable[[], Arrays]) -> Arrays:
    """Arrays by name from the cache, or from ``make`` and then into it.

    kind   the folder inside the cache
    maker  the module whose code makes them: other code, in it or in what it imports, makes other arrays
    what   every input of ``make``: data, settings, versions of packages
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return make()
    path = Path(folder) / kind / f"{_key(maker, what)}.npz"
    arrays = _read(path)
    if arrays is None:
        arrays = make()
        with whole_file(path, f"the {kind}") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
    return arrays


def _key(maker: str, what: Iterable[str | np.ndarray]) -> str:
    key = hashlib.sha256(sources_hash(maker).encode())
    for part in what:
        if isinstance(part, np.ndarray):
            key.update(f"{part.dtype.str}{part.shape}".encode())
            key.update(np.ascontiguousarray(part).data)
        else:
            key.update(f"{len(part)}:{part}".encode())
    return key.hexdigest()[:32]


def _read(path: Path) -> Arrays | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:  # a damaged disk, not a half-written file
        log.warning("%s: %s; computing it again", path, error)
        return None
