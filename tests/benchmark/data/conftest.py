"""Data roots for the tests of the data floor; the mirror and the generated data are in tests/conftest.py."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.data import registry
from benchmark.data.fetch import fetch
from benchmark.data.prepare import prepare

PROJECT = Path(__file__).parents[3]


def sessions(days: float = 6, n: int = 200, n_items: int = 20) -> pd.DataFrame:
    """Clicks of n sessions, four each, over some days."""
    random = np.random.default_rng(0)
    times = np.repeat(np.sort(random.random(n)) * days * 86400, 4) + np.tile(np.arange(4), n) * 10.0
    items = random.integers(0, n_items, 4 * n)
    return pd.DataFrame({"SessionId": np.repeat(np.arange(n), 4), "ItemId": items, "Time": 1e9 + times})


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """An empty data root, no mirror; what is recorded of built-in data sets stays out of the checkout."""
    monkeypatch.setenv("EMDE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("EMDE_MIRROR", raising=False)
    registry.names()  # reads the built-in entries, once
    monkeypatch.setattr(registry, "FOLDER", tmp_path / "registry")
    (tmp_path / "registry").mkdir()
    return tmp_path / "data"


@pytest.fixture(scope="session")
def reference() -> Path:
    """The folder of reference results: EMDE_REFERENCE, else ../shared/reference beside the project."""
    folder = Path(os.environ.get("EMDE_REFERENCE") or PROJECT.parent / "shared" / "reference")
    if not folder.is_dir():
        pytest.skip(f"no reference results: {folder} does not exist (set EMDE_REFERENCE)")
    return folder


@pytest.fixture(scope="session")
def real_root(mirror, tmp_path_factory) -> Path:
    """A data root for prepared real data, shared by the tests that read the mirror."""
    return tmp_path_factory.mktemp("real")


@pytest.fixture
def real(real_root, mirror, monkeypatch):
    """Fetch and prepare a real data set once; returns its name."""
    monkeypatch.setenv("EMDE_DATA", str(real_root))
    monkeypatch.setenv("EMDE_MIRROR", str(mirror))

    def ready(name: str) -> str:
        if not (real_root / "prepared" / name).exists():
            fetch(name, offline=True)
            prepare(name)
        return name

    return ready
