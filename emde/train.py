"""The training loop that the session and the top-k model share."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from contracts import Checkpoint
from contracts.device import DType, precision
from contracts.progress import progress, silent
from emde import parallel
from emde.meter import Meter
from emde.network import Network

log = logging.getLogger("emde")


@dataclass(frozen=True)
class Training:
    """How a network is trained; the fields are those of ``SketchModel``."""

    epochs: int
    batch_size: int
    lr: float
    gamma: float
    patience: int
    dtype: DType


class Trainer:
    """Adam(0.9, 0.999) over shuffled mini-batches; the rate is multiplied by gamma after each epoch.

    network     trained in place
    n_examples  examples of one epoch; a last batch of one is left out: batch normalisation needs two (and one with
                fewer examples than there are processes, see ``emde.parallel``)
    batch_loss  maps example indices int64 [batch] (on the CPU) and a slice of them to the mean loss of that slice;
                draws for the whole batch, so that one process draws what several do
    validate    called after each epoch, larger is better: the best epoch's weights are kept, and training
                ends after ``patience`` epochs without a better one. None: the last epoch is kept
    after_epoch  called with the number of epochs so far, if anything; it changes nothing
    rng         order of the examples, and whatever batch_loss and the network draw

    ``history`` is the learning curve. All that decides the rest of a run is in ``_state``: continued from a
    checkpoint it gives, on the CPU, the same bits as unbroken.
    """

    def __init__(
        self,
        network: Network,
        n_examples: int,
        batch_loss: Callable[[torch.Tensor, slice], torch.Tensor],
        validate: Callable[[], float] | None,
        settings: Training,
        rng: torch.Generator,
        after_epoch: Callable[[int], None] | None = None,
    ) -> None:
        self.network, self.batch_loss, self.validate = network, batch_loss, validate
        self.after_epoch = after_epoch
        self.settings, self.rng = settings, rng
        self.n_examples = n_examples
        least = max(2, parallel.size())
        self.starts = [start for start in range(0, n_examples, settings.batch_size) if n_examples - start >= least]
        self.device = network.device
        self.optimizer = torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(0.9, 0.999), fused=True)
        self.epoch = self.step = 0
        self.order = torch.zeros(0, dtype=torch.int64)
        self.loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}

    def fit(self, checkpoint: Checkpoint, description: str) -> None:
        """Train to the end, from the checkpoint if it holds a state; leaves the network in evaluation mode."""
        found = parallel.from_first(checkpoint.restore)
        if found is not None:
            self._load(found)
        steps, meter = len(self.starts), Meter(self.network, self.settings.dtype)
        with silent() if parallel.rank() else progress(description, self.settings.epochs * steps) as advance:
            advance(self.epoch * steps + self.step)
            while self.epoch < self.settings.epochs and not self._stalled():
                if self.step == 0:
                    self._begin_epoch()
                while self.step < steps:
                    loss = self._step(self.starts[self.step])
                    advance(note=meter.note(self.epoch, loss, self.settings.batch_size))
                    if parallel.rank() == 0 and checkpoint.due():
                        checkpoint.save(self._state())
                self._end_epoch()
        if self.best:
            self.network.load_state_dict(self.best)
        self.network.eval()

    def _begin_epoch(self) -> None:
        self.order = torch.randperm(self.n_examples, generator=self.rng)
        self.loss.zero_()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.lr * self.settings.gamma**self.epoch

    def _step(self, start: int) -> torch.Tensor:
        self.network.train()
        batch = self.order[start : start + self.settings.batch_size]
        rows = parallel.rows(len(batch))
        with precision(self.settings.dtype, self.device):
            loss = self.batch_loss(batch, rows) * ((rows.stop - rows.start) / len(batch))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        parallel.add_gradients(self.network.parameters())
        self.optimizer.step()
        loss = parallel.total(loss.detach())
        self.loss += loss * len(batch)
        self.step += 1
        return loss

    def _end_epoch(self) -> None:
        seen = min(self.n_examples, len(self.starts) * self.settings.batch_size)
        self.epoch, self.step = self.epoch + 1, 0
        row = {"epoch": float(self.epoch), "loss": float(self.loss) / max(seen, 1)}
        if self.validate is not None:
            self.network.eval()
            row["valid"] = parallel.from_first(self.validate)
            if all(row["valid"] > earlier["valid"] for earlier in self.history):
                self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        self.history.append(row)
        if parallel.rank() == 0:
            log.info("%s", ", ".join(f"{name} {value:.6g}" for name, value in row.items()))
            if self.after_epoch is not None:
                self.network.eval()
                self.after_epoch(self.epoch)

    def _stalled(self) -> bool:
        """Whether the best epoch lies ``patience`` epochs back."""
        if self.validate is None or not self.history:
            return False
        values = [row["valid"] for row in self.history]
        return len(values) - 1 - values.index(max(values)) >= self.settings.patience

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "best": self.best,
            "rng": self.rng.get_state(), "order": self.order, "loss": self.loss, "history": self.history,
            "epoch": self.epoch, "step": self.step,
        }  # fmt: skip

    def _load(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rng.set_state(state["rng"])
        self.loss.copy_(state["loss"])
        self.best, self.order, self.history = state["best"], state["order"], state["history"]
        self.epoch, self.step = state["epoch"], state["step"]
