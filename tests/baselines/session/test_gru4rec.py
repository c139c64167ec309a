"""GRU4Rec: its losses, batches and optimizer against straight Python, its variants of input."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from baselines.session.gru4rec import GRU4Rec
from baselines.session.shared.gru4rec import MomentumAdagrad, bpr_max, session_parallel, top1_max
from contracts import Sessions

CPU = torch.device("cpu")
N_ITEMS = 9


def model_of(**params) -> GRU4Rec:
    return GRU4Rec(**{"layers": (5,), "n_sample": 6, "batch_size": 4, "device": "cpu", **params})


def scores(rows: int = 4, columns: int = 10, seed: int = 0) -> torch.Tensor:
    return 2 * torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def chances(row: list[float], own: int) -> dict[int, float]:
    """Softmax over a row's negatives."""
    exponentials = {j: math.exp(value) for j, value in enumerate(row) if j != own}
    return {j: value / sum(exponentials.values()) for j, value in exponentials.items()}


def test_bpr_max() -> None:
    expected = 0.0
    for i, row in enumerate(scores().tolist()):
        s = chances(row, i)
        expected -= math.log(sum(s[j] * sigmoid(row[i] - row[j]) for j in s))
        expected += 0.7 * sum(s[j] * row[j] ** 2 for j in s)
    assert float(bpr_max(scores(), 0.7)) == pytest.approx(expected, rel=1e-12)


def test_top1_max() -> None:
    expected = 0.0
    for i, row in enumerate(scores().tolist()):
        s = chances(row, i)
        expected += sum(s[j] * (sigmoid(row[j] - row[i]) + sigmoid(row[j] ** 2)) for j in s)
    assert float(top1_max(scores())) == pytest.approx(expected, rel=1e-12)


def test_elu_bends_the_scores_first() -> None:
    bent = torch.where(scores() > 0, scores(), 0.5 * (torch.exp(scores()) - 1))
    for name, loss in (("bpr-max", bpr_max(bent, 1.0)), ("top1-max", top1_max(bent))):
        model = model_of(loss_function=name, elu_param=0.5)
        found = model._loss(scores(), torch.zeros(10, dtype=torch.int64), torch.ones(N_ITEMS))
        assert float(found) == pytest.approx(float(loss), rel=1e-12)
        linear = model_of(loss_function=name, elu_param=0.0)
        assert float(linear._loss(scores(), torch.zeros(10, dtype=torch.int64), torch.ones(N_ITEMS))) != float(found)


@pytest.mark.parametrize("logq", [0.0, 1.0, 0.5])
def test_cross_entropy_with_logq(logq: float) -> None:
    """Items of the batch are corrected by their popularity, samples by the power they were drawn with."""
    wanted = torch.tensor([2, 5, 2, 8, 0, 1, 5, 5, 3, 7])
    counts = torch.arange(1.0, N_ITEMS + 1, dtype=torch.float64)
    expected = 0.0
    for i, row in enumerate(scores().tolist()):
        chance = [float(counts[item]) ** (1 if j < 4 else 0.3) for j, item in enumerate(wanted.tolist())]
        right = [value - logq * math.log(p) for value, p in zip(row, chance, strict=True)]
        expected += math.log(sum(map(math.exp, right))) - right[i]
    found = model_of(logq=logq, sample_alpha=0.3)._loss(scores(), wanted, counts)
    assert float(found) == pytest.approx(expected, rel=1e-12)


def slow_lanes(sessions: list[list[int]], batch_size: int, fewest: int) -> list[list[tuple[int, int, int, bool]]]:
    """Steps of (lane, input, target, first of its session), one lane at a time."""
    waiting = [list(pairwise(s)) for s in sessions]
    lanes: dict[int, list[tuple[int, int]]] = {lane: [] for lane in range(batch_size)}
    steps = []
    while True:
        step = []
        for lane in sorted(lanes):
            fresh = not lanes[lane]
            if fresh:
                if not waiting:
                    del lanes[lane]
                    continue
                lanes[lane] = waiting.pop(0)
            step.append((lane, *lanes[lane].pop(0), fresh))
        if len(step) < fewest:
            return steps
        steps.append(step)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 50])
@pytest.mark.parametrize("fewest", [1, 2])
def test_session_parallel(batch_size: int, fewest: int) -> None:
    rng = np.random.default_rng(batch_size)
    rows = [rng.integers(0, N_ITEMS, rng.integers(1, 9)).tolist() for _ in range(30)]
    times = [[start + i for i in range(len(row))] for start, row in zip(rng.permutation(30) * 100, rows, strict=True)]
    examples = model_of().train_examples(Sessions.from_lists(rows, N_ITEMS, times), CPU)
    offsets, events, lanes, fresh = session_parallel(examples.starts.numpy(), examples.ends.numpy(), batch_size, fewest)
    items = examples.items.numpy()
    columns = (lanes.tolist(), items[events].tolist(), items[events + 1].tolist(), fresh.tolist())
    flat = list(zip(*columns, strict=True))
    found = [flat[begin:end] for begin, end in pairwise(offsets)]
    in_order = [row for _, row in sorted(zip(times, rows, strict=True)) if len(row) > 1]
    assert found == slow_lanes(in_order, batch_size, fewest)


def test_momentum_adagrad() -> None:
    """Three steps by hand; a sparse gradient moves its rows as the dense one would, and no other row."""
    gradients = [scores(3, 2, seed) for seed in range(3)]
    dense, sparse = (torch.nn.Parameter(torch.zeros(3, 2, dtype=torch.float64)) for _ in range(2))
    optimizers = [MomentumAdagrad([weight], lr=0.1, momentum=0.4) for weight in (dense, sparse)]
    weight, velocity, squares = (np.zeros((3, 2)) for _ in range(3))
    rows = torch.tensor([0, 2])
    for gradient in gradients:
        squares += gradient.numpy() ** 2
        velocity = 0.4 * velocity - 0.1 * gradient.numpy() / np.sqrt(squares + 1e-6)
        weight += velocity
        dense.grad = gradient
        sparse.grad = torch.sparse_coo_tensor(rows[None], gradient[rows], (3, 2))
        for optimizer in optimizers:
            optimizer.step()
    np.testing.assert_allclose(dense.detach().numpy(), weight, rtol=1e-12)
    np.testing.assert_allclose(sparse.detach().numpy()[[0, 2]], weight[[0, 2]], rtol=1e-12)
    assert (sparse.detach().numpy()[1] == 0).all()


@pytest.mark.parametrize("params", [{}, {"constrained": False, "embedding": 3}, {"constrained": False}])
def test_a_step_sums_the_gradients_of_equal_items(params: dict) -> None:
    """Looking every item up once gives the scores and the gradients of looking all of them up."""
    network = model_of(**params, layers=(5, 4))._new_network(N_ITEMS, CPU).eval()
    inputs, wanted = torch.tensor([1, 1, 3]), torch.tensor([3, 0, 0, 8, 8, 1])
    states = [torch.randn(3, size, generator=torch.Generator().manual_seed(size)) for size in (5, 4)]
    found, moved = network.step(inputs, states, wanted)
    found.square().sum().backward()
    gradients = {name: p.grad.to_dense().clone() for name, p in network.named_parameters()}
    network.zero_grad()
    again = network.move(network.input(inputs), states)
    plain = again[-1] @ network.output(wanted).T + network.output_bias(wanted).T
    plain.square().sum().backward()
    torch.testing.assert_close(found, plain)
    for state, other in zip(moved, again, strict=True):
        torch.testing.assert_close(state, other)
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad.to_dense(), msg=name)


def test_one_hot_input_is_a_gru_over_one_hot_vectors() -> None:
    network = model_of(constrained=False)._new_network(N_ITEMS, CPU).eval()
    cell = torch.nn.GRUCell(N_ITEMS, 5)
    weights = (network.input.weight.T, network.cells[0].weight_hh, network.cells[0].bias_ih, torch.zeros(15))
    for parameter, value in zip(cell.parameters(), weights, strict=True):
        parameter.data = value.detach()
    items, state = torch.tensor([0, 4, 8]), torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    moved = network.move(network.input(items), [state])[0]
    torch.testing.assert_close(moved, cell(torch.eye(N_ITEMS)[items], state))


@pytest.mark.parametrize("params", [{}, {"constrained": False, "embedding": 3}, {"constrained": False}])
@pytest.mark.parametrize("loss", ["cross-entropy", "bpr-max", "top1-max"])
def test_every_variant_learns(params: dict, loss: str) -> None:
    cycle = Sessions.from_lists([[(start + step) % 6 for step in range(4)] for start in range(6)] * 10, 6)
    more = {"layers": (16, 16), "epochs": 20, "hidden_dropout": 0.0, "logq": 0.0, "bpreg": 0.1, "lr": 0.1}
    model = model_of(**{**params, **more}, loss_function=loss).fit(cycle)
    items, _ = model.recommend(Sessions.from_lists([[i] for i in range(6)], 6), 1)
    assert items[:, 0].tolist() == [1, 2, 3, 4, 5, 0]


def test_without_samples_a_lone_session_teaches_nothing() -> None:
    """Its target would have no negatives."""
    train = Sessions.from_lists([[0, 1, 2, 3]], N_ITEMS)
    assert model_of(n_sample=0, epochs=1).fit(train).history[0]["loss"] == 0
    assert model_of(n_sample=2, epochs=1).fit(train).history[0]["loss"] > 0


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
def test_samples_follow_popularity(alpha: float) -> None:
    counts = torch.tensor([1.0, 4.0, 16.0])
    model = model_of(n_sample=500, sample_alpha=alpha)
    drawn = torch.cat(list(model._samples(counts, 60, torch.Generator().manual_seed(0))))
    expected = counts**alpha / (counts**alpha).sum()
    assert torch.bincount(drawn, minlength=3) / len(drawn) == pytest.approx(expected.numpy(), abs=0.01)


def test_initial_weights() -> None:
    network = model_of(layers=(40,), constrained=False, embedding=30)._new_network(200, CPU)
    bounds = {
        "output.weight": math.sqrt(6 / 240),
        "input.weight": math.sqrt(6 / 230),
        "cells.0.weight_ih": math.sqrt(6 / 70),
        "cells.0.weight_hh": math.sqrt(6 / 80),
    }
    for name, parameter in network.named_parameters():
        largest = float(parameter.detach().abs().max())
        assert largest == 0 if "bias" in name else 0.97 * bounds[name] < largest <= bounds[name], name
