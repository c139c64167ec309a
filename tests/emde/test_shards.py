"""Two shards of events, and two of the catalogue, merged: what one machine would have found, bit for bit.

The plan for 10^9 events and 10^8 items (docs/performance.md) rests on this.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from contracts import top_k
from emde.decode import Decoder, ItemLookup
from emde.sketch import Sketch, sketch

USERS, EVENTS, ITEMS, WIDTH, DEPTH, K = 40, 3000, 500, 16, 6, 10


def events(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(user, item, weight) of every event; weights are quarters, so that sums are exact."""
    rng = np.random.default_rng(seed)
    return rng.integers(USERS, size=EVENTS), rng.integers(ITEMS, size=EVENTS), rng.integers(1, 9, EVENTS) / 4


def codes(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(WIDTH, size=(ITEMS, DEPTH), dtype=np.uint8)


def built(which: np.ndarray) -> torch.Tensor:
    """Sketches [USERS, DEPTH, WIDTH] of some of the events, as one shard builds them."""
    users, items, weights = (torch.from_numpy(column[which]) for column in events())
    return sketch(torch.from_numpy(codes()), items, users, weights, (USERS, DEPTH, WIDTH))


def test_shards_of_events_add_up() -> None:
    first = np.random.default_rng(2).random(EVENTS) < 0.3
    assert 0 < first.sum() < EVENTS
    whole = built(np.ones(EVENTS, bool))
    merged = built(first) + built(~first)
    assert torch.equal(merged, whole)
    assert not torch.equal(built(first), whole)
    users, items, weights = events()
    for user in range(3):
        own = users == user
        parts = [Sketch(codes(), WIDTH).update(items[own & part], weights[own & part]) for part in (first, ~first)]
        np.testing.assert_array_equal((parts[0] + parts[1]).counts, whole[user].numpy())


@pytest.mark.parametrize("decoder", ["gmean", "mean", "hmean", "min"])
def test_shards_of_the_catalogue_rank_as_one(decoder: Decoder) -> None:
    """Each shard lists its own k best; the k best of all lists are those of the whole catalogue."""
    p = torch.softmax(built(np.ones(EVENTS, bool)).float(), -1)
    items, scores = ItemLookup(codes(), WIDTH, torch.device("cpu")).best(p, decoder, K)
    dense = np.full((USERS, ITEMS), -np.inf, np.float32)
    for shard in (slice(0, 200), slice(200, ITEMS)):
        found, their = ItemLookup(codes()[shard], WIDTH, torch.device("cpu")).best(p, decoder, K)
        np.put_along_axis(dense[:, shard], found.astype(np.int64), their, axis=1)
    merged = top_k(dense, K)
    np.testing.assert_array_equal(merged[0], items)
    np.testing.assert_array_equal(merged[1], scores)
