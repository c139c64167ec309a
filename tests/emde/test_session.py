"""emde.session: inputs by hand, variants, determinism, and a toy with an obvious answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from contracts import Sessions, UserError
from emde import EMDE, Modality
from emde import modality as modality_module
from emde.inputs import Events, input_sketch
from emde.session import _examples

SMALL: dict[str, Any] = {
    "n": 5, "k": 4, "hidden": 32, "epochs": 3, "batch_size": 32, "dtype": "float32", "device": "cpu",
    "modalities": [{"group": "session", "iterations": 2, "dim": 16}, {"group": "random"}],
}  # fmt: skip
CPU = torch.device("cpu")


def cycle(n_items: int = 12, copies: int = 6) -> Sessions:
    lists = [[(start + step) % n_items for step in range(4)] for _ in range(copies) for start in range(n_items)]
    return Sessions.from_lists(lists, n_items)


@pytest.fixture(scope="module")
def model() -> EMDE:
    return EMDE.create(SMALL).fit(cycle())


def test_empty_prefixes(model) -> None:
    """A prefix without known items is a zero sketch: a full list, the same wherever it stands."""
    items, scores = model.recommend(Sessions.from_lists([[], [0], [-1, -1], []], 12), 5)
    assert (items >= 0).all()
    assert items[0].tolist() == items[2].tolist() == items[3].tolist()
    np.testing.assert_array_equal(scores[0], scores[3])


@pytest.mark.parametrize(
    ("decoder", "variant", "coder"),
    [
        ("gmean", "paper", "dlsh"), ("gmean", "release", "random"), ("min", "paper", "random"),
        ("mean", "paper", "dlsh"), ("hmean", "release", "dlsh"), ("popularity", "release", "dlsh"),
        ("popularity", "paper", "random"),
    ],
)  # fmt: skip
def test_every_decoder_and_variant_learns(decoder: str, variant: str, coder: str) -> None:
    """With 2 layers and w = 0: half of the next items of a cycle first is far above chance (1 in 12)."""
    params = {"decoder": decoder, "variant": variant, "coder": coder, "epochs": 30, "lr": 0.01, "layers": 2, "w": 0}
    model = EMDE.create(SMALL | params).fit(cycle(copies=3))
    items, scores = model.recommend(Sessions.from_lists([[i, (i + 1) % 12] for i in range(12)], 12), 12)
    assert np.isfinite(scores).all()
    assert np.mean(items[:, 0] == (np.arange(12) + 2) % 12) >= 0.5


@pytest.mark.parametrize("coder", ["pq", "opq"])
def test_product_quantizers_need_items(coder: str) -> None:
    with pytest.raises(UserError, match="expected at least 2"):
        EMDE.create(SMALL | {"coder": coder}).fit(cycle())
    model = EMDE.create(SMALL | {"coder": coder, "k": 2}).fit(cycle())
    assert model.recommend(Sessions.from_lists([[0]], 12), 3)[0].shape == (1, 3)


def test_probabilities_of_the_paper_are_rows() -> None:
    model = EMDE.create(SMALL)
    logits = torch.randn(3, 2 * 5 * 16, generator=torch.Generator().manual_seed(0)) * 3
    p = torch.exp(model.log_probabilities(logits)).numpy()
    assert p.shape == (3, 10, 16)
    np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
    rows = np.exp(logits.numpy().reshape(3, 10, 16).astype(np.float64))
    np.testing.assert_allclose(p, rows / rows.sum(-1, keepdims=True), rtol=1e-4)


def test_probabilities_of_the_release_are_strided() -> None:
    """Each modality's N * W logits are W rows of N to the softmax, and N rows of W to all else."""
    n, width, modalities = 5, 16, 2
    model = EMDE.create(SMALL | {"variant": "release"})
    logits = torch.randn(3, modalities * n * width, generator=torch.Generator().manual_seed(0)) * 3
    p = torch.exp(model.log_probabilities(logits)).numpy()
    assert p.shape == (3, modalities * n, width)
    for example in range(3):
        for modality in range(modalities):
            flat = np.exp(logits[example].numpy().astype(np.float64))[modality * n * width :][: n * width]
            for group in range(n):
                members = flat[group::n]
                own = p[example].reshape(-1)[modality * n * width :][: n * width][group::n]
                np.testing.assert_allclose(own, members / members.sum(), rtol=1e-4)
    assert np.abs(p.sum(-1) - 1).max() > 0.05


def slow_inputs(codes: np.ndarray, items, times, alpha: float, w: float, width: int) -> np.ndarray:
    """[history; last event], each depth row divided by its L2 norm."""
    past, current = np.zeros((2, codes.shape[1], width))
    known = [(item, time) for item, time in zip(items, times, strict=True) if item >= 0]
    for item, time in known[:-1]:
        age = known[-2][1] - time
        past[np.arange(codes.shape[1]), codes[item]] += alpha ** (w * age)
    if known:
        current[np.arange(codes.shape[1]), codes[known[-1][0]]] += 1
    parts = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in (past, current)]
    return np.concatenate([part.ravel() for part in parts])


def test_inputs_by_hand() -> None:
    rng = np.random.default_rng(0)
    model = EMDE.create(SMALL | {"alpha": 0.5, "w": 0.1})
    codes = rng.integers(0, 16, (9, 10))
    lists = [[3], [], [3, 4], [1, 2, 1, 5], [-1, 7, -1, 6, 8], [-1], [0, 0, 0], []]
    times = [np.cumsum(rng.integers(0, 30, len(row))).astype(float) for row in lists]
    events = Events(Sessions.from_lists(lists, 9, times), CPU)
    found = model._inputs(torch.from_numpy(codes), events, events.sessions).numpy()
    for row, (items, stamps) in enumerate(zip(lists, times, strict=True)):
        np.testing.assert_allclose(found[row], slow_inputs(codes, items, stamps, 0.5, 0.1, 16), atol=1e-6)


def test_old_times_lose_no_precision() -> None:
    """Seconds since 1970 differ only behind the 9th digit: the age must be taken in float64."""
    model = EMDE.create(SMALL | {"alpha": 0.5, "w": 0.1})
    codes = torch.from_numpy(np.random.default_rng(0).integers(0, 16, (4, 10)))
    found = []
    for start in (0.0, 1.4e9):
        events = Events(Sessions.from_lists([[0, 1, 2]], 4, [[start, start + 7, start + 9]]), CPU)
        found.append(model._inputs(codes, events, events.sessions))
    assert torch.equal(*found)


def test_every_prefix_is_an_example() -> None:
    starts, targets = _examples(Sessions.from_lists([[5, 6, 7], [8], [], [1, 2]], 9))
    assert list(zip(starts.tolist(), targets.tolist(), strict=True)) == [(0, 1), (0, 2), (4, 5)]


def test_modalities_follow_the_data() -> None:
    train = cycle()
    with pytest.raises(UserError, match="unknown group 'user'; the data offers: session"):
        EMDE.create(SMALL | {"modalities": [{"group": "user"}]}).fit(train)
    with pytest.raises(UserError, match="unknown attribute 'colour'; the data offers: none"):
        EMDE.create(SMALL | {"modalities": [{"group": "attribute:colour"}]}).fit(train)
    with pytest.raises(UserError, match="modalities: expected at least one"):
        EMDE.create(SMALL | {"modalities": [{"group": "attributes"}]}).fit(train)
    with pytest.raises(UserError, match=r"emde: parameter 'modalities': .*at least 1"):
        EMDE.create({"modalities": []}, "emde")
    assert EMDE.create({"modalities": [{"group": "user", "iterations": 3}]}).modalities == (
        Modality(group="user", iterations=3),
    )


def test_members_have_their_own_seeds_and_score_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every member's embeddings, codes and weights differ; a score is the geometric mean of theirs."""
    seeds: list[int] = []
    original = modality_module.item_vectors

    def spy(train: Sessions, of: Modality) -> Any:
        seeds.append(of.seed)
        return original(train, of)

    monkeypatch.setattr(modality_module, "item_vectors", spy)
    two = {"modalities": [{"group": "session", "dim": 16}, {"group": "session", "dim": 16, "seed": 1}]}
    fitted = EMDE.create(SMALL | two | {"members": 2}).fit(cycle())
    assert seeds == [0, 1, 2, 3]
    codes = fitted._state["codes"]
    assert codes.shape == (12, 2 * 2 * 5)
    assert (codes[:, :10] != codes[:, 10:]).any()
    first, second = (fitted._state[f"network.members.{i}.out.weight"] for i in range(2))
    assert (first != second).any()

    prefixes = Sessions.from_lists([[0], [3, 4], [1, 1, 5]], 12)
    network, _ = fitted._ready(2)
    p = torch.exp(fitted.log_probabilities(network(fitted.sketches(prefixes)))).detach().numpy()
    items, scores = fitted.recommend(prefixes, 12)
    for row in range(3):
        logs = [np.log(p[row, np.arange(20), codes[item]]) for item in items[row]]
        each = [(np.exp(log[:10].mean()), np.exp(log[10:].mean())) for log in logs]
        np.testing.assert_allclose(scores[row], [np.sqrt(a * b) for a, b in each], rtol=1e-4)


def test_long_sessions_are_sketched_in_parts(monkeypatch) -> None:
    """Never more than so many events at once, in training as in ranking, and not another number for it."""
    rows = [[i % 12 for i in range(start, start + 40)] for start in range(6)]
    train = Sessions.from_lists(rows, 12)
    whole = EMDE.create(SMALL | {"epochs": 1, "batch_size": 64, "validation": 0.3}).fit(train)
    expected = whole.recommend(train, 5)
    sizes = []

    def spy(part, codes, events, prefixes, *rest):
        sizes.append((len(prefixes), int(prefixes.lengths.sum())))
        return input_sketch(part, codes, events, prefixes, *rest)

    monkeypatch.setattr("emde.session.input_sketch", spy)
    monkeypatch.setattr("emde.session.EVENTS", 100)
    parts = EMDE.create(SMALL | {"epochs": 1, "batch_size": 64, "validation": 0.3}).fit(train)
    found = parts.recommend(train, 5)
    assert max(events for rows, events in sizes if rows > 1) <= 100
    assert max(rows for rows, _ in sizes) > 1
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])


def test_long_held_out_sessions_are_ranked_in_parts(monkeypatch) -> None:
    train = Sessions.from_lists([[i % 12 for i in range(start, start + 40)] for start in range(6)], 12)
    model = EMDE.create(SMALL | {"epochs": 1}).fit(train)
    expected = model._validate(train)
    seen = []

    def spy(prefixes: Sessions, k: int):
        seen.append(prefixes.n_events)
        return recommend(prefixes, k)

    recommend = model.recommend
    monkeypatch.setattr(EMDE, "recommend", lambda self, prefixes, k: spy(prefixes, k))
    monkeypatch.setattr("emde.session.HELD", 500)
    assert model._validate(train) == expected
    assert max(seen) <= 500
    assert sum(seen) == 6 * sum(range(1, 40))
