import pytest
import torch
from equal import EDGES, F64, assert_same, pair
from torch import nn
from torch.testing import assert_close
from torch_geometric import EdgeIndex
from torch_geometric import nn as pyg
from torch_geometric.nn import aggr
from torch_geometric.utils import to_torch_csc_tensor

from graphattn.backends import use_backend
from graphattn.pyg import GATConv, GATv2Conv, TransformerConv, calls
from graphattn.topology import Edges, Full

OPTIONS = {
    "plain": {},
    "heads": {"heads": 3},
    "mean of heads": {"heads": 2, "concat": False},
    "no bias": {"heads": 2, "bias": False},
}
TRANSFORMER = {
    **OPTIONS,
    "gate": {"heads": 2, "beta": True},
    "gate, mean of heads": {"heads": 2, "beta": True, "concat": False},
    "no root": {"heads": 2, "root_weight": False},
}
GAT = {
    **OPTIONS,
    "no loops": {"heads": 2, "add_self_loops": False},
    "residual": {"heads": 2, "residual": True, "negative_slope": 0.05},
}


def states():
    return torch.randn(6, 8, dtype=F64)


def both():
    return torch.randn(6, 8, dtype=F64), torch.randn(5, 7, dtype=F64)


@pytest.mark.parametrize("weights", [None, True])
@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("options", TRANSFORMER.values(), ids=TRANSFORMER)
def test_transformer_conv_is_pygs(options, edge_dim, weights):
    edge_attr = None if edge_dim is None else torch.randn(9, 3, dtype=F64)
    layers = pair(pyg.TransformerConv, 8, 4, edge_dim=edge_dim, **options)
    assert_same(*layers, states(), EDGES, edge_attr, return_attention_weights=weights)
    layers = pair(pyg.TransformerConv, (8, 7), 4, edge_dim=edge_dim, **options)
    assert_same(*layers, both(), EDGES, edge_attr, return_attention_weights=weights)


@pytest.mark.parametrize("theirs", [pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__)
@pytest.mark.parametrize("weights", [None, True])
@pytest.mark.parametrize("edge_dim", [None, 1, 3])
@pytest.mark.parametrize("options", GAT.values(), ids=GAT)
def test_gat_is_pygs(theirs, options, edge_dim, weights):
    edge_attr = None if edge_dim is None else torch.randn(9, *([] if edge_dim == 1 else [3]), dtype=F64)
    layers = pair(theirs, 8, 4, edge_dim=edge_dim, **options)
    assert_same(*layers, states(), EDGES, edge_attr, return_attention_weights=weights)
    layers = pair(theirs, (8, 7), 4, edge_dim=edge_dim, **options)
    assert_same(*layers, both(), EDGES, edge_attr, return_attention_weights=weights)


@pytest.mark.parametrize("fill", [0.5, "mean", "max"])
@pytest.mark.parametrize("theirs", [pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__)
def test_loops_get_the_edge_features_that_pyg_gives_them(theirs, fill):
    layers = pair(theirs, 8, 4, heads=2, edge_dim=3, fill_value=fill)
    assert_same(*layers, states(), EDGES, torch.randn(9, 3, dtype=F64))


def test_shared_weights_and_one_map_for_both_sides():
    assert_same(*pair(pyg.GATv2Conv, 8, 4, share_weights=True), states(), EDGES)
    assert_same(*pair(pyg.GATConv, 8, 4), (states(), torch.randn(6, 8, dtype=F64)), EDGES)
    assert_same(*pair(pyg.GATConv, 8, 4, heads=2), states(), EDGES, size=(6, 6))
    # PyG forgets edge features that a GATConv has no weights for.
    assert_same(*pair(pyg.GATConv, 8, 4), states(), EDGES, torch.randn(9, 3, dtype=F64))


# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    "theirs", [pyg.TransformerConv, pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__
)
@pytest.mark.parametrize("edges", [torch.empty(2, 0, dtype=torch.long), EdgeIndex(EDGES, sparse_size=(6, 6))])
def test_graphs_in_other_forms(theirs, edges):
    assert_same(*pair(theirs, 8, 4, heads=2), states(), edges)
    ends = EDGES[:, :3]
    assert_same(*pair(theirs, 8, 4, heads=2), states(), to_torch_csc_tensor(ends, size=(6, 6)).t())
    assert_same(*pair(theirs, 8, 4), torch.randn(0, 8, dtype=F64), torch.empty(2, 0, dtype=torch.long))


def test_short_indices_have_the_gradients_of_long_ones():
    """PyG's own have not: the gradient of its softmax is wrong where indices are int32 (torch 2.13 on CPU)."""
    ours, x = TransformerConv(8, 4, heads=2).double(), states().requires_grad_()
    assert_close(*(torch.autograd.grad(ours(x, edges).sin().sum(), x)[0] for edges in (EDGES.int(), EDGES)))


@pytest.mark.parametrize("scale", [1e2, 1e4])
@pytest.mark.parametrize("ours", [TransformerConv, GATConv, GATv2Conv], ids=lambda ours: ours.__name__)
def test_large_scores_stay_finite(ours, scale):
    out = ours(8, 4, heads=2)(torch.randn(6, 8) * scale, EDGES)
    assert torch.isfinite(out).all()


def test_calls_that_pyg_answers():
    x, alone = states(), (states(), None)
    transformer, gat = pyg.TransformerConv, pyg.GATConv
    edge_attr = torch.randn(9, 4, dtype=F64)
    made = assert_same(*pair(transformer, 8, 4), x, EDGES, edge_attr.unsqueeze(1), answered=False)
    assert made.theirs == {"it has no edge_dim, and edge_attr is given": 1}
    with pytest.raises(ValueError, match="tensor with size 6 in dimension 0, but expected size 7"):
        pair(gat, (8, 7), 4)[1](alone, EDGES, size=(7, 5))
    assert calls()["GATConv"].theirs["size is not that of x"] == 1
    with pytest.raises(AssertionError):
        pair(pyg.GATv2Conv, (8, 7), 4)[1](alone, EDGES)
    made = assert_same(*pair(gat, 8, 4, flow="target_to_source"), x, EDGES, answered=False)
    assert made.theirs == {"its flow is target_to_source": 1}
    assert_same(*pair(transformer, 8, 4, aggr=aggr.SumAggregation()), x, EDGES)
    for theirs in (transformer, gat, pyg.GATv2Conv):
        made = assert_same(*pair(theirs, 8, 4, aggr="max"), x, EDGES, answered=False)
        assert made.theirs == {"it aggregates with MaxAggregation": 1}
    layers = pair(gat, 8, 4)
    layers[1].register_message_forward_hook(lambda *hook: None)
    made = assert_same(*layers, x, EDGES, answered=False)
    assert made.theirs == {"a hook wants to see every edge": 1}
    layers = pair(gat, 8, 4)
    layers[1].message = layers[1].message
    assert assert_same(*layers, x, EDGES, answered=False).theirs == {"its message was replaced": 1}


@pytest.mark.parametrize("weights", [None, True])
@pytest.mark.parametrize("edge_dim", [None, 3])
@pytest.mark.parametrize("options", GAT.values(), ids=GAT)
@pytest.mark.parametrize("channels", [8, (8, 7)])
@pytest.mark.parametrize("size", [None, (6, 6), (6, 5)])
def test_receivers_without_a_state(options, edge_dim, weights, channels, size):
    edge_attr = None if edge_dim is None else torch.randn(9, 3, dtype=F64)
    theirs, ours = pair(pyg.GATConv, channels, 4, edge_dim=edge_dim, **options)
    given = {"size": size, "return_attention_weights": weights}
    assert_same(theirs, ours, (states(), None), EDGES, edge_attr, **given)
    ours((states(), None), EDGES, edge_attr, size=size).sum().backward()
    # As in PyG, so that weight decay leaves it alone.
    assert ours.att_dst.grad is None
    # The same layer with receivers again.
    ours.zero_grad()
    if channels == 8:
        assert_same(theirs, ours, states(), EDGES, edge_attr)


def test_receivers_without_a_state_under_autocast():
    theirs, ours = (layer.float() for layer in pair(pyg.GATConv, 8, 4, heads=2))
    x = states().float()
    with torch.autocast("cpu", torch.bfloat16):
        results = [layer((x, None), EDGES) for layer in (ours, theirs)]
    assert results[0].dtype == results[1].dtype
    assert_close(*results, rtol=0.05, atol=0.05)


# torch warns that sparse layouts are in beta and unchecked.
@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("theirs", [pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__)
def test_attention_weights_stand_in_a_matrix(theirs, loops):
    adj_t = to_torch_csc_tensor(EDGES[:, :3], size=(6, 6)).t()
    layers, x = pair(theirs, 8, 4, heads=2, add_self_loops=loops), states()
    (out, (matrix, alpha)), (truth, (their_matrix, their_alpha)) = (
        layer(x, adj_t, return_attention_weights=True) for layer in reversed(layers)
    )
    assert calls()[theirs.__name__].theirs == {}
    assert_close(out, truth, rtol=1e-9, atol=1e-9)
    assert_close(alpha, their_alpha, rtol=1e-9, atol=1e-9)
    assert matrix.layout == their_matrix.layout == torch.sparse_csr
    assert_close(matrix, their_matrix, rtol=1e-9, atol=1e-9)


def test_edges_that_are_returned_may_be_changed():
    layer, x, ends = GATConv(8, 4).double(), states(), EDGES.clone()
    truth = layer(x, ends)
    layer(x, ends, return_attention_weights=True)[1][0].zero_()
    assert torch.equal(layer(x, ends), truth)


def test_missing_edge_features_are_refused_in_words():
    with pytest.raises(ValueError, match="expected an edge feature named 'edge_attr', got none"):
        TransformerConv(8, 4, edge_dim=3)(torch.randn(6, 8), EDGES)


def test_a_topology_in_place_of_an_edge_index():
    theirs, ours = pair(pyg.TransformerConv, 8, 4, heads=2)
    x, full = states(), Full([4, 2])
    with use_backend("dense"):
        result = ours(x, full)
    assert_close(result, theirs(x, full.edge_index()), rtol=1e-9, atol=1e-9)
    _, (graph, alpha) = ours(x, full, return_attention_weights=True)
    assert torch.equal(graph, full.edge_index())
    assert alpha.shape == (20, 2)
    theirs, ours = pair(pyg.GATConv, 8, 4, heads=2)
    assert_close(ours(x, Edges(EDGES, 6)), theirs(x, EDGES), rtol=1e-9, atol=1e-9)
    ours.register_message_forward_hook(lambda *hook: None)
    assert_close(ours(x, Edges(EDGES, 6)), theirs(x, EDGES), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "theirs", [pyg.TransformerConv, pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__
)
def test_dropout_drops_the_share_that_pyg_drops(theirs):
    """Each of 400 receivers hears 400 senders: means over draws and receivers meet what nobody drops."""
    _, ours = pair(theirs, 8, 4, heads=2, dropout=0.5)
    x = states()[:1].expand(400, 8)
    truth, dropped = ours.eval()(x, Full([400]).edge_index()), ours.train()(x, Full([400]).edge_index())
    assert not torch.equal(dropped, truth)
    assert_close(dropped.mean(0), truth[0], rtol=0.02, atol=0.02)
    assert not torch.equal(dropped, ours(x, Full([400]).edge_index()))
    assert torch.equal(ours.eval()(x, Full([400]).edge_index()), truth)


@pytest.mark.parametrize(
    "theirs", [pyg.TransformerConv, pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__
)
def test_a_dropout_of_everything_is_pygs(theirs):
    layers = pair(theirs, 8, 4, heads=2, dropout=1.0)
    assert assert_same(*layers, states(), EDGES, answered=False).theirs == {"its dropout is 1.0": 1}
    for layer in layers:
        layer.eval()
    assert_same(*layers, states(), EDGES, answered=False)
    layers[1].dropout = 1.5
    with pytest.raises(ValueError, match=r"dropout probability has to be between 0 and 1, but got 1\.5"):
        layers[1](states(), EDGES)


@pytest.mark.parametrize("loops", [True, False])
@pytest.mark.parametrize("theirs", [pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__)
def test_edge_features_of_other_edges_are_refused_in_words(theirs, loops):
    for edge_dim, shape in ((3, (10, 3)), (1, (10,)), (3, (8, 3))):
        layers = pair(theirs, 8, 4, edge_dim=edge_dim, add_self_loops=loops)
        with pytest.raises(ValueError, match=rf"expected 9 rows of edge features.*, got {shape[0]}"):
            layers[1](states(), EDGES, torch.randn(shape, dtype=F64))
    with pytest.raises(ValueError, match=r"expected 9 rows of edge features.*, got 10"):
        TransformerConv(8, 4, edge_dim=3)(torch.randn(6, 8), EDGES, torch.randn(10, 3))


@pytest.mark.parametrize(
    "theirs", [pyg.TransformerConv, pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__
)
def test_one_row_of_edge_features_is_that_of_all_edges(theirs):
    layers = pair(theirs, 8, 4, edge_dim=3, **({} if theirs is pyg.TransformerConv else {"add_self_loops": False}))
    assert_same(*layers, states(), EDGES, torch.randn(1, 3, dtype=F64))


def test_edge_features_of_other_shapes_get_pygs_own_answer():
    layers = pair(pyg.TransformerConv, 8, 4, edge_dim=3)
    made = assert_same(*layers, states(), EDGES, torch.randn(9, 1, 3, dtype=F64), answered=False)
    assert list(made.theirs) == ["edge_attr is not one row for each edge, of the channels that lin_edge takes"]
    with pytest.raises(RuntimeError, match=r"mat1 and mat2 shapes cannot be multiplied \(9x2 and 3x4\)"):
        layers[1](states(), EDGES, torch.randn(9, 2, dtype=F64))


def test_lazy_channels_are_read_from_the_first_call():
    for ours in (TransformerConv, GATConv, GATv2Conv):
        layer = ours((-1, -1), 4, heads=2)
        if ours is not TransformerConv:
            layer.add_self_loops = False
        assert layer((torch.randn(6, 8), torch.randn(5, 7)), EDGES).shape == (5, 8)


def test_parts_that_are_replaced_are_used():
    theirs, ours = pair(pyg.TransformerConv, 8, 4, edge_dim=3)
    x, edge_attr = states(), torch.randn(9, 3, dtype=F64)
    ours(x, EDGES, edge_attr)
    ours.lin_edge = theirs.lin_edge = nn.Linear(3, 4, bias=False).double()
    ours.lin_key = theirs.lin_key = nn.Sequential(nn.Linear(8, 4), nn.ReLU()).double()
    assert_same(theirs, ours, x, EDGES, edge_attr)
    theirs, ours = pair(pyg.GATv2Conv, 8, 4)
    ours(x, EDGES)
    ours.att = theirs.att = nn.Parameter(torch.randn(1, 1, 4, dtype=F64))
    assert_same(theirs, ours, x, EDGES)


@pytest.mark.parametrize(
    "theirs", [pyg.TransformerConv, pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__
)
def test_parameters_may_be_swapped_in_by_torch_func(theirs):
    plain, ours = pair(theirs, 8, 4, heads=2)
    x = states()
    other = {name: value.detach() + 0.1 for name, value in ours.named_parameters()}
    assert_close(*(torch.func.functional_call(layer, other, (x, EDGES)) for layer in (ours, plain)))
    assert_close(ours(x, EDGES), plain(x, EDGES))

    def slope(layer):
        return torch.func.grad(lambda p: torch.func.functional_call(layer, p, (x, EDGES)).sin().sum())(other)

    assert_close(slope(ours), slope(plain))


@pytest.mark.parametrize("theirs", [pyg.GATConv, pyg.GATv2Conv], ids=lambda theirs: theirs.__name__)
def test_loops_follow_changes_of_the_graph(theirs):
    """Lists of edges with loops are remembered, but not beyond a change of either."""
    layer, ours = pair(theirs, 8, 4)
    x, edges = states(), EDGES.clone()
    for _ in range(2):
        assert_same(layer, ours, x, edges)
    edges[0, 0] = 3
    assert_same(layer, ours, x, edges)
    _, (looped, _) = ours(x, edges, return_attention_weights=True)
    looped.zero_()
    assert_same(layer, ours, x, edges)
    assert_same(layer, ours, torch.randn(9, 8, dtype=F64), edges)


@pytest.mark.parametrize(
    "theirs", [pyg.GATConv, pyg.GATv2Conv, pyg.TransformerConv], ids=lambda theirs: theirs.__name__
)
@pytest.mark.parametrize("edge_dim", [None, 3])
def test_drop_ins_run_on_kernels(theirs, edge_dim):
    layer, ours = pair(theirs, 8, 4, heads=2, edge_dim=edge_dim)
    edge_attr = None if edge_dim is None else torch.randn(9, 3, dtype=F64)
    with use_backend("csr"):
        assert_same(layer, ours, states(), EDGES, edge_attr)
