"""What EMDE's training adds to the common loop (``contracts.runtime.training``): the order of its mini-batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from contracts.runtime.device import DType, precision, send
from contracts.runtime.training import Step


class Chosen(NamedTuple):
    """The examples of a batch, int64 [batch], on both sides: what is known of them here needs no look there."""

    here: torch.Tensor
    there: torch.Tensor


class Batches:
    """Mini-batches in a random order, drawn anew for each epoch.

    n_examples  examples of one epoch; a last batch of one is left out: batch normalisation needs two
    batch_loss  maps the examples of a batch to their mean loss
    rng         order of the examples (on the CPU)
    noise       whatever batch_loss and the network draw; on the CPU it is ``rng``. The states of both and the order
                are all that the rest of an epoch depends on
    """

    def __init__(
        self,
        n_examples: int,
        batch_size: int,
        batch_loss: Callable[[Chosen], torch.Tensor],
        rng: torch.Generator,
        noise: torch.Generator,
        dtype: DType,
        device: torch.device,
    ) -> None:
        self.n_examples, self.batch_size, self.batch_loss = n_examples, batch_size, batch_loss
        self.rng, self.noise, self.dtype, self.device = rng, noise, dtype, device
        self.starts = [start for start in range(0, n_examples, batch_size) if n_examples - start >= 2]
        self.order = torch.zeros(0, dtype=torch.int64)

    @property
    def examples(self) -> int:
        """Examples that an epoch takes."""
        return min(self.n_examples, len(self.starts) * self.batch_size)

    def losses(self, epoch: int, done: int) -> Iterator[Step]:
        """The steps of an epoch that are left after the first ``done``."""
        if done == 0:
            self.order = torch.randperm(self.n_examples, generator=self.rng)
        there = send(self.order, self.device)
        for start in self.starts[done:]:
            rows = slice(start, start + self.batch_size)
            batch = Chosen(self.order[rows], there[rows])
            with precision(self.dtype, self.device):
                loss = self.batch_loss(batch)
            yield Step(loss, len(batch.here), weight=len(batch.here))

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"rng": self.rng.get_state(), "noise": self.noise.get_state(), "order": self.order}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``."""
        self.rng.set_state(state["rng"])
        self.noise.set_state(state["noise"])
        self.order = state["order"]
