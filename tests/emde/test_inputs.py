"""emde.inputs: what is read of a session, against a loop over its events; options of the session model around it."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
import torch

from contracts import Sessions, UserError
from emde import EMDE, graph
from emde.inputs import PLACES, Events, Input, input_sketch, relabel
from emde.modality import Modality, item_vectors

WIDTH, ROWS = 16, 3
SESSIONS = Sessions.from_lists([[0, 1, 1, 2], [3], [2, 0, 4, 4, 1, 3, 0, 2, 2, 1, 0], [5, 5]], 6)
CODES = np.random.default_rng(0).integers(WIDTH, size=(6, ROWS))


def expected(part: Input, items: list[int], times: list[float]) -> np.ndarray:
    """One prefix, event by event."""

    def moved(code: int, steps: int) -> int:
        for _ in range(steps):
            code = (5 * code + 1) % WIDTH
        return code

    out = np.zeros((ROWS, WIDTH))
    last = len(items) - 1
    read = {"past": range(last), "last": [last], "first": [0], "pairs": range(1, last + 1)}.get(part, range(last + 1))
    newest = {"past": times[last - 1], "first": times[0]}.get(part, times[last])
    for event in read:
        for row in range(ROWS):
            code = int(CODES[items[event], row])
            if part == "pairs":
                code ^= moved(int(CODES[items[event - 1], row]), 1)
            elif part == "places":
                code = moved(code, min(last - event, PLACES - 1))
            out[row, code] += 0.5 ** (0.1 * (newest - times[event]))
    return out


@pytest.mark.parametrize("part", get_args(Input))
def test_every_part_is_the_sum_over_its_events(part: Input) -> None:
    events = Events(SESSIONS, torch.device("cpu"))
    starts, ends = SESSIONS.offsets[:-1], SESSIONS.offsets[1:]
    found = input_sketch(part, torch.from_numpy(CODES), events, events.sessions, alpha=0.5, w=0.1, width=WIDTH).numpy()
    for row, (start, end) in enumerate(zip(starts, ends, strict=True)):
        items, times = SESSIONS.items[start:end].tolist(), SESSIONS.times[start:end].tolist()
        np.testing.assert_allclose(found[row], expected(part, items, times), rtol=1e-5)


def test_a_place_is_a_permutation_of_the_regions() -> None:
    codes = torch.arange(128)[:, None]
    moved = [relabel(codes, torch.full((128,), place), 128)[:, 0] for place in range(PLACES)]
    assert all(len(set(column.tolist())) == 128 for column in moved)
    assert (moved[0] == codes[:, 0]).all()
    for place in range(1, PLACES):  # the same region at two places is another cell
        assert (moved[place] != moved[0]).all()


def model(**settings) -> EMDE:
    settings = {"hidden": 32, "epochs": 16, "batch_size": 32, "lr": 0.02, "dtype": "float32", **settings}
    return EMDE(modalities=(Modality(group="random"),), **settings)


def test_places_tell_what_a_bag_cannot() -> None:
    """The next item follows from the one before last, and histories are the same bags: 0 1 2 -> 3, 1 0 2 -> 4."""
    train = Sessions.from_lists([[0, 1, 2, 3], [1, 0, 2, 4]] * 30, 5, [[0.0] * 4] * 60)
    prefixes = Sessions.from_lists([[0, 1, 2], [1, 0, 2]], 5, [[0.0] * 3] * 2)

    def first(inputs: tuple[Input, ...]) -> list[int]:
        return model(inputs=inputs).fit(train).recommend(prefixes, 1)[0][:, 0].tolist()

    telling: list[tuple[Input, ...]] = [("places",), ("past", "pairs"), ("last", "pairs")]
    for inputs in telling:
        assert first(inputs) == [3, 4]
    assert len(set(first(("past", "last")))) == 1
    assert len(set(first(("all",)))) == 1


def test_only_the_longest_prefixes_are_examples() -> None:
    """Of 0 1 2 the prefix 0 1 alone is learned from: what follows 0 stays unknown."""
    train = Sessions.from_lists([[0, 1, 2], [3, 4, 2]] * 30, 5)
    lists = model(max_prefixes=1).fit(train).recommend(Sessions.from_lists([[0], [0, 1]], 5), 1)[0]
    assert lists[:, 0].tolist() == [2, 2]
    assert model().fit(train).recommend(Sessions.from_lists([[0]], 5), 1)[0][0, 0] == 1


def test_a_skip_names_again_what_was_seen() -> None:
    """Sessions a, b, a: a narrow network, held-out pairs. Only past the layers can what was seen reach the logits."""
    rng = np.random.default_rng(0)
    pairs = np.array([rng.choice(60, 2, replace=False) for _ in range(400)])
    train = Sessions.from_lists(np.column_stack([pairs, pairs[:, 0]])[:300].tolist(), 60)
    asked = Sessions.from_lists(pairs[300:].tolist(), 60)

    def named(**options: Any) -> float:
        fixed = {"modalities": [{"group": "random"}], "hidden": 1, "epochs": 30, "batch_size": 32, "lr": 0.01}
        model = EMDE.create(fixed | options)
        return float((model.fit(train).recommend(asked, 1)[0][:, 0] == pairs[300:, 0]).mean())

    assert named() < 0.2
    assert named(skip=True) > 0.9
    assert named(skip=True, members=2) > 0.9
    with pytest.raises(UserError, match="skip: expected variant paper, found release"):
        named(skip=True, variant="release")


@pytest.mark.parametrize("part", get_args(Input))
def test_without_normalization_the_network_reads_the_sums(part: Input) -> None:
    raw, alike = (model(inputs=[part], normalization=name).fit(SESSIONS) for name in ("none", "l2"))
    summed, read = (one.sketches(SESSIONS).view(len(SESSIONS), -1, one.width) for one in (raw, alike))
    device = torch.device("cpu")
    events = Events(SESSIONS, device)
    codes = torch.from_numpy(raw._state["codes"].astype(np.int64))
    assert torch.equal(summed, input_sketch(part, codes, events, events.sessions, raw.alpha, raw.w, raw.width))
    norms = summed.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(read * norms, summed)
    if part not in ("last", "first"):
        assert float((norms - 1).abs().max()) > 0.4  # two and more events


def test_smoothing_and_weight_decay_flatten_what_is_learned() -> None:
    """The same start and the same examples: the target's share of every row falls, and so do the weights."""

    def learned(**options: float) -> tuple[float, float]:
        model = EMDE.create({"modalities": [{"group": "random"}], "hidden": 16, "epochs": 40, "lr": 0.01, **options})
        model.fit(SESSIONS)
        network, _ = model._ready(2)
        with torch.no_grad():
            share = torch.softmax(model.log_probabilities(network.eval()(model.sketches(SESSIONS))), -1).amax(-1).mean()
        return float(share), float(sum(weight.detach().square().sum() for weight in network.parameters()))

    share, weights = learned()
    assert learned(smoothing=0.5)[0] < share - 0.1
    assert learned(weight_decay=1.0)[1] < 0.9 * weights


def test_without_batch_norm_nothing_is_normalised() -> None:
    fitted = model(batch_norm=False).fit(SESSIONS)
    assert not [name for name in fitted._state if "norms" in name]
    assert [name for name in model().fit(SESSIONS)._state if "norms" in name]


def test_followers_are_counted_within_sessions() -> None:
    train = Sessions.from_lists([[0, 1, 1, 2], [2, 0], [0, 1]], 4)
    assert graph.follow(train).toarray().tolist() == [[0, 2, 0, 0], [0, 1, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    unknown = Sessions(np.array([0, -1, 1], np.int32), np.arange(3.0), np.array([0, 3]), 2)
    assert graph.follow(unknown)[0, 1] == 1  # an item outside the catalogue is as if it were not there


def test_directed_vectors_average_successors() -> None:
    train = Sessions.from_lists([[0, 1], [0, 2], [3, 1], [3, 2]], 5)
    vectors, known = item_vectors(train, Modality(group="next", iterations=1, dim=64))
    start = np.random.default_rng(0).uniform(-1, 1, (5, 64)).astype(np.float32)
    wanted = start[0] + start[1] + start[2]
    np.testing.assert_allclose(vectors[0], wanted / np.linalg.norm(wanted), atol=1e-6)
    np.testing.assert_allclose(vectors[1], start[1] / np.linalg.norm(start[1]), atol=1e-6)  # nothing follows 1
    assert known.tolist() == [True] * 4 + [False]
    backwards, _ = item_vectors(train, Modality(group="previous", iterations=1, dim=64))
    assert vectors[0] @ vectors[3] > 0.5 > abs(backwards[0] @ backwards[3])
    assert backwards[1] @ backwards[2] > 0.5 > abs(vectors[1] @ vectors[2])
