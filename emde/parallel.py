"""Data-parallel training: several processes take the rows of every batch, and together are one.

Started by torchrun, each process holds the whole model and the whole train set, and computes its rows of a batch
(``rows``). Batch normalisation takes the statistics of the whole batch, dropout its rows of the whole batch's mask,
and gradients are added up before every step: the learning curve is that of one process with the same batches, but for
the order of floating-point sums. Not DistributedDataParallel: its hooks miss the first layer's gradient, which is
written in place, and it would normalise every process's rows by themselves. In one process nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from contracts import UserError

T = TypeVar("T")


def size() -> int:
    """Processes that train together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number; process 0 validates and writes checkpoints and results."""
    return dist.get_rank() if size() > 1 else 0


def rows(n: int) -> slice:
    """This process's rows of a batch of n, a block; at least one where n is not below the number of processes."""
    return slice(n * rank() // size(), n * (rank() + 1) // size())


def count(n: int) -> int:
    """The rows of the whole batch, from this process's."""
    if size() == 1:
        return n
    found = torch.tensor([n])
    dist.all_reduce(found)
    return int(found)


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        out = x.clone()
        dist.all_reduce(out)
        return out

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:
        return _Total.forward(ctx, dy)  # every process's loss depends on the sum


def total(x: torch.Tensor) -> torch.Tensor:
    """The sum of a tensor over all processes; gradients flow back to all of them."""
    return _Total.apply(x) if size() > 1 else x


def add_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replace every gradient by its sum over all processes."""
    if size() > 1:
        grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
        for work in [dist.all_reduce(grad, async_op=True) for grad in grads]:
            work.wait()


def from_first(work: Callable[[], T]) -> T:
    """What ``work`` returns in process 0; the others do not call it."""
    if size() == 1:
        return work()
    found = [work() if rank() == 0 else None]
    dist.broadcast_object_list(found, src=0)
    return found[0]  # type: ignore[return-value]


def agree(what: str, value: Any) -> None:
    """Raise UserError where the processes do not hold the same value."""
    if size() > 1:
        found: list[Any] = [None] * size()
        dist.all_gather_object(found, value)
        if any(one != found[0] for one in found):
            raise UserError(f"torchrun: expected the same {what} in all {size()} processes, found different ones")


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation by the statistics of the whole batch, over all processes."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or size() == 1:
            return super().forward(x)
        n = count(len(x))
        mean = total(x.sum(0)) / n
        centred = x - mean
        variance = total(centred.square().sum(0)) / n
        with torch.no_grad():
            assert self.momentum is not None
            assert self.running_mean is not None
            assert self.running_var is not None
            assert self.num_batches_tracked is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        return centred * torch.rsqrt(variance + self.eps) * self.weight + self.bias
