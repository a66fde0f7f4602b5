"""The table of named layers: what each is made of, and what it was proved equal to."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from graphattn.layer import GraphLayer
from graphattn.slots import State
from graphattn.topology import Topology
from graphattn.zoo.attention import SelfAttention
from graphattn.zoo.convolution import GCN, EdgeConv
from graphattn.zoo.graph_attention import GAT, GATv2, GraphTransformer


class Row(NamedTuple):
    """A named layer; ``make`` builds one of 8 channels in and out, for tests and docs.

    ``topologies`` are the kinds of graph it is meant for, by class name; ``edge`` makes the edge features that it needs.
    What it says, how it listens and what a node becomes are read from the layer itself.
    """

    name: str
    make: Callable[[], GraphLayer]
    topologies: tuple[str, ...]
    paper: str
    equal_to: str
    edge: Callable[[Topology], State] = lambda graph: {}


def features(graph: Topology) -> State:
    """Three features of each edge, of how far its nodes stand apart: in a batch what they are alone."""
    sender, receiver = graph.edge_index()
    return {"edge_attr": torch.outer((receiver - sender).float(), torch.tensor([0.3, 0.7, 1.1])).sin()}


TABLE: tuple[Row, ...] = (
    Row(
        "SelfAttention",
        lambda: SelfAttention(8, heads=2),
        ("Full", "Edges"),
        "Vaswani et al. 2017",
        "torch.nn.MultiheadAttention on Full, PyG TransformerConv on Edges",
    ),
    Row(
        "GraphTransformer",
        lambda: GraphTransformer(8, 4, heads=2, edge_dim=3),
        ("Full", "Edges"),
        "Shi et al. 2021",
        "PyG TransformerConv",
        features,
    ),
    Row(
        "GAT",
        lambda: GAT(8, 4, heads=2, edge_dim=3),
        ("Full", "Edges"),
        "Veličković et al. 2018",
        "PyG GATConv, given self-loops",
        features,
    ),
    Row(
        "GATv2",
        lambda: GATv2(8, 4, heads=2, edge_dim=3),
        ("Full", "Edges"),
        "Brody et al. 2022",
        "PyG GATv2Conv, given self-loops",
        features,
    ),
    Row("GCN", lambda: GCN(8, 8), ("Full", "Edges"), "Kipf & Welling 2017", "PyG GCNConv, given self-loops"),
    Row("EdgeConv", lambda: EdgeConv(nn.Linear(16, 8)), ("Full", "Edges"), "Wang et al. 2019", "PyG EdgeConv"),
)
