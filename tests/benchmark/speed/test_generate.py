"""benchmark.speed.generate: generated data have the shapes they claim."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.speed import generate
from benchmark.speed.sessions import recent


def test_sessions() -> None:
    train = generate.sessions(50_000, 3000)
    assert train.n_events == pytest.approx(50_000, rel=0.02)
    assert train.lengths.mean() == pytest.approx(generate.MEAN_LENGTH, rel=0.02)
    assert train.lengths.min() >= 2
    assert train.items.min() >= 0
    assert train.items.max() < 3000
    assert (np.diff(train.times) >= 0).all()
    counts = np.sort(np.bincount(train.items, minlength=3000))[::-1]
    assert counts[:300].sum() > 0.3 * train.n_events  # a tenth of the items, far more than a tenth of the events
    assert (generate.sessions(50_000, 3000).items == train.items).all()
    half = recent(train, 0.5)
    assert len(half) == pytest.approx(len(train) / 2, abs=1)
    assert half.times[0] >= np.median(train.last_times) - 86400
    assert len(generate.prefixes(3000, 70)) == 70


def test_likes() -> None:
    liked = generate.likes(3000, 800, 90_000)
    assert liked.nnz == pytest.approx(90_000, rel=0.2)
    assert set(liked.data.tolist()) == {1.0}
    counts = np.sort(np.bincount(liked.indices, minlength=800))[::-1]
    assert counts[:80].sum() > 0.2 * liked.nnz, "a tenth of the items, far more than a tenth of the likes"
    assert (generate.likes(3000, 800, 90_000) != liked).nnz == 0
    overlap = (liked[:300] @ liked[:300].T).toarray()
    expected = np.outer(np.diff(liked[:300].indptr), np.diff(liked[:300].indptr)) / 800
    off = ~np.eye(300, dtype=bool)
    assert np.quantile((overlap / expected)[off], 0.999) > 3 * np.median((overlap / expected)[off]), "shared tastes"
