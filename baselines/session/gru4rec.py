"""GRU4Rec: recurrent network over session-parallel mini-batches with sampled ranking losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from baselines.session.shared.batches import Batch, Examples
from baselines.session.shared.gru4rec import (
    MomentumAdagrad,
    bpr_max,
    cross_entropy,
    distinct_rows,
    session_parallel,
    top1_max,
)
from baselines.session.shared.neural import Begun, Dropout, NeuralRecommender
from contracts import Sessions
from contracts.runtime.device import DType, precision, send
from contracts.runtime.training import Step

Layers = tuple[int, ...]
DRAWN = 1 << 21
"""Negative samples drawn at once."""


class GRU4Rec(NeuralRecommender):
    """GRU layers over the session's items; scores = hidden state . item vectors + item biases.

    Every feature of the authors' PyTorch version: cross entropy with logQ correction, BPR-max with ELU,
    extra negative samples drawn as popularity^sample_alpha, item vectors shared between input and output,
    separate, or none (one-hot input), dropout of embedding and hidden state (the dropped state is what the
    next step reads), momentum Adagrad, session-parallel mini-batches in order of session start, uniform
    initial weights in +-sqrt(6 / (rows + columns)) per gate. TOP1-max is the CIKM paper's other loss.

    Defaults: the authors' parameter file for RSC15 with 100 units (rsc15_xe_shared_100_best.py).
    Differs from their version: the epoch can be chosen on validation sessions (validation; 0 as there);
    sessions of one event are skipped and fewer sessions than batch_size are allowed (there: neither); cross
    entropy by log-softmax (there: log(softmax + 1e-24)); other random numbers.
    """

    citation: ClassVar[str] = "Hidasi, Karatzoglou, CIKM 2018, arXiv 1706.03847; Hidasi et al., ICLR 2016"

    loss_function: Literal["cross-entropy", "bpr-max", "top1-max"] = Field(
        "cross-entropy", description="what is minimised"
    )
    layers: Layers = Field((100,), min_length=1, description="units per GRU layer")
    epochs: int = Field(10, ge=0, description="passes over the sessions")
    batch_size: int = Field(32, ge=1, description="sessions walked through at a time")
    lr: float = Field(0.2, gt=0, description="learning rate of Adagrad")
    momentum: float = Field(0.2, ge=0, lt=1, description="share of the last step that is repeated")
    embedding_dropout: float = Field(0.0, ge=0, lt=1, description="share of embedding entries dropped in training")
    hidden_dropout: float = Field(0.4, ge=0, lt=1, description="share of hidden units dropped in training")
    n_sample: int = Field(2048, ge=0, description="negative items per step besides the batch's own")
    sample_alpha: float = Field(0.5, ge=0, le=1, description="0: samples uniform, 1: as popular as items are")
    logq: float = Field(1.0, ge=0, description="weight of the logQ correction of cross entropy; 0: none")
    bpreg: float = Field(1.0, ge=0, description="weight of BPR-max's penalty on the scores of negatives")
    elu_param: float = Field(0.5, ge=0, description="alpha of the ELU over scores (BPR-max, TOP1-max); 0: linear")
    constrained: bool = Field(True, description="one item matrix for input and output")
    embedding: int = Field(0, ge=0, description="dimensions of separate input vectors; 0: one-hot input")
    max_length: int = Field(1000, ge=1, description="events of a prefix that are read when ranking")
    validation: float = Field(0.0, ge=0, lt=1, description="share of the last sessions held out to choose the epoch")
    dtype: DType = Field("float32", description="matrix products; small ones gain nothing")

    def build(self, n_items: int) -> nn.Module:
        dim = self.layers[-1] if self.constrained else self.embedding
        return _Network(n_items, self.layers, dim, self.constrained, self.embedding_dropout, self.hidden_dropout)

    def initialise(self, network: nn.Module, rng: torch.Generator) -> None:
        """Biases 0; weights uniform in +-sqrt(6 / (rows + columns)), each gate a matrix of its own."""
        for name, parameter in network.named_parameters():
            if "bias" in name:
                nn.init.zeros_(parameter)
                continue
            rows, columns = parameter.shape
            if "weight_" in name:  # of a cell
                rows //= 3
            elif name.startswith("input") and not self.embedding:
                columns //= 3
            bound = math.sqrt(6 / (rows + columns))
            nn.init.uniform_(parameter, -bound, bound, generator=rng)

    def optimizer(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adagrad with momentum."""
        return MomentumAdagrad(network.parameters(), self.lr, self.momentum)

    def train_examples(self, train: Sessions, device: torch.device) -> Examples:
        """Whole sessions in order of their first event."""
        train = train.take(np.flatnonzero(train.lengths > 1))
        train = train.take(np.argsort(train.times[train.offsets[:-1]], kind="stable"))
        return Examples.of_sessions(train, max(int(train.lengths.max(initial=1)), 1), device)

    def losses(self, network: nn.Module, examples: Examples, rng: torch.Generator, begun: Begun) -> Iterator[Step]:
        """All sessions once, ``batch_size`` side by side; the gradient stops at the step before."""
        assert isinstance(network, _Network)
        device = examples.items.device
        starts, ends = examples.starts.numpy(), examples.ends.numpy()
        fewest = 1 if self.n_sample else 2  # without samples the others of the batch are the only negatives
        offsets, events, lanes, fresh = session_parallel(starts, ends, self.batch_size, fewest)
        event, lane = send(events, device), send(lanes, device)
        kept = send(~fresh, device).float()[:, None]
        inputs, targets = examples.items[event], examples.items[event + 1]
        met = torch.bincount(examples.on_cpu[:-1], minlength=examples.n_items).float()
        counts, samples = send(met, device), self._samples(met, len(offsets) - 1, rng)
        if not begun.carried:
            begun.carried = [torch.zeros(self.batch_size, size) for size in self.layers]
        begun.carried = states = [send(state, device) for state in begun.carried]
        samples = islice(samples, begun.done, None)
        for step in range(begun.done, len(offsets) - 1):
            rows = slice(offsets[step], offsets[step + 1])
            candidates = torch.cat([targets[rows], send(next(samples), device)])
            hidden = [state[lane[rows]] * kept[rows] for state in states]
            with precision(self.dtype, device):
                scores, hidden = network.step(inputs[rows], hidden, candidates)
            for state, new in zip(states, hidden, strict=True):
                state[lane[rows]] = new.detach().float()
            loss = self._loss(scores.float(), candidates, counts) / self.batch_size
            yield Step(loss, int(fresh[rows].sum()))

    def _samples(self, counts: torch.Tensor, steps: int, rng: torch.Generator) -> Iterator[torch.Tensor]:
        """``n_sample`` items per step, drawn as popularity ** sample_alpha."""
        cumulated = counts.double().pow(self.sample_alpha).cumsum(0)
        block = max(DRAWN // max(self.n_sample, 1), 1)
        for start in range(0, steps, block):
            drawn = torch.rand(min(block, steps - start), self.n_sample, generator=rng, dtype=torch.float64)
            items = torch.searchsorted(cumulated, drawn * cumulated[-1], right=True)
            yield from items.clamp_max(len(counts) - 1)

    def _loss(self, scores: torch.Tensor, candidates: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """The sum over the batch; the first columns of ``scores`` are the targets, the others the samples."""
        if self.loss_function == "cross-entropy":
            if self.logq:
                chance = counts[candidates]
                chance[len(scores) :] **= self.sample_alpha
                scores = scores - self.logq * chance.log()
            return cross_entropy(scores)
        if self.elu_param:
            scores = F.elu(scores, self.elu_param)
        return bpr_max(scores, self.bpreg) if self.loss_function == "bpr-max" else top1_max(scores)


class _Network(nn.Module):
    def __init__(
        self, n_items: int, layers: Layers, dim: int, constrained: bool, embedding_dropout: float, hidden_dropout: float
    ) -> None:
        super().__init__()
        self.layers, self.one_hot = layers, not dim
        self.output, self.output_bias = (nn.Embedding(n_items, size, sparse=True) for size in (layers[-1], 1))
        if constrained:
            self.input = self.output
        elif dim:
            self.input = nn.Embedding(n_items, dim, sparse=True)
        else:  # one-hot items: their gates are looked up
            self.input = nn.Embedding(n_items, 3 * layers[0], sparse=True)
        first = nn.GRUCell(dim, layers[0]) if dim else _OneHotCell(layers[0])
        self.cells = nn.ModuleList([first, *(nn.GRUCell(*sizes) for sizes in pairwise(layers))])
        self.drop_embedding, self.drop_hidden = Dropout(embedding_dropout), Dropout(hidden_dropout)

    def move(self, x: torch.Tensor, states: list[torch.Tensor]) -> list[torch.Tensor]:
        """The layers' states [B, units] after one more event, x [B, dim] its input vectors."""
        moved: list[torch.Tensor] = []
        for cell, state in zip(self.cells, states, strict=True):
            first = not moved
            if first and not self.one_hot:
                x = self.drop_embedding(x)
            # with one-hot items the first state is what stands for an embedding
            x = (self.drop_embedding if first and self.one_hot else self.drop_hidden)(cell(x, state))
            moved.append(x)
        return moved

    def step(
        self, inputs: torch.Tensor, states: list[torch.Tensor], candidates: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores [B, C] of the items ``candidates`` [C] after one more event, int64 [B], and the new states."""
        if self.input is self.output:
            vectors, place = distinct_rows(self.output, torch.cat([inputs, candidates]))
            x, place = vectors[place[: len(inputs)]], place[len(inputs) :]
        else:
            vectors, place = distinct_rows(self.input, inputs)
            x = vectors[place]
            vectors, place = distinct_rows(self.output, candidates)
        states = self.move(x, states)
        biases, bias_place = distinct_rows(self.output_bias, candidates)
        return (states[-1] @ vectors.T).index_select(1, place) + biases[bias_place].T, states

    def forward(self, batch: Batch) -> torch.Tensor:
        items = batch.items.clamp_max(self.output.num_embeddings - 1)
        states = [self.output.weight.new_zeros(len(items), size) for size in self.layers]
        for position, inside in enumerate(batch.mask.T):
            moved = self.move(self.input(items[:, position]), states)
            states = [torch.where(inside[:, None], *pair) for pair in zip(moved, states, strict=True)]
        return torch.addmm(self.output_bias.weight.T, states[-1], self.output.weight.T)


class _OneHotCell(nn.Module):
    """A GRU cell whose input is already multiplied: x [B, 3 units] holds the reset, update and candidate gates."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.weight_hh, self.bias_ih = nn.Parameter(torch.empty(3 * units, units)), nn.Parameter(torch.empty(3 * units))

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        reset, update, candidate = (x + self.bias_ih).chunk(3, 1)
        state_reset, state_update, state_candidate = (state @ self.weight_hh.T).chunk(3, 1)
        update = torch.sigmoid(update + state_update)
        new = torch.tanh(candidate + torch.sigmoid(reset + state_reset) * state_candidate)
        return (1 - update) * new + update * state
