import io
import pickle

import pytest
import torch
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing

from graphattn.pyg import (
    DROP_INS,
    EdgeConv,
    GATConv,
    GATv2Conv,
    GCNConv,
    GINConv,
    SAGEConv,
    TransformerConv,
    calls,
    deaccelerate,
    forget_calls,
)
from graphattn.topology import Edges

EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])
X = torch.randn(3, 4)
MAKE = {
    "TransformerConv": lambda: TransformerConv(4, 4),
    "GATConv": lambda: GATConv(4, 4, add_self_loops=False),
    "GATv2Conv": lambda: GATv2Conv(4, 4, add_self_loops=False),
    "GCNConv": lambda: GCNConv(4, 4, add_self_loops=False),
    "SAGEConv": lambda: SAGEConv(4, 4),
    "GINConv": lambda: GINConv(torch.nn.Linear(4, 4)),
    "EdgeConv": lambda: EdgeConv(torch.nn.Linear(8, 4)),
}
EACH = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


@pytest.mark.parametrize(("theirs", "ours"), DROP_INS.items(), ids=lambda each: each.__name__)
def test_a_drop_in_has_the_name_and_the_constructor_of_pygs(theirs, ours):
    assert ours.__name__ == theirs.__name__
    assert issubclass(ours, theirs)
    assert ours.__init__ is theirs.__init__
    assert theirs is getattr(pyg, theirs.__name__)


def test_an_explainer_finds_the_plain_propagate():
    # PyG would take the generated one of the parent, which has been made before.
    pyg.GCNConv(4, 4)
    layer = GCNConv(4, 4)
    assert layer.propagate.__module__.endswith("GCNConv_propagate")
    layer.explain = True
    assert layer.propagate.__func__ is MessagePassing.propagate


def test_a_subclass_of_a_drop_in_computes_what_it_says():
    class Doubled(SAGEConv):
        def message(self, x_j):
            return 2 * x_j

    forget_calls()
    layer = Doubled(4, 4, root_weight=False, bias=False)
    plain = SAGEConv(4, 4, root_weight=False, bias=False)
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(X, EDGES), 2 * plain(X, EDGES))
    assert calls()["Doubled"].theirs == {"Doubled is a subclass, which may compute something else": 1}


# torch deprecates its script compiler.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_subclass_of_a_drop_in_is_refused_by_torchscript():
    with pytest.raises(
        TypeError, match="expected a drop-in for TorchScript, got its subclass Renamed: derive Renamed from"
    ):
        torch.jit.script(Renamed(4, 4))


@EACH
def test_a_drop_in_swapped_back_is_pickled_without_a_trace(make):
    layer = make()
    layer(X, EDGES)
    assert b"graphattn" in pickle.dumps(layer)
    assert b"graphattn" not in pickle.dumps(deaccelerate(layer))


def packaged(model, *extern):
    file = io.BytesIO()
    with torch.package.PackageExporter(file) as exporter:
        exporter.extern(["torch_geometric.**", "_operator", *extern])
        exporter.save_pickle("model", "model.pkl", model)
    file.seek(0)
    return torch.package.PackageImporter(file).load_pickle("model", "model.pkl")


# torch.package reads storages in a way that torch deprecates.
@pytest.mark.filterwarnings("ignore:TypedStorage")
@EACH
def test_a_package_holds_pygs_layer(make):
    layer = make()
    read = packaged(torch.nn.ModuleList([layer, layer]))
    assert type(read[0]) is layer.theirs
    assert read[0] is read[1]
    torch.testing.assert_close(read[0](X, EDGES), layer(X, EDGES))


class Renamed(SAGEConv):
    pass


def test_a_package_holds_no_subclass_of_a_drop_in():
    with pytest.raises(torch.package.PackagingError, match="did not match against any action pattern"):
        packaged(Renamed(4, 4))


def test_an_edge_index_that_is_none_gets_pygs_own_error():
    for edge_index in (EDGES.float(), EDGES.T, EDGES > 0, EDGES + 0j, [[0], [1]]):
        with pytest.raises(ValueError, match=r"`MessagePassing.propagate` only supports|Expected 'edge_index'"):
            SAGEConv(4, 4)(X, edge_index)


def test_numbers_out_of_range_are_refused_in_words():
    with pytest.raises(ValueError, match="expected sender numbers below 3, got 4 in edge_index"):
        SAGEConv(4, 4)(X, EDGES + 2)


@EACH
def test_a_graph_of_other_nodes_is_refused_in_words(make):
    with pytest.raises(ValueError, match=r"expected 4 rows of senders in x for Edges\(.*\), got 3"):
        _without_loops(make())(X, Edges(EDGES, 4))


@pytest.mark.filterwarnings("ignore:Sparse")
@EACH
def test_a_matrix_of_other_nodes_is_refused_in_words(make):
    matrix = torch.sparse_coo_tensor(EDGES, torch.ones(3), (4, 4)).coalesce().to_sparse_csr()
    with pytest.raises(ValueError, match=r"expected 4 rows of senders in x for Edges\(.*\), got 3"):
        _without_loops(make())(X, matrix)


def _without_loops(layer):
    if isinstance(layer, GCNConv):
        layer.normalize = False
    return layer


def test_nothing_of_ours_is_a_child_or_a_parameter():
    layer = TransformerConv(4, 4, edge_dim=2)
    names = [name for name, _ in layer.named_modules()], sorted(layer.state_dict())
    layer(X, EDGES, torch.randn(3, 2))
    assert ([name for name, _ in layer.named_modules()], sorted(layer.state_dict())) == names
    assert "_graphattn" not in layer.__getstate__()


@EACH
@pytest.mark.parametrize("called", [False, True])
def test_layers_compile_into_one_graph(make, called):
    layer, graph = make(), Edges(EDGES, 3)
    if called:
        layer(X, graph)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    results = [compiled(X, each) for each in (graph, EDGES)]
    for result in results:
        torch.testing.assert_close(result, layer(X, graph))


@EACH
def test_many_states_of_one_graph_are_mapped(make):
    layer, many = make(), torch.stack([X, X + 1])
    mapped = torch.func.vmap(lambda x: layer(x, EDGES))(many)
    torch.testing.assert_close(mapped, torch.stack([layer(x, EDGES) for x in many]))


@EACH
def test_autocast_gives_pygs_dtype(make):
    layer = make()
    plain = deaccelerate(layer)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = layer(X, EDGES), plain(X, EDGES)
    assert ours.dtype == theirs.dtype
    torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)


@EACH
def test_no_random_number_is_drawn(make):
    layer = make()
    before = torch.get_rng_state()
    layer(X, EDGES)
    assert torch.equal(torch.get_rng_state(), before)


@EACH
def test_a_layer_is_made_once(make):
    layer = make()
    layer(X, EDGES)
    made = layer.__dict__["_graphattn"][1]
    layer(X + 1, EDGES)
    assert layer.__dict__["_graphattn"][1] is made


# torch deprecates its script compiler.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("changed", [False, True])
def test_torchscript_compiles_pygs_forward(changed):
    layer = GCNConv(4, 4)
    if changed:
        # PyG then generates the code of a method with the names of our module in scope.
        layer.decomposed_layers = 2
    torch.testing.assert_close(torch.jit.script(layer)(X, EDGES), layer(X, EDGES))
    assert type(layer) is GCNConv
