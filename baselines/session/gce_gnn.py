"""Session graph and global graph together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from baselines.session.shared.batches import Examples
from baselines.session.shared.graph import (
    GraphBatch,
    GraphExamples,
    GraphRecommender,
    in_full,
    occurrences,
    segment_softmax,
    segment_sum,
)
from baselines.session.shared.neural import Begun, Dropout
from contracts import Sessions
from contracts.ranking import best_of_each
from contracts.runtime.training import Step

SELF, OUT, IN, BOTH = range(4)
"""Kinds of edges in a session graph, seen from the node that attends."""
SLOPE = 0.2
"""Of every leaky ReLU."""
NODES = 1 << 12
"""Nodes whose neighbours in the global graph are held at once."""


class GCEGNN(GraphRecommender):
    """GCE-GNN: every item of the prefix seen in the session's graph and in the graph of all sessions.

    Session graph: a node attends to itself and to its neighbours (the items before and after it); the weight of
    (i, j) is the softmax over j of leakyrelu(a_kind . (h_i * h_j)), with one vector a for each kind of edge: itself,
    after it, before it, both. Global graph: an item's ``neighbours`` most frequent companions, at most ``epsilon``
    events away in any train session; their sum is weighed by the softmax of w . leakyrelu(W [s * h_j; count_ij]), s
    the mean embedding of the prefix, and becomes relu(U [h_i; sum]); repeated ``hops`` times, outermost neighbours
    first. An event's vector is the sum of both; the session's is sum_t beta_t h_t,
    beta_t = q . sigmoid(A tanh(B [position_t; h_t]) + C mean h), positions counted back from the last event. An item's
    score is its embedding times that. Loss: cross entropy over all items, for every prefix.

    Defaults as published: SR-GNN's, 12 neighbours, epsilon 3, one hop and dropout .5 on the global vector; at most 20
    epochs. For Diginetica the authors take two hops and dropout .2 inside them, for Tmall .6 there and .5 on the local
    vector.
    Reference: Wang, Wei, Cong, Li, Mao, Qiu, "Global context enhanced graph neural networks for session-based
    recommendation", SIGIR 2020, and the authors' code (github.com/CCIIPLab/GCE-GNN).

    Differs from the authors' code: an edge that goes both ways has its own kind at both ends, as in the paper (there:
    at one end, whichever came last); items with fewer neighbours than asked for attend to those they have (there: to
    repetitions drawn at random, and to a padding's vector where there are none); positions behind ``max_length`` do
    not exist, since no more events are read; the rest as listed for SR-GNN (``sr_gnn.SRGNN``).
    """

    citation: ClassVar[str] = "Wang, Wei, Cong, Li, Mao, Qiu, SIGIR 2020, doi 10.1145/3397271.3401142"

    epochs: int = Field(20, ge=0, description="passes over the examples, at most")
    hops: int = Field(1, ge=1, le=3, description="steps into the global graph")
    neighbours: int = Field(12, ge=1, description="neighbours of an item in the global graph")
    epsilon: int = Field(3, ge=1, description="events between which items of a session are neighbours, at most")
    dropout_hop: float = Field(0.0, ge=0, lt=1, description="dropout inside each hop of the global graph")
    dropout_local: float = Field(0.0, ge=0, lt=1, description="dropout on the vectors from the session graph")
    dropout_global: float = Field(0.5, ge=0, lt=1, description="dropout on the vectors from the global graph")

    def build(self, n_items: int) -> nn.Module:
        return _Network(n_items, self)

    def initialise(self, network: nn.Module, rng: torch.Generator) -> None:
        super().initialise(network, rng)
        _set_neighbours(network, torch.tensor(-1), torch.tensor(0.0))

    def train_examples(self, train: Sessions, device: torch.device) -> _GlobalExamples:
        neighbours, counts = global_graph(train, self.neighbours, self.epsilon)
        return _GlobalExamples(**vars(super().train_examples(train, device)), neighbours=neighbours, counts=counts)

    def losses(self, network: nn.Module, examples: Examples, rng: torch.Generator, begun: Begun) -> Iterator[Step]:
        assert isinstance(examples, _GlobalExamples)
        _set_neighbours(network, examples.neighbours, examples.counts)
        return super().losses(network, examples, rng, begun)


@dataclass(frozen=True)
class _GlobalExamples(GraphExamples):
    """Examples and the global graph of the sessions they come from (see ``global_graph``), on the CPU."""

    neighbours: torch.Tensor
    counts: torch.Tensor


def _set_neighbours(network: nn.Module, neighbours: torch.Tensor, counts: torch.Tensor) -> None:
    """The global graph is data, kept among the network's weights: a saved model must have it."""
    network.get_buffer("neighbours").copy_(neighbours)
    network.get_buffer("counts").copy_(counts)


def global_graph(train: Sessions, n: int, epsilon: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The n most frequent neighbours of every item: (items int64 [items, n], counts float32 [items, n]); -1, 0 pad.

    A pair counts once for each two events of a session at most ``epsilon`` apart that are of these items, in either
    order (an item is its own neighbour where it repeats, counted twice). Most frequent first, ties by item index.
    """
    session = train.session_of_event
    near = [(step, session[step:] == session[:-step]) for step in range(1, epsilon + 1)]
    before = np.concatenate([train.items[:-step][same] for step, same in near])
    after = np.concatenate([train.items[step:][same] for step, same in near])
    ends = np.concatenate([before, after]), np.concatenate([after, before])
    shape = (train.n_items, train.n_items)
    pairs = sp.csr_matrix((np.ones(len(ends[0]), np.float32), ends), shape=shape).tocoo()  # sums equal pairs
    kept = best_of_each(pairs.row, pairs.col, pairs.data, n)
    row, col, data = pairs.row[kept], pairs.col[kept], pairs.data[kept]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    neighbours = torch.full((train.n_items, n), -1)
    counts = torch.zeros(train.n_items, n)
    neighbours[row, rank] = torch.from_numpy(col.astype(np.int64))
    counts[row, rank] = torch.from_numpy(data)
    return neighbours, counts


class _Network(nn.Module):
    """Scores [B, items] of a ``GraphBatch``."""

    def __init__(self, n_items: int, settings: GCEGNN) -> None:
        super().__init__()
        hidden = settings.hidden
        self.neighbours: torch.Tensor
        self.counts: torch.Tensor
        self.register_buffer("neighbours", torch.empty(n_items, settings.neighbours, dtype=torch.int64))
        self.register_buffer("counts", torch.empty(n_items, settings.neighbours))
        self.embedding, self.position = nn.Embedding(n_items, hidden), nn.Embedding(settings.max_length, hidden)
        self.kinds = nn.Parameter(torch.empty(4, hidden))
        self.hops = nn.ModuleList(_NeighbourAttention(hidden, settings.dropout_hop) for _ in range(settings.hops))
        self.dropout_local, self.dropout_global = Dropout(settings.dropout_local), Dropout(settings.dropout_global)
        self.place = nn.Linear(2 * hidden, hidden, bias=False)
        self.of_event, self.of_mean = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden, bias=False)
        self.weight = nn.Linear(hidden, 1, bias=False)

    def forward(self, batch: GraphBatch) -> torch.Tensor:
        with in_full(batch.items.device):
            nodes = self.embedding(batch.items)
            local = self.dropout_local(self.from_session(nodes, batch))
            parts = zip(*(x.split(NODES) for x in (batch.items, segment_mean(nodes, batch)[batch.graph])), strict=True)
            overall = torch.cat([self.from_all(items, means) for items, means in parts])
            session = self.session(local + self.dropout_global(overall), batch)
        return functional.linear(session, self.embedding.weight)

    def from_session(self, nodes: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
        """Attention over the session graph [N, d]: every node over itself and its neighbours."""
        receiver, sender, kind = session_edges(batch)
        alike = functional.embedding(receiver, nodes) * functional.embedding(sender, nodes)
        logits = (alike * functional.embedding(kind, self.kinds)).sum(1)
        weights = segment_softmax(functional.leaky_relu(logits, SLOPE), receiver, len(nodes))
        received = occurrences(receiver, len(nodes))
        first = torch.cumsum(received, 0) - received
        return functional.embedding_bag(sender, nodes, first, mode="sum", per_sample_weights=weights)

    def from_all(self, items: torch.Tensor, means: torch.Tensor) -> torch.Tensor:
        """What items [N] receive from the global graph [N, d], neighbours of neighbours first; means as in ``hops``."""
        ids, counts = [items[:, None]], []
        vectors = [self.embedding(ids[0])]
        for _ in self.hops:
            inside = ids[-1].clamp_min(0)
            counts.append(self.counts[inside])
            further = torch.where(ids[-1][..., None] >= 0, self.neighbours[inside], -1)
            ids.append(further.flatten(1))
            vectors.append(self.embedding(ids[-1].clamp_min(0)))
        for hop in self.hops:
            vectors = [
                hop(own, others.unflatten(1, count.shape[1:]), count, means)
                for own, others, count in zip(vectors, vectors[1:], counts, strict=False)
            ]
        return vectors[0].squeeze(1)

    def session(self, hidden: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
        """Vectors [B, d] of the prefixes: their events' vectors, weighed in view of position and mean."""
        events = functional.embedding(batch.event_node, hidden)
        placed = torch.tanh(self.place(torch.cat([self.position(batch.steps_back), events], 1)))
        context = functional.embedding(batch.event_graph, self.of_mean(segment_mean(hidden, batch)))
        weights = self.weight(torch.sigmoid(self.of_event(placed) + context)).squeeze(1)
        return segment_sum(events, batch.first_event, weights)


class _NeighbourAttention(nn.Module):
    """One hop of the global graph: what a vector receives from its neighbours, and the two joined."""

    def __init__(self, hidden: int, dropout: float) -> None:
        super().__init__()
        self.of_vector, self.of_count = nn.Linear(hidden, hidden, bias=False), nn.Linear(1, hidden, bias=False)
        self.weight, self.join = nn.Linear(hidden, 1, bias=False), nn.Linear(2 * hidden, hidden, bias=False)
        self.dropout = Dropout(dropout)

    def forward(
        self, own: torch.Tensor, others: torch.Tensor, counts: torch.Tensor, means: torch.Tensor
    ) -> torch.Tensor:
        """New vectors [N, M, d] of ``own`` [N, M, d] with neighbours ``others`` [N, M, n, d].

        counts  [N, M, n], how often a neighbour was met; 0 = there is none
        means   [N, d], mean embedding of the prefix that each of the N nodes belongs to
        """
        keys = self.of_vector(means[:, None, None] * others) + self.of_count(counts[..., None])
        logits = self.weight(functional.leaky_relu(keys, SLOPE)).squeeze(-1)
        present = counts > 0
        weights = torch.softmax(logits.masked_fill(~present, torch.finfo(logits.dtype).min), -1) * present
        received = (weights[..., None] * others).sum(2)
        return torch.relu(self.join(self.dropout(torch.cat([own, received], -1))))


def session_edges(batch: GraphBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(node that attends, node attended to, kind of edge), each int64 [pairs], in the order of the first."""
    nodes = torch.arange(len(batch.items), device=batch.items.device)
    edge = torch.nonzero_static(batch.source != batch.target, size=batch.links)[:, 0]
    source, target, both = batch.source[edge], batch.target[edge], batch.both[edge]
    one_way = torch.nonzero_static(~both, size=batch.links - batch.mutual)[:, 0]
    receiver = torch.cat([nodes, source, target[one_way]])
    sender = torch.cat([nodes, target, source[one_way]])
    forth, back = torch.where(both, BOTH, OUT), torch.full_like(source[one_way], IN)
    kind = torch.cat([torch.full_like(nodes, SELF), forth, back])
    order = torch.argsort(receiver, stable=True)
    return receiver[order], sender[order], kind[order]


def segment_mean(vectors: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
    """Mean over the events of each prefix [B, d] of their nodes' vectors [N, d]."""
    return segment_sum(vectors, batch.first, batch.count / batch.length[batch.graph])
