"""emde.parallel: two processes that share every batch learn what one process learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn

from contracts import UserError
from emde import EMDE, TopKEMDE, parallel
from tests.emde.test_train import SESSION, TOPK, likes, sessions

RATE = 5e-4
"""Small: Adam takes steps of full size where a gradient is nothing but rounding, and large ones tear curves apart."""
KINDS: dict[str, dict[str, Any]] = {
    "session": SESSION | {"epochs": 3, "lr": RATE},
    "topk": TOPK | {"epochs": 3, "lr": RATE},
    "session with validation": SESSION | {"epochs": 3, "lr": RATE, "validation": 0.3, "patience": 4},
}
RTOL = 2e-5
"""Of the loss: float32 sums in another order, over some thirty steps."""


def fitted(kind: str) -> EMDE | TopKEMDE:
    params = KINDS[kind]
    return TopKEMDE.create(params).fit(likes()) if kind == "topk" else EMDE.create(params).fit(sessions())


def process(rank: int, folder: str) -> None:
    """One of two: fits every kind of model, and writes what it has learned."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    for kind in KINDS:
        model = fitted(kind)
        Path(folder, f"{kind}-{rank}.json").write_text(json.dumps(model.history))
        np.savez(Path(folder, f"{kind}-{rank}.npz"), **model._state)
    normalised_as_one()
    try:
        parallel.agree("codes", rank)
    except UserError as error:
        Path(folder, f"error-{rank}").write_text(str(error))
    dist.destroy_process_group()


def normalised_as_one() -> None:
    """Outputs, gradients and running statistics of a process's rows are those of PyTorch's layer on all rows."""
    rng = torch.Generator().manual_seed(0)
    x, weights = (torch.randn(7, 3, generator=rng, dtype=torch.float64) for _ in range(2))
    found, wanted = [], []
    for layer, part, into in ((parallel.BatchNorm(3), parallel.rows(7), found), (nn.BatchNorm1d(3), slice(7), wanted)):
        rows = x[part].clone().requires_grad_()
        out = layer.double()(rows)
        (out.square() * weights[part]).sum().backward()
        parallel.add_gradients(layer.parameters() if part != slice(7) else [])
        into += [out, rows.grad, layer.weight.grad, layer.bias.grad, *layer.state_dict().values()]
    mine = parallel.rows(7)
    for index, (one, other) in enumerate(zip(found, wanted, strict=True)):
        torch.testing.assert_close(one, other[mine] if index < 2 else other, rtol=1e-12, atol=1e-12)


@pytest.mark.slow
def test_two_processes_have_the_learning_curve_of_one(tmp_path: Path) -> None:
    torch.multiprocessing.spawn(process, (str(tmp_path),), nprocs=2)
    for kind in KINDS:
        alone = fitted(kind)
        curves = [json.loads((tmp_path / f"{kind}-{rank}.json").read_text()) for rank in range(2)]
        assert curves[0] == curves[1]
        assert len(curves[0]) == 3
        losses = [[row["loss"] for row in curve] for curve in (alone.history, curves[0])]
        np.testing.assert_allclose(losses[1], losses[0], rtol=RTOL, err_msg=kind)
        assert abs(losses[0][0] / losses[0][2] - 1) > 100 * RTOL, "the curve must move by more than the tolerance"
        states = [np.load(tmp_path / f"{kind}-{rank}.npz") for rank in range(2)]
        for name in alone._state:
            assert (states[0][name] == states[1][name]).all(), f"{kind}: replicas differ in {name}"
    assert "expected the same codes" in (tmp_path / "error-1").read_text()


def test_one_process_has_all_rows() -> None:
    assert (parallel.size(), parallel.rank(), parallel.rows(7), parallel.count(7)) == (1, 0, slice(0, 7), 7)
    x = torch.ones(2, requires_grad=True)
    assert parallel.total(x) is x
    parallel.agree("anything", object())


@pytest.mark.parametrize(("n", "size"), [(7, 3), (512, 8), (3, 3), (10, 4)])
def test_rows_cover_a_batch_once(n: int, size: int, monkeypatch) -> None:
    monkeypatch.setattr(parallel, "size", lambda: size)
    found = []
    for rank in range(size):
        monkeypatch.setattr(parallel, "rank", lambda rank=rank: rank)
        found.append(list(range(n))[parallel.rows(n)])
    assert [row for part in found for row in part] == list(range(n))
    assert min(map(len, found)) >= n // size >= 1
