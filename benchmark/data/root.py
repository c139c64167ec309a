"""Where the project is, and the root folder of all its data."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "EMDE_DATA"


def project_root() -> Path:
    """The nearest folder at or above the working directory with params.yaml and dvc.yaml, else this checkout."""
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / "params.yaml").is_file() and (folder / "dvc.yaml").is_file():
            return folder
    return Path(__file__).resolve().parents[2]


def data_root() -> Path:
    """EMDE_DATA if set, else ``data`` in the project (relative where that is the working directory)."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return Path(chosen)
    root = project_root()
    return Path("data") if root == Path.cwd() else root / "data"
