"""The first layer: a linear map of sketches, which are nearly all zeros (paper 4.1.1).

A session of three items fills some 90 of 7,680 cells, so y = x W + b is, read as an embedding bag, the
sum of 90 rows of W. On a CPU that and its gradient, x^T dy, take a third of the dense products' time in bf16
and a twelfth in float32; fuller sketches and GPUs take the dense product. The choice is made once, from
the first batch, and stored with the weights: rows of one model must not depend on their batch.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import scipy.sparse as sp
import torch
from torch import nn

from contracts import for_chunks

TILE = 2048
"""Columns summed at once: what a tile of a batch needs stays in the cache."""
SPARSE_BELOW = {torch.float32: 0.15, torch.bfloat16: 0.035}
"""Share of cells in use below which the sparse product is the faster one, by the type of the dense one (measured)."""


class Pending(NamedTuple):
    """The factors of a gradient x^T dy that nobody has multiplied yet: x^T [inputs, B], dy [B, outputs], float32."""

    x: sp.csr_matrix
    dy: np.ndarray


class SketchLinear(nn.Module):
    """y = x W + b for sketches x [B, inputs]; W is stored [inputs, outputs], one row per cell of the sketch.

    delayed  the backward pass of a sparse product leaves ``pending`` instead of a gradient; whoever sets it (the
             optimiser, ``emde.adam``) takes that before the next one
    """

    sparse: torch.Tensor

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)  # PyTorch's default for linear layers
        self.weight = nn.Parameter(torch.empty(inputs, outputs).uniform_(-bound, bound, generator=rng))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound, generator=rng))
        self.register_buffer("sparse", torch.tensor(-1, dtype=torch.int8))
        self.delayed = False
        self.pending: Pending | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type == "cpu" and self._prefers_sparse(x):
            return SparseProduct.apply(x, self.weight, self) + self.bias
        return torch.addmm(self.bias, x, self.weight)

    @property
    def is_sparse(self) -> bool:
        """Whether it was found to do without dense products; never so on a GPU."""
        return self.weight.device.type == "cpu" and bool(self.sparse == 1)

    def _prefers_sparse(self, x: torch.Tensor) -> bool:
        if self.sparse < 0:
            dense = torch.bfloat16 if torch.is_autocast_enabled("cpu") else torch.float32
            self.sparse.fill_(x.count_nonzero() < SPARSE_BELOW[dense] * x.numel())
        return bool(self.sparse)


class SparseProduct(torch.autograd.Function):
    """x W of a dense tensor x that is mostly zeros; the gradient goes to W only."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, layer: SketchLinear) -> torch.Tensor:
        ctx.layer, ctx.x = layer, to_csr(x)
        out = torch.empty(len(x), weight.shape[1])
        weighted_sums(ctx.x, weight.detach().numpy(), out.numpy())
        return out

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[None, torch.Tensor | None, None]:
        layer, weight = ctx.layer, ctx.layer.weight
        pending = Pending(sp.csr_matrix(ctx.x.T), dy.contiguous().numpy())
        if layer.delayed:
            assert layer.pending is None, "one backward pass per step"
            layer.pending = pending
            return None, None, None
        gradient = torch.empty_like(weight)
        weighted_sums(*pending, gradient.numpy())
        return None, gradient, None


def to_csr(x: torch.Tensor) -> sp.csr_matrix:
    """The non-zeros of a dense tensor on the CPU."""
    rows, columns = x.nonzero(as_tuple=True)
    indptr = np.zeros(len(x) + 1, np.int64)
    np.cumsum(np.bincount(rows.numpy(), minlength=len(x)), out=indptr[1:])
    return sp.csr_matrix((x[rows, columns].numpy(), columns.numpy(), indptr), shape=(len(x), x.shape[1]))


def weighted_sums(weights: sp.csr_matrix, rows: np.ndarray, out: np.ndarray) -> None:
    """out = weights @ rows, float32; the order of the sums does not depend on the number of threads."""
    for_chunks(
        len(out), lambda start, stop: _sum(weights.indptr, weights.indices, weights.data, rows, out, start, stop), 64
    )


@numba.njit(cache=True, nogil=True)
def _sum(indptr, indices, data, rows, out, start, stop):
    for left in range(0, out.shape[1], TILE):
        right = min(left + TILE, out.shape[1])
        for i in range(start, stop):
            total = out[i, left:right]
            total[:] = 0
            add_rows(indices[indptr[i] : indptr[i + 1]], data[indptr[i] : indptr[i + 1]], rows, left, right, total)


@numba.njit(nogil=True, inline="always")
def add_rows(indices, weights, rows, left, right, total):
    """total += weights @ rows[indices, left:right], one after the other; four are read at once, which hides waiting."""
    fours = len(indices) - len(indices) % 4
    for p in range(0, fours, 4):
        w0, w1, w2, w3 = weights[p], weights[p + 1], weights[p + 2], weights[p + 3]
        r0, r1 = rows[indices[p], left:right], rows[indices[p + 1], left:right]
        r2, r3 = rows[indices[p + 2], left:right], rows[indices[p + 3], left:right]
        for j in range(len(total)):
            total[j] = (((total[j] + w0 * r0[j]) + w1 * r1[j]) + w2 * r2[j]) + w3 * r3[j]
    for p in range(fours, len(indices)):
        w, r = weights[p], rows[indices[p], left:right]
        for j in range(len(total)):
            total[j] += w * r[j]
