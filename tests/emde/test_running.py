"""A running session reads what the model reads of the whole session, after every event."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contracts import Sessions, UserError
from emde import EMDE
from emde.running import RunningSession

SMALL: dict[str, Any] = {
    "n": 5, "k": 4, "hidden": 32, "epochs": 1, "batch_size": 32, "dtype": "float32", "device": "cpu",
    "modalities": [{"group": "random"}],
}  # fmt: skip
N_ITEMS = 30


def fitted(inputs: list[str], normalization: str = "l2") -> EMDE:
    rng = np.random.default_rng(1)
    train = Sessions.from_lists([rng.integers(0, N_ITEMS, 6) for _ in range(40)], N_ITEMS)
    return EMDE.create(SMALL | {"inputs": inputs, "normalization": normalization}).fit(train)


@pytest.mark.parametrize("normalization", ["l2", "none"])
@pytest.mark.parametrize("inputs", [["past", "last"], ["all"], ["last", "all", "past"]])
def test_every_prefix_of_a_session(inputs: list[str], normalization: str) -> None:
    """Times whose decay is felt (0.9 ** (0.01 * 300 s) = 0.73), weights, items unknown to train, repeated items."""
    model, rng = fitted(inputs, normalization), np.random.default_rng(2)
    items = rng.integers(-1, N_ITEMS, 40).astype(np.int32)
    times = np.cumsum(rng.integers(0, 600, 40)).astype(np.float64)
    weights = rng.choice([1, 2, 5], 40).astype(np.float32)
    session = Sessions(items, times, np.array([0, 40]), N_ITEMS, weights=weights)
    running = RunningSession(model)
    for stop in range(1, 41):
        running.add(int(items[stop - 1]), float(times[stop - 1]), float(weights[stop - 1]))
        prefix = session.windows(np.array([0]), np.array([stop]), np.array([0]))
        np.testing.assert_allclose(running.inputs.numpy(), model.sketches(prefix).numpy(), atol=1e-6)
        np.testing.assert_array_equal(running.recommend(5)[0], model.recommend(prefix, 5)[0][0])


def test_what_is_refused() -> None:
    with pytest.raises(UserError, match="inputs: expected past, last, all, found pairs"):
        RunningSession(fitted(["last", "pairs"]))
    with pytest.raises(UserError, match="not before 5 s, found 4 s"):
        RunningSession(fitted(["all"])).add(0, 5).add(1, 4)
