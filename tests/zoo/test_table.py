from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch_geometric import nn as pyg

from graphattn.convert import from_torch
from graphattn.topology import Edges, Full
from graphattn.zoo import (
    GAT,
    GCN,
    GINE,
    PNA,
    RGCN,
    TABLE,
    CrossAttention,
    GatedGraph,
    GATv2,
    GraphSAGE,
    GraphTransformer,
    GridConv,
    LinearAttention,
    ResGatedGraph,
    SelfAttention,
)
from graphattn.zoo.table import as_markdown

ROOT = Path(__file__).parents[2]


def test_the_table_names_every_layer_of_the_zoo_and_each_is_one_graph_layer():
    import graphattn.zoo as zoo
    from graphattn.layer import GraphLayer

    public = {name for name in zoo.__all__ if name not in ("TABLE", "Row")}
    assert {row.name for row in TABLE} == public
    for row in TABLE:
        layer = row.make()
        assert type(layer) is GraphLayer
        assert repr(layer).startswith(row.name)


def test_heads_must_divide_channels():
    with pytest.raises(ValueError, match="got channels=8 and heads=3"):
        SelfAttention(8, heads=3)


AMONG_THEMSELVES = {
    "GCN": lambda channels: GCN(channels, 4),
    "GatedGraph": GatedGraph,
    "PNA": lambda channels: PNA(channels, 4, torch.tensor([0, 2])),
    "GridConv": lambda channels: GridConv(channels, 4, 3),
    "SelfAttention": SelfAttention,
    "LinearAttention": LinearAttention,
}


@pytest.mark.parametrize("channels", [(8, 5), [8, 5]])
@pytest.mark.parametrize(("name", "make"), AMONG_THEMSELVES.items(), ids=AMONG_THEMSELVES)
def test_layers_among_nodes_of_one_kind_refuse_two_numbers_of_channels(name, make, channels):
    others = "CrossAttention takes" if "Attention" in name else "GraphSAGE, GAT, GATv2, GraphTransformer and RGCN take"
    said = f"expected one number of channels for {name}, .* got {channels}: {others} senders and receivers"
    with pytest.raises(TypeError, match=said.translate({ord(letter): f"\\{letter}" for letter in "()[]"})):
        make(channels)


def test_the_layers_that_are_named_for_two_kinds_of_nodes_take_them():
    for make in (GraphSAGE, GAT, GATv2, GraphTransformer, partial(RGCN, relations=1), CrossAttention):
        layer = make(8, 4) if make is CrossAttention else make((8, 4), 4)
        edge = {"edge_type": torch.zeros(2, dtype=torch.long)} if layer.name == "RGCN" else None
        x = torch.randn(3, 8), torch.randn(2, 4)
        assert layer(x, torch.tensor([[0, 2], [1, 1]]), edge).shape == (2, 4)


ONE_CHANNEL = {
    "GAT": lambda: GAT(8, 4, heads=2, edge_dim=1),
    "GATv2": lambda: GATv2(8, 4, heads=2, edge_dim=1),
    "GraphTransformer": lambda: GraphTransformer(8, 4, heads=2, edge_dim=1),
    "GINE": lambda: GINE(nn.Linear(8, 4), edge=nn.Linear(1, 8)),
    "ResGatedGraph": lambda: ResGatedGraph(8, 4, edge_channels=1),
    "PNA": lambda: PNA(8, 4, torch.tensor([0, 2, 1]), edge_channels=1),
}


@pytest.mark.parametrize("make", ONE_CHANNEL.values(), ids=ONE_CHANNEL)
@pytest.mark.parametrize("graph", [Full([3, 1]), Edges(torch.tensor([[0, 1, 3, 3], [1, 2, 0, 1]]), 4)], ids=str)
def test_one_number_for_each_edge_is_one_channel(make, graph):
    layer, x = make().double(), torch.randn(4, 8, dtype=torch.float64)
    each = torch.randn(graph.num_edges, dtype=torch.float64, requires_grad=True)
    truth = layer(x, graph, each.unsqueeze(1))
    for given in (each, {"edge_attr": each}):
        result = layer(x, graph, given)
        assert_close(result, truth, rtol=1e-9, atol=1e-9)
        assert_close(*(torch.autograd.grad(out.sin().sum(), each, retain_graph=True) for out in (result, truth)))


def test_one_number_for_each_edge_is_one_channel_in_pyg_too():
    x, edge_index = torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])
    for theirs in (pyg.GATConv(8, 4, edge_dim=1), pyg.GATv2Conv(8, 4, edge_dim=1)):
        each = torch.randn(2)
        assert_close(from_torch(theirs)(x, edge_index, each), theirs(x, edge_index, each))


def test_the_table_in_the_docs_is_the_table():
    assert as_markdown() in (ROOT / "docs" / "zoo.md").read_text()
