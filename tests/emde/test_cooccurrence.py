"""emde.cooccurrence: counts and sketches against loops over events; the session model that reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from contracts import Sessions, UserError
from emde import EMDE, cooccurrence
from emde.cooccurrence import BEFORE, LONGEST, NEAR, SKETCHES, STEPS, UNIT, CoOccurrence
from emde.inputs import Events, Ranges
from emde.running import RunningSession

N_ITEMS, WIDTH, ROWS = 12, 16, 3
RNG = np.random.default_rng(0)
LISTS = [RNG.integers(N_ITEMS, size=size).tolist() for size in (2, 30, 1, 7, 4, 3, 12)]
CODES = RNG.integers(WIDTH, size=(N_ITEMS, ROWS)).astype(np.uint8)


def near(lists: list[list[int]]) -> np.ndarray:
    """What stood near each item, pair by pair."""
    out = np.zeros((N_ITEMS, N_ITEMS))
    for session in lists:
        for i, a in enumerate(session):
            for j, b in enumerate(session):
                if i != j and abs(i - j) <= STEPS:
                    out[a, b] += 1 / (j - i) if j > i else BEFORE / (i - j)
    return out


def followed(lists: list[list[int]], context: list[int]) -> np.ndarray:
    """How often each item came right after the context."""
    out, length = np.zeros(N_ITEMS), len(context)
    for session in lists:
        for place in range(length, len(session)):
            if session[place - length : place] == context:
                out[session[place]] += 1
    return out


def expected(prefix: list[int], lists: list[list[int]]) -> np.ndarray:
    """The sketches of a prefix by the counts of train sessions, [SKETCHES, ROWS, WIDTH]."""
    counts = np.zeros((SKETCHES, N_ITEMS))
    rows = near(lists)
    for back, item in enumerate(reversed(prefix), 1):
        counts[1] += rows[item] / back
    if prefix:
        counts[0] = rows[prefix[-1]]
    for length in range(1, LONGEST + 1):
        if len(prefix) >= length:
            counts[NEAR + length - 1] = followed(lists, prefix[-length:])
    out = np.zeros((SKETCHES, ROWS, WIDTH))
    for item in range(N_ITEMS):
        for row in range(ROWS):
            out[:, row, CODES[item, row]] += counts[:, item]
    return np.log(1 + out / UNIT)


def test_counts() -> None:
    """All that was counted, and nothing else: near each item, after each, after each two in a row."""
    tables = CoOccurrence.of(Sessions.from_lists(LISTS, N_ITEMS), CODES, WIDTH).tables
    every = range(N_ITEMS)
    counted = (
        near(LISTS),
        np.array([followed(LISTS, [item]) for item in every]),
        np.array([followed(LISTS, [first, item]) for first in every for item in every]),
    )
    for table, counts in zip(tables, counted, strict=True):
        found = np.zeros_like(counts)
        for row, context in enumerate(table.contexts):
            kept = slice(table.indptr[row], table.indptr[row + 1])
            found[context, table.items[kept]] = table.counts[kept]
        np.testing.assert_allclose(found, counts, rtol=1e-6)


def test_sketches_of_sessions_that_were_not_counted() -> None:
    counted = CoOccurrence.of(Sessions.from_lists(LISTS, N_ITEMS), CODES, WIDTH)
    prefixes = [[3], [1, 2, 1], [], [0, 5, 7, 11, 5], LISTS[1], LISTS[1][:9], LISTS[1][:3]]
    assert any(followed(LISTS, prefix[-2:]).any() for prefix in prefixes if len(prefix) > 1)
    events = Events(Sessions.from_lists(prefixes, N_ITEMS), torch.device("cpu"))
    found = counted.sketches(events, events.sessions).numpy().reshape(len(prefixes), SKETCHES, ROWS, WIDTH)
    for prefix, sketches in zip(prefixes, found, strict=True):
        np.testing.assert_allclose(sketches, expected(prefix, LISTS), rtol=1e-5, atol=1e-6)


def test_an_example_is_counted_without_its_own_session() -> None:
    """Every prefix of every train session, also where an item stands in it several times, and what follows it."""
    train = Sessions.from_lists(LISTS, N_ITEMS)
    counted, events = CoOccurrence.of(train, CODES, WIDTH), Events(train, torch.device("cpu"))
    for number, session in enumerate(LISTS):
        others = LISTS[:number] + LISTS[number + 1 :]
        for length in range(1, len(session)):
            start = int(train.offsets[number])
            one = Ranges(torch.tensor([start]), torch.tensor([start + length]), np.array([length]))
            found = counted.sketches(events, one, train.offsets).numpy().reshape(SKETCHES, ROWS, WIDTH)
            np.testing.assert_allclose(found, expected(session[:length], others), rtol=1e-4, atol=1e-4)


def test_the_largest_counts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cooccurrence, "KEPT", 3)
    tables = CoOccurrence.of(Sessions.from_lists(LISTS, N_ITEMS), CODES, WIDTH).tables
    counted = near(LISTS), np.array([followed(LISTS, [item]) for item in range(N_ITEMS)])
    for table, of_items in zip(tables[:2], counted, strict=True):
        for item, counts in enumerate(of_items):
            row = int(np.searchsorted(table.contexts, item))
            known = row < len(table.contexts) and table.contexts[row] == item
            kept = slice(table.indptr[row], table.indptr[row + 1]) if known else slice(0, 0)
            largest = np.sort(counts)[::-1][: min(3, (counts > 0).sum())]
            np.testing.assert_allclose(table.counts[kept], largest, rtol=1e-6)
            np.testing.assert_allclose(counts[table.items[kept]], largest, rtol=1e-6)


def model(**options: Any) -> EMDE:
    fixed = {"modalities": [{"group": "random"}], "hidden": 1, "epochs": 30, "batch_size": 32, "lr": 0.01}
    return EMDE.create(fixed | {"device": "cpu"} | options)


def test_what_followed_an_item_is_told_past_the_layers(tmp_path: Path) -> None:
    """Item a is followed by a + 30 in other sessions, too: one hidden unit cannot learn 30 such rules, counts can."""
    train = Sessions.from_lists([[a, a + 30] for a in range(30)] * 4, 60)
    asked, told = Sessions.from_lists([[a] for a in range(30)], 60), np.arange(30) + 30

    def right(options: dict[str, Any]) -> float:
        fitted = model(**options).fit(train)
        lists = fitted.recommend(asked, 1)[0]
        loaded = EMDE.load(fitted.save(tmp_path / "model.safetensors"))
        np.testing.assert_array_equal(loaded.recommend(asked, 1)[0], lists)
        return float((lists[:, 0] == told).mean())

    assert right({}) < 0.4
    assert right({"cooccurrence": True}) > 0.9
    assert right({"cooccurrence": True, "skip": True, "members": 2}) > 0.9


def test_what_stood_in_one_session_only_teaches_nothing() -> None:
    """Every train session has items of its own: without it nothing is counted, so that no factor is learned."""
    train = Sessions.from_lists([[3 * a, 3 * a + 1, 3 * a + 2] for a in range(20)], 60)
    fitted = model(cooccurrence=True, epochs=3).fit(train)
    np.testing.assert_array_equal(fitted._state["network.factors"], 0)


def test_what_is_refused() -> None:
    with pytest.raises(UserError, match="cooccurrence: expected variant paper, found release"):
        model(cooccurrence=True, variant="release")
    with pytest.raises(UserError, match="cooccurrence: expected false, found true"):
        RunningSession(model(cooccurrence=True, epochs=1).fit(Sessions.from_lists(LISTS, N_ITEMS)))
