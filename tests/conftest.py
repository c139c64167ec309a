"""Two threads for every library, the generated data prepared once, and the real data where there is some."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# before numpy, numba and torch are imported by any test
os.environ.setdefault("EMDE_THREADS", "2")
for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, os.environ["EMDE_THREADS"])
os.environ.setdefault("EMDE_CACHE", "")  # no item vectors kept between tests
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # spinning threads starve each other where cores are shared

PROJECT = Path(__file__).parents[1]
LONG = ("tests/flows/test_sample_profile.py", "tests/flows/test_chaos.py")
"""They take minutes: begun first, the others fill the second core meanwhile."""

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first (``make test`` keeps this order: --no-loadscope-reorder)."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def project() -> Path:
    """The checkout."""
    return PROJECT


@pytest.fixture(scope="session")
def sample_root(tmp_path_factory) -> Path:
    """A data root with the generated data prepared, once for all tests."""
    from benchmark.data.fetch import fetch
    from benchmark.data.prepare import prepare

    folder = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMDE_DATA", str(folder))
        patch.delenv("EMDE_MIRROR", raising=False)
        for name in ("sample-sessions", "sample-ratings", "digits"):
            fetch(name)
            prepare(name)
    return folder


@pytest.fixture
def sample(sample_root, monkeypatch) -> Path:
    """The prepared generated data, for reading only."""
    monkeypatch.setenv("EMDE_DATA", str(sample_root))
    monkeypatch.delenv("EMDE_MIRROR", raising=False)
    return sample_root


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real data: EMDE_MIRROR, else ../shared/data beside the project."""
    folder = Path(os.environ.get("EMDE_MIRROR") or PROJECT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} does not exist (set EMDE_MIRROR)")
    return folder
