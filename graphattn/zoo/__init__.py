"""Named layers: each one is a :class:`~graphattn.layer.GraphLayer`, a configuration and nothing more.

They never add self-loops: ``graph.with_self_loops()`` does. PyG uses some of these names for whole models
(``torch_geometric.nn.models.GCN``); here each is a single layer.
"""

from graphattn.zoo.attention import CrossAttention, LinearAttention, SelfAttention
from graphattn.zoo.convolution import GCN, GIN, GINE, EdgeConv, GatedGraph, GraphSAGE, ResGatedGraph
from graphattn.zoo.graph_attention import GAT, GATv2, GraphTransformer
from graphattn.zoo.principal import PNA
from graphattn.zoo.relational import RGCN, GridConv, TokenMixing
from graphattn.zoo.table import TABLE, Row

__all__ = [
    "GAT",
    "GCN",
    "GIN",
    "GINE",
    "PNA",
    "RGCN",
    "TABLE",
    "CrossAttention",
    "EdgeConv",
    "GATv2",
    "GatedGraph",
    "GraphSAGE",
    "GraphTransformer",
    "GridConv",
    "LinearAttention",
    "ResGatedGraph",
    "Row",
    "SelfAttention",
    "TokenMixing",
]
