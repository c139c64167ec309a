"""STAMP: short-term attention / memory priority."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from baselines.session.shared.batches import Batch
from baselines.session.shared.neural import AdamRecommender


class STAMP(AdamRecommender):
    """Attention of the last click over the session, two cells, trilinear scores (paper, section 3).

    m_s = mean of the item vectors x_i, m_t = x_last; a_i = w0 . sigmoid(W1 x_i + W2 x_last + W3 m_s + b),
    m_a = sum_i a_i x_i (a_i not normalised); h_s = tanh(W_s m_a + b_s), h_t = tanh(W_t m_t + b_t);
    score of item j = x_j . (h_s * h_t). Cross entropy over all items.

    Defaults as published (section 4): 100 dimensions, batch 512, lr .005 (searched there among five), at most 30
    epochs, item vectors N(0, .002), weights N(0, .05).
    Differs: Adam (the paper names none); no sigmoid around a score before the softmax, which would hold all scores
    within (0, 1); the loss is the target's log probability alone (there also log(1 - p) of all others); the epoch
    is chosen by MRR@20 on the last part of train.
    """

    citation: ClassVar[str] = "Liu, Zeng, Mokhosi, Zhang, KDD 2018, doi 10.1145/3219819.3219950"

    dim: int = Field(100, ge=1, description="dimensions of the item vectors (paper: 100)")
    batch_size: int = Field(512, ge=1, description="prefixes per update")
    lr: float = Field(0.005, gt=0, description="Adam's learning rate")

    def build(self, n_items: int) -> nn.Module:
        return _Network(n_items, self.dim)

    def initialise(self, network: nn.Module, rng: torch.Generator) -> None:
        """Item vectors N(0, .002), weights N(0, .05) (paper, 4.4), biases 0."""
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=0.002 if name.startswith("items") else 0.05, generator=rng)


class _Network(nn.Module):
    def __init__(self, n_items: int, dim: int) -> None:
        super().__init__()
        self.items = nn.Embedding(n_items + 1, dim, padding_idx=n_items)
        self.of_item, self.of_last, self.of_mean = (nn.Linear(dim, dim, bias=i == 0) for i in range(3))
        self.attention = nn.Linear(dim, 1, bias=False)
        self.session, self.last = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, batch: Batch) -> torch.Tensor:
        x = self.items(batch.items) * batch.mask[..., None]  # [B, L, d]
        mean = x.sum(1) / batch.lengths.clamp_min(1)[:, None]
        last = x[torch.arange(len(x), device=x.device), batch.last]
        context = self.of_last(last) + self.of_mean(mean)
        weights = self.attention(torch.sigmoid(self.of_item(x) + context[:, None]))  # [B, L, 1]
        memory = (weights * x).sum(1)
        h = torch.tanh(self.session(memory)) * torch.tanh(self.last(last))
        return h @ self.items.weight[:-1].T
