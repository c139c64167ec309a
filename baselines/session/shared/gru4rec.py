"""The parts of GRU4Rec that are its own: session-parallel batches, ranking losses, momentum Adagrad."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


@numba.njit(cache=True)
def session_parallel(starts, ends, batch_size, fewest):
    """The steps of session-parallel mini-batches (Hidasi et al., ICLR 2016, 3.1.1).

    Session s has the inputs ``starts[s]:ends[s]``, each with the event behind it as target. Every lane of the
    batch walks through one session; at its end it takes the next session, in order, and starts afresh.
    A lane without one is gone. Ends where fewer than ``fewest`` lanes are left.
    Returns (offsets int64 [steps + 1], input event int64, lane int64, first event of its session bool):
    step t has the entries offsets[t]:offsets[t + 1], lanes ascending.
    """
    total = (ends - starts).sum()
    events, lanes = np.empty(total, np.int64), np.empty(total, np.int64)
    fresh = np.zeros(total, np.bool_)
    offsets = np.zeros(total + 1, np.int64)
    position, stop = np.zeros(batch_size, np.int64), np.zeros(batch_size, np.int64)
    started, size, steps = 0, 0, 0
    while True:
        for lane in range(batch_size):
            new = position[lane] >= stop[lane]
            if new and started == len(starts):
                continue
            if new:
                position[lane], stop[lane] = starts[started], ends[started]
                started += 1
            events[size], lanes[size], fresh[size] = position[lane], lane, new
            position[lane] += 1
            size += 1
        if size - offsets[steps] < fewest:
            break
        steps += 1
        offsets[steps] = size
    size = offsets[steps]
    return offsets[: steps + 1], events[:size], lanes[:size], fresh[:size]


# Scores float [B, B + S]: row b's target is column b, all others are its negatives (B - 1 other targets of the
# batch, S samples). Every loss is a sum over rows.


def cross_entropy(scores: torch.Tensor) -> torch.Tensor:
    """-log softmax of the target."""
    return F.cross_entropy(scores, torch.arange(len(scores), device=scores.device), reduction="sum")


def _softmax_of_negatives(scores: torch.Tensor) -> torch.Tensor:
    own = torch.eye(*scores.shape, dtype=torch.bool, device=scores.device)
    return torch.softmax(scores.masked_fill(own, -torch.inf), dim=1)


def bpr_max(scores: torch.Tensor, penalty: float) -> torch.Tensor:
    """-log sum_j s_j sigmoid(r_i - r_j) + penalty sum_j s_j r_j^2, s = softmax over the negatives (CIKM 2018, 3.3)."""
    weights = _softmax_of_negatives(scores)
    won = (weights * torch.sigmoid(scores.diagonal()[:, None] - scores)).sum(1)
    return (penalty * (weights * scores.square()).sum(1) - torch.log(won + 1e-24)).sum()


def top1_max(scores: torch.Tensor) -> torch.Tensor:
    """sum_j s_j (sigmoid(r_j - r_i) + sigmoid(r_j^2)), s = softmax over the negatives (CIKM 2018, 3.3)."""
    weights = _softmax_of_negatives(scores)
    return (weights * (torch.sigmoid(scores - scores.diagonal()[:, None]) + torch.sigmoid(scores.square()))).sum()


def distinct_rows(embedding: nn.Embedding, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(the vectors of the distinct items, the place of every item among them)."""
    distinct, place = torch.unique(items, return_inverse=True)
    return embedding(distinct), place


class MomentumAdagrad(torch.optim.Optimizer):
    """Adagrad whose scaled step enters a velocity: a += g^2; v = m v - lr g / sqrt(a + eps); w += v.

    Of an embedding with sparse gradients only the rows of the batch move, their velocities included; each
    row must have been looked up once (``distinct_rows``), since its gradients add up before they are squared.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.0, eps: float = 1e-6) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group["lr"], group["momentum"], group["eps"])

    def _update(self, weight: torch.Tensor, gradient: torch.Tensor, lr: float, momentum: float, eps: float) -> None:
        state = self.state[weight]
        if not state:
            state.update(squares=torch.zeros_like(weight), velocity=torch.zeros_like(weight))
        squares, velocity = state["squares"], state["velocity"]
        if gradient.is_sparse:
            rows, values = gradient._indices()[0], gradient._values()
            sums = squares.index_select(0, rows).addcmul_(values, values)
            moved = velocity.index_select(0, rows).mul_(momentum)
            moved.addcdiv_(values, (sums + eps).sqrt_(), value=-lr)
            squares.index_copy_(0, rows, sums)
            velocity.index_copy_(0, rows, moved)
            weight.index_add_(0, rows, moved)
        else:
            squares.addcmul_(gradient, gradient)
            velocity.mul_(momentum).addcdiv_(gradient, (squares + eps).sqrt_(), value=-lr)
            weight.add_(velocity)
