"""NARM: neural attentive recommendation machine."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from baselines.session.shared.batches import Batch
from baselines.session.shared.neural import AdamRecommender, Dropout


class NARM(AdamRecommender):
    """A GRU read twice, as last state and by attention, and a bilinear decoder (paper, section 3).

    h_1..h_t = GRU(dropped item vectors); c_global = h_t; c_local = sum_j v . sigmoid(A1 h_t + A2 h_j) h_j
    (weights not normalised); score of item i = x_i . B dropped [c_global, c_local]. Cross entropy over all items.

    Defaults as published: 50-dimensional items, 100 GRU units, Adam with lr .001, batch 512, dropout 25% / 50%,
    at most 30 epochs, 10% of train for validation. Differs: the epoch is chosen by MRR@20 and the model trained
    again on all of train (the authors stop by Recall@20 and keep that model); gradients flow through the
    whole prefix (there: cut at 19 items); initial GRU weights uniform in +-1/sqrt(units) (there: orthogonal).
    """

    citation: ClassVar[str] = "Li, Ren, Chen, Ren, Lian, Ma, CIKM 2017, arXiv 1711.04725"

    dim: int = Field(50, ge=1, description="dimensions of the item vectors (paper: 50)")
    hidden: int = Field(100, ge=1, description="GRU units (paper: 100)")
    batch_size: int = Field(512, ge=1, description="prefixes per update (paper: 512)")
    embedding_dropout: float = Field(0.25, ge=0, lt=1, description="share of item vector entries dropped (paper: .25)")
    state_dropout: float = Field(0.5, ge=0, lt=1, description="share of the session's entries dropped (paper: .5)")

    def build(self, n_items: int) -> nn.Module:
        return _Network(n_items, self.dim, self.hidden, self.embedding_dropout, self.state_dropout)


class _Network(nn.Module):
    def __init__(self, n_items: int, dim: int, hidden: int, embedding_dropout: float, state_dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        self.gru = nn.GRU(dim, hidden, batch_first=True)
        self.of_last, self.of_each = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.attention = nn.Linear(hidden, 1, bias=False)
        self.decoder = nn.Linear(2 * hidden, dim, bias=False)
        self.drop_items, self.drop_session = Dropout(embedding_dropout), Dropout(state_dropout)

    def forward(self, batch: Batch) -> torch.Tensor:
        states, _ = self.gru(self.drop_items(self.items(batch.items)))  # [B, L, h]; padding is behind the events
        last = states[torch.arange(len(states), device=states.device), batch.last] * (batch.lengths > 0)[:, None]
        weights = self.attention(torch.sigmoid(self.of_last(last)[:, None] + self.of_each(states)))  # [B, L, 1]
        local = (weights * batch.mask[..., None] * states).sum(1)
        session = self.decoder(self.drop_session(torch.cat([last, local], 1)))
        return session @ self.items.weight[:-1].T
