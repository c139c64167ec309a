"""emde.network: the residual formula by hand; emde.train: what the loop does with it."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import torch

from contracts import Checkpoint
from contracts.runtime.training import Schedule, Trainer, adam
from emde.network import SKIP, Members, SketchNetwork, Skip
from emde.train import Batches, Chosen

INPUTS, OUTPUTS, HIDDEN = 3, 4, 2


def build(layers: int, dropout: float = 0.0, seed: int = 0, hidden: int = HIDDEN) -> SketchNetwork:
    return SketchNetwork(INPUTS, OUTPUTS, hidden, layers, dropout, torch.Generator().manual_seed(seed))


def with_statistics(network: SketchNetwork) -> SketchNetwork:
    """Batch norms that do something: means, variances, scales and shifts that are not 0 and 1."""
    for depth, norm in enumerate(network.norms):
        norm.running_mean += 0.1 + depth
        norm.running_var *= 2.0 + depth
        with torch.no_grad():
            norm.weight += 0.5
            norm.bias -= 0.25
    return network.eval()


def linear(x: np.ndarray, layer: torch.nn.Linear) -> np.ndarray:
    return x @ layer.weight.detach().double().numpy().T + layer.bias.detach().double().numpy()


def first(x: np.ndarray, network: SketchNetwork) -> np.ndarray:
    """[W_1 x, W_p x], stored side by side, a row per input."""
    layer = network.first or network.out
    return x @ layer.weight.detach().double().numpy() + layer.bias.detach().double().numpy()


def block(x: np.ndarray, norm: torch.nn.BatchNorm1d) -> np.ndarray:
    """BN(leaky ReLU(x)) with the stored statistics."""
    x = np.where(x > 0, x, 0.01 * x)
    mean, variance, weight, bias = (
        value.detach().double().numpy() for value in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x - mean) / np.sqrt(variance + norm.eps) * weight + bias


def test_three_layers_by_the_formula() -> None:
    """p = W_p x; h1 = BN(act(W_1 x)); h2 = BN(act(W_2 h1 + p)); h3 = BN(act(W_3 h2 + p)); out = W_o h3."""
    network = with_statistics(build(3))
    x = np.random.default_rng(0).standard_normal((5, INPUTS))
    h, p = np.split(first(x, network), 2, axis=1)
    h = block(h, network.norms[0])
    h = block(linear(h, network.layers[0]) + p, network.norms[1])
    h = block(linear(h, network.layers[1]) + p, network.norms[2])
    found = network(torch.from_numpy(x).float())
    np.testing.assert_allclose(found.detach().numpy(), linear(h, network.out), rtol=1e-4, atol=1e-5)


def test_one_layer_has_no_residual() -> None:
    network = with_statistics(build(1))
    assert network.first.weight.shape == (INPUTS, HIDDEN)
    x = np.random.default_rng(0).standard_normal((5, INPUTS))
    expected = linear(block(first(x, network), network.norms[0]), network.out)
    np.testing.assert_allclose(network(torch.from_numpy(x).float()).detach().numpy(), expected, rtol=1e-4, atol=1e-5)


def test_no_layer_is_one_linear_map() -> None:
    network = build(0).eval()
    assert sum(p.numel() for p in network.parameters()) == INPUTS * OUTPUTS + OUTPUTS
    x = np.random.default_rng(0).standard_normal((5, INPUTS))
    np.testing.assert_allclose(
        network(torch.from_numpy(x).float()).detach().numpy(), first(x, network), rtol=1e-4, atol=1e-6
    )


def test_same_seed_same_weights() -> None:
    first, again, other = build(3), build(3), build(3, seed=1)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)
    assert first.first.weight.abs().max() <= 1 / np.sqrt(INPUTS)
    assert not torch.equal(*first.first.weight.split(HIDDEN, dim=1)), "W_1 is not W_p"


def test_weights_do_not_come_from_the_global_generator() -> None:
    torch.manual_seed(0)
    first = build(2)
    torch.manual_seed(1)
    assert torch.equal(first.out.weight, build(2).out.weight)


def test_dropout_only_in_training() -> None:
    x = torch.randn(64, INPUTS, generator=torch.Generator().manual_seed(0))
    dropped, plain = build(1, dropout=0.5, hidden=200), build(1, hidden=200)
    assert torch.equal(dropped.eval()(x), plain.eval()(x))
    dropped.train()
    h = torch.ones(500, 200)
    masks = dropped._mask(h)
    assert masks.dtype == torch.bool
    assert masks.float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert not torch.equal(dropped(x), dropped(x))  # a new mask every time
    assert torch.equal(plain.train()(x), plain.train()(x))


def test_dropout_keeps_the_mean() -> None:
    x = torch.randn(256, INPUTS, generator=torch.Generator().manual_seed(0))
    dropped, plain = build(1, dropout=0.5, hidden=50).train(), build(1, hidden=50).train()
    mean = torch.stack([dropped(x) for _ in range(400)]).mean(0)
    assert (mean - plain(x)).abs().mean() < 0.05


def train(network: SketchNetwork, n_examples: int, epochs: int = 3, batch_size: int = 4, gamma: float = 1.0):
    """Fit to zero; returns the batches drawn and the loss of every batch."""
    batches, losses = [], []
    x = torch.randn(max(n_examples, 1), INPUTS, generator=torch.Generator().manual_seed(1))

    def batch_loss(batch: Chosen) -> torch.Tensor:
        batches.append(batch.here.tolist())
        loss = network(x[batch.there]).square().mean()
        losses.append(loss.item())
        return loss

    rng = torch.Generator().manual_seed(0)
    source = Batches(n_examples, batch_size, batch_loss, rng, rng, "float32", network.device)
    trainer = Trainer("test", network, adam(network, 0.05), source.losses, Schedule(epochs, 0.05, gamma), source=source)
    trainer.fit(source.examples, Checkpoint(None, {}))
    return batches, losses


def test_every_epoch_visits_every_example_once() -> None:
    network = build(1)
    batches, losses = train(network, 10)
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    for epoch in range(3):
        assert sorted(chain(*batches[3 * epoch : 3 * epoch + 3])) == list(range(10))
    assert batches[:3] != batches[3:6], "shuffled anew"
    assert not network.training
    assert losses[-1] < losses[0]


def test_a_last_batch_of_one_is_left_out() -> None:
    batches, _ = train(build(1), 9)
    assert [len(batch) for batch in batches] == [4, 4] * 3
    for n in (0, 1):
        assert train(build(1), n)[0] == []


def test_gamma_slows_down() -> None:
    """With a tiny gamma only the first epoch moves the weights."""
    one, three = build(0), build(0)
    train(one, 8, epochs=1, gamma=1e-9)
    train(three, 8, epochs=3, gamma=1e-9)
    assert torch.allclose(one.out.weight, three.out.weight, atol=1e-6)
    full = build(0)
    train(full, 8, epochs=3)
    assert not torch.allclose(full.out.weight, one.out.weight, atol=1e-3)


def test_a_skip_adds_the_sketches_rows_times_its_factors() -> None:
    rng = torch.Generator().manual_seed(0)
    parts, rows, width = 2, 3, 4
    inner = SketchNetwork(parts * rows * width, rows * width, 5, 3, 0.0, rng).eval()
    network, x = Skip(inner, parts, rows, parts), torch.rand(4, parts * rows * width, generator=rng)
    assert torch.equal(network(x), inner(x))
    with torch.no_grad():
        network.factors.copy_(torch.arange(parts * rows).view(parts, rows))
    expected, sketches = inner(x).view(4, rows, width), x.view(4, parts, rows, width)
    for part in range(parts):
        for row in range(rows):
            expected[:, row] += SKIP * (part * rows + row) * sketches[:, part, row]
    torch.testing.assert_close(network(x), expected.flatten(1))
    assert network.flops() == inner.flops()


def test_members_do_not_see_each_other() -> None:
    rng = torch.Generator().manual_seed(0)
    parts, cells = 2, 6
    members = [SketchNetwork(parts * cells, cells, 5, 3, 0.0, rng).eval() for _ in range(3)]
    network = Members(parts, members).eval()
    x = torch.rand(4, parts * 3 * cells, generator=rng)
    out = network(x).view(4, 3, cells)
    blocks = x.view(4, parts, 3, cells)
    for i, member in enumerate(members):
        torch.testing.assert_close(out[:, i], member(blocks[:, :, i].reshape(4, -1)), rtol=0, atol=0)
    assert network.flops() == sum(member.flops() for member in members)
    changed = blocks.clone()
    changed[:, :, 1] += 1
    moved = (network(changed.reshape(4, -1)).view(4, 3, cells) != out).any(dim=2).any(dim=0)
    assert moved.tolist() == [False, True, False]
