"""benchmark.bench_topk: the generated likes have the shape they claim, and a report is whole."""

from __future__ import annotations

import numpy as np
import pytest

from benchmark import methods
from benchmark.bench_topk import METHODS, generate, report


def test_likes_have_the_shape_they_claim() -> None:
    liked = generate(3000, 800, 90_000)
    assert liked.nnz == pytest.approx(90_000, rel=0.2)
    assert set(liked.data.tolist()) == {1.0}
    counts = np.sort(np.bincount(liked.indices, minlength=800))[::-1]
    assert counts[:80].sum() > 0.2 * liked.nnz, "a tenth of the items, far more than a tenth of the likes"
    assert (generate(3000, 800, 90_000) != liked).nnz == 0
    overlap = (liked[:300] @ liked[:300].T).toarray()
    expected = np.outer(np.diff(liked[:300].indptr), np.diff(liked[:300].indptr)) / 800
    off = ~np.eye(300, dtype=bool)
    assert np.quantile((overlap / expected)[off], 0.999) > 3 * np.median((overlap / expected)[off]), "shared tastes"


def test_every_rival_is_measured() -> None:
    assert set(METHODS) == set(methods.catalogue("topk")) - set(methods.OWN["topk"])


def test_report() -> None:
    found = report(users=300, items=120, likes=6000, test_users=40, methods=["top-pop", "ease", "slim"])
    pop, ease, slim = found["rows"]
    assert (pop["users"], pop["items"], pop["test users"]) == (300, 120, 40)
    assert slim["items"] == 12
    assert ease["Recall@20"] > pop["Recall@20"] > 0
    assert ease["fit / bare (cpu)"] > 0
    for row in found["rows"]:
        assert row["peak MB"] >= row["start MB"] > 0
        assert min(row["fit s"], row["evaluate s"]) > 0
