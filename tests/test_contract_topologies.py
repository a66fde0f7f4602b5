"""What holds for every named layer on every topology: it hears the edges that the topology lists, whatever computes them."""

import pytest
import torch
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch_geometric.nn import RGCNConv

from graphattn.backends import explain_backend, use_backend
from graphattn.topology import Causal, Cross, Full, Line, Prefix, Reversed, Star, Window, with_hubs
from graphattn.zoo import RGCN, TABLE

F64 = torch.float64
SAME_NODES = {
    "Full": Full,
    "Causal": Causal,
    "Window": lambda sizes: Window(sizes, radius=2, dilation=2),
    "causal Window": lambda sizes: Window(sizes, radius=3, causal=True),
    "Prefix": lambda sizes: Prefix(sizes, prefix=3),
    "Line": Line,
    "circle": lambda sizes: Line([max(size, 3) for size in sizes], wrap=True),
    "Reversed": lambda sizes: Reversed(Prefix(sizes, prefix=2)),
    "Union": lambda sizes: Causal(sizes) | Line(sizes),
    "WithHubs": lambda sizes: with_hubs(Window(sizes, radius=1), hubs=2),
    "WithHubs of Union": lambda sizes: with_hubs(Line(sizes) | Causal(sizes)),
}
TWO_SETS = {
    "Cross": lambda sizes: Cross(sizes, [size // 2 + 1 for size in sizes]),
    "Star": lambda sizes: Star(sizes, hubs=2),
    "strided Line": lambda sizes: Line(sizes, kernel_size=3, stride=2, padding=1),
    "Union of Cross": lambda sizes: Cross(sizes, [2] * len(sizes)) | Cross(sizes, [2] * len(sizes)),
}
BUILDERS = SAME_NODES | TWO_SETS
# A kernel needs the offsets of a grid (tests/zoo/test_grid_convolution.py); two sets have no symmetric normalisation.
GENERAL = [row for row in TABLE if row.name != "GridConv"]
CASES = [(row, name, build) for row in GENERAL for name, build in SAME_NODES.items()]
CASES += [(row, name, build) for row in GENERAL if row.name != "GCN" for name, build in TWO_SETS.items()]
WHOLE = {"Full", "Cross", "Star"}
BLOCKS = WHOLE | {"Causal", "Window", "causal Window", "Prefix", "Reversed"}
LINES = {"Line", "circle", "strided Line"}
# Where another backend than csr computes besides edgewise; none by an empty name.
BY = {
    **dict.fromkeys(("SelfAttention", "CrossAttention", "GraphTransformer"), dict.fromkeys(BLOCKS, "dense")),
    "LinearAttention": dict.fromkeys(WHOLE | {"Causal"}, "linear"),
    **dict.fromkeys(("GCN", "EdgeConv", "GraphSAGE", "GIN", "GatedGraph"), dict.fromkeys(WHOLE, "closed_form")),
    "RGCN": dict.fromkeys(LINES, ""),  # places of a grid, whose sizes differ here
    **dict.fromkeys(("GINE", "PNA", "ResGatedGraph", "TokenMixing"), dict.fromkeys(BUILDERS, "")),
}
BY_KERNELS_ALONE = {"GATv2", "EdgeConv", "RGCN", "GridConv"}
EVERYWHERE = pytest.mark.parametrize(
    ("row", "topology"),
    [(row, name) for row, name, _ in CASES],
    ids=[f"{row.name}-{name}" for row, name, _ in CASES],
)
SIZES = [4, 0, 7, 1, 0]


def doubles(edge):
    return {name: value.double() if value.is_floating_point() else value for name, value in edge.items()}


def states(graph):
    """States of the nodes; of both sets where senders and receivers are different nodes."""
    x = torch.randn(graph.num_senders, 8, dtype=F64)
    return x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, 8, dtype=F64))


def outcome(layer, x, graph, edge):
    """Values, and gradients of states, edge features and parameters."""
    own = [part.detach().requires_grad_() for part in (x if isinstance(x, tuple) else (x,))]
    edge = {name: value.detach().requires_grad_(value.is_floating_point()) for name, value in edge.items()}
    torch.manual_seed(0)  # the same edge dropout
    out = layer(tuple(own) if isinstance(x, tuple) else own[0], graph, edge)
    leaves = [*own, *layer.parameters(), *(value for value in edge.values() if value.requires_grad)]
    return [out.detach(), *torch.autograd.grad(out.sin().sum(), leaves, materialize_grads=True)]


def assert_same(ours, truth):
    for mine, its in zip(ours, truth, strict=True):
        assert_close(mine, its, rtol=1e-9, atol=1e-9)


@EVERYWHERE
@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_a_topology_is_its_list_of_edges(row, topology, dropout):
    layer, graph = row.make().double(), BUILDERS[topology](SIZES)
    layer.dropout = dropout
    x, edge = states(graph), doubles(row.edge(graph))
    with use_backend("edgewise"):
        truth = outcome(layer, x, graph.as_edges(), edge)
    assert_same(outcome(layer, x, graph, edge), truth)
    assert_same(outcome(layer, x, graph.as_edges(), edge), truth)


@EVERYWHERE
def test_a_graph_hears_the_same_in_a_batch_as_alone(row, topology):
    layer, graph = row.make().double(), BUILDERS[topology](SIZES)
    both = x if isinstance(x := states(graph), tuple) else (x, x)
    sizes = (graph.senders.ptr.diff().tolist(), graph.receivers.ptr.diff().tolist())
    parts = [part.split(size) for part, size in zip(both, sizes, strict=True)]
    alone = []
    for size, *own in zip(SIZES, *parts, strict=True):
        single = BUILDERS[topology]([size])
        alone.append(layer(tuple(own) if isinstance(x, tuple) else own[0], single, doubles(row.edge(single))))
    assert_same([layer(x, graph, doubles(row.edge(graph)))], [torch.cat(alone)])


@pytest.mark.parametrize("name", ["Union", "WithHubs", "WithHubs of Union", "circle"])
def test_relations_are_the_types_that_a_topology_knows(name):
    graph = SAME_NODES[name](SIZES)
    layer = RGCN(8, 8, relations=graph.num_edge_types).double()
    theirs = RGCNConv(8, 8, graph.num_edge_types).double()
    own = [layer.message_function.weight.weight, layer.update_function.linear.weight, layer.update_function.linear.bias]
    with torch.no_grad():
        for mine, its in zip(own, (theirs.weight, theirs.root.T, theirs.bias), strict=True):
            mine.copy_(its)
    x = torch.randn(graph.num_senders, 8, dtype=F64, requires_grad=True)
    truth = theirs(x, graph.edge_index(), graph.edge_type())
    expected = torch.autograd.grad(truth.sin().sum(), [x, theirs.weight, theirs.root, theirs.bias])
    for result in (
        layer(x, graph),
        layer(x, graph.as_edges()),
        layer(x, graph.edge_index(), {"edge_type": graph.edge_type()}),
    ):
        inner, weight, root, bias = torch.autograd.grad(result.sin().sum(), [x, *own])
        assert_same([result, inner, weight, root.T, bias], [truth, *expected])


class NeverWaiting(TorchDispatchMode):
    """Fails where a GPU would have to be waited for: where the size or the value of a tensor is asked."""

    WAITS = frozenset(
        f"aten::{name}"
        for name in ("_local_scalar_dense", "bincount", "equal", "masked_select", "nonzero", "_unique2", "unique_dim")
    )

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._schema.name
        unsized = name == "aten::repeat_interleave" and kwargs.get("output_size") is None
        by_mask = name == "aten::index" and any(index is not None and index.dtype == torch.bool for index in args[1])
        assert name not in self.WAITS, f"{name} waits for the device"
        assert not unsized, "repeat_interleave without output_size waits for the device"
        assert not by_mask, "an index of booleans waits for the device"
        return func(*args, **kwargs)


@EVERYWHERE
def test_no_layer_waits_for_the_device(row, topology):
    layer, graph = row.make().double(), BUILDERS[topology](SIZES)
    x, edge = states(graph), doubles(row.edge(graph))
    reasons = explain_backend(layer, x, graph, edge).reasons
    able = [name for name in reasons if not reasons[name]]
    first = BY.get(row.name, {}).get(topology, "csr")
    sparse = ["sparse"] if first == "csr" and row.name not in BY_KERNELS_ALONE else []
    assert able == ([first, *sparse, "edgewise"] if first else ["edgewise"])
    for name in able:
        with use_backend(name):
            layer(x, graph, edge)  # what is made once for a graph may wait
            with NeverWaiting():
                layer(x, graph, edge).sum().backward()
