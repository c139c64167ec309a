"""The one training loop: steps in epochs, a falling rate, validation, the best epoch, checkpoints. Imports torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import nn

from contracts.finite import require_finite
from contracts.runtime.checkpoint import Checkpoint
from contracts.runtime.memory import freed_memory_kept
from contracts.runtime.progress import Bar, progress

log = logging.getLogger("emde")
Row = dict[str, float]
"""An epoch of a learning curve: ``epoch`` (from 1), ``loss``, and what validation measured."""


class Step(NamedTuple):
    """What one update minimises.

    loss      scalar with its graph; the update follows before the next step is asked for
    examples  examples it took, for the progress bar
    weight    of the loss in the epoch's mean
    """

    loss: torch.Tensor
    examples: int
    weight: float = 1.0


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: lr * gamma^(epochs so far // lr_step), lr_step 0: lr throughout.

    patience  epochs without a better one after which training stops, where epochs are validated
    """

    epochs: int
    lr: float
    gamma: float = 1.0
    lr_step: int = 1
    patience: int = 1

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch (from 1)."""
        return self.lr * self.gamma ** ((epoch - 1) // self.lr_step if self.lr_step else 0)


class Source(Protocol):
    """What the rest of a begun epoch depends on besides the network: its order, its generator."""

    def state(self) -> dict[str, Any]:
        """Tensors and numbers, for a checkpoint."""
        ...

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``."""
        ...


@dataclass
class Trainer:
    """Gradient steps over epochs; all four families of networks are trained by it.

    name         of the method, in progress and errors
    network      trained in place
    losses       (epoch from 1, steps of it already done) -> the steps left
    validate     called after each epoch, the network in evaluation mode; its first value decides, larger is better: the
                 best epoch's weights are kept, and training ends ``patience`` epochs after it. None: the last is kept
    after_epoch  called with the number of epochs so far; it changes nothing
    note         what stands beside the progress bar after a step: (epoch, loss, examples) -> text
    source       where given, a checkpoint may be written after any step; else only between epochs

    ``history`` is the learning curve. Continued from a checkpoint it gives, on the CPU, the same bits as unbroken.
    """

    name: str
    network: nn.Module
    optimizer: torch.optim.Optimizer
    losses: Callable[[int, int], Iterator[Step]]
    schedule: Schedule
    _: KW_ONLY
    validate: Callable[[], Row] | None = None
    after_epoch: Callable[[int], None] | None = None
    note: Callable[[int, torch.Tensor, int], str] | None = None
    source: Source | None = None

    def __post_init__(self) -> None:
        self.history: list[Row] = []
        self.best: dict[str, torch.Tensor] = {}
        self.steps, self.examples, self.weight = 0, 0, 0.0  # of the epoch at work
        self.loss = torch.zeros((), dtype=torch.float64, device=next(self.network.parameters()).device)

    def fit(
        self,
        examples: int,
        checkpoint: Checkpoint,
        saved: Mapping[str, Any] | None = None,
        beside: Mapping[str, Any] | None = None,
    ) -> None:
        """Train to the end and leave the network in evaluation mode.

        examples  of one epoch, for the progress bar
        saved     the state of an unfinished run (what ``checkpoint.restore`` gave) to go on from
        beside    stored with the state of this one
        """
        if saved is not None:
            self._load(saved)
        with freed_memory_kept(), progress(f"train {self.name}", self.schedule.epochs * examples) as advance:
            advance(len(self.history) * examples + self.examples)
            while len(self.history) < self.schedule.epochs and not self._stalled():
                for epoch_ended in self._epoch(len(self.history) + 1, advance):
                    if checkpoint.due() or (epoch_ended and checkpoint.due_after_epoch()):
                        require_finite(float(self.loss), self.name, len(self.history) + 1)
                        checkpoint.save({**self._state(), **(beside or {})})
        if self.best:
            self.network.load_state_dict(self.best)
        self.network.eval()

    def _epoch(self, epoch: int, advance: Bar) -> Iterator[bool]:
        """Yields wherever the run may be broken off and continued: whether that is after the epoch."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.schedule.rate(epoch)
        self.network.train()
        for step in self.losses(epoch, self.steps):
            self._update(step)
            note = "" if self.note is None else self.note(epoch, step.loss.detach(), step.examples)
            advance(step.examples, note)
            if self.source is not None:
                yield False
        self._end_epoch(epoch, advance)
        yield True

    def _update(self, step: Step) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        step.loss.backward()
        self.optimizer.step()
        self.loss += step.loss.detach() * step.weight
        self.steps, self.examples, self.weight = (
            self.steps + 1, self.examples + step.examples, self.weight + step.weight,
        )  # fmt: skip

    def _end_epoch(self, epoch: int, advance: Bar) -> None:
        loss = require_finite(float(self.loss) / (self.weight or 1.0), self.name, epoch)
        self.network.eval()
        row = {"epoch": float(epoch), "loss": loss, **(self.validate() if self.validate is not None else {})}
        self.history.append(row)
        self.steps, self.examples, self.weight = 0, 0, 0.0
        self.loss.zero_()
        if self.validate is not None and best_epoch(self.history) == epoch:
            self.best = {name: value.clone() for name, value in self.network.state_dict().items()}
        log.info("%s", ", ".join(f"{name} {value:.6g}" for name, value in row.items()))
        advance(0, note=" ".join(f"{name} {value:.4g}" for name, value in row.items()))
        if self.after_epoch is not None:
            self.after_epoch(epoch)

    def _stalled(self) -> bool:
        """Whether the best epoch lies ``patience`` epochs back."""
        return self.validate is not None and len(self.history) - best_epoch(self.history) >= self.schedule.patience

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), "best": self.best,
            "history": self.history, "steps": self.steps, "examples": self.examples, "weight": self.weight,
            "loss": self.loss, "source": {} if self.source is None else self.source.state(),
        }  # fmt: skip

    def _load(self, state: Mapping[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.loss.copy_(state["loss"])
        self.best, self.history = state["best"], state["history"]
        self.steps, self.examples, self.weight = state["steps"], state["examples"], state["weight"]
        if self.source is not None:
            self.source.load(state["source"])


def best_epoch(history: list[Row]) -> int:
    """The first epoch (from 1) with the largest value of what chooses it, the first one validated; 0 without epochs."""
    values = [next(value for name, value in row.items() if name not in ("epoch", "loss")) for row in history]
    return 1 + values.index(max(values)) if values else 0


def adam(network: nn.Module, lr: float, weight_decay: float = 0.0, decoupled: bool = False) -> torch.optim.Optimizer:
    """Adam(0.9, 0.999); ``weight_decay`` is an L2 penalty added to the gradient, or AdamW's where ``decoupled``."""
    cls = torch.optim.AdamW if decoupled and weight_decay else torch.optim.Adam
    return cls(network.parameters(), lr=lr, weight_decay=weight_decay, fused=True)


def noise(rng: torch.Generator, device: torch.device) -> torch.Generator:
    """Where masks and noise of a training are drawn: ``rng`` itself on the CPU, elsewhere one there with its seed.

    Drawn on a device they cost neither a transfer nor a wait. Repeatable on each kind of device; the kinds differ.
    """
    return rng if device.type == "cpu" else torch.Generator(device).manual_seed(rng.initial_seed())


def seeded(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of one use of random numbers, told from all others by ``key`` (the seed, the epoch, ...)."""
    state = np.random.SeedSequence(key).generate_state(1, np.uint64)[0]
    return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))
