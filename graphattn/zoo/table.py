"""The table of named layers: what each is made of, and what it was proved equal to."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from graphattn.edge_terms import places_on_edges
from graphattn.layer import GraphLayer
from graphattn.slots import State
from graphattn.topology import Edges, Topology
from graphattn.zoo.attention import CrossAttention, LinearAttention, SelfAttention
from graphattn.zoo.convolution import GCN, GIN, GINE, EdgeConv, GatedGraph, GraphSAGE, ResGatedGraph
from graphattn.zoo.graph_attention import GAT, GATv2, GraphTransformer
from graphattn.zoo.principal import PNA
from graphattn.zoo.relational import RGCN, GridConv, TokenMixing


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
    receiver, sender = places_on_edges(graph)
    return {"edge_attr": torch.outer((receiver - sender).float(), torch.tensor([0.3, 0.7, 1.1])).sin()}


def types(graph: Topology, relations: int = 3) -> State:
    """A type for each edge, of how far its nodes stand apart: in a batch what it is alone."""
    receiver, sender = places_on_edges(graph)
    return {"edge_type": (receiver - sender) % relations}


def offsets(graph: Topology) -> State:
    """Types for a list of edges; other topologies know theirs."""
    return types(graph) if isinstance(graph, Edges) else {}


_BOTH = ("Full", "Edges")
_DEGREES = torch.tensor([0, 4, 3, 1])

TABLE: tuple[Row, ...] = (
    Row(
        "SelfAttention",
        lambda: SelfAttention(8, heads=2),
        ("Full", "Edges", "Causal", "Window", "Prefix", "Line", "Union"),
        "Vaswani et al. 2017",
        "torch.nn.MultiheadAttention on Full, PyG TransformerConv on Edges",
    ),
    Row(
        "CrossAttention",
        lambda: CrossAttention(8, 8, heads=2),
        ("Full", "Edges"),
        "Vaswani et al. 2017",
        "torch.nn.MultiheadAttention with kdim and vdim; masks are the graph",
    ),
    Row(
        "LinearAttention",
        lambda: LinearAttention(8, heads=2),
        ("Full", "Causal", "Edges"),
        "Katharopoulos et al. 2020",
        "its quadratic form; with Favor, softmax attention within its error",
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
    Row("GraphSAGE", lambda: GraphSAGE(8, 8), _BOTH, "Hamilton et al. 2017", "PyG SAGEConv"),
    Row("GIN", lambda: GIN(nn.Linear(8, 8)), _BOTH, "Xu et al. 2019", "PyG GINConv"),
    Row("GINE", lambda: GINE(nn.Linear(8, 8), edge=nn.Linear(3, 8)), _BOTH, "Hu et al. 2020", "PyG GINEConv", features),
    Row("RGCN", lambda: RGCN(8, 8, relations=3), _BOTH, "Schlichtkrull et al. 2018", "PyG RGCNConv", types),
    Row("PNA", lambda: PNA(8, 8, _DEGREES, edge_channels=3), _BOTH, "Corso et al. 2020", "PyG PNAConv", features),
    Row(
        "ResGatedGraph",
        lambda: ResGatedGraph(8, 8, edge_channels=3),
        _BOTH,
        "Bresson & Laurent 2017",
        "PyG ResGatedGraphConv",
        features,
    ),
    Row("GatedGraph", lambda: GatedGraph(8), _BOTH, "Li et al. 2016", "PyG GatedGraphConv of one step"),
    Row(
        "GridConv",
        lambda: GridConv(8, 8, kernel_size=3),
        ("Line", "Edges"),
        "LeCun et al. 1989",
        "torch.nn.Conv1d on Line, torch.nn.Conv2d on Grid",
        offsets,
    ),
    Row(
        "TokenMixing",
        lambda: TokenMixing(300, bias=False),
        ("Full",),
        "Tolstikhin et al. 2021",
        "torch.nn.Linear over the tokens",
    ),
)


def as_markdown() -> str:
    """The table for the docs: what each layer is made of is read from the layer itself.

    >>> print(as_markdown().splitlines()[2])
    | SelfAttention | Full, ... | Attend | SoftmaxSum | Project | Vaswani et al. 2017 | torch.nn.MultiheadAttention on Full, ...
    """
    head = ("layer", "topology", "message", "aggregation", "update", "paper", "proved equal to")
    rows = [head, ("---",) * len(head), *(_cells(row) for row in TABLE)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _cells(row: Row) -> tuple[str, ...]:
    layer = row.make()
    parts = (layer.message_function, layer.aggregation, layer.update_function)
    names = (type(part).__name__ for part in parts)
    return (row.name, ", ".join(row.topologies), *names, row.paper, row.equal_to)
