"""The trainer of the neural session baselines, and each network against its formula in straight Python."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from baselines.session.narm import NARM
from baselines.session.nextitnet import NextItNet
from baselines.session.sasrec import SASRec
from baselines.session.shared import neural
from baselines.session.shared.batches import Examples, hold_out, prefixes_of, shuffled
from baselines.session.stamp import STAMP
from benchmark.experiments import methods
from contracts import Sessions, UserError
from contracts.errors import NotFinite
from contracts.runtime.checkpoint import VARIABLE
from contracts.runtime.training import Step

CPU = torch.device("cpu")
N_ITEMS = 7
NAMES = ["gru4rec", "narm", "stamp", "nextitnet", "sasrec"]
SMALL = {"dim": 16, "hidden": 16, "layers": (16,), "n_sample": 4, "batch_size": 8, "device": "cpu", "dtype": "float32"}


def create(name: str, **params):
    cls = methods.find("session", name)
    small = {field: value for field, value in SMALL.items() if field in cls.model_fields}
    return cls.create({**small, **params}, name)


def lists(seed: int = 0, n: int = 40) -> list[list[int]]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, N_ITEMS, rng.integers(1, 12)).tolist() for _ in range(n)]


def new_network(model, n_items: int = N_ITEMS) -> torch.nn.Module:
    return model._new_network(n_items, CPU).eval()


# ------------------------------------------------------------------------------------------ batches


@pytest.mark.parametrize("max_length", [3, 50])
def test_every_prefix_is_an_example(max_length: int) -> None:
    rows = lists()
    examples = Examples.of_prefixes(Sessions.from_lists(rows, N_ITEMS), max_length, CPU)
    expected = [(row[:i][-max_length:], row[i]) for row in rows for i in range(1, len(row))]
    batch = examples.batch(torch.arange(len(examples)))
    assert batch.targets.tolist() == [target for _, target in expected]
    for items, length, (prefix, _) in zip(batch.items.tolist(), batch.lengths.tolist(), expected, strict=True):
        assert items[:length] == prefix
        assert set(items[length:]) <= {N_ITEMS}
    prefixes, targets = prefixes_of(Sessions.from_lists(rows, N_ITEMS), max_length)
    ranked = Examples.to_rank(prefixes, max_length, CPU).batch(torch.arange(len(prefixes)))
    assert torch.equal(ranked.items, batch.items)
    assert targets.tolist() == batch.targets.tolist()


@pytest.mark.parametrize("max_length", [1, 3, 50])
def test_every_event_but_the_first_follows_once(max_length: int) -> None:
    rows = lists(1)
    examples = Examples.of_sessions(Sessions.from_lists(rows, N_ITEMS), max_length, CPU)
    assert int(examples.lengths.max()) <= max_length
    batch = examples.batch(torch.arange(len(examples)))
    found = zip(batch.items[batch.mask].tolist(), batch.follow[batch.mask].tolist(), strict=True)
    assert sorted(found) == sorted(pair for row in rows for pair in pairwise(row))
    assert (batch.follow[~batch.mask] == -1).all()


def test_an_epoch_visits_every_example_once_among_its_like() -> None:
    lengths = torch.from_numpy(np.random.default_rng(0).geometric(0.2, 5000))
    batches = list(shuffled(lengths, 16, torch.Generator().manual_seed(0)))
    assert sorted(torch.cat(batches).tolist()) == list(range(5000))
    padded = sum(int(lengths[rows].max()) * len(rows) for rows in batches)
    assert padded < 1.2 * int(lengths.sum())
    assert [rows.tolist() for rows in batches] != [rows.tolist() for rows in shuffled(lengths, 16, torch.Generator())]
    assert list(shuffled(lengths[:0], 16, torch.Generator())) == []


def test_the_last_sessions_are_held_out() -> None:
    times = [[30.0, 31.0], [0.0, 50.0], [10.0, 11.0], [20.0, 21.0], [40.0, 41.0]]
    train = Sessions.from_lists([[0, 1], [1, 2], [0, 1], [1, 0], [3, 0]], N_ITEMS, times)
    parts = hold_out(train, 0.4)
    assert parts is None, "what is left of the held-out sessions without unknown items has no next item"
    earlier, later = hold_out(
        Sessions(train.items, train.times[[8, 9, *range(2, 8), 0, 1]], train.offsets, N_ITEMS), 0.4
    )
    assert earlier.items.tolist() == [0, 1, 1, 0, 3, 0]
    assert later.items.tolist() == [0, 1, 1], "item 2 is unknown before"
    assert hold_out(train, 0.01) is None


# ------------------------------------------------------------------------------------------ training


@pytest.mark.parametrize(
    ("name", "stop"), [("stamp", 2), *((name, 6) for name in (*NAMES, "sr-gnn", "tagnn", "gce-gnn"))]
)
def test_a_killed_run_goes_on_as_if_unbroken(name: str, stop: int, tmp_path: Path, monkeypatch) -> None:
    """Killed within an epoch, after two of its steps: while the epoch is chosen, and in the second training."""
    train = Sessions.from_lists(lists(2), N_ITEMS)
    params = {"epochs": 4, "patience": 4, "validation": 0.25, "batch_size": 8}
    whole = create(name, **params).fit(train)
    monkeypatch.setenv(VARIABLE, "0")
    model = create(name, **params).checkpoint_at(tmp_path / "run.ckpt")
    cls, calls = type(model), []
    losses = cls.losses

    def until_killed(*arguments):
        calls.append(1)
        steps = losses(*arguments)
        if len(calls) == min(stop, len(whole.history)):
            yield from islice(steps, 2)
            raise KeyboardInterrupt
        yield from steps

    monkeypatch.setattr(cls, "losses", until_killed)
    with pytest.raises(KeyboardInterrupt):
        model.fit(train)
    monkeypatch.setattr(cls, "losses", losses)
    resumed = create(name, **params).checkpoint_at(tmp_path / "run.ckpt").fit(train)
    assert resumed.history == whole.history
    assert resumed._state.keys() == whole._state.keys()
    for key, value in whole._state.items():
        np.testing.assert_array_equal(resumed._state[key], value, err_msg=key)


def test_the_best_epoch_is_kept(monkeypatch) -> None:
    train = Sessions.from_lists(lists(3), N_ITEMS)
    curve = iter([0.1, 0.3, 0.2, 0.3, 0.1])
    monkeypatch.setattr(STAMP, "_validate", lambda *_: {"valid_mrr": next(curve), "valid_hr": 0.0})
    model = create("stamp", epochs=30, patience=3).fit(train)
    assert [row["valid_mrr"] for row in model.history if "refit" not in row] == [0.1, 0.3, 0.2, 0.3, 0.1]
    assert [row["epoch"] for row in model.history if "refit" in row] == [1, 2]
    straight = create("stamp", epochs=2, validation=0.0).fit(train)
    for key, value in straight._state.items():
        np.testing.assert_array_equal(model._state[key], value, err_msg=key)


def test_without_refit_the_best_epoch_of_the_earlier_part_stays(monkeypatch) -> None:
    train = Sessions.from_lists(lists(3), N_ITEMS)
    curve = iter([0.1, 0.3, 0.2])
    monkeypatch.setattr(STAMP, "_validate", lambda *_: {"valid_mrr": next(curve), "valid_hr": 0.0})
    model = create("stamp", epochs=3, refit=False).fit(train)
    straight = create("stamp", epochs=2, validation=0.0).fit(hold_out(train, 0.1)[0])
    for key, value in straight._state.items():
        np.testing.assert_array_equal(model._state[key], value, err_msg=key)


def test_validation_is_that_of_the_benchmark() -> None:
    """MRR@20 and HR@20 of the held-out sessions = those of the ranked lists, ties by item index."""
    train = Sessions.from_lists(lists(4, 80), 60)
    model = create("narm", epochs=1, validation=0.0).fit(train)
    valid = Sessions.from_lists(lists(5), 60)
    prefixes, targets = prefixes_of(valid, 50)
    items, _ = model.recommend(prefixes, 20)
    ranks = [row.index(target) + 1 if target in row else 0 for row, target in zip(items.tolist(), targets, strict=True)]
    found = model._validate(model._network, valid, CPU)
    assert found["valid_hr"] == pytest.approx(np.mean([rank > 0 for rank in ranks]))
    assert found["valid_mrr"] == pytest.approx(np.mean([1 / rank if rank else 0 for rank in ranks]))
    for parameter in model._network.parameters():
        parameter.data.zero_()
    tied = model._validate(model._network, valid, CPU)
    assert tied["valid_mrr"] == pytest.approx(np.mean(1 / (targets + 1.0)))


def test_a_loss_that_is_not_finite_is_an_error(monkeypatch) -> None:
    def diverge(self, *_):
        yield Step(torch.tensor(math.nan, requires_grad=True), 1)

    monkeypatch.setattr(STAMP, "losses", diverge)
    with pytest.raises(NotFinite, match="stamp: expected a finite loss, found nan in epoch 1"):
        create("stamp", epochs=2).fit(Sessions.from_lists(lists(), N_ITEMS))


@pytest.mark.parametrize("name", NAMES)
def test_a_training_that_diverges_is_an_error(name: str) -> None:
    train = Sessions.from_lists(lists(), N_ITEMS)
    with pytest.raises(NotFinite, match=r"expected (a )?finite"):
        create(name, epochs=3, lr=1e30, validation=0.0).fit(train).recommend(Sessions.from_lists([[0]], N_ITEMS), 3)


def test_dropout_scales_what_it_keeps() -> None:
    layer = neural.Dropout(0.25)
    layer.rng = torch.Generator().manual_seed(0)
    found = layer.train()(torch.ones(10_000))
    assert sorted(set(found.tolist())) == pytest.approx([0, 1 / 0.75])
    assert float(found.mean()) == pytest.approx(1, abs=0.03)
    assert torch.equal(layer.eval()(torch.ones(5)), torch.ones(5))


@pytest.mark.parametrize("name", NAMES)
def test_mixed_precision_trains(name: str) -> None:
    """Near float32; global random numbers are left alone."""
    train, before = Sessions.from_lists(lists(), N_ITEMS), torch.get_rng_state()
    exact, mixed = (create(name, epochs=2, dtype=dtype, validation=0.0).fit(train) for dtype in ("float32", "bf16"))
    assert mixed.history[-1]["loss"] == pytest.approx(exact.history[-1]["loss"], rel=0.05)
    mixed.recommend(Sessions.from_lists([[0]], N_ITEMS), 3)
    assert torch.equal(torch.get_rng_state(), before)
    assert mixed.history[-1]["loss"] != exact.history[-1]["loss"]


# ------------------------------------------------------------------------------------------ formulas


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def weights_of(network: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: value.numpy().astype(np.float64) for name, value in network.state_dict().items()}


def scores_of(model, prefixes: list[list[int]]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(the network's weights, its scores of the prefixes)."""
    network = new_network(model)
    examples = model.rank_examples(Sessions.from_lists(prefixes, N_ITEMS), CPU)
    with torch.no_grad():
        return weights_of(network), network(examples.batch(torch.arange(len(prefixes)))).numpy()


PREFIXES = [[0], [1, 2], [3, 3, 0, 6], [5, 1, 2, 4, 6, 0]]


def test_stamp() -> None:
    model = STAMP(dim=5, device="cpu")
    w, found = scores_of(model, PREFIXES)
    for prefix, scores in zip(PREFIXES, found, strict=True):
        x = w["items.weight"][prefix]
        attention = [
            float(
                w["attention.weight"][0]
                @ sigmoid(
                    w["of_item.weight"] @ event
                    + w["of_item.bias"]
                    + w["of_last.weight"] @ x[-1]
                    + w["of_mean.weight"] @ x.mean(0)
                )
            )
            for event in x
        ]
        memory = sum(a * event for a, event in zip(attention, x, strict=True))
        session = np.tanh(w["session.weight"] @ memory + w["session.bias"])
        last = np.tanh(w["last.weight"] @ x[-1] + w["last.bias"])
        np.testing.assert_allclose(scores, w["items.weight"][:-1] @ (session * last), rtol=1e-4, atol=1e-12)


def gru(w: dict[str, np.ndarray], x: np.ndarray, h: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """One step of a GRU; names: input and state weights, input and state biases."""
    a, b, c, d = (w[name] for name in names)
    reset_x, update_x, new_x = np.split(a @ x + c, 3)
    reset_h, update_h, new_h = np.split(b @ h + d, 3)
    update = sigmoid(update_x + update_h)
    return (1 - update) * np.tanh(new_x + sigmoid(reset_x + reset_h) * new_h) + update * h


def test_narm() -> None:
    w, found = scores_of(NARM(dim=5, hidden=4, device="cpu"), PREFIXES)
    names = ("gru.weight_ih_l0", "gru.weight_hh_l0", "gru.bias_ih_l0", "gru.bias_hh_l0")
    for prefix, scores in zip(PREFIXES, found, strict=True):
        h, states = np.zeros(4), []
        for item in prefix:
            h = gru(w, w["items.weight"][item], h, names)
            states.append(h)
        attention = [
            float(w["attention.weight"][0] @ sigmoid(w["of_last.weight"] @ h + w["of_each.weight"] @ state))
            for state in states
        ]
        local = sum(a * state for a, state in zip(attention, states, strict=True))
        session = w["decoder.weight"] @ np.concatenate([h, local])
        np.testing.assert_allclose(scores, w["items.weight"][:-1] @ session, rtol=1e-4, atol=1e-7)


def normed(x: np.ndarray) -> np.ndarray:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def test_sasrec() -> None:
    w, found = scores_of(SASRec(dim=6, heads=2, blocks=2, device="cpu"), PREFIXES)

    def linear(name: str, x: np.ndarray) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    for prefix, scores in zip(PREFIXES, found, strict=True):
        x = math.sqrt(6) * w["items.weight"][prefix] + w["positions.weight"][: len(prefix)]
        for block in ("blocks.0", "blocks.1"):
            normal = normed(x)
            q, k, v = linear(f"{block}.query", normal), linear(f"{block}.key", x), linear(f"{block}.value", x)
            attended = np.zeros_like(x)
            for head in (slice(0, 3), slice(3, 6)):
                for i in range(len(x)):
                    chances = np.exp(q[i, head] @ k[: i + 1, head].T / math.sqrt(3))
                    attended[i, head] = chances / chances.sum() @ v[: i + 1, head]
            x = normed(normal + attended)
            x = x + linear(f"{block}.outer", np.maximum(linear(f"{block}.inner", x), 0))
        np.testing.assert_allclose(scores, w["items.weight"][:-1] @ normed(x)[-1], rtol=1e-4, atol=1e-6)


def test_nextitnet() -> None:
    w, found = scores_of(NextItNet(dim=5, dilations=(1, 2), device="cpu"), PREFIXES)
    for prefix, scores in zip(PREFIXES, found, strict=True):
        x = w["items.weight"][prefix]
        for number, dilation in enumerate((1, 2)):
            out = x
            for layer, reach in (("first", dilation), ("second", 2 * dilation)):
                kernel, bias = w[f"blocks.{number}.{layer}.weight"], w[f"blocks.{number}.{layer}.bias"]
                moved = np.tile(bias, (len(out), 1))
                for i in range(len(out)):
                    for tap in range(3):
                        at = i - (2 - tap) * reach
                        if at >= 0:
                            moved[i] += kernel[:, :, tap] @ out[at]
                out = np.maximum(normed(moved), 0)
            x = x + out
        np.testing.assert_allclose(scores, w["score.weight"] @ x[-1] + w["score.bias"], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["sasrec", "nextitnet"])
def test_no_event_sees_a_later_one(name: str) -> None:
    """The state after every event of a session is that of the prefix that ends there."""
    model = create(name)
    network = new_network(model)
    session = [3, 1, 4, 1, 5, 2, 6]
    together = network.states(model.rank_examples(Sessions.from_lists([session], N_ITEMS), CPU).batch(torch.arange(1)))
    for length in range(1, len(session) + 1):
        prefix = Sessions.from_lists([session[:length]], N_ITEMS)
        alone = network.states(model.rank_examples(prefix, CPU).batch(torch.arange(1)))
        torch.testing.assert_close(alone[0, -1], together[0, length - 1])


def test_heads_must_divide() -> None:
    with pytest.raises(UserError, match="sasrec: parameter 'dim': expected a multiple of heads = 3, found 16"):
        create("sasrec", heads=3).fit(Sessions.from_lists(lists(), N_ITEMS))
