"""What the neural session rivals share: hyper-parameters, training, choice of the epoch, scoring.

A model is a file with one class derived from ``NeuralRecommender`` that gives ``build`` (its network),
and where it differs from the usual, ``initialise``, ``train_examples``, ``loss``, ``optimizer`` or ``train_epoch``.

All randomness comes from generators seeded by (seed, epoch): a run resumed after any epoch equals one
that was never interrupted. GPUs draw other numbers than CPUs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr
from torch import nn
from torch.nn import functional as F

from baselines.session.shared.batches import Batch, Examples, hold_out, prefixes_of, shuffled, without_unknown
from contracts import SessionRecommender, Sessions, UserError, require_events, top_k
from contracts.device import Device, DType, pick_device, precision
from contracts.progress import Bar, progress

NETWORK = "network."
SCORED = 512
"""Prefixes scored at once."""
CUT = 20
"""Length of the lists by which epochs are compared (MRR@20)."""


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
        """Choose the number of epochs on the last part of train, then train on all of it."""
        require_events(train, type(self).__name__.lower())
        train = without_unknown(train)
        parts = hold_out(train, self.valid_fraction) if self.valid_fraction else None
        network, history = self._train(parts[0] if parts else train, parts[1] if parts else None, self.epochs)
        chosen = best_epoch(history) if parts else len(history)
        if parts and self.refit:
            network, _ = self._train(train, None, chosen)
        weights = {NETWORK + name: value.cpu().numpy() for name, value in network.state_dict().items()}
        columns = {f"history.{key}": np.array([row[key] for row in history]) for key in (history or [{}])[0]}
        self._state = {**weights, **columns, "chosen": np.array([chosen]), "n_items": np.array([train.n_items])}
        self._network = network
        return self

    @property
    def history(self) -> list[dict[str, float]]:
        """Per epoch: loss, and (with a validation part) its MRR@20 and HR@20."""
        columns = {k.removeprefix("history."): v for k, v in self._state.items() if k.startswith("history.")}
        return [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]

    def recommend(self, prefixes: Sessions, k: int) -> tuple[np.ndarray, np.ndarray]:
        device = pick_device(self.device)
        network = self._ready(device)
        examples = self.rank_examples(without_unknown(prefixes), device)
        items, scores = np.empty((len(prefixes), k), np.int32), np.empty((len(prefixes), k), np.float32)
        with torch.inference_mode():
            for rows in by_length(examples):
                found = network(examples.batch(rows)).float().cpu().numpy()
                items[rows], scores[rows] = top_k(found, k)
        return items, scores

    def _generator(self, stage: int, device: torch.device | str = "cpu") -> torch.Generator:
        """The generator of one stage: 0 = initial weights, e = epoch e (from 1)."""
        state = np.random.SeedSequence([self.seed, stage]).generate_state(1, np.uint64)[0]
        return torch.Generator(device).manual_seed(int(state >> np.uint64(1)))

    def _new_network(self, n_items: int, device: torch.device) -> nn.Module:
        with torch.device("meta"):
            network = self.build(n_items)
        network = network.to_empty(device="cpu")
        with torch.no_grad():
            self.initialise(network, self._generator(0))
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

    def _train(self, train: Sessions, valid: Sessions | None, epochs: int) -> tuple[nn.Module, list[dict[str, float]]]:
        """Train; with ``valid``, until its MRR@20 stops growing, and return the best epoch's network."""
        device = pick_device(self.device)
        network = self._new_network(train.n_items, device)
        optimizer = self.optimizer(network)
        examples = self.train_examples(train, device)
        history: list[dict[str, float]] = []
        best: dict[str, torch.Tensor] = {}
        with progress(f"train {type(self).__name__}", epochs * len(examples)) as advance:
            for epoch in range(1, epochs + 1):
                for group in optimizer.param_groups:
                    group["lr"] = self.lr * self.lr_decay ** ((epoch - 1) // self.lr_step if self.lr_step else 0)
                self._ready_dropout(network.train(), self._generator(epoch, device))
                row = {"loss": self.train_epoch(network, optimizer, examples, self._generator(epoch), advance)}
                if valid is not None:
                    row.update(self._validate(network.eval(), valid, device))
                if not math.isfinite(row["loss"]):
                    raise UserError(f"{type(self).__name__.lower()}: expected a finite loss, found {row['loss']} in "
                                    f"epoch {epoch}: a smaller lr may help")  # fmt: skip
                history.append(row)
                advance(0, note=f"epoch {epoch} " + " ".join(f"{name} {value:.4f}" for name, value in row.items()))
                if valid is None:
                    continue
                if best_epoch(history) == epoch:
                    best = {name: value.clone() for name, value in network.state_dict().items()}
                elif epoch - best_epoch(history) >= self.patience:
                    break
        if best:
            network.load_state_dict(best)
        return network.eval(), history

    @staticmethod
    def _ready_dropout(network: nn.Module, rng: torch.Generator) -> None:
        for module in network.modules():
            if isinstance(module, Dropout):
                module.rng = rng

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


def best_epoch(history: list[dict[str, float]]) -> int:
    """The first epoch (from 1) with the largest validation MRR@20; 0 without epochs."""
    return 1 + max(range(len(history)), key=lambda e: history[e]["valid_mrr"], default=-1)
