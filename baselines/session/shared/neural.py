"""What the neural session baselines share: hyper-parameters, training, choice of the epoch, scoring.

A model is a file with one class derived from ``AdamRecommender`` that gives ``build`` (its network),
and where it differs from the usual, ``initialise``, ``train_examples``, ``loss``, ``optimizer`` or ``losses``.

All randomness comes from generators seeded by (seed, epoch): a run resumed after any step equals one
that was never interrupted. GPUs draw other numbers than CPUs.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr
from torch import nn
from torch.nn import functional as F

from baselines.session.shared.batches import Batch, Examples, hold_out, prefixes_of, shuffled, without_unknown
from contracts import PAD, Checkpoint, EpochLearner, SessionRecommender, Sessions, require_events
from contracts.ranking import validation_row
from contracts.runtime.best import best
from contracts.runtime.device import ADAM_BYTES, Device, DType, pick_device, precision, require_memory, send
from contracts.runtime.training import Row, Schedule, Step, Trainer, adam, best_epoch, seeded

NETWORK, REFIT = "network.", "refit"
SCORED = 512
"""Prefixes scored at once."""

History = list[Row]


@dataclass(frozen=True)
class _Run:
    """One training: on ``train``, stopped by ``valid`` (or not); ``curve`` is that of the run before it."""

    stage: str
    train: Sessions
    valid: Sessions | None
    epochs: int
    curve: History


class Dropout(nn.Module):
    """Sets a share of the entries to zero and scales the rest, from the training's own generator."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share
        self.rng: torch.Generator | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.share == 0:
            return x
        return x * torch.empty_like(x).bernoulli_(1 - self.share, generator=self.rng) / (1 - self.share)


@dataclass
class Begun:
    """A begun epoch, beside the network: what a checkpoint within it holds.

    done     steps that were taken before
    dropout  the generator of the masks
    carried  tensors that go on from step to step, changed in place
    """

    done: int = 0
    dropout: torch.Generator | None = None
    carried: list[torch.Tensor] = field(default_factory=list)
    _masks: torch.Tensor | None = None

    def start(self, done: int, dropout: torch.Generator) -> None:
        """An epoch begins, or goes on after ``done`` steps."""
        if done and self._masks is not None:
            dropout.set_state(self._masks)
        else:
            self.carried = []
        self.done, self.dropout, self._masks = done, dropout, None

    def state(self) -> dict[str, Any]:
        assert self.dropout is not None
        return {"dropout": self.dropout.get_state(), "carried": self.carried}

    def load(self, state: Mapping[str, Any]) -> None:
        self._masks, self.carried = state["dropout"], state["carried"]


class NeuralRecommender(EpochLearner, SessionRecommender):
    """A session recommender with a network that scores all items at once."""

    epochs: int = Field(30, ge=0, description="passes over the examples, at most")
    batch_size: int = Field(100, ge=1, description="examples per update")
    lr: float = Field(0.001, gt=0, description="learning rate")
    lr_step: int = Field(0, ge=0, description="epochs after which the learning rate is multiplied by gamma; 0: never")
    gamma: float = Field(0.1, gt=0, le=1, description="factor on the learning rate")
    max_length: int = Field(50, ge=1, description="events of a prefix that are read, the most recent ones")
    validation: float = Field(
        0.1, ge=0, lt=1, description="share of the last sessions held out to choose the epoch; 0: none"
    )
    patience: int = Field(3, ge=1, description="epochs without a better MRR@20 on that part after which training stops")
    refit: bool = Field(True, description="train again on all sessions for the chosen number of epochs")
    dtype: DType = Field("auto", description="matrix products: bf16, float32, or auto (bf16 where it is native)")
    device: Device = Field("auto", description="auto: CUDA where available")
    seed: int = Field(0, ge=0, description="seed of every random number")

    _network: nn.Module | None = PrivateAttr(None)

    # ------------------------------------------------------------------ what a model gives

    @abstractmethod
    def build(self, n_items: int) -> nn.Module:
        """The network, parameters not yet set: ``network(batch)`` gives scores [B, n_items].

        Item ``n_items`` is the padding. Built without memory (on the meta device), so that nothing is
        drawn from a global generator: make no tensors but parameters. Dropout: ``neural.Dropout``.
        """

    def initialise(self, network: nn.Module, rng: torch.Generator) -> None:
        """Set every parameter, from ``rng`` (on the CPU). Here: uniform in +-1/sqrt(last dimension)."""
        for parameter in network.parameters():
            bound = 1 / math.sqrt(parameter.shape[-1])
            nn.init.uniform_(parameter, -bound, bound, generator=rng)

    def train_examples(self, train: Sessions, device: torch.device) -> Examples:
        """What an epoch passes over. Here: every prefix of every session with its next item."""
        return Examples.of_prefixes(train, self.max_length, device)

    def rank_examples(self, prefixes: Sessions, device: torch.device) -> Examples:
        """One example per prefix to score, in order."""
        return Examples.to_rank(prefixes, self.max_length, device)

    def loss(self, network: nn.Module, batch: Batch) -> torch.Tensor:
        """Mean loss of a batch. Here: cross entropy over all items."""
        return F.cross_entropy(network(batch).float(), batch.targets)

    @abstractmethod
    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """What moves the parameters; the loop sets its rate."""

    def losses(self, network: nn.Module, examples: Examples, rng: torch.Generator, begun: Begun) -> Iterator[Step]:
        """One pass over the examples, from where it was begun. ``rng`` is on the CPU."""
        for rows in islice(shuffled(examples.lengths, self.batch_size, rng), begun.done, None):
            with precision(self.dtype, examples.items.device):
                loss = self.loss(network, examples.batch(rows))
            yield Step(loss, len(rows))

    # ------------------------------------------------------------------ what all share

    def fit(self, train: Sessions) -> Self:
        """Choose the number of epochs on the last part of train, then train on all of it.

        ``history`` has a row per epoch; those of the second training carry ``refit``. Continues an unfinished
        run's checkpoint (``checkpoint_at``).
        """
        require_events(train, type(self).__name__.lower())
        train = without_unknown(train)
        self._state = {"n_items": np.array([train.n_items])}
        checkpoint = self.checkpoint({name: getattr(train, name) for name in ("items", "times", "offsets")})
        saved = checkpoint.restore() or {}
        parts = hold_out(train, self.validation) if self.validation else None
        curve: History = saved.get("curve", [])
        if parts and saved.get("stage") != REFIT:
            run = _Run("choose", parts[0], parts[1], self.epochs, [])
            network, curve = self._train(run, checkpoint, saved)
        epochs = best_epoch(curve) if parts else self.epochs
        if parts is None or self.refit:
            run = _Run(REFIT, train, None, epochs, curve)
            network, rows = self._train(run, checkpoint, saved)
            curve = [*curve, *({"refit": 1.0, **row} for row in rows)] if parts else rows
        weights = {NETWORK + name: value.cpu().numpy() for name, value in network.state_dict().items()}
        self._state |= {**weights, "epochs": np.array([epochs])}
        self._network, self._history = network, curve
        return self

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        device = pick_device(self.device)
        network = self._ready(device)
        known = replace(without_unknown(prefixes), n_items=int(self._state["n_items"][0]))
        examples = self.rank_examples(known, device)
        items, scores = np.empty((len(prefixes), k), np.int32), np.empty((len(prefixes), k), np.float32)
        with torch.inference_mode():
            for rows in by_length(examples):
                items[rows], scores[rows] = best(network(examples.batch(rows)).float(), k)
        items[known.lengths == 0], scores[known.lengths == 0] = PAD, 0  # nothing is known, nothing is listed
        return items, scores

    def _new_network(self, n_items: int, device: torch.device) -> nn.Module:
        with torch.device("meta"):
            network = self.build(n_items)
        network = network.to_empty(device="cpu")
        with torch.no_grad():
            self.initialise(network, seeded(self.seed, 0, 0))
        weights = sum(parameter.numel() for parameter in network.parameters())
        require_memory(device, ADAM_BYTES * weights, type(self).__name__.lower())
        return network.to(device)

    def _ready(self, device: torch.device) -> nn.Module:
        """The network, rebuilt from the state after ``load``."""
        if self._network is None:
            network = self._new_network(int(self._state["n_items"][0]), device)
            arrays = {
                name.removeprefix(NETWORK): torch.from_numpy(value)
                for name, value in self._state.items()
                if name.startswith(NETWORK)
            }
            network.load_state_dict(arrays)
            self._network = network
        return self._network.eval()

    def _train(self, run: _Run, checkpoint: Checkpoint, saved: Mapping[str, Any]) -> tuple[nn.Module, History]:
        """Train; with ``run.valid``, until its MRR@20 stops growing, and return the best epoch's network."""
        device = pick_device(self.device)
        network = self._new_network(run.train.n_items, device)
        examples = self.train_examples(run.train, device)
        begun = Begun()
        trainer = Trainer(
            type(self).__name__, network, self.optimizer(network), partial(self._epoch, network, examples, begun),
            Schedule(run.epochs, self.lr, self.gamma, self.lr_step, self.patience),
            validate=None if run.valid is None else partial(self._validate, network, run.valid, device),
            after_epoch=None if run.curve else partial(self._watched, network),  # the first training: it says enough
            source=begun,
        )  # fmt: skip
        beside = {"stage": run.stage, "curve": run.curve}
        trainer.fit(len(examples), checkpoint, saved if saved.get("stage") == run.stage else None, beside)
        return network, trainer.history

    def _watched(self, network: nn.Module, epoch: int) -> None:
        if self._after_epoch is not None:
            self._network = network
            self._after_epoch(epoch)

    def _epoch(self, network: nn.Module, examples: Examples, begun: Begun, epoch: int, done: int) -> Iterator[Step]:
        """One epoch (from 1), less ``done`` steps, with its generators (use 0: order and samples, 1: dropout)."""
        dropout = seeded(self.seed, epoch, 1, device=examples.items.device)
        begun.start(done, dropout)
        for module in network.modules():
            if isinstance(module, Dropout):
                module.rng = dropout
        return self.losses(network, examples, seeded(self.seed, epoch, 0), begun)

    @torch.inference_mode()
    def _validate(self, network: nn.Module, valid: Sessions, device: torch.device) -> Row:
        """MRR@20 and HR@20 over all prefixes of the held-out sessions."""
        prefixes, targets = prefixes_of(valid, self.max_length)
        examples, next_items = self.rank_examples(prefixes, device), send(targets.astype(np.int64), device)
        ranks = []
        for rows in by_length(examples):
            scores, target = network(examples.batch(rows)).float(), next_items[send(rows, device), None]
            own = scores.gather(1, target)
            tied_before = (scores == own) & (torch.arange(scores.shape[1], device=device) < target)
            ranks.append(1 + ((scores > own) | tied_before).sum(1))
        return validation_row(torch.cat(ranks).cpu().numpy())


def by_length(examples: Examples) -> Iterable[torch.Tensor]:
    """All examples (int64 indices) in groups of like length, so that little is padding."""
    return torch.argsort(examples.lengths, stable=True).split(SCORED) if len(examples) else ()


class AdamRecommender(NeuralRecommender):
    """A model trained by Adam."""

    weight_decay: float = Field(0.0, ge=0, description="L2 penalty, added to the gradient as in Adam")

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adam."""
        return adam(network, self.lr, self.weight_decay)


class EveryEventRecommender(AdamRecommender):
    """A model that learns whole sessions: every event with one before it is a target.

    The network gives ``states(batch)`` [B, L, d] after every event, and ``score(states)`` [n, n_items].
    """

    def initialise(self, network: nn.Module, rng: torch.Generator) -> None:
        """Weights N(0, .02), biases 0, scales of the layer norms 1."""
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            elif parameter.dim() == 1:
                nn.init.ones_(parameter)
            else:
                nn.init.normal_(parameter, std=0.02, generator=rng)

    def train_examples(self, train: Sessions, device: torch.device) -> Examples:
        """Whole sessions."""
        return Examples.of_sessions(train, self.max_length, device)

    def loss(self, network: Any, batch: Batch) -> torch.Tensor:
        """Cross entropy over all items, averaged over the events of the batch.

        The padding, little of it, is scored too: sizes then repeat, and bf16 on a CPU is slow at every size that it
        has not met.
        """
        scores = network.score(network.states(batch).flatten(0, 1))
        return F.cross_entropy(scores.float(), batch.follow.flatten(), ignore_index=-1)
