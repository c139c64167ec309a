"""Session-based recommendation with a gated graph network."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from baselines.session.shared.graph import GatedGraph, GraphBatch, GraphRecommender, SoftAttention, in_full


class SRGNN(GraphRecommender):
    """SR-GNN: the prefix as a graph of its items, a gated graph network over it, attention, cross entropy.

    Nodes: the prefix's distinct items; edges: from an item to the one after it. A node's vector starts as the item's
    embedding and is updated ``steps`` times from the mean of its predecessors and the mean of its successors
    (``shared.graph.GatedGraph``). The session's vector joins the last item's with the attention-weighed sum of all
    (``SoftAttention``); an item's score is its embedding times that vector. Loss: cross entropy over all items, for
    every prefix of every train session.

    Defaults as published: 100 dimensions, batches of 100, Adam with rate .001 (a tenth of it after every third epoch)
    and L2 1e-5, one step, weights uniform in +-.1; at most 30 epochs.
    Reference: Wu, Tang, Zhu, Wang, Xie, Tan, "Session-based recommendation with graph neural networks", AAAI 2019, and
    the authors' code (github.com/CRIPAC-DIG/SR-GNN).

    Differs from the paper: a transition that a prefix makes twice is one edge (as in the authors' code; the paper
    weighs edges by how often they occur).
    Differs from the authors' code: the number of epochs is chosen on the last part of train (there: the best epoch on
    the test data, for HR and MRR apart), after 3 epochs without improvement (there: 10); batches hold prefixes of like
    length; prefixes are read up to ``max_length`` events (there: whole).
    """

    citation: ClassVar[str] = "Wu, Tang, Zhu, Wang, Xie, Tan, AAAI 2019, arXiv 1811.00855"

    steps: int = Field(1, ge=1, description="updates of the nodes' vectors")

    def build(self, n_items: int) -> nn.Module:
        return _Network(n_items, self.hidden, self.steps)


class _Network(nn.Module):
    """Scores [B, items] of a ``GraphBatch``."""

    def __init__(self, n_items: int, hidden: int, steps: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_items, hidden)
        self.graph = GatedGraph(hidden, steps)
        self.attention = SoftAttention(hidden, softmax=False)

    def forward(self, batch: GraphBatch) -> torch.Tensor:
        with in_full(batch.items.device):
            hidden = self.graph(self.embedding(batch.items), batch.source, batch.target)
            session = self.attention(hidden, batch)
        return functional.linear(session, self.embedding.weight)
