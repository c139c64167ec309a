"""Item vectors computed once: a folder of arrays named by the hash of all that decides them.

On where EMDE_CACHE names a folder (the command line sets it to .cache/vectors of the project). Files appear
whole under their final name, so any number of processes may share the folder; the worst that can happen is that two
compute the same vectors.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from contracts.files import whole_file

VARIABLE = "EMDE_CACHE"
Vectors = tuple[np.ndarray, np.ndarray]
log = logging.getLogger("emde")


def cached(what: Iterable[str], make: Callable[[], Vectors]) -> Vectors:
    """(vectors, known) from the cache, or from ``make`` and then into it.

    what  every input of ``make``: data, settings, versions
    """
    folder = os.environ.get(VARIABLE)
    if not folder:
        return make()
    key = hashlib.sha256()
    for part in what:
        key.update(f"{len(part)}:{part}".encode())
    path = Path(folder) / f"{key.hexdigest()[:32]}.npz"
    found = _read(path)
    if found is None:
        found = make()
        with whole_file(path, "the vectors") as stream:
            np.savez(stream, vectors=found[0], known=found[1])
    return found


def _read(path: Path) -> Vectors | None:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["vectors"], arrays["known"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:  # a damaged disk, not a half-written file
        log.warning("%s: %s; computing the vectors again", path, error)
        return None
