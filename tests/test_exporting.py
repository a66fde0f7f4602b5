"""Layers in exported programs: of plain edges, and of topologies of other sizes than those they were exported with."""

import gc

import pytest
import torch
from torch.testing import assert_close
from torch.utils import _pytree as pytree

from graphattn.backends import use_backend
from graphattn.topology import Causal, Cross, Edges, Full, Grid, Line, Prefix, Star, Window, with_hubs
from graphattn.zoo import TABLE, SelfAttention

ROWS = pytest.mark.parametrize("row", [row for row in TABLE if "Edges" in row.topologies], ids=lambda row: row.name)
AUTO = torch.export.Dim.AUTO
TOPOLOGIES = {
    "Full": Full,
    "Causal": Causal,
    "Window": lambda sizes: Window(sizes, radius=2, dilation=2),
    "Prefix": lambda sizes: Prefix(sizes, prefix=3),
    "Cross": lambda sizes: Cross(sizes, sizes[::-1]),
    "Star": lambda sizes: Star(sizes, hubs=2),
    "Causal reversed": lambda sizes: Causal(sizes).reverse(),
    "Edges": lambda sizes: Window(sizes, radius=1).as_edges().prepare(),
    "Line": lambda sizes: Line(sizes).prepare(),
    "Union": lambda sizes: (Causal(sizes) | Line(sizes)).prepare(),
    "WithHubs": lambda sizes: with_hubs(Window(sizes, radius=1)).prepare(),
}


def plain(row, nodes):
    """States, a plain edge_index, and what the row needs to know of its edges."""
    graph = Edges(torch.randint(nodes, (2, 3 * nodes)), nodes)
    return torch.randn(nodes, 8), graph.edge_index(), row.edge(graph)


def states(graph):
    x = torch.randn(graph.num_senders, 8)
    return x if graph.senders is graph.receivers else (x, torch.randn(graph.num_receivers, 8))


class Net(torch.nn.Module):
    """A model of one layer; ``torch.export`` wants the names of its inputs."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x, edge_index, edge=None):
        return self.layer(x, edge_index, edge)


# torch's export warns of torch's tree maps.
@pytest.mark.filterwarnings("ignore::FutureWarning")
@ROWS
def test_a_program_of_a_plain_edge_index_takes_graphs_of_other_sizes(row):
    model, given, other = Net(row.make()).eval(), plain(row, 6), plain(row, 9)
    sizes = {"x": {0: AUTO}, "edge_index": {1: AUTO}, "edge": {name: {0: AUTO} for name in given[2]}}
    program = torch.export.export(model, given, dynamic_shapes=sizes).module()
    assert_close(program(*other), model(*other))


def exported(model, given):
    """The program of a model, from two inputs that differ in all sizes."""
    shapes = torch.export.AdditionalInputs()
    for each in given:
        shapes.add(each)
    return torch.export.export(model, given[0], dynamic_shapes=shapes)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_a_program_takes_a_topology_of_other_sizes(topology):
    model = Net(SelfAttention(8, heads=2)).eval()

    def given(sizes):
        graph = TOPOLOGIES[topology](sizes)
        return states(graph), graph

    program = exported(model, [given([5, 3, 4]), given([7, 2, 9, 1])]).module()
    for sizes in ([2, 6], [4, 4, 4], [70, 1, 0, 3, 2]):
        other = given(sizes)
        assert_close(program(*other), model(*other))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_program_of_a_topology_is_saved(tmp_path):
    model = Net(SelfAttention(8, heads=2)).eval()
    given = [
        (torch.randn(sum(sizes), 8), Window(sizes, radius=1, causal=True)) for sizes in ([5, 3], [7, 2, 9], [4, 1])
    ]
    program = exported(model, given[:2])
    program.example_inputs = None  # which would be pickled
    torch.export.save(program, tmp_path / "program.pt2")
    program = torch.export.load(tmp_path / "program.pt2").module()
    assert_close(program(*given[2]), model(*given[2]))


GRAPHS = [*(make([3, 0, 2]) for make in TOPOLOGIES.values()), Edges(torch.tensor([[0, 2], [1, 0]])), Grid(2, 3)]
BOTH = pytest.mark.parametrize("graph", GRAPHS, ids=str)


@BOTH
def test_a_topology_made_of_its_tree_is_itself(graph):
    leaves, tree = pytree.tree_flatten(graph)
    assert pytree.tree_unflatten(leaves, tree) is graph
    assert pytree.tree_leaves(pytree.tree_map(lambda leaf: None, graph)) == [None] * len(leaves)


def test_transformations_of_functions_pass_a_topology_on():
    seen, graph, x = [], Full([2]).prepare(), torch.randn(3, 2, 8)

    def heard(x, graph):
        seen.append(graph)
        return x.sum()

    torch.func.vmap(torch.func.grad(heard), in_dims=(0, None))(x, graph)
    assert seen == [graph]


@BOTH
def test_a_topology_made_of_copies_of_its_tree_is_another_of_the_same(graph):
    again = pytree.tree_map(torch.clone, graph)
    assert again is not graph
    assert type(again) is type(graph)
    assert str(again) == str(graph)
    assert torch.equal(again.edge_index(), graph.edge_index())
    assert again.receivers.equal == graph.receivers.equal
    layer, x = SelfAttention(8, heads=2), states(graph)
    assert_close(layer(x, again), layer(x, graph))


def test_a_tree_does_not_keep_its_topology_alive():
    graph = Full([3])
    leaves, tree = pytree.tree_flatten(graph)
    del graph
    gc.collect()
    assert str(pytree.tree_unflatten(leaves, tree)) == str(Full([3]))


def far(leaf):
    """Numbers of nodes that are not there."""
    return leaf + 1000 * (leaf > 0) if leaf.dim() == 2 else leaf


@pytest.mark.parametrize(
    ("graph", "change", "sentence"),
    [
        (Full([3, 2]), torch.neg, r"expected ptr to start at 0 and never to fall, got \[0, -3, -5\]"),
        (Edges(torch.tensor([[0, 2], [1, 0]])), far, r"expected sender numbers below 3, got 1002 in edge_index"),
        (
            Edges(torch.tensor([[0, 2], [1, 0]])).prepare(),
            far,
            r"expected sender numbers below 3, got 1002 in edge_index",
        ),
    ],
)
def test_a_topology_made_of_another_tree_is_checked(graph, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        pytree.tree_map(change, graph)


def test_a_trace_is_refused_with_the_way_that_works():
    model, given = Net(SelfAttention(8)), (torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]]))
    sentence = r"expected torch.export.export, or torch.onnx.export with dynamo=True, .* got torch.jit.trace"
    with pytest.raises(ValueError, match=sentence):
        torch.jit.trace(model, given)


class Held(torch.nn.Module):
    """A model that holds its graph."""

    def __init__(self, model, graph):
        super().__init__()
        self.model, self.graph = model, graph

    def forward(self, x):
        return self.model(x, self.graph)


def to_onnx(model, given, **options):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    return torch.onnx.export(model, given, dynamo=True, verbose=False, **options)


@pytest.mark.filterwarnings("ignore")  # of the exporter's own
def test_onnx_takes_graphs_of_other_sizes():
    model, x, ends = Net(SelfAttention(8, heads=2)).eval(), torch.randn(4, 8), torch.tensor([[0, 1, 3], [1, 2, 0]])
    program = to_onnx(model, (x, ends), dynamic_shapes={"x": {0: AUTO}, "edge_index": {1: AUTO}})
    other = torch.randn(6, 8), torch.tensor([[0, 1, 3, 5], [1, 2, 0, 4]])
    assert_close(program(*other)[0], model(*other), rtol=1e-5, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_onnx_takes_a_prepared_graph_without_operators_of_ours():
    model, graph, x = (
        Net(SelfAttention(8, heads=2)).eval(),
        Edges(torch.tensor([[0, 1, 3], [1, 2, 0]])),
        torch.randn(4, 8),
    )
    program = to_onnx(Held(model, graph.prepare()), (x,))
    assert_close(program(x)[0], model(x, graph), rtol=1e-5, atol=1e-5)


def test_onnx_of_a_forced_kernel_is_refused_with_the_way_that_works(monkeypatch):
    monkeypatch.setattr("torch.compiler.is_exporting", lambda: True)
    monkeypatch.setattr("torch.onnx.is_in_onnx_export", lambda: True)
    graph = Edges(torch.tensor([[0, 1, 3], [1, 2, 0]]))
    sentence = (
        "'csr' supports, got one it refuses: needs torch's own operators for ONNX, which dense, .* edgewise are made of"
    )
    with use_backend("csr"), pytest.raises(ValueError, match=sentence):
        SelfAttention(8)(torch.randn(4, 8), graph)
