"""The root folder of all data."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "EMDE_DATA"


def data_root() -> Path:
    """EMDE_DATA if set, else ``data`` in the working directory."""
    return Path(os.environ.get(VARIABLE) or "data")
