"""emde.sketch against loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from emde.sketch import Sketch, decay, normalize, ragged, sketch

WIDTH, DEPTH, N_ITEMS = 8, 5, 12
CODES = torch.from_numpy(np.random.default_rng(0).integers(0, WIDTH, (N_ITEMS, DEPTH)))
EVENTS = st.lists(
    st.tuples(st.integers(0, N_ITEMS - 1), st.integers(0, 2), st.sampled_from([0.25, 0.5, 1.0, 2.0])), max_size=20
)
"""(item, sketch, weight); sums of such weights are exact."""


def build(events, batch: int = 3) -> torch.Tensor:
    items, rows, weights = (list(column) for column in zip(*events, strict=True)) if events else ([], [], [])
    return sketch(
        CODES,
        torch.tensor(items, dtype=torch.int64),
        torch.tensor(rows, dtype=torch.int64),
        torch.tensor(weights, dtype=torch.float32),
        (batch, DEPTH, WIDTH),
    )


@given(EVENTS)
def test_against_a_loop(events) -> None:
    expected = np.zeros((3, DEPTH, WIDTH))
    for item, row, weight in events:
        for depth in range(DEPTH):
            expected[row, depth, CODES[item, depth]] += weight
    found = build(events)
    assert found.shape == (3, DEPTH, WIDTH)
    assert found.dtype == torch.float32
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64])
def test_any_integer_codes(dtype: torch.dtype) -> None:
    items, rows, weights = torch.tensor([3, 3, 1]), torch.tensor([0, 1, 1]), torch.ones(3)
    shape = (2, DEPTH, WIDTH)
    assert torch.equal(sketch(CODES.to(dtype), items, rows, weights, shape), sketch(CODES, items, rows, weights, shape))


@pytest.mark.parametrize("order", [1, 2])
def test_normalize(order: int) -> None:
    sketches = build([(0, 0, 1.0), (1, 0, 2.0), (2, 1, 0.25), (5, 1, 0.5)])
    normal = normalize(sketches, order)
    norms = torch.linalg.vector_norm(normal, ord=order, dim=-1)
    np.testing.assert_allclose(norms[:2], 1, atol=1e-6)
    assert (normal[2] == 0).all()  # nothing in it: stays zero, no division by zero
    ratio = sketches[:2] / normal[:2].clamp_min(1e-9)
    for row in ratio.reshape(-1, WIDTH):
        values = row[row > 0]
        np.testing.assert_allclose(values, values[0], rtol=1e-5)
    assert torch.allclose(normalize(1000 * sketches, order), normal)


def test_decay() -> None:
    ages = torch.tensor([0.0, 100.0, 200.0, 50.0, -3.0], dtype=torch.float64)
    found = decay(ages, alpha=0.9, w=0.01)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found, [1, 0.9, 0.81, 0.9**0.5, 1], rtol=1e-6)
    assert (decay(ages, 1.0, 0.01) == 1).all()
    assert (decay(ages, 0.9, 0.0) == 1).all()
    assert decay(torch.tensor([1e9]), 0.9, 0.01).item() == 0.0


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 6)), max_size=8))
def test_ragged(ranges) -> None:
    starts = torch.tensor([start for start, _ in ranges], dtype=torch.int64)
    ends = torch.tensor([start + length for start, length in ranges], dtype=torch.int64)
    events, rows = ragged(starts, ends, sum(length for _, length in ranges))
    expected = [(event, row) for row, (start, length) in enumerate(ranges) for event in range(start, start + length)]
    assert list(zip(events.tolist(), rows.tolist(), strict=True)) == expected


def test_a_range_that_ends_before_it_starts_is_empty() -> None:
    events, rows = ragged(torch.tensor([3, 1]), torch.tensor([2, 3]), 2)
    assert (events.tolist(), rows.tolist()) == ([1, 2], [1, 1])


def stream(events) -> Sketch:
    """The events one after the other, the sketch index ignored."""
    found = Sketch(CODES.numpy(), WIDTH)
    for item, _, weight in events:
        found.update(np.array([item]), weight)
    return found


@given(EVENTS)
def test_numpy_and_torch_agree(events) -> None:
    batch = build([(item, 0, weight) for item, _, weight in events])
    np.testing.assert_array_equal(stream(events).counts, batch[0].numpy())
    at_once = Sketch(CODES.numpy(), WIDTH).update(
        np.array([item for item, _, _ in events], np.int64), np.array([weight for _, _, weight in events])
    )
    np.testing.assert_array_equal(at_once.counts, stream(events).counts)


@given(EVENTS)
def test_normalized_rows_are_shares_of_their_norm(events) -> None:
    batch = build([(item, 0, weight) for item, _, weight in events])
    for order in (1, 2):
        norms = np.linalg.norm(batch[0].numpy(), ord=order, axis=1, keepdims=True)
        np.testing.assert_allclose(normalize(batch, order)[0].numpy() * norms, batch[0].numpy(), atol=1e-6)


@given(EVENTS, EVENTS)
def test_merge_and_subtract(left, right) -> None:
    both = stream(left) + stream(right)
    np.testing.assert_array_equal(both.counts, stream(left + right).counts)
    np.testing.assert_array_equal((both - stream(right)).counts, stream(left).counts)
    forgotten = stream(left + right)
    for item, _, weight in right:
        forgotten.update(np.array([item]), -weight)
    np.testing.assert_array_equal(forgotten.counts, stream(left).counts)


@given(EVENTS)
def test_count_min_is_never_below_the_truth(events) -> None:
    truth = np.zeros(N_ITEMS)
    for item, _, weight in events:
        truth[item] += weight
    estimate = stream(events).count(np.arange(N_ITEMS))
    assert (estimate >= truth).all()
    alone = np.array([len({tuple(CODES[i].tolist()) for i in {item for item, _, _ in events}}) <= 1])
    if alone:
        np.testing.assert_array_equal(estimate[truth > 0], truth[truth > 0])


def test_fading_as_time_passes_is_decay_by_age() -> None:
    """Updated one by one with sketch <- alpha^(w gap) sketch, as the paper writes it, or weighted by age at once."""
    items, times = np.array([3, 1, 3, 7]), np.array([0.0, 40.0, 45.0, 300.0])
    faded = Sketch(CODES.numpy(), WIDTH)
    for item, gap in zip(items, np.diff(times, prepend=0.0), strict=True):
        faded.fade(0.9 ** (0.01 * gap)).update(np.array([item]))
    weights = decay(torch.from_numpy(times[-1] - times), 0.9, 0.01)
    at_once = sketch(CODES, torch.from_numpy(items), torch.zeros(4, dtype=torch.int64), weights, (1, DEPTH, WIDTH))
    np.testing.assert_allclose(faded.counts, at_once[0].numpy(), rtol=1e-6)
