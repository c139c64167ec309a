"""SASRec: self-attention over the session, with a softmax over all items."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from baselines.session.shared.batches import Batch
from baselines.session.shared.neural import Dropout, EveryEventRecommender
from contracts import UserError


class SASRec(EveryEventRecommender):
    """Causal transformer blocks on item + position vectors; score = last state . item vector (paper, section III).

    x = dropped(sqrt(d) item + position); per block q = LN(x), x = q + dropped attention(q, x, x), x = LN(x),
    x = x + feed-forward(x) (relu); a last layer norm. Item vectors are shared between input and output.

    Trained with cross entropy over all items at every event, not with one sampled negative and a binary loss
    as published: with the full softmax SASRec gains much and rivals later models (Klenitskiy, Vasilev,
    "Turning dross into gold loss: is BERT4Rec really better than SASRec?", RecSys 2023, arXiv 2309.07602).
    Defaults as published: 2 blocks, 1 head, lr .001, batch 128, length 50, dropout .2; dim 100 (there 50).
    Differs: positions count from the first event that is read (there: from the end of a window filled in front),
    so that a prefix has in ranking the positions that it had in training; the loss is a mean over events;
    initial weights N(0, .02).
    """

    citation: ClassVar[str] = "Kang, McAuley, ICDM 2018, arXiv 1808.09781"

    dim: int = Field(100, ge=1, description="dimensions of item vectors and states (a multiple of heads)")
    blocks: int = Field(2, ge=1, description="transformer blocks (paper: 2)")
    heads: int = Field(1, ge=1, description="attention heads (paper: 1)")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of entries dropped (paper: .2, sparse data .5)")
    batch_size: int = Field(128, ge=1, description="sessions per update (paper: 128)")

    def build(self, n_items: int) -> nn.Module:
        if self.dim % self.heads:
            raise UserError(f"sasrec: parameter 'dim': expected a multiple of heads = {self.heads}, found {self.dim}")
        return _Network(n_items, self.dim, self.max_length, self.blocks, self.heads, self.dropout)


class _Network(nn.Module):
    def __init__(self, n_items: int, dim: int, max_length: int, blocks: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        self.positions = nn.Embedding(max_length, dim)
        self.blocks = nn.ModuleList(_Block(dim, heads, dropout) for _ in range(blocks))
        self.norm, self.drop = nn.LayerNorm(dim), Dropout(dropout)

    def states(self, batch: Batch) -> torch.Tensor:
        """What the session is after every event, [B, L, dim]."""
        scale = math.sqrt(self.items.embedding_dim)
        x = self.drop(scale * self.items(batch.items) + self.positions.weight[: batch.items.shape[1]])
        for block in self.blocks:
            x = block(x)
        return self.norm(x)

    def score(self, states: torch.Tensor) -> torch.Tensor:
        """Scores [n, n_items] of states [n, dim]."""
        return states @ self.items.weight[:-1].T

    def forward(self, batch: Batch) -> torch.Tensor:
        states = self.states(batch)
        return self.score(states[torch.arange(len(states), device=states.device), batch.last])


class _Block(nn.Module):
    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(dim, dim) for _ in range(3))
        self.inner, self.outer = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.before_attention, self.before_forward = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.drop = Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        normal = self.before_attention(x)
        x = self.before_forward(normal + self._attention(normal, x))
        return x + self.drop(self.outer(self.drop(F.relu(self.inner(x)))))

    def _attention(self, asking: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Attention [B, L, dim] of every event to itself and those before it; padding is behind all of them."""
        q, k, v = (
            layer(value).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, value in ((self.query, asking), (self.key, x), (self.value, x))
        )
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
        later = torch.ones(scores.shape[2:], dtype=torch.bool, device=x.device).triu(1)
        weights = self.drop(torch.softmax(scores.masked_fill(later, -torch.inf), dim=-1))
        return (weights @ v).transpose(1, 2).flatten(2)
