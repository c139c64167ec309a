"""Ranking is done in blocks of bounded size: a bot's session of many clicks has as many prefixes, each as long."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import PrivateAttr

from baselines.session.sequential_rules import SR
from benchmark.data.load import SessionSplit, load_split
from benchmark.experiments import run
from contracts import Sessions


class Watched(SR):
    """SR that remembers the sizes of what it was asked."""

    _sizes: list[tuple[int, int]] = PrivateAttr(default_factory=list)

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        self._sizes.append((len(prefixes), prefixes.n_events))
        return super().recommend(prefixes, k)


@pytest.mark.parametrize(("points", "events"), [(7, 1 << 21), (4096, 60)])
def test_blocks_are_bounded_and_change_nothing(sample, monkeypatch, points: int, events: int) -> None:
    split = load_split("sample-sessions", "0")
    assert isinstance(split, SessionSplit)
    model = Watched().fit(split.train)
    expected = run.rank_sessions(model, split, 20)
    model._sizes.clear()
    monkeypatch.setattr(run, "CHUNK", points)
    monkeypatch.setattr(run, "EVENTS", events)
    found = run.rank_sessions(model, split, 20)
    assert sum(rows for rows, _ in model._sizes) == len(expected.items)
    assert all(rows <= points and (size <= events or rows == 1) for rows, size in model._sizes)
    assert max(rows for rows, _ in model._sizes) > 1
    np.testing.assert_array_equal(found.items, expected.items)
    np.testing.assert_array_equal(found.scores, expected.scores)
