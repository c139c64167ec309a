"""Session graphs as arrays, and the gated graph network over them (SR-GNN and TAGNN; GCE-GNN reads the same arrays).

A prefix's graph has its distinct items as nodes, in order of first appearance, and its distinct transitions
(an item and the one after it) as edges. Both grow from event to event at the end only, so that a session is stored
once and the graph of any of its prefixes is a head of its nodes and edges. A batch is gathered from these arrays
by a few vector operations, without padding: rows of a batch's nodes, edges and events follow each other graph by graph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numba
import numpy as np
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional

from baselines.session.shared.batches import Examples
from baselines.session.shared.neural import AdamRecommender
from contracts import Sessions, require_events
from contracts.runtime.device import send

NONE = np.int32(np.iinfo(np.int32).max)
"""Number of the reverse of an edge that has none: larger than any number of edges."""


@numba.njit(cache=True, nogil=True)
def _build(items, offsets, n_items):
    """Nodes, aliases and edges of every session in one pass; counts run within a session."""
    n, events = len(offsets) - 1, len(items)
    alias, seen = np.empty(events, np.int32), np.empty((events, 4), np.int32)
    nodes, edges = np.empty(events, np.int32), np.empty((events, 3), np.int32)
    starts = np.zeros((n + 1, 2), np.int64)  # first node and first edge of each session
    session_of, node_of = np.full(n_items, -1, np.int64), np.empty(n_items, np.int32)
    last_edge, edge_before = np.empty(events, np.int32), np.empty(events, np.int32)  # per node: its edges, linked
    for s in range(n):
        node0, edge0 = starts[s]
        n_nodes = n_edges = n_links = n_mutual = 0
        for event in range(offsets[s], offsets[s + 1]):
            item = items[event]
            if session_of[item] != s:
                session_of[item], node_of[item] = s, n_nodes
                nodes[node0 + n_nodes] = item
                last_edge[node0 + n_nodes] = -1
                n_nodes += 1
            node = alias[event] = node_of[item]
            if event > offsets[s]:
                source = alias[event - 1]
                if _find(edges, edge0, last_edge[node0 + source], edge_before, node) < 0:
                    edges[edge0 + n_edges] = source, node, NONE
                    reverse = _find(edges, edge0, last_edge[node0 + node], edge_before, source)
                    if reverse >= 0:
                        edges[edge0 + n_edges, 2], edges[edge0 + reverse, 2] = reverse, n_edges
                        n_mutual += 2
                    edge_before[edge0 + n_edges] = last_edge[node0 + source]
                    last_edge[node0 + source] = n_edges
                    n_edges += 1
                    n_links += source != node
            seen[event] = n_nodes, n_edges, n_links, n_mutual
        starts[s + 1] = node0 + n_nodes, edge0 + n_edges
    return alias, seen, nodes[: starts[n, 0]].copy(), edges[: starts[n, 1]].copy(), starts


@numba.njit(cache=True, nogil=True)
def _find(edges, edge0, edge, edge_before, target):
    """The edge to ``target`` among those linked behind ``edge``; -1 where there is none."""
    while edge >= 0 and edges[edge0 + edge, 1] != target:
        edge = edge_before[edge0 + edge]
    return edge


def ragged(starts: torch.Tensor, lengths: torch.Tensor, total: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Expand ranges: (index int64 [total], range each belongs to int64 [total]).

    total  sum of the lengths, known on the CPU: asking the device would wait for it
    """
    rows = torch.repeat_interleave(torch.arange(len(lengths), device=lengths.device), lengths, output_size=total)
    first = torch.cumsum(lengths, 0) - lengths
    return torch.arange(total, device=starts.device) + (starts - first)[rows], rows


def occurrences(index: torch.Tensor, n: int) -> torch.Tensor:
    """How often each of 0..n-1 is in ``index``, int64 [n]; unlike ``bincount`` without a look at the largest."""
    return torch.zeros(n, dtype=torch.int64, device=index.device).index_add_(0, index, torch.ones_like(index))


@dataclass(frozen=True)
class GraphBatch:
    """Graphs of B prefixes with N nodes, E edges and T events in all; nodes are numbered through the batch.

    items         int64 [N], item of each node
    graph         int64 [N], prefix each node belongs to
    first         int64 [B], first node of each prefix
    count         float32 [N], events of the prefix at each node
    last          int64 [B], node of each prefix's last event
    source        int64 [E], node that an edge leaves
    target        int64 [E], node that it enters
    both          bool [E], whether the prefix also goes the other way
    event_node    int64 [T], node of each event
    event_graph   int64 [T], prefix of each event
    steps_back    int64 [T], 0 for the last event of a prefix, 1 for the one before ...
    first_event   int64 [B], first event of each prefix
    length        int64 [B], events of each prefix
    links         edges between different nodes, in number
    mutual        edges whose prefix also goes the other way, in number
    targets       int64 [B], item after each prefix; None where it is not known
    """

    items: torch.Tensor
    graph: torch.Tensor
    first: torch.Tensor
    count: torch.Tensor
    last: torch.Tensor
    source: torch.Tensor
    target: torch.Tensor
    both: torch.Tensor
    event_node: torch.Tensor
    event_graph: torch.Tensor
    steps_back: torch.Tensor
    first_event: torch.Tensor
    length: torch.Tensor
    links: int
    mutual: int
    targets: torch.Tensor | None = None


@dataclass(frozen=True)
class SessionGraphs:
    """The graphs of all prefixes of some sessions, on one device; made by ``of``.

    session   int64 [events], session of each event
    offsets   int64 [sessions + 1], first event of each session
    alias     int32 [events], node of each event, counted within its session
    seen      int32 [events, 2], nodes and edges of the prefix that ends with each event
    sizes     int64 [events, 5] on the CPU: its nodes, edges, links, mutual edges and events
    nodes     int32 [nodes], item of each node, sessions one after the other
    edges     int32 [edges, 3], source, target (nodes of the session) and reverse edge (of the session, or ``NONE``)
    starts    int64 [sessions + 1, 2], first node and first edge of each session
    """

    session: torch.Tensor
    offsets: torch.Tensor
    alias: torch.Tensor
    seen: torch.Tensor
    sizes: np.ndarray
    nodes: torch.Tensor
    edges: torch.Tensor
    starts: torch.Tensor

    @classmethod
    def of(cls, items: np.ndarray, offsets: np.ndarray, n_items: int, device: torch.device) -> SessionGraphs:
        """Build from ragged sessions: items integer [events], all in 0..n_items-1; offsets int64 [sessions + 1]."""
        items, offsets = np.ascontiguousarray(items, np.int32), np.ascontiguousarray(offsets, np.int64)
        session = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        alias, seen, nodes, edges, starts = _build(items.copy(), offsets.copy(), n_items)
        length = np.arange(1, len(items) + 1) - offsets[session]
        sizes = np.column_stack([seen, length])
        return cls(
            session=send(session, device),
            offsets=send(offsets.copy(), device),
            alias=send(alias, device),
            seen=send(seen[:, :2].copy(), device),
            sizes=sizes,
            nodes=send(nodes, device),
            edges=send(edges, device),
            starts=send(starts, device),
        )

    def batch(self, here: torch.Tensor, ends: torch.Tensor) -> GraphBatch:
        """Graphs of the prefixes that end with some events, int64 [B]: ``here`` on the CPU, ``ends`` on the device."""
        nodes, edges, links, mutual, events = self.sizes[here.numpy()].sum(axis=0).tolist()
        session = self.session[ends]
        n_nodes, n_edges = self.seen[ends].long().unbind(1)
        node, graph = ragged(self.starts[session, 0], n_nodes, nodes)
        first = torch.cumsum(n_nodes, 0) - n_nodes
        edge, edge_graph = ragged(self.starts[session, 1], n_edges, edges)
        pair, reverse = self.edges[edge, :2].long() + first[edge_graph, None], self.edges[edge, 2]
        n_events = ends + 1 - self.offsets[session]
        event, event_graph = ragged(self.offsets[session], n_events, events)
        event_node = self.alias[event] + first[event_graph]
        return GraphBatch(
            items=self.nodes[node].long(),
            graph=graph,
            first=first,
            count=occurrences(event_node, nodes).float(),
            last=self.alias[ends] + first,
            source=pair[:, 0],
            target=pair[:, 1],
            both=reverse < n_edges[edge_graph],
            event_node=event_node,
            event_graph=event_graph,
            steps_back=ends[event_graph] - event,
            first_event=torch.cumsum(n_events, 0) - n_events,
            length=n_events,
            links=links,
            mutual=mutual,
        )


def in_full(device: torch.device) -> torch.autocast:
    """A context without autocast: every batch has other numbers of nodes, and bf16 kernels are made for each shape."""
    return torch.autocast(device.type, enabled=False)


def segment_sum(rows: torch.Tensor, first: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Sums of consecutive rows [N, d], each times its weight [N]: [segments, d]; ``first`` row of every segment."""
    everything = torch.arange(len(rows), device=rows.device)
    return functional.embedding_bag(everything, rows, first, mode="sum", per_sample_weights=weights)


def segment_softmax(logits: torch.Tensor, segment: torch.Tensor, n: int) -> torch.Tensor:
    """Softmax of logits [N], apart for each of the n segments."""
    with torch.no_grad():
        highest = logits.new_full((n,), -math.inf).scatter_reduce(0, segment, logits, "amax")
    weights = torch.exp(logits - highest[segment])
    return weights / weights.new_zeros(n).index_add(0, segment, weights)[segment]


def mean_of_neighbours(hidden: torch.Tensor, receiver: torch.Tensor, sender: torch.Tensor) -> torch.Tensor:
    """Mean of the senders' rows for every receiver (zero where nothing is sent): [N, d] from hidden [N, d]."""
    order = torch.argsort(receiver, stable=True)
    received = occurrences(receiver, len(hidden))
    return functional.embedding_bag(sender[order], hidden, torch.cumsum(received, 0) - received, mode="mean")


class GatedGraph(nn.Module):
    """Gated graph network (Li et al., ICLR 2016) as SR-GNN uses it, equations 1-5.

    A node receives the mean over its predecessors and, apart, over its successors, each after a linear map of its
    own; both enter a gated recurrent unit whose state is the node's vector.
    """

    def __init__(self, hidden: int, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.map_in, self.map_out = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.bias_in, self.bias_out = nn.Parameter(torch.zeros(hidden)), nn.Parameter(torch.zeros(hidden))
        self.cell = nn.GRUCell(2 * hidden, hidden)

    def forward(self, hidden: torch.Tensor, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """New vectors [N, hidden] of nodes that have the vectors ``hidden``, along edges source -> target [E]."""
        for _ in range(self.steps):
            from_before = mean_of_neighbours(self.map_in(hidden), target, source) + self.bias_in
            from_after = mean_of_neighbours(self.map_out(hidden), source, target) + self.bias_out
            hidden = self.cell(torch.cat([from_before, from_after], 1), hidden)
        return hidden


class SoftAttention(nn.Module):
    """A session's vector: its events' vectors, weighed in view of the last one, joined with that one (eq. 6-7).

    SR-GNN takes the weights as they are; ``softmax`` makes them sum to one (TAGNN). An item that the prefix holds
    twice counts twice.
    """

    def __init__(self, hidden: int, softmax: bool) -> None:
        super().__init__()
        self.softmax = softmax
        self.of_last, self.of_each = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)
        self.weight = nn.Linear(hidden, 1, bias=False)
        self.join = nn.Linear(2 * hidden, hidden)

    def forward(self, hidden: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
        """Vectors [B, hidden] of a batch's prefixes from those of its nodes [N, hidden]."""
        last = functional.embedding(batch.last, hidden)
        keys = functional.embedding(batch.graph, self.of_last(last)) + self.of_each(hidden)
        logits = self.weight(torch.sigmoid(keys)).squeeze(1)
        if self.softmax:
            weights = segment_softmax(logits + batch.count.log(), batch.graph, len(last))
        else:
            weights = logits * batch.count
        return self.join(torch.cat([segment_sum(hidden, batch.first, weights), last], 1))


@dataclass(frozen=True)
class GraphExamples(Examples):
    """Examples whose batches are graphs.

    graphs  of the longest prefix that begins with each different event in ``starts``
    last    int64 [examples] on the CPU, event of ``graphs`` that ends each example
    """

    graphs: SessionGraphs
    last: torch.Tensor

    @classmethod
    def over(cls, examples: Examples) -> GraphExamples:
        """The same examples as graphs; an empty prefix, which has none, gets that of item 0 (no list is made of it)."""
        lengths = examples.lengths.clamp_min(1)
        starts = torch.where(examples.lengths > 0, examples.starts, len(examples.items) - 1)
        starts, session = torch.unique(starts, return_inverse=True)
        longest = torch.zeros_like(starts).scatter_reduce(0, session, lengths, "amax")
        event, _ = ragged(starts, longest, int(longest.sum()))
        items = examples.on_cpu[event].clamp_min(0).numpy()
        offsets = functional.pad(torch.cumsum(longest, 0), (1, 0))
        graphs = SessionGraphs.of(items, offsets.numpy(), examples.n_items, examples.items.device)
        return cls(**vars(examples), graphs=graphs, last=offsets[session] + lengths - 1)

    def batch(self, rows: torch.Tensor) -> GraphBatch:
        """The graphs of the examples ``rows`` (int64 [B] on the CPU), on the device."""
        here = self.last[rows]
        last, ends = send(torch.stack([here, self.ends[rows]]), self.items.device)
        graphs = self.graphs.batch(here, last)
        return replace(graphs, targets=self.items[ends]) if self.has_targets else graphs


class GraphRecommender(AdamRecommender):
    """A neural recommender whose network reads ``GraphBatch``; the settings that its three models share."""

    hidden: int = Field(100, ge=1, description="dimensions of items, nodes and sessions")
    weight_decay: float = Field(1e-5, ge=0, description="L2 penalty, added to the gradient as in Adam")
    lr_step: int = Field(3, ge=0, description="epochs after which the learning rate is multiplied by gamma; 0: never")
    max_length: int = Field(200, ge=1, description="events of a prefix that are read, the most recent ones")

    def fit(self, train: Sessions) -> Self:
        require_events(train, type(self).__module__.rpartition(".")[2].replace("_", "-"))
        return super().fit(train)

    def initialise(self, network: nn.Module, rng: torch.Generator) -> None:
        """Every parameter uniform in +-1/sqrt(hidden), as in the authors' code of all three models."""
        for parameter in network.parameters():
            nn.init.uniform_(parameter, -(self.hidden**-0.5), self.hidden**-0.5, generator=rng)

    def train_examples(self, train: Sessions, device: torch.device) -> GraphExamples:
        return GraphExamples.over(super().train_examples(train, device))

    def rank_examples(self, prefixes: Sessions, device: torch.device) -> GraphExamples:
        return GraphExamples.over(super().rank_examples(prefixes, device))
