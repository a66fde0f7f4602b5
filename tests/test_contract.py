"""What holds for every named layer: backends agree, batched equals alone, renumbered equals renumbered, edge cases work."""

import copy
import pickle

import pytest
import torch
from torch import nn

from graphattn.aggregation import Max, SoftmaxSum, Sum
from graphattn.backends.whole.backend import FEWEST
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import ScaledDot, SoftCap, Then
from graphattn.testing import assert_backends_agree, assert_batched_equals_alone, assert_permutation_equivariant
from graphattn.topology import Blockwise, Causal, Edges, Full, Line, Prefix, Window
from graphattn.update import Project
from graphattn.zoo import GAT, TABLE, EdgeConv, GATv2, GraphSAGE, GraphTransformer, Row

F64 = torch.float64


def edges_of(row, graph, dtype=torch.float32):
    """What the row needs to know of the edges, in the precision of the layer."""
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in row.edge(graph).items()}


def lists(sizes):
    """The same graphs as lists of edges: a ring in each graph, with a loop and a shortcut."""
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    pairs = [(s + i, s + (i + 1) % n) for s, n in zip(starts, sizes, strict=True) for i in range(n)]
    pairs += [(s + n - 1, s) for s, n in zip(starts, sizes, strict=True) if n > 2]
    pairs += [(s, s) for s, n in zip(starts, sizes, strict=True) if n > 1]
    return Edges(torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).T, sum(sizes))


BUILDERS = {
    "Full": Full,
    "Edges": lists,
    "Causal": Causal,
    "Window": lambda sizes: Window(sizes, radius=2, dilation=2),
    "Prefix": lambda sizes: Prefix(sizes, prefix=3),
    "Line": Line,
    "Union": lambda sizes: Causal(sizes) | Line(sizes),
}
ATTENTION = {
    "Full": "small dense",
    "Causal": "small dense",
    "Window": "dense",
    "Prefix": "dense",
    "Line": "csr sparse",
    "Union": "csr sparse",
}
SUMS = {"Full": "closed_form", "Edges": "csr sparse"}
BY_EDGES = {"Full": "", "Edges": ""}
# What computes each row besides edgewise, the specification, so that a backend which refuses by mistake does not go unnoticed.
BACKENDS = {
    "SelfAttention": ATTENTION | {"Edges": "csr sparse"},
    "CrossAttention": {"Full": "small dense", "Edges": "csr sparse"},
    "LinearAttention": {"Full": "linear", "Causal": "linear", "Edges": "csr sparse"},
    "GraphTransformer": {"Full": "dense", "Edges": "csr sparse"},
    "GAT": {"Full": "csr sparse", "Edges": "csr sparse"},
    "GATv2": {"Full": "csr", "Edges": "csr"},
    "GCN": SUMS,
    "EdgeConv": {"Full": "closed_form", "Edges": "csr"},
    "GraphSAGE": SUMS,
    "GIN": SUMS,
    "GINE": BY_EDGES,
    "RGCN": {"Full": "csr", "Edges": "csr"},
    "PNA": BY_EDGES,
    "ResGatedGraph": BY_EDGES,
    "GatedGraph": SUMS,
    "GridConv": {"Line": "closed_form", "Edges": "csr"},
    "TokenMixing": {"Full": "closed_form"},
    # Without features of edges, and with other parts, other kernels compute.
    "GraphTransformer, bare": {"Full": "small dense", "Edges": "csr sparse"},
    "GAT, bare": {"Full": "dense", "Edges": "csr sparse"},
    "GATv2, bare": {"Full": "csr sparse", "Edges": "csr sparse"},
    "GraphSAGE of the largest": {"Full": "closed_form", "Edges": "csr"},
    "EdgeConv of a network": {"Full": "csr", "Edges": "csr"},
    "EdgeConv of a network, summed": {"Full": "csr", "Edges": "csr"},
    "attention with a soft cap": {"Full": "dense", "Edges": "csr sparse"},
}
WITHOUT_DROPOUT = {"EdgeConv", "EdgeConv of a network", "EdgeConv of a network, summed", "RGCN", "GridConv"}


def variant(name, make):
    return Row(name, make, ("Full", "Edges"), "", "")


def network():
    return nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 8))


def capped():
    return GraphLayer(Attend(8, Heads(2, 4), Then(ScaledDot(), SoftCap(2.0))), SoftmaxSum(), Project(8, 8))


VARIANTS = (
    variant("GraphTransformer, bare", lambda: GraphTransformer(8, 4, heads=2)),
    variant("GAT, bare", lambda: GAT(8, 4, heads=2)),
    variant("GATv2, bare", lambda: GATv2(8, 4, heads=2)),
    variant("GraphSAGE of the largest", lambda: GraphSAGE(8, 8, Max())),
    variant("EdgeConv of a network", lambda: EdgeConv(network())),
    variant("EdgeConv of a network, summed", lambda: EdgeConv(network(), Sum())),
    variant("attention with a soft cap", capped),
)


def pairs(rows):
    cases = [(row, name) for row in rows for name in row.topologies]
    return pytest.mark.parametrize(("row", "topology"), cases, ids=[f"{row.name}-{name}" for row, name in cases])


PAIRS, PAIRS_AND_VARIANTS = pairs(TABLE), pairs(TABLE + VARIANTS)
ON_EDGES = pytest.mark.parametrize("row", [row for row in TABLE if "Edges" in row.topologies], ids=lambda row: row.name)


def promised(row, topology, graph):
    """The backends that must be compared on this graph, in order."""
    names = BACKENDS[row.name][topology].split()
    if graph.num_senders * graph.num_receivers < FEWEST * max(graph.num_graphs, 1):
        names = [name for name in names if name != "small"]
    one_size = graph.senders.equal and (topology != "Line" or graph.num_senders > 0)
    if row.name in ("GridConv", "TokenMixing") and not one_size and "closed_form" in names:
        names.remove("closed_form")
    return [*names, "edgewise"]


@PAIRS_AND_VARIANTS
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [3, 3], [0], [], [1], [2, 0, 5, 0], [46, 50]], ids=str)
def test_backends_agree(row, topology, sizes):
    layer, graph = row.make().double(), BUILDERS[topology](sizes)
    compared = assert_backends_agree(layer, torch.randn(sum(sizes), 8, dtype=F64), graph, edges_of(row, graph, F64))
    assert compared == promised(row, topology, graph)


@PAIRS_AND_VARIANTS
@pytest.mark.parametrize("sizes", [[5, 9], [46, 50]], ids=str)
def test_backends_drop_the_same_edges(row, topology, sizes):
    layer, graph = row.make().double().train(), BUILDERS[topology](sizes)
    layer.dropout = 0.4
    x, edge = torch.randn(sum(sizes), 8, dtype=F64), edges_of(row, graph, F64)
    names = promised(row, topology, graph)
    if set(names) & {
        "closed_form",
        "linear",
    }:  # which drop nothing: lists of edges do, of the largest those in Numba alone
        names = ["csr", "edgewise"] if "largest" in row.name else ["csr", "sparse", "edgewise"]
    compared = assert_backends_agree(layer, x, graph, edge)
    assert compared == (["edgewise"] if row.name in WITHOUT_DROPOUT else names)
    assert not torch.equal(layer(x, graph, edge), layer.eval()(x, graph, edge))


@PAIRS
@pytest.mark.parametrize("sizes", [[4, 2, 9, 1], [0, 3, 0]], ids=str)
def test_batched_equals_alone(row, topology, sizes):
    x = torch.randn(sum(sizes), 8, dtype=F64)
    assert_batched_equals_alone(
        row.make().double(), x, sizes, BUILDERS[topology], lambda graph: edges_of(row, graph, F64)
    )


@ON_EDGES
def test_renumbered_nodes_give_renumbered_results(row):
    graph = lists([7])
    layer, edge, x = row.make().double(), edges_of(row, graph, F64), torch.randn(9, 8, dtype=F64)
    assert_permutation_equivariant(lambda x, ends: layer(x, ends, edge), x, graph.edge_index(), torch.randperm(9))


@PAIRS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_large_values_and_every_float_stay_finite(row, topology, dtype):
    layer, graph = row.make().to(dtype), BUILDERS[topology]([5])
    x = (torch.randn(5, 8) * 1e2).to(dtype).requires_grad_()
    out = layer(x, graph, edges_of(row, graph, dtype))
    out.sum().backward()
    assert out.dtype == dtype
    assert torch.isfinite(out).all()
    assert torch.isfinite(x.grad).all()


@ON_EDGES
def test_an_isolated_node_hears_zero(row):
    layer, graph = row.make(), Edges(torch.tensor([[0, 1], [1, 2]]), 4)
    heard = []
    layer.register_aggregate_forward_hook(lambda *hook: heard.append(hook[-1]))
    layer(torch.randn(4, 8), graph, row.edge(graph))
    assert not heard[0][3].any()
    assert heard[0][2].any()


@ON_EDGES
def test_a_plain_edge_index_is_read_anew_when_it_changes(row):
    layer, x, edge_index = row.make(), torch.randn(4, 8), torch.tensor([[0, 1, 3], [1, 2, 3]])
    edge = row.edge(Edges(edge_index, 4))
    before = layer(x, edge_index, edge)
    assert torch.equal(before, layer(x, Edges(edge_index.clone(), 4), edge))
    edge_index[0, 0] = 2
    assert torch.equal(layer(x, edge_index, edge), layer(x, Edges(edge_index.clone(), 4), edge))
    assert not torch.equal(before, layer(x, edge_index, edge))
    more = torch.randn(6, 8)
    assert layer(more, edge_index, edge).size(0) == 6


@PAIRS
def test_layers_are_copied_pickled_and_reset(row, topology):
    layer, x, graph = row.make(), torch.randn(5, 8), BUILDERS[topology]([5])
    edge = row.edge(graph)
    truth = layer(x, graph, edge)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x, graph, edge), truth)
    fresh = row.make()
    fresh.load_state_dict(layer.state_dict())
    assert torch.equal(fresh(x, graph, edge), truth)
    layer.reset_parameters()
    assert not torch.equal(layer(x, graph, edge), truth)


@PAIRS
def test_layers_repeat_bit_by_bit_on_two_threads(row, topology, team):
    layer, x, graph = row.make(), torch.randn(300, 8, requires_grad=True), BUILDERS[topology]([100, 200])
    edge = row.edge(graph)

    def step():
        out = layer(x, graph, edge)
        return [out, *torch.autograd.grad(out.sin().sum(), [x, *layer.parameters()], materialize_grads=True)]

    assert all(torch.equal(one, other) for one, other in zip(step(), step(), strict=True))
    shared = any(run.threads == 2 for run in team.work())
    assert shared == (promised(row, topology, graph)[0] in ("csr", "small"))


@PAIRS
def test_layers_compile_into_one_graph(row, topology):
    layer, x, graph = row.make(), torch.randn(6, 8), BUILDERS[topology]([6])
    edge = row.edge(graph)
    graph.edge_index()
    if isinstance(graph, Blockwise):
        graph.plan()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, graph, edge), layer(x, graph, edge))
