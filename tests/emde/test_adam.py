"""emde.adam: the one pass over a sparse first layer is torch's fused Adam, bit for bit on whole vectors."""

from __future__ import annotations

import pytest
import torch

from contracts.runtime.training import adam
from emde.adam import sketch_adam
from emde.first_layer import TILE
from emde.network import Members, SketchNetwork

CELLS, BATCH = 60, 24


def network(hidden: int, layers: int, seed: int = 0) -> SketchNetwork:
    made = SketchNetwork(CELLS, 20, hidden, layers, 0.0, torch.Generator().manual_seed(seed))
    for layer in made.modules():
        if hasattr(layer, "sparse"):
            layer.sparse.fill_(True)
    return made


def batches(number: int, seed: int = 1) -> list[torch.Tensor]:
    """Sketches whose last cells nothing uses, and some of whose cells only some batches use."""
    rng = torch.Generator().manual_seed(seed)
    made = []
    for _ in range(number):
        x = torch.rand(BATCH, CELLS, generator=rng)
        x *= torch.rand(BATCH, CELLS, generator=rng) < 0.08
        x[:, 50:] = 0
        made.append(x)
    return made


def trained(optimizer, made, steps: list[torch.Tensor]):
    for number, x in enumerate(steps):
        optimizer.param_groups[0]["lr"] = 0.004 * 0.5 ** (number // 3)
        optimizer.zero_grad(set_to_none=True)
        made(x).square().mean().backward()
        optimizer.step()
    return made


@pytest.mark.parametrize("decay", [0.0, 0.01])
@pytest.mark.parametrize(("hidden", "layers"), [(16, 3), (TILE // 2 + 32, 3), (16, 1), (16, 0)])
def test_steps_are_torchs(hidden, layers, decay) -> None:
    ours, torchs = network(hidden, layers), network(hidden, layers)
    one_pass, plain = sketch_adam(ours, 0.004, decay), adam(torchs, 0.004, decay, decoupled=True)
    steps = batches(7)
    trained(one_pass, ours, steps)
    trained(plain, torchs, steps)
    assert_same_weights(ours, torchs)
    assert_same_state(one_pass.state_dict(), plain.state_dict())


def assert_same(left: torch.Tensor, right: torch.Tensor) -> None:
    """Bit for bit where torch's kernel fuses products and sums; without such instructions it rounds once more."""
    fused = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    assert (left - right).abs().mean() <= (0 if fused else 1e-5)


def assert_same_weights(ours, torchs) -> None:
    for left, right in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert_same(left, right)


def assert_same_state(left, right) -> None:
    assert left["param_groups"] == right["param_groups"]
    assert left["state"].keys() == right["state"].keys()
    for key, expected in right["state"].items():
        assert left["state"][key].keys() == expected.keys()
        for name, value in expected.items():
            assert left["state"][key][name].dtype == value.dtype
            assert_same(left["state"][key][name], value)


def test_members_step_each() -> None:
    made = [Members(1, [network(8, 3, 1), network(8, 3, 2)]) for _ in range(2)]
    wide = [torch.cat([x, x.flip(0)], dim=1) for x in batches(4)]
    trained(sketch_adam(made[0], 0.004), made[0], wide)
    trained(adam(made[1], 0.004), made[1], wide)
    assert_same_weights(*made)


def test_goes_on_from_its_state() -> None:
    """Half of the steps, the state into a new optimiser, the other half: as in one go."""
    whole, first = network(16, 3), network(16, 3)
    steps = batches(8)
    trained(sketch_adam(whole, 0.004), whole, steps)
    begun = sketch_adam(first, 0.004)
    trained(begun, first, steps[:4])
    second = network(16, 3, seed=5)
    second.load_state_dict(first.state_dict())
    rest = sketch_adam(second, 0.004)
    rest.load_state_dict(begun.state_dict())
    for number, x in enumerate(steps[4:], 4):
        rest.param_groups[0]["lr"] = 0.004 * 0.5 ** (number // 3)
        rest.zero_grad(set_to_none=True)
        second(x).square().mean().backward()
        rest.step()
    for left, right in zip(whole.parameters(), second.parameters(), strict=True):
        assert torch.equal(left, right)


def test_no_gradient_lies_in_memory() -> None:
    made = network(16, 3)
    optimizer = sketch_adam(made, 0.004)
    before = made.first.weight.detach().clone()
    trained(optimizer, made, batches(1))
    assert made.first.weight.grad is None
    assert made.first.pending is None
    moved = (made.first.weight != before).any(dim=1)
    assert moved.any()
    assert not moved[50:].any()


def test_dense_sketches_take_torchs_step() -> None:
    made, same = network(16, 3), network(16, 3)
    for layer in (made.first, same.first):
        layer.sparse.fill_(False)
    trained(sketch_adam(made, 0.004), made, batches(3))
    trained(adam(same, 0.004), same, batches(3))
    for left, right in zip(made.parameters(), same.parameters(), strict=True):
        assert torch.equal(left, right)
    assert made.first.weight.grad is not None


def test_two_backward_passes_before_a_step_are_refused() -> None:
    made = network(16, 3)
    sketch_adam(made, 0.004)
    x = batches(1)[0]
    made(x).sum().backward()
    with pytest.raises(AssertionError, match="one backward pass"):
        made(x).sum().backward()


def test_threads_change_nothing(monkeypatch) -> None:
    found = []
    for threads in ("1", "2"):
        monkeypatch.setenv("EMDE_THREADS", threads)
        made = SketchNetwork(600, 20, 16, 3, 0.0, torch.Generator().manual_seed(0))
        made.first.sparse.fill_(True)
        x = torch.zeros(BATCH, 600)
        x[:, ::7] = 1.0
        found.append(trained(sketch_adam(made, 0.004), made, [x, x.roll(1, 1)]).first.weight.detach())
    assert torch.equal(*found)
