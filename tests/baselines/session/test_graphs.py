"""Session graphs, the graph networks' parts, and the three models, against explicit formulas."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from baselines.session import gce_gnn
from baselines.session.gce_gnn import BOTH, GCEGNN, IN, OUT, SELF, _NeighbourAttention, global_graph, session_edges
from baselines.session.shared.batches import Examples
from baselines.session.shared.graph import (
    GatedGraph,
    GraphBatch,
    GraphExamples,
    SessionGraphs,
    SoftAttention,
    mean_of_neighbours,
    segment_softmax,
    segment_sum,
)
from baselines.session.tagnn import ALIGN, _TargetAttention
from contracts import Sessions

CPU = torch.device("cpu")
N_ITEMS = 7


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32, requires_grad: bool = False) -> torch.Tensor:
    """Normal numbers, the same in every run."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return values.requires_grad_(requires_grad)


def lists(seed: int, n: int = 60) -> list[list[int]]:
    """Sessions with many repeats over few items, some of them longer than any cut."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, N_ITEMS, rng.integers(1, 16)).tolist() for _ in range(n)]


def graphs_of(prefixes: list[list[int]]) -> GraphBatch:
    """The batch of some whole sessions."""
    sessions = Sessions.from_lists(prefixes, N_ITEMS)
    graphs = SessionGraphs.of(sessions.items, sessions.offsets, N_ITEMS, CPU)
    ends = torch.from_numpy(sessions.offsets[1:] - 1)
    return graphs.batch(ends, ends)


def check_batch(batch: GraphBatch, prefixes: list[list[int]]) -> None:
    """Every part of the batch, prefix by prefix, in straight Python."""
    assert len(batch.first) == len(prefixes)
    for row, prefix in enumerate(prefixes):
        nodes, edges = list(dict.fromkeys(prefix)), list(dict.fromkeys(itertools.pairwise(prefix)))
        own = batch.graph == row
        assert batch.items[own].tolist() == nodes
        assert own.nonzero()[0] == batch.first[row]
        assert batch.count[own].tolist() == [prefix.count(item) for item in nodes]
        mine = batch.graph[batch.source] == row
        ends = zip(batch.items[batch.source[mine]].tolist(), batch.items[batch.target[mine]].tolist(), strict=True)
        assert list(ends) == edges
        assert batch.both[mine].tolist() == [a != b and (b, a) in edges for a, b in edges]
        events = batch.event_graph == row
        assert batch.items[batch.event_node[events]].tolist() == prefix
        assert batch.steps_back[events].tolist() == list(range(len(prefix)))[::-1]
        assert events.nonzero()[0] == batch.first_event[row]
        assert batch.length[row] == len(prefix)
        assert batch.items[batch.last[row]] == prefix[-1]


def test_graph_of_a_session_by_hand() -> None:
    batch = graphs_of([[4, 2, 4, 4, 5]])
    assert batch.items.tolist() == [4, 2, 5]
    assert batch.event_node.tolist() == [0, 1, 0, 0, 2]
    assert list(zip(batch.source.tolist(), batch.target.tolist(), strict=True)) == [(0, 1), (1, 0), (0, 0), (0, 2)]
    assert batch.both.tolist() == [True, True, False, False]


@pytest.mark.parametrize("max_length", [4, 200])
def test_graphs_of_all_prefixes(max_length: int) -> None:
    """Training examples in any order: heads of one stored graph, or of a window where the prefix is cut."""
    rows = lists(0)
    examples = Examples.of_prefixes(Sessions.from_lists(rows, N_ITEMS), max_length, CPU)
    graphs = GraphExamples.over(examples)
    order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(0))
    prefixes = [row[max(0, end - max_length) : end] for row in rows for end in range(1, len(row))]
    batch = graphs.batch(order)
    check_batch(batch, [prefixes[i] for i in order])
    targets = [row[end] for row in rows for end in range(1, len(row))]
    assert batch.targets is not None
    assert batch.targets.tolist() == [targets[i] for i in order]


def test_stored_graphs_grow_with_events_not_with_prefixes() -> None:
    sessions = Sessions.from_lists([list(range(N_ITEMS)) * 20], N_ITEMS)
    graphs = GraphExamples.over(Examples.of_prefixes(sessions, 200, CPU)).graphs
    assert len(graphs.alias) == sessions.n_events - 1
    assert len(graphs.nodes) == len(graphs.edges) == N_ITEMS


def test_graphs_to_rank() -> None:
    rows = [*lists(1), [3], [0, 0]]
    examples = Examples.to_rank(Sessions.from_lists([*rows, []], N_ITEMS), 200, CPU)
    batch = GraphExamples.over(examples).batch(torch.arange(len(rows)))
    check_batch(batch, rows)
    assert batch.targets is None
    assert len(GraphExamples.over(examples).batch(torch.tensor([len(rows)])).items) == 1, "an empty prefix has a place"


def test_segments() -> None:
    batch = graphs_of(lists(2))
    n, sizes = len(batch.first), torch.bincount(batch.graph).tolist()
    rows, weights = randn(len(batch.items), 3), randn(len(batch.items))
    parts = list(zip(rows.split(sizes), weights.split(sizes), strict=True))
    torch.testing.assert_close(segment_sum(rows, batch.first), torch.stack([part.sum(0) for part, _ in parts]))
    expected = torch.stack([(part * weight[:, None]).sum(0) for part, weight in parts])
    torch.testing.assert_close(segment_sum(rows, batch.first, weights), expected)
    soft = torch.cat([weight.softmax(0) for _, weight in parts])
    torch.testing.assert_close(segment_softmax(weights, batch.graph, n), soft)
    torch.testing.assert_close(segment_softmax(weights + 500.0, batch.graph, n), soft, rtol=1e-3, atol=1e-3)


def adjacency(prefix: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Normalised in- and out-adjacency [nodes, nodes] of a prefix, double."""
    nodes = list(dict.fromkeys(prefix))
    forward = torch.zeros(len(nodes), len(nodes), dtype=torch.double)
    for a, b in itertools.pairwise(prefix):
        forward[nodes.index(a), nodes.index(b)] = 1
    backward = forward.T.clone()
    return backward / backward.sum(1, keepdim=True).clamp_min(1), forward / forward.sum(1, keepdim=True).clamp_min(1)


def random_parameters(module: torch.nn.Module, seed: int = 0) -> None:
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=rng) / math.sqrt(parameter.shape[-1]))


@pytest.mark.parametrize("steps", [1, 3])
def test_gated_graph_is_equations_1_to_5(steps: int) -> None:
    prefixes = lists(3)
    batch, size = graphs_of(prefixes), 5
    model = GatedGraph(size, steps).double()
    random_parameters(model)
    start = randn(len(batch.items), size, dtype=torch.double)
    found = model(start, batch.source, batch.target)
    w_ih, w_hh, b_ih, b_hh = model.cell.weight_ih, model.cell.weight_hh, model.cell.bias_ih, model.cell.bias_hh
    for row, prefix in enumerate(prefixes):
        v = start[batch.graph == row]
        into, out = adjacency(prefix)
        for _ in range(steps):
            a = torch.cat([into @ (v @ model.map_in.weight.T + model.map_in.bias) + model.bias_in,
                           out @ (v @ model.map_out.weight.T + model.map_out.bias) + model.bias_out], 1)  # fmt: skip
            of_a, of_v = (a @ w_ih.T + b_ih).split(size, 1), (v @ w_hh.T + b_hh).split(size, 1)
            reset, update = torch.sigmoid(of_a[0] + of_v[0]), torch.sigmoid(of_a[1] + of_v[1])
            candidate = torch.tanh(of_a[2] + reset * of_v[2])
            v = (1 - update) * candidate + update * v
        torch.testing.assert_close(found[batch.graph == row], v)


def test_gradients_of_the_parts() -> None:
    batch = graphs_of(lists(4, 6))
    hidden = randn(len(batch.items), 2, dtype=torch.double, requires_grad=True)
    weights = randn(len(batch.items), dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: mean_of_neighbours(x, batch.target, batch.source), (hidden,))
    assert torch.autograd.gradcheck(lambda x, w: segment_sum(x, batch.first, w), (hidden, weights))
    assert torch.autograd.gradcheck(lambda w: segment_softmax(w, batch.graph, len(batch.first)), (weights,))


@pytest.mark.parametrize("softmax", [False, True])
def test_soft_attention_is_a_sum_over_events(softmax: bool) -> None:
    prefixes = lists(5)
    batch, size = graphs_of(prefixes), 4
    model = SoftAttention(size, softmax)
    random_parameters(model)
    hidden = randn(len(batch.items), size)
    found = model(hidden, batch)
    for row in range(len(prefixes)):
        events = hidden[batch.event_node[batch.event_graph == row]]
        logits = model.weight(torch.sigmoid(model.of_last(events[-1]) + model.of_each(events)))
        pooled = ((logits.softmax(0) if softmax else logits) * events).sum(0)
        torch.testing.assert_close(found[row], model.join(torch.cat([pooled, events[-1]])), rtol=1e-4, atol=1e-5)


def attention_inputs(seed: int) -> tuple[GraphBatch, list[torch.Tensor]]:
    batch = graphs_of(lists(seed, 12))
    rng = torch.Generator().manual_seed(seed)
    sizes = (len(batch.items), len(batch.items), 11)
    return batch, [torch.randn(n, 3, dtype=torch.double, generator=rng, requires_grad=True) for n in sizes]


def plain_target_attention(h: torch.Tensor, q: torch.Tensor, items: torch.Tensor, batch: GraphBatch) -> torch.Tensor:
    """Every prefix on its own, over its events, with a vector for every item."""
    out = []
    for row in range(len(batch.first)):
        nodes = batch.event_node[batch.event_graph == row]
        beta = (items @ q[nodes].T).softmax(1)
        out.append(((beta @ h[nodes]) * items).sum(1))
    return torch.stack(out)


@pytest.mark.parametrize("cells", [1, 100, 10_000])
def test_target_attention_in_parts_is_the_whole(cells: int) -> None:
    batch, inputs = attention_inputs(6)
    gradient = randn(len(batch.first), 11, dtype=torch.double)
    found, expected = _TargetAttention.apply(*inputs, batch, cells), plain_target_attention(*inputs, batch)
    torch.testing.assert_close(found, expected)
    for a, b in zip(torch.autograd.grad(found, inputs, gradient), torch.autograd.grad(expected, inputs, gradient),
                    strict=True):  # fmt: skip
        torch.testing.assert_close(a, b)


def test_target_attention_memory_is_bounded(monkeypatch) -> None:
    """No tensor made on the way has more than ``cells`` entries but the scores themselves."""
    batch = graphs_of(lists(7, 40))
    n, items, cells = len(batch.items), 4_000, 50_000
    h, q, e = (randn(size, 3, seed=seed, requires_grad=True) for seed, size in enumerate((n, n, items)))

    class Largest(torch.utils._python_dispatch.TorchDispatchMode):
        seen = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, (tuple, list)) else (out,):
                if isinstance(tensor, torch.Tensor) and tensor.shape != (len(batch.first), items):
                    self.seen = max(self.seen, tensor.numel())
            return out

    with Largest() as mode:
        _TargetAttention.apply(h, q, e, batch, cells).sum().backward()
    assert cells / 2 < mode.seen <= cells + n + ALIGN


def test_session_edges_of_gce_gnn() -> None:
    prefixes = lists(8)
    batch = graphs_of(prefixes)
    receiver, sender, kind = session_edges(batch)
    assert (receiver[1:] >= receiver[:-1]).all()
    for row, prefix in enumerate(prefixes):
        steps = {(a, b) for a, b in itertools.pairwise(prefix) if a != b}
        expected = {(item, item): SELF for item in prefix}
        for a, b in steps:
            expected[a, b] = BOTH if (b, a) in steps else OUT
            expected[b, a] = BOTH if (b, a) in steps else IN
        own = batch.graph[receiver] == row
        pairs = zip(batch.items[receiver[own]].tolist(), batch.items[sender[own]].tolist(), strict=True)
        found = list(zip(pairs, kind[own].tolist(), strict=True))
        assert len(found) == len(expected)
        assert dict(found) == expected


def test_global_graph_of_gce_gnn() -> None:
    rows, n, epsilon = lists(9, 20), 3, 2
    neighbours, counts = global_graph(Sessions.from_lists(rows, N_ITEMS + 1), n, epsilon)
    met = np.zeros((N_ITEMS + 1, N_ITEMS + 1))
    for row in rows:
        for i, a in enumerate(row):
            for b in row[i + 1 : i + 1 + epsilon]:
                met[a, b] += 1
                met[b, a] += 1
    for item in range(N_ITEMS + 1):
        best = sorted((j for j in range(N_ITEMS + 1) if met[item, j]), key=lambda j: (-met[item, j], j))[:n]
        assert neighbours[item].tolist() == best + [-1] * (n - len(best))
        assert counts[item].tolist() == [met[item, j] for j in best] + [0] * (n - len(best))


def test_neighbour_attention_skips_what_is_not_there() -> None:
    model = _NeighbourAttention(4, 0.0).eval()
    random_parameters(model)
    own, others, mean = randn(2, 1, 4), randn(2, 1, 3, 4, seed=1), randn(2, 4, seed=2)
    found = model(own, others, torch.tensor([[[5.0, 2.0, 0.0]], [[0.0, 0.0, 0.0]]]), mean)
    keys = model.of_vector(mean[0] * others[0, 0, :2]) + model.of_count(torch.tensor([[5.0], [2.0]]))
    weights = model.weight(torch.nn.functional.leaky_relu(keys, 0.2)).softmax(0)
    first = torch.cat([own[0, 0], (weights * others[0, 0, :2]).sum(0)])
    torch.testing.assert_close(found[0, 0], torch.relu(model.join(first)))
    torch.testing.assert_close(found[1, 0], torch.relu(model.join(torch.cat([own[1, 0], torch.zeros(4)]))))


SMALL = {"hidden": 16, "batch_size": 16, "device": "cpu", "dtype": "float32"}


def test_gce_gnn_with_two_hops_and_every_dropout() -> None:
    """It trains and ranks; the order of a prefix and its repeats change the scores."""
    settings = {"hops": 2, "dropout_hop": 0.2, "dropout_local": 0.5, "epochs": 2}
    fitted = GCEGNN(**SMALL, **settings).fit(Sessions.from_lists(lists(11), N_ITEMS))
    _, scores = fitted.recommend(Sessions.from_lists([[1, 2], [2, 1], [1, 2, 2]], N_ITEMS), N_ITEMS)
    assert len({tuple(row) for row in scores.tolist()}) == 3


def test_nodes_at_once_do_not_matter_to_gce_gnn(monkeypatch) -> None:
    fitted = GCEGNN(**SMALL, epochs=1).fit(Sessions.from_lists(lists(12), N_ITEMS))
    prefixes = Sessions.from_lists(lists(13), N_ITEMS)
    _, whole = fitted.recommend(prefixes, N_ITEMS)
    monkeypatch.setattr(gce_gnn, "NODES", 7)
    np.testing.assert_allclose(fitted.recommend(prefixes, N_ITEMS)[1], whole, rtol=1e-4, atol=1e-6)
