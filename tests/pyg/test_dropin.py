import pytest
import torch
from torch_geometric import nn as pyg
from torch_geometric.nn import MessagePassing

from graphattn.pyg import DROP_INS, GCNConv, SAGEConv, TransformerConv, calls, forget_calls
from graphattn.topology import Edges

EDGES = torch.tensor([[0, 1, 2], [1, 2, 0]])
X = torch.randn(3, 4)


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


def test_an_edge_index_that_is_none_gets_pygs_own_error():
    for edge_index in (EDGES.float(), EDGES.T, [[0], [1]]):
        with pytest.raises(ValueError, match=r"`MessagePassing.propagate` only supports|Expected 'edge_index'"):
            SAGEConv(4, 4)(X, edge_index)


def test_numbers_out_of_range_are_refused_in_words():
    with pytest.raises(ValueError, match="expected sender numbers below 3, got 4 in edge_index"):
        SAGEConv(4, 4)(X, EDGES + 2)


def test_nothing_of_ours_is_a_child_or_a_parameter():
    layer = TransformerConv(4, 4, edge_dim=2)
    names = [name for name, _ in layer.named_modules()], sorted(layer.state_dict())
    layer(X, EDGES, torch.randn(3, 2))
    assert ([name for name, _ in layer.named_modules()], sorted(layer.state_dict())) == names
    assert "_graphattn" not in layer.__getstate__()


def test_a_prebuilt_graph_is_ours_inside_a_compiled_graph():
    layer, graph = SAGEConv(4, 4), Edges(EDGES, 3)
    truth = layer(X, graph)
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(X, graph), truth)


# torch deprecates its script compiler.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_compiles_pygs_forward():
    layer = GCNConv(4, 4)
    torch.testing.assert_close(torch.jit.script(layer)(X, EDGES), layer(X, EDGES))
    assert type(layer) is GCNConv
