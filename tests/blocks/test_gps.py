from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.blocks import GPS, Block, batch_norm
from graphattn.topology import Edges, Full
from graphattn.zoo import GAT, GCN, SelfAttention

F64 = torch.float64
SIZES = [4, 1, 6]
BATCH = torch.tensor([0] * 4 + [1] + [2] * 6)
EDGES = torch.tensor([[0, 1, 2, 3, 3, 5, 6, 7, 8, 9], [1, 2, 3, 0, 1, 6, 7, 8, 5, 5]])
GRAPH = Edges(EDGES, 11).with_self_loops()
NORMS = pytest.mark.parametrize(
    ("name", "norm"),
    [("batch_norm", batch_norm), ("layer_norm", pyg.LayerNorm), ("graph_norm", pyg.GraphNorm), (None, nn.Identity)],
    ids=str,
)


def both(twin, name, norm, dropout=0.0):
    """PyG's layer and ours with the same parameters; the norm may take no channels."""
    theirs = pyg.GPSConv(8, pyg.GCNConv(8, 8), heads=2, norm=name, dropout=dropout).double()
    ours = GPS(GCN(8, 8), SelfAttention(8, heads=2), 8, norm=norm, dropout=dropout).double()
    twin.attention(theirs.attn, ours.attention)
    twin.pairs += [
        (theirs.conv.lin.weight, [ours.local.message_function.linear.weight]),
        (theirs.conv.bias, [ours.local.update_function.bias]),
    ]
    twin.module(theirs.mlp, ours.mlp)
    for its, mine in zip(
        (theirs.norm1, theirs.norm2, theirs.norm3),
        (ours.around_local, ours.around_attention, ours.around_mlp),
        strict=True,
    ):
        twin.module(its or nn.Identity(), mine.outside)
    twin.copy()
    return theirs, ours


@NORMS
@pytest.mark.parametrize("training", [True, False])
def test_gps_is_gps_conv(twin, name, norm, training):
    theirs, ours = both(twin, name, norm)
    theirs.train(training)
    ours.train(training)
    x = torch.randn(11, 8, dtype=F64, requires_grad=True)
    for _ in range(2):  # running statistics move along
        twin.assert_equal(ours(x, GRAPH, Full(SIZES)), theirs(x, EDGES, BATCH), x)


def test_gps_drops_the_channels_that_gps_conv_drops(twin):
    theirs, ours = both(twin, "batch_norm", batch_norm, dropout=0.5)
    # In PyG the last dropout is the mlp's, in ours it stands around the mlp.
    x = torch.randn(11, 8, dtype=F64)
    results = []
    for call in (lambda: theirs(x, EDGES, BATCH), lambda: ours(x, GRAPH, Full(SIZES))):
        torch.manual_seed(1)
        results.append(call())
    assert_close(*results, rtol=1e-9, atol=1e-9)


@NORMS
def test_gps_hears_each_graph_alone(twin, name, norm):
    theirs, ours = both(twin, name, norm)
    x = torch.randn(11, 8, dtype=F64)
    ours(x, GRAPH, Full(SIZES)), theirs(x, EDGES, BATCH)  # running statistics
    ours.eval()
    theirs.eval()
    together = ours(x, GRAPH, Full(SIZES))
    ends = [0, 4, 5, 11]
    for start, end in pairwise(ends):
        inside = (EDGES[0] >= start) & (EDGES[0] < end)
        # Without a batch vector, PyG's LayerNorm adds its epsilon elsewhere.
        batch = torch.zeros(end - start, dtype=torch.long)
        alone = theirs(x[start:end], EDGES[:, inside] - start, batch)
        assert_close(together[start:end], alone, rtol=1e-9, atol=1e-9)


def test_gps_gives_features_to_the_layers_that_take_them():
    block, x = GPS(GCN(8, 8), SelfAttention(8), 8).eval(), torch.randn(11, 8)
    weight = torch.rand(GRAPH.num_edges)
    assert not torch.allclose(block(x, GRAPH, Full(SIZES)), block(x, GRAPH, Full(SIZES), weight))
    assert torch.equal(block(x, GRAPH, Full(SIZES), weight), block(x, GRAPH, Full(SIZES), {"edge_attr": weight}))


def test_edge_features_have_one_name_in_layers_and_blocks():
    """What ``GraphLayer`` takes as ``edge_attr``, blocks take by the same name."""
    layer, x, edge_attr = GAT(8, 8, edge_dim=3).double(), torch.randn(11, 8, dtype=F64), torch.randn(10, 3, dtype=F64)
    graph, full = Edges(EDGES, 11), Full(SIZES)
    assert_close(layer(x, graph, edge_attr=edge_attr), layer(x, graph, edge_attr))
    for block, graphs in ((Block(layer, 8), [graph]), (GPS(layer, SelfAttention(8), 8), [graph, full])):
        result = block.double()(x, *graphs, edge_attr=edge_attr)
        assert_close(result, block(x, *graphs, edge_attr))
        assert not torch.allclose(result, block(x, *graphs, edge_attr=2 * edge_attr))
