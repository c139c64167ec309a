"""What the neural session rivals share: hyper-parameters, training, choice of the epoch, scoring.

A model is a file with one class derived from ``NeuralRecommender`` that gives ``build`` (its network),
and where it differs from the usual, ``initialise``, ``train_examples``, ``loss``, ``optimizer`` or ``train_epoch``.

All randomness comes from generators seeded by (seed, epoch): a run resumed after any epoch equals one
that was never interrupted. GPUs draw other numbers than CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr
from torch import nn
from torch.nn import functional as F

from baselines.session.shared.batches import Batch, Examples, hold_out, prefixes_of, shuffled, without_unknown
from contracts import PAD, Checkpoint, SessionRecommender, Sessions, UserError, require_events, top_k
from contracts.device import Device, DType, pick_device, precision
from contracts.progress import Bar, progress

NETWORK, REFIT = "network.", "refit"
SCORED = 512
"""Prefixes scored at once."""
CUT = 20
"""Length of the lists by which epochs are compared (MRR@20)."""

History = list[dict[str, float]]
Weights = dict[str, torch.Tensor]


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


class NeuralRecommender(SessionRecommender):
    """A session recommender with a network that scores all items at once."""

    epochs: int = Field(30, ge=0, description="passes over the examples, at most")
    batch_size: int = Field(100, ge=1, description="examples per update")
    lr: float = Field(0.001, gt=0, description="learning rate")
    weight_decay: float = Field(0.0, ge=0, description="L2 penalty, added to the gradient as in Adam")
    lr_step: int = Field(
        0, ge=0, description="epochs after which the learning rate is multiplied by lr_decay; 0: never"
    )
    lr_decay: float = Field(0.1, gt=0, le=1, description="factor on the learning rate")
    max_length: int = Field(50, ge=1, description="events of a prefix that are read, the most recent ones")
    valid_fraction: float = Field(
        0.1, ge=0, lt=1, description="last part of the train sessions, by time, on which the epoch is chosen; 0: none"
    )
    patience: int = Field(3, ge=1, description="epochs without a better MRR@20 on that part after which training stops")
    refit: bool = Field(True, description="train again on all sessions for the chosen number of epochs")
    dtype: DType = Field("auto", description="matrix products: bf16, float32, or auto (bf16 where it is native)")
    device: Device = Field("auto", description="auto: CUDA where available")
    seed: int = Field(0, ge=0, description="seed of every random number")

    _network: nn.Module | None = PrivateAttr(None)

    # ------------------------------------------------------------------ what a model gives

    def build(self, n_items: int) -> nn.Module:
        """The network, parameters not yet set: ``network(batch)`` gives scores [B, n_items].

        Item ``n_items`` is the padding. Built without memory (on the meta device), so that nothing is
        drawn from a global generator: make no tensors but parameters. Dropout: ``neural.Dropout``.
        """
        raise TypeError(f"{type(self).__name__} does not define build")

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

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Here: Adam."""
        return torch.optim.Adam(network.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=True)

    def train_epoch(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, examples: Examples, rng: torch.Generator,
        advance: Bar,
    ) -> float:  # fmt: skip
        """One pass over the examples; returns the mean loss. ``rng`` is on the CPU; ``advance`` by examples."""
        total, steps = torch.zeros((), device=examples.items.device), -(-len(examples) // self.batch_size)
        for rows in shuffled(examples.lengths, self.batch_size, rng):
            with precision(self.dtype, examples.items.device):
                loss = self.loss(network, examples.batch(rows))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            total += loss.detach()
            advance(len(rows))
        return float(total) / max(steps, 1)

    # ------------------------------------------------------------------ what all share

    def fit(self, train: Sessions) -> Self:
        """Choose the number of epochs on the last part of train, then train on all of it.

        ``history`` has a row per epoch; those of the second training carry ``refit``. Continues an unfinished
        run's checkpoint (``checkpoint_at``); one is written at most once per epoch.
        """
        require_events(train, type(self).__name__.lower())
        train = without_unknown(train)
        self._state = {"n_items": np.array([train.n_items])}
        checkpoint = self.checkpoint({name: getattr(train, name) for name in ("items", "times", "offsets")})
        saved = checkpoint.restore() or {}
        parts = hold_out(train, self.valid_fraction) if self.valid_fraction else None
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
                found = network(examples.batch(rows)).float().cpu().numpy()
                items[rows], scores[rows] = top_k(found, k)
        items[known.lengths == 0], scores[known.lengths == 0] = PAD, 0  # nothing is known, nothing is listed
        return items, scores

    def _generator(self, epoch: int, use: int, device: torch.device | str = "cpu") -> torch.Generator:
        """The generator of an epoch (0: initial weights) for one use (0: order and samples, 1: dropout)."""
        state = np.random.SeedSequence([self.seed, epoch, use]).generate_state(1, np.uint64)[0]
        return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))

    def _new_network(self, n_items: int, device: torch.device) -> nn.Module:
        with torch.device("meta"):
            network = self.build(n_items)
        network = network.to_empty(device="cpu")
        with torch.no_grad():
            self.initialise(network, self._generator(0, 0))
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

    def _train(self, run: _Run, checkpoint: Checkpoint, saved: dict[str, Any]) -> tuple[nn.Module, History]:
        """Train; with ``run.valid``, until its MRR@20 stops growing, and return the best epoch's network."""
        device = pick_device(self.device)
        network = self._new_network(run.train.n_items, device)
        optimizer = self.optimizer(network)
        examples = self.train_examples(run.train, device)
        history: History = []
        best: Weights = {}
        if saved.get("stage") == run.stage:
            network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
            history, best = saved["history"], saved["best"]
        with progress(f"train {type(self).__name__}", run.epochs * len(examples)) as advance:
            advance(len(history) * len(examples))
            while len(history) < run.epochs and not self._enough(run, history):
                epoch = len(history) + 1
                row = {"epoch": float(epoch), "loss": self._epoch(network, optimizer, examples, epoch, advance)}
                if run.valid is not None:
                    row.update(self._validate(network.eval(), run.valid, device))
                history.append(row)
                advance(0, note=" ".join(f"{name} {value:.4g}" for name, value in row.items()))
                if self._after_epoch is not None and not run.curve:  # the first training: it says enough
                    self._network = network.eval()
                    self._after_epoch(epoch)
                if run.valid is not None and best_epoch(history) == epoch:
                    best = {name: value.clone() for name, value in network.state_dict().items()}
                if checkpoint.due():
                    state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "best": best}
                    checkpoint.save({"stage": run.stage, "curve": run.curve, "history": history, **state})
        if best:
            network.load_state_dict(best)
        return network.eval(), history

    def _enough(self, run: _Run, history: History) -> bool:
        return run.valid is not None and len(history) - best_epoch(history) >= self.patience

    def _epoch(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, examples: Examples, epoch: int, advance: Bar
    ) -> float:
        """One epoch (from 1) with its learning rate and its generators; returns the mean loss."""
        for group in optimizer.param_groups:
            group["lr"] = self.lr * self.lr_decay ** ((epoch - 1) // self.lr_step if self.lr_step else 0)
        dropout = self._generator(epoch, 1, examples.items.device)
        for module in network.train().modules():
            if isinstance(module, Dropout):
                module.rng = dropout
        loss = self.train_epoch(network, optimizer, examples, self._generator(epoch, 0), advance)
        if not math.isfinite(loss):
            name = type(self).__name__.lower()
            raise UserError(f"{name}: expected a finite loss, found {loss} in epoch {epoch}: try a smaller lr")
        return loss

    @torch.inference_mode()
    def _validate(self, network: nn.Module, valid: Sessions, device: torch.device) -> dict[str, float]:
        """MRR@20 and HR@20 over all prefixes of the held-out sessions."""
        prefixes, targets = prefixes_of(valid, self.max_length)
        examples, wanted = self.rank_examples(prefixes, device), torch.from_numpy(targets.astype(np.int64))
        ranks = []
        for rows in by_length(examples):
            scores, target = network(examples.batch(rows)).float(), wanted[rows, None].to(device)
            own = scores.gather(1, target)
            tied_before = (scores == own) & (torch.arange(scores.shape[1], device=device) < target)
            ranks.append(1 + ((scores > own) | tied_before).sum(1))
        rank = torch.cat(ranks)
        hit = rank <= CUT
        return {"valid_mrr": float((hit / rank).mean()), "valid_hr": float(hit.float().mean())}


def by_length(examples: Examples) -> Iterable[torch.Tensor]:
    """All examples (int64 indices) in groups of like length, so that little is padding."""
    return torch.argsort(examples.lengths, stable=True).split(SCORED) if len(examples) else ()


def best_epoch(history: History) -> int:
    """The first epoch (from 1) with the largest validation MRR@20; 0 without epochs."""
    return 1 + max(range(len(history)), key=lambda e: history[e]["valid_mrr"], default=-1)


class EveryEventRecommender(NeuralRecommender):
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
