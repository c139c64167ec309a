"""Adam, with the sparse first layer's gradient and step in one pass over its weights.

Of one step's time at 1,000 units on two cores that gradient and Adam took a third, nearly all of it to carry weights,
gradient and moments between memory and cache. Here a row's gradient is summed in the cache, moves its moments and its
weights, and is forgotten. The arithmetic, and its order, are those of the sum and of torch's fused Adam: same bits.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numba.core import types
from numba.extending import intrinsic
from torch import nn

from contracts import for_chunks
from contracts.runtime.training import adam
from emde.first_layer import TILE, Pending, SketchLinear, add_rows

ROWS = 256
"""Rows of a chunk of work."""


class Layer(NamedTuple):
    """What a step changes, float32 [inputs, outputs] but ``moving``.

    moving  rows that Adam moves even without a gradient, bool [inputs]; it leaves one whose moments are 0 where it is
    """

    weight: np.ndarray
    first: np.ndarray
    second: np.ndarray
    moving: np.ndarray


class Rates(NamedTuple):
    """The float32 constants of one step.

    kept    of a weight after AdamW's decay, 1 - lr * weight_decay
    first   1 - beta1, of the gradient in the first moment
    beta2   of the old second moment
    second  1 - beta2, of the squared gradient in the second moment
    root    square root of the second moment's bias correction
    eps     beside the root
    move    - lr / the first moment's bias correction
    """

    kept: np.float32
    first: np.float32
    beta2: np.float32
    second: np.float32
    root: np.float32
    eps: np.float32
    move: np.float32


def sketch_adam(network: nn.Module, lr: float, weight_decay: float = 0.0) -> torch.optim.Optimizer:
    """Adam (AdamW with ``weight_decay``) of all parameters; sparse first layers of ``network`` take the one pass.

    Their weights have no ``grad``; state and checkpoints are torch's. At most one backward pass per step.
    """
    optimizer = adam(network, lr, weight_decay, decoupled=True)
    layers = [layer for layer in network.modules() if isinstance(layer, SketchLinear)]
    for layer in layers:
        layer.delayed = True
    moving: dict[SketchLinear, np.ndarray] = {}

    def before_step(optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
        for layer in layers:
            if layer.pending is not None:
                state = _state(optimizer, layer.weight)
                if layer not in moving:
                    moving[layer] = ((state["exp_avg"] != 0) | (state["exp_avg_sq"] != 0)).any(dim=1).numpy()
                arrays = (layer.weight.detach().numpy(), state["exp_avg"].numpy(), state["exp_avg_sq"].numpy())
                _step(Layer(*arrays, moving[layer]), layer.pending, _rates(optimizer, state))
                layer.pending = None

    optimizer.register_step_pre_hook(before_step)
    return optimizer


def _state(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> dict[str, torch.Tensor]:
    """Adam's state of a weight, made as torch makes it, one step further."""
    state: dict[str, torch.Tensor] = optimizer.state[weight]
    if not state:
        state["step"] = torch.zeros((), dtype=torch.float32)
        state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
    state["step"] += 1
    return state


def _rates(optimizer: torch.optim.Optimizer, state: dict[str, torch.Tensor]) -> Rates:
    (group,), step = optimizer.param_groups, state["step"].item()
    (beta1, beta2), lr = group["betas"], group["lr"]
    with np.errstate(over="ignore"):  # a rate beyond float32 makes weights infinite, and the loss says so
        return Rates(
            np.float32(1 - lr * group["weight_decay"]), np.float32(1 - beta1), np.float32(beta2), np.float32(1 - beta2),
            np.float32(math.sqrt(1 - beta2**step)), np.float32(group["eps"]), np.float32(-(lr / (1 - beta1**step))),
        )  # fmt: skip


def _step(layer: Layer, gradient: Pending, rates: Rates) -> None:
    if rates.kept != 1:
        layer.moving[:] = True
    x = (gradient.x.indptr, gradient.x.indices, gradient.x.data)
    for_chunks(len(layer.weight), lambda start, stop: _rows(x, gradient.dy, layer, start, stop, rates), ROWS)


def _multiply_add(_context, a, b, c):
    """The compiled code of a * b + c, rounded once."""

    def generate(_context, builder, _signature, values):
        return builder.fma(*values)

    return types.float32(a, b, c), generate


_fma: Any = intrinsic(_multiply_add)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _rows(x, dy, layer, start, stop, rates):
    """One step of the rows from ``start`` to ``stop``; x: indptr, indices, data of x^T in CSR; dy [batch, outputs]."""
    indptr, indices, data = x
    outputs = layer.weight.shape[1]
    gradient = np.empty(min(TILE, outputs), np.float32)
    for left in range(0, outputs, TILE):
        right = min(left + TILE, outputs)
        g = gradient[: right - left]
        for i in range(start, stop):
            if indptr[i] == indptr[i + 1] and not layer.moving[i]:
                continue
            layer.moving[i] = True
            g[:] = 0
            add_rows(indices[indptr[i] : indptr[i + 1]], data[indptr[i] : indptr[i + 1]], dy, left, right, g)
            w, m, v = layer.weight[i, left:right], layer.first[i, left:right], layer.second[i, left:right]
            for j in range(len(g)):
                m[j] = _fma(rates.first, g[j] - m[j], m[j])
                v[j] = _fma(rates.second * g[j], g[j], v[j] * rates.beta2)
                w[j] = w[j] * rates.kept + (rates.move * m[j]) / (np.sqrt(v[j]) / rates.root + rates.eps)
