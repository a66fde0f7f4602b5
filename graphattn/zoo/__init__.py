"""Named layers: each one is a :class:`~graphattn.layer.GraphLayer`, a configuration and nothing more.

They never add self-loops: ``graph.with_self_loops()`` does. PyG uses some of these names for whole models
(``torch_geometric.nn.models.GCN``); here each is a single layer.
"""

from graphattn.zoo.attention import SelfAttention
from graphattn.zoo.convolution import GCN, EdgeConv
from graphattn.zoo.graph_attention import GAT, GATv2, GraphTransformer
from graphattn.zoo.table import TABLE, Row

__all__ = ["GAT", "GCN", "TABLE", "EdgeConv", "GATv2", "GraphTransformer", "Row", "SelfAttention"]
