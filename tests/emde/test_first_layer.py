"""emde.first_layer: the sparse product equals the dense one, forward and backward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from emde.first_layer import TILE, SketchLinear, to_csr


def layer(inputs: int, outputs: int, sparse: bool, seed: int = 0) -> SketchLinear:
    made = SketchLinear(inputs, outputs, torch.Generator().manual_seed(seed))
    made.sparse.fill_(sparse)
    return made


def sketches(batch: int, cells: int, share: float, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    full = torch.rand(batch, cells, generator=rng)
    return torch.where(torch.rand(batch, cells, generator=rng) < share, full, 0.0)


@hypothesis_settings(max_examples=25)
@given(
    batch=st.integers(1, 70), cells=st.integers(1, 40), outputs=st.sampled_from([1, 7, TILE, TILE + 3]),
    share=st.sampled_from([0.0, 0.1, 1.0]), seed=st.integers(0, 99),
)  # fmt: skip
def test_sparse_is_dense(batch, cells, outputs, share, seed) -> None:
    x = sketches(batch, cells, share, seed)
    factors = torch.randn(batch, outputs, generator=torch.Generator().manual_seed(seed))
    found = []
    for sparse in (True, False):
        made = layer(cells, outputs, sparse)
        y = made(x)
        (y * factors).sum().backward()
        found.append((y.detach(), made.weight.grad, made.bias.grad))
    for left, right in zip(*found, strict=True):
        torch.testing.assert_close(left, right, rtol=1e-5, atol=1e-5)


def test_gradients_add_up_and_start_anew() -> None:
    """Two backward passes sum; after zero_grad the buffer is reused and nothing of the old is left."""
    made, x = layer(6, 5, sparse=True), sketches(4, 6, 0.5)
    made(x).sum().backward()
    once = made.weight.grad.clone()
    made(x).sum().backward()
    torch.testing.assert_close(made.weight.grad, 2 * once)
    made.zero_grad(set_to_none=True)
    made(x[:2]).sum().backward()
    torch.testing.assert_close(made.weight.grad, x[:2].sum(0)[:, None].expand(6, 5))


def test_the_first_batch_decides_for_good() -> None:
    made = SketchLinear(100, 3, torch.Generator())
    made(sketches(8, 100, 0.9))
    assert made.sparse == 0
    made(sketches(8, 100, 0.01))
    assert made.sparse == 0
    other = SketchLinear(100, 3, torch.Generator())
    other(sketches(8, 100, 0.01))
    assert other.sparse == 1
    loaded = SketchLinear(100, 3, torch.Generator())
    loaded.load_state_dict(other.state_dict())
    assert loaded.sparse == 1


def test_threads_change_nothing(monkeypatch) -> None:
    made, x, found = layer(300, 50, sparse=True), sketches(400, 300, 0.1), []
    for threads in ("1", "2"):
        monkeypatch.setenv("EMDE_THREADS", threads)
        made.zero_grad(set_to_none=True)
        y = made(x)
        y.square().sum().backward()
        found.append((y.detach().clone(), made.weight.grad.clone()))
    assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))


def test_to_csr() -> None:
    x = sketches(7, 9, 0.3)
    np.testing.assert_array_equal(to_csr(x).toarray(), x.numpy())
    assert to_csr(torch.zeros(0, 4)).shape == (0, 4)


@pytest.mark.gpu
def test_on_a_gpu_the_product_is_dense() -> None:
    made, x = layer(50, 8, sparse=True), sketches(16, 50, 0.1)
    expected = made(x).detach()
    torch.testing.assert_close(made.cuda()(x.cuda()).detach().cpu(), expected, rtol=1e-4, atol=1e-5)
