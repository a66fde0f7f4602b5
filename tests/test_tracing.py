"""What a compiler makes of layers: few graphs for batches of all sizes, with no value read."""

import pytest
import torch
from torch.testing import assert_close

from graphattn.aggregation import SoftmaxSum
from graphattn.blocks import EncoderBlock
from graphattn.edge_terms import ALiBi, LinearBias, RelativeValue, T5Bias
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.topology import Causal, Cross, Edges, Full, Prefix, Star, Window
from graphattn.update import Project
from graphattn.zoo import GAT, GCN, TABLE, LinearAttention, SelfAttention

# Of unequal graphs, of equal ones, of one; larger than a block of a window, and not.
BATCHES = [[5, 7], [3, 9, 2], [8, 2, 1, 30], [4, 4, 4], [30, 5, 70], [3, 9], [6], [2, 2, 0, 3, 4], [40, 1], [9, 9]]
TOPOLOGIES = {
    "Full": Full,
    "Causal": Causal,
    "Window": lambda sizes: Window(sizes, radius=2, dilation=2),
    "Prefix": lambda sizes: Prefix(sizes, prefix=3),
    "Cross": lambda sizes: Cross(sizes, sizes[::-1]),
    "Star": lambda sizes: Star(sizes, hubs=2),
}
LAYERS = {
    "SelfAttention": lambda: SelfAttention(8, heads=2),
    "ALiBi": lambda: SelfAttention(8, heads=2, edge_bias=ALiBi(2)),
    "keys and values of edges": lambda: GraphLayer(
        Attend(8, Heads(2, 4), edge_bias=T5Bias(2), edge_key=RelativeValue(3, 2, 4), edge_value=RelativeValue(3, 2, 4)),
        SoftmaxSum(),
        Project(8, 8),
    ),
    "LinearAttention": lambda: LinearAttention(8, heads=2),
    "GAT": lambda: GAT(8, 4, heads=2),
    "GCN": lambda: GCN(8, 8),
    "EncoderBlock": lambda: EncoderBlock(8, heads=2),
    "EncoderBlock that drops": lambda: EncoderBlock(8, heads=2, dropout=0.1),
}


def states(graph):
    x = torch.randn(graph.num_senders, 8, requires_grad=True)
    return x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, 8, requires_grad=True))


def gradients(out, layer, x):
    leaves = [*(x if isinstance(x, tuple) else (x,)), *layer.parameters()]
    return torch.autograd.grad(out.sin().sum(), leaves, materialize_grads=True)


def graphs_made(layer, topology, *, backend="eager", fullgraph=True, equal=True):
    """How many graphs a compiler makes for ten batches, whose values and gradients are those of a layer not compiled."""
    made, honest = [], torch._dynamo.lookup_backend(backend)
    torch._dynamo.reset()

    def compiler(module, inputs):
        made.append(module)
        return honest(module, inputs)

    compiled = torch.compile(layer, fullgraph=fullgraph, backend=compiler)
    for sizes in BATCHES:
        x = states(topology(sizes))
        torch.manual_seed(0)
        out = compiled(x, topology(sizes))
        if not equal:
            assert torch.isfinite(out).all()
            out.sum().backward()
            continue
        truth = layer(x, topology(sizes))
        assert_close(out, truth)
        assert_close(gradients(out, layer, x), gradients(truth, layer, x))
    return len(made)


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_attention_on_graphs_of_all_sizes_is_compiled_into_three_graphs(topology):
    """For the sizes of the first batch, for all sizes, and for a graph alone."""
    assert graphs_made(LAYERS["SelfAttention"](), TOPOLOGIES[topology]) <= 3


@pytest.mark.parametrize(
    ("layer", "topology"),
    [
        ("ALiBi", "Causal"),
        ("keys and values of edges", "Full"),
        ("keys and values of edges", "Prefix"),
        ("LinearAttention", "Full"),
        ("LinearAttention", "Causal"),
        ("GAT", "Full"),
        ("GCN", "Full"),
    ],
)
def test_layers_on_graphs_of_all_sizes_are_compiled_into_three_graphs(layer, topology):
    assert graphs_made(LAYERS[layer](), TOPOLOGIES[topology]) <= 3


@pytest.mark.parametrize("fullgraph", [True, False])
def test_a_block_is_trained_in_three_graphs(fullgraph):
    assert graphs_made(LAYERS["EncoderBlock"](), Causal, backend="aot_eager", fullgraph=fullgraph) <= 3


def test_a_block_that_drops_is_trained_in_three_graphs():
    block = LAYERS["EncoderBlock that drops"]().train()
    assert graphs_made(block, Full, backend="aot_eager", fullgraph=False, equal=False) <= 3


@pytest.mark.parametrize(
    ("layer", "topology"),
    [
        *(("SelfAttention", name) for name in TOPOLOGIES),
        ("ALiBi", "Causal"),
        ("ALiBi", "Window"),
        ("keys and values of edges", "Full"),
    ],
)
def test_prepared_graphs_are_compiled_into_three_graphs(layer, topology):
    """For the sizes of the first batch, for all sizes, and for graphs of one size, also for a graph alone."""
    assert graphs_made(LAYERS[layer](), lambda sizes: TOPOLOGIES[topology](sizes).prepare()) <= 3


@pytest.mark.parametrize(
    ("layer", "fullgraph"),
    [("EncoderBlock", True), ("EncoderBlock", False), ("ALiBi", True), ("keys and values of edges", True)],
)
def test_layers_are_trained_on_prepared_graphs_in_three_graphs(layer, fullgraph):
    made = graphs_made(LAYERS[layer](), lambda sizes: Full(sizes).prepare(), backend="aot_eager", fullgraph=fullgraph)
    assert made <= 3


def test_a_block_that_drops_is_trained_on_prepared_graphs_in_three_graphs():
    block = LAYERS["EncoderBlock that drops"]().train()
    assert graphs_made(block, lambda sizes: Full(sizes).prepare(), backend="aot_eager", equal=False) <= 3


ROWS = pytest.mark.parametrize("row", [row for row in TABLE if "Edges" in row.topologies], ids=lambda row: row.name)


def plain(row, nodes):
    """States, a plain edge_index, and what the row needs to know of its edges."""
    graph = Edges(torch.randint(nodes, (2, 3 * nodes)), nodes)
    return torch.randn(nodes, 8), graph.edge_index(), row.edge(graph)


@ROWS
def test_layers_on_a_plain_edge_index_are_compiled_into_three_graphs(row):
    made, layer = [], row.make()
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend=lambda module, _: made.append(module) or module.forward)
    for nodes in (6, 5, 9, 12, 7, 30, 8, 11, 4, 3):
        x, edge_index, edge = plain(row, nodes)
        assert_close(compiled(x, edge_index, edge), layer(x, edge_index, edge))
    assert len(made) <= 3


@pytest.mark.parametrize("fullgraph", [True, False])
@pytest.mark.parametrize(
    "row", [row for row in TABLE if row.name in ("GAT", "GCN", "EdgeConv")], ids=lambda row: row.name
)
def test_layers_on_a_plain_edge_index_are_trained_in_three_graphs(row, fullgraph):
    made, layer, honest = [], row.make(), torch._dynamo.lookup_backend("aot_eager")
    torch._dynamo.reset()

    def compiler(module, inputs):
        made.append(module)
        return honest(module, inputs)

    compiled = torch.compile(layer, fullgraph=fullgraph, backend=compiler)
    for nodes in (6, 5, 9, 12, 7, 30, 8, 11, 4, 3):
        x, edge_index, edge = plain(row, nodes)
        x.requires_grad_()
        out, truth = compiled(x, edge_index, edge), layer(x, edge_index, edge)
        assert_close(out, truth)
        assert_close(gradients(out, layer, x), gradients(truth, layer, x))
    assert len(made) <= 3


@pytest.mark.parametrize("number", [-1, 4])
def test_a_compiled_layer_refuses_nodes_that_are_not_there(number):
    torch._dynamo.reset()
    compiled = torch.compile(SelfAttention(8), fullgraph=True, backend="eager")
    compiled(torch.randn(4, 8), torch.tensor([[0, 3], [1, 2]]))
    with pytest.raises(RuntimeError, match="expected node numbers of 0 or more and below the number of nodes"):
        compiled(torch.randn(4, 8), torch.tensor([[0, number], [1, 2]]))


def test_a_compiled_layer_refuses_features_of_other_edges():
    torch._dynamo.reset()
    layer = SelfAttention(8, heads=2, edge_bias=LinearBias("edge_attr", 3, heads=2))
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    x, graph = torch.randn(5, 8), Full([2, 3])
    assert_close(compiled(x, graph, torch.ones(13, 3)), layer(x, graph, torch.ones(13, 3)))
    with pytest.raises(RuntimeError, match="expected as many rows in edge_attr as the topology has edges"):
        compiled(x, graph, torch.ones(12, 3))


def test_types_of_edges_are_checked_when_a_compiled_function_is_run():
    torch._dynamo.reset()
    types = torch.compile(
        lambda x, ends, types: Edges(ends, x.size(0), edge_type=types).edge_type(), fullgraph=True, backend="eager"
    )
    x, ends = torch.randn(4, 8), torch.tensor([[0, 3], [1, 2]])
    assert types(x, ends, torch.tensor([0, 2])).tolist() == [0, 2]
    with pytest.raises(RuntimeError, match="expected types of edges of 0 or more"):
        types(x, ends, torch.tensor([0, -2]))
