"""SR-GNN with attention by the item that is scored."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from baselines.session.shared.graph import GatedGraph, GraphBatch, GraphRecommender, SoftAttention, segment_sum

CELLS = 1 << 20
"""Attention weights (nodes of the batch times items) held at once."""


class TAGNN(GraphRecommender):
    """TAGNN: SR-GNN whose session vector depends on the item it is compared with.

    score(i) = e_i . (s + sum over the prefix's events t of beta_it h_t),   beta_i = softmax over t of (e_i . W h_t)

    with s the session vector of SR-GNN (its attention normalised by a softmax), h_t the vector of the event's node and
    e_i the item's embedding. Written as e_i . s + sum of beta_it (e_i . h_t), it needs numbers and no vectors per
    (event, item); those are computed for a few items at a time, and again in the backward pass (``TargetAttention``):
    memory is bounded, results are exact.

    Defaults as published: those of SR-GNN.
    Reference: Yu, Zhu, Liu, Wu, Wang, Tan, "TAGNN: Target attentive graph neural networks for session-based
    recommendation", SIGIR 2020, and the authors' code (github.com/CRIPAC-DIG/TAGNN).

    Differs from the authors' code: both softmaxes run over the prefix's events (there: over the padding, too, up to
    the longest session of the data, so that scores depend on it); the rest as listed for SR-GNN (``sr_gnn.SRGNN``).
    """

    citation: ClassVar[str] = "Yu, Zhu, Liu, Wu, Wang, Tan, SIGIR 2020, arXiv 2005.02844"

    steps: int = Field(1, ge=1, description="updates of the nodes' vectors")

    def build(self, n_items: int) -> nn.Module:
        return TargetAttentiveNetwork(n_items, self.hidden, self.steps)


class TargetAttentiveNetwork(nn.Module):
    """Scores [B, items] of a ``GraphBatch``."""

    def __init__(self, n_items: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_items, hidden)
        self.graph = GatedGraph(hidden, steps)
        self.attention = SoftAttention(hidden, softmax=True)
        self.query = nn.Linear(hidden, hidden, bias=False)

    def forward(self, batch: GraphBatch) -> torch.Tensor:
        hidden = self.graph(self.embedding(batch.items), batch.source, batch.target)
        scores = functional.linear(self.attention(hidden, batch), self.embedding.weight)
        return scores + TargetAttention.apply(hidden, self.query(hidden), self.embedding.weight, batch, CELLS)


class TargetAttention(torch.autograd.Function):
    """sum over the events t of a prefix of beta_it (e_i . h_t), for every prefix and item [B, items].

    For as many items at a time as give ``cells`` (node, item) pairs; only the result is kept for the backward pass,
    which computes the pairs again. Matrix products run in autocast's type, sums in that of ``hidden``.

    hidden  [N, d], h of every node
    query   [N, d], W h
    items   [items, d], embeddings e
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, query: torch.Tensor, items: torch.Tensor, batch: GraphBatch, cells: int
    ) -> torch.Tensor:
        device = hidden.device.type
        ctx.product = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        ctx.batch, ctx.step = batch, math.ceil(cells / len(hidden))
        h, q = hidden.to(ctx.product), query.to(ctx.product)
        out = []
        for part in items.split(ctx.step):
            weights, total, match = _pairs(h, q, part.to(ctx.product), hidden.dtype, batch)
            out.append(segment_sum(weights.mul_(match), batch.first).div_(total))
        scores = torch.cat(out, 1)
        ctx.save_for_backward(hidden, query, items, scores)
        return scores

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        hidden, query, items, scores = ctx.saved_tensors
        h, q = hidden.to(ctx.product), query.to(ctx.product)
        of_hidden, of_query, of_items = torch.zeros_like(hidden), torch.zeros_like(hidden), []
        parts = items.split(ctx.step), scores.split(ctx.step, 1), gradients[0].split(ctx.step, 1)
        for item, score, gradient in zip(*parts, strict=True):
            part = item.to(ctx.product)
            weights, total, match = _pairs(h, q, part, hidden.dtype, ctx.batch)
            of_match = weights.mul_((gradient / total)[ctx.batch.graph])
            of_logit = match.sub_(score[ctx.batch.graph]).mul_(of_match).to(ctx.product)
            of_match = of_match.to(ctx.product)
            of_hidden += of_match @ part
            of_query += of_logit @ part
            of_items.append(torch.addmm(of_match.T @ h, of_logit.T, q).to(items.dtype))
        return of_hidden, of_query.to(query.dtype), torch.cat(of_items), None, None


def _pairs(
    h: torch.Tensor, q: torch.Tensor, part: torch.Tensor, dtype: torch.dtype, batch: GraphBatch
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(softmax weights before division [N, items], their sums [B, items], e . h [N, items]) for some items."""
    logits = functional.linear(q, part).to(dtype) + batch.count.log()[:, None]
    highest = logits.new_full((len(batch.first), len(part)), -math.inf)
    highest.scatter_reduce_(0, batch.graph[:, None].expand_as(logits), logits, "amax")
    weights = logits.sub_(highest.index_select(0, batch.graph)).exp_()
    return weights, segment_sum(weights, batch.first), functional.linear(h, part).to(dtype)
