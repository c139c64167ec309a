"""Where the project is, and the root folder of all its data."""

from __future__ import annotations

import os
import tomllib
from functools import lru_cache
from pathlib import Path

from contracts import UserError

VARIABLE = "EMDE_DATA"
PROJECT = "EMDE_PROJECT"
MARK = "pyproject.toml with a table [tool.emde]"


def is_suite(folder: Path) -> bool:
    """Whether a folder is a checkout of the suite: params.yaml and dvc.yaml are names that other projects use too."""
    path = folder / "pyproject.toml"
    try:
        state = path.stat()
        return _marked(path.absolute(), state.st_mtime_ns, state.st_size)
    except (OSError, ValueError):  # not there, not readable, not TOML
        return False


@lru_cache
def _marked(path: Path, mtime_ns: int, size: int) -> bool:
    """Whether a pyproject.toml has the suite's table; read once for each state of the file: roots are asked often."""
    return "emde" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})


def project_root() -> Path:
    """EMDE_PROJECT if set, else the nearest suite at or above the working directory, else the checkout of this code.

    Raises UserError where EMDE_PROJECT is no suite, or where there is none (installed outside a checkout).
    """
    chosen = os.environ.get(PROJECT)
    if chosen is not None:
        folder = Path(chosen).absolute()
        if not chosen or not is_suite(folder):
            raise UserError(f"{PROJECT}: expected a checkout of the suite ({MARK}), found {chosen!r}")
        return folder
    own = Path(__file__).resolve().parents[2]
    for folder in (Path.cwd(), *Path.cwd().parents, own):
        if is_suite(folder):
            return folder
    raise UserError(
        f"{Path.cwd()}: expected to be in a checkout of the suite ({MARK}), found none here or above; "
        f"change into one or set {PROJECT} to it"
    )


def data_root() -> Path:
    """EMDE_DATA if set, else ``data`` in the project (relative where that is the working directory).

    Raises UserError where EMDE_DATA is set to nothing or to what is no folder.
    """
    chosen = os.environ.get(VARIABLE)
    if chosen is None:
        root = project_root()
        return Path("data") if root == Path.cwd() else root / "data"
    folder = Path(chosen)
    if not chosen or (folder.exists() and not folder.is_dir()):
        trouble = f"the file {chosen}" if chosen else "nothing"
        raise UserError(f"{VARIABLE}: expected a folder for the data, found {trouble}; set it to one, or unset it")
    return folder
