"""SR-GNN with attention by the item that is scored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from baselines.session.shared.graph import GatedGraph, GraphBatch, GraphRecommender, SoftAttention, in_full, segment_sum

CELLS = 1 << 20
"""Attention weights (nodes of the batch times items) held at once."""
ALIGN = 64
"""The number of nodes is made a multiple of this: bf16 kernels are made anew for every shape."""


class TAGNN(GraphRecommender):
    """TAGNN: SR-GNN whose session vector depends on the item it is compared with.

    score(i) = e_i . (s + sum over the prefix's events t of beta_it h_t),   beta_i = softmax over t of (e_i . W h_t)

    with s the session vector of SR-GNN (its attention normalised by a softmax), h_t the vector of the event's node and
    e_i the item's embedding. Written as e_i . s + sum of beta_it (e_i . h_t), it needs numbers and no vectors per
    (event, item); those are computed for a few items at a time, and again in the backward pass (``_TargetAttention``):
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
        return _Network(n_items, self.hidden, self.steps)


class _Network(nn.Module):
    """Scores [B, items] of a ``GraphBatch``."""

    def __init__(self, n_items: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_items, hidden)
        self.graph = GatedGraph(hidden, steps)
        self.attention = SoftAttention(hidden, softmax=True)
        self.query = nn.Linear(hidden, hidden, bias=False)

    def forward(self, batch: GraphBatch) -> torch.Tensor:
        with in_full(batch.items.device):
            hidden = self.graph(self.embedding(batch.items), batch.source, batch.target)
            session, query = self.attention(hidden, batch), self.query(hidden)
        scores = functional.linear(session, self.embedding.weight)
        return scores + _TargetAttention.apply(hidden, query, self.embedding.weight, batch, CELLS)


class _TargetAttention(torch.autograd.Function):
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
        product = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
        ctx.nodes = _Nodes.of(hidden, query, batch, product)
        ctx.step = math.ceil(cells / len(ctx.nodes.graph))
        out = []
        for part in items.split(ctx.step):
            weights, total, match = ctx.nodes.pairs(part)
            out.append((segment_sum(weights.mul_(match), ctx.nodes.first).div_(total))[:-1])
        scores = torch.cat(out, 1)
        ctx.save_for_backward(items, scores)
        return scores

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        items, scores = ctx.saved_tensors
        nodes: _Nodes = ctx.nodes
        of_hidden, of_query = torch.zeros_like(nodes.h, dtype=items.dtype), torch.zeros_like(nodes.h, dtype=items.dtype)
        of_items = []
        parts = items.split(ctx.step), scores.split(ctx.step, 1), gradients[0].split(ctx.step, 1)
        for item, score, gradient in zip(*parts, strict=True):
            part = item.to(nodes.h.dtype)
            weights, total, match = nodes.pairs(item)
            of_match = weights.mul_(nodes.spread(gradient / total[:-1]))
            of_logit = match.sub_(nodes.spread(score)).mul_(of_match).to(part.dtype)
            of_match = of_match.to(part.dtype)
            of_hidden += of_match @ part
            of_query += of_logit @ part
            of_items.append(torch.addmm(of_match.T @ nodes.h, of_logit.T, nodes.q).to(items.dtype))
        n = nodes.n
        return of_hidden[:n], of_query[:n], torch.cat(of_items), None, None


@dataclass(frozen=True)
class _Nodes:
    """The nodes of a batch, filled up to a multiple of ``ALIGN`` by nodes of one more prefix, which counts for nothing.

    h, q    [N, d] in the type of the matrix products
    graph   int64 [N]; first int64 [B + 1]; log_count [N, 1]
    n       nodes before filling up
    """

    h: torch.Tensor
    q: torch.Tensor
    graph: torch.Tensor
    first: torch.Tensor
    log_count: torch.Tensor
    n: int

    @classmethod
    def of(cls, hidden: torch.Tensor, query: torch.Tensor, batch: GraphBatch, product: torch.dtype) -> _Nodes:
        n = len(hidden)
        more = -n % ALIGN
        h, q = (functional.pad(x.detach().to(product), (0, 0, 0, more)) for x in (hidden, query))
        graph = functional.pad(batch.graph, (0, more), value=len(batch.first))
        log_count = functional.pad(batch.count.log().to(hidden.dtype), (0, more))[:, None]
        return cls(h, q, graph, functional.pad(batch.first, (0, 1), value=n), log_count, n)

    def pairs(self, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(softmax weights before division [N, items], their sums [B + 1, items], e . h [N, items]) for some items."""
        part = items.to(self.h.dtype)
        logits = functional.linear(self.q, part).to(items.dtype) + self.log_count
        highest = logits.new_full((len(self.first), len(part)), -math.inf)
        highest.scatter_reduce_(0, self.graph[:, None].expand_as(logits), logits, "amax")
        weights = logits.sub_(highest.index_select(0, self.graph)).exp_()
        return weights, segment_sum(weights, self.first), functional.linear(self.h, part).to(items.dtype)

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """Values [B, items] of the prefixes, to their nodes [N, items]; 0 for those that fill up."""
        return functional.pad(values, (0, 0, 0, 1)).index_select(0, self.graph)
