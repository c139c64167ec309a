"""benchmark.bench_session: the generated train has the shape it claims, and a report is whole."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark.bench_session import MEAN_LENGTH, generate, prefixes, recent, report, slope


def test_the_train_has_the_shape_it_claims() -> None:
    train = generate(50_000, 3000)
    assert train.n_events == pytest.approx(50_000, rel=0.02)
    assert train.lengths.mean() == pytest.approx(MEAN_LENGTH, rel=0.02)
    assert train.lengths.min() >= 2
    assert train.items.min() >= 0
    assert train.items.max() < 3000
    assert (np.diff(train.times) >= 0).all()
    counts = np.sort(np.bincount(train.items, minlength=3000))[::-1]
    assert counts[:300].sum() > 0.3 * train.n_events  # a tenth of the items, far more than a tenth of the events
    assert (generate(50_000, 3000).items == train.items).all()
    half = recent(train, 0.5)
    assert len(half) == pytest.approx(len(train) / 2, abs=1)
    assert half.times[0] >= np.median(train.last_times) - 86400
    assert len(prefixes(3000, 70)) == 70


def test_slope() -> None:
    sizes = [{"events": n, "s": 3e-6 * n**1.5} for n in (1000, 2000, 8000)]
    assert slope(sizes, "s") == pytest.approx(1.5)


def test_report() -> None:
    found = report(events=4000, items=300, points=50, methods=["ar"])
    (row,) = found["rows"]
    assert row["method"] == "ar"
    assert row["points/s"] > 0
    assert row["peak MB"] >= row["above start MB"] >= 0
    assert len(found["growth"]["ar"]) == 4
