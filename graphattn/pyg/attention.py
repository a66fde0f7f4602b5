"""Drop-ins for PyG's attention layers."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary
from torch_geometric import nn as pyg
from torch_geometric.nn.aggr import SumAggregation
from torch_geometric.utils import add_self_loops, remove_self_loops

from graphattn.aggregation import SoftmaxSum
from graphattn.edge_terms import LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.pyg.dropin import (
    DropIn,
    Ends,
    Graph,
    answered,
    bare,
    graph_of,
    heard,
    listed,
    made_of,
    prepared,
    put,
    why_not,
)
from graphattn.pyg.edge_key import ProductKey
from graphattn.score import Additive, SplitAdditive
from graphattn.slots import EdgeValue, Score
from graphattn.update import Replace


@final
class TransformerConv(DropIn, pyg.TransformerConv):
    r"""PyG's ``TransformerConv`` (Shi et al. 2021) with the same parameters and results, computed by graphattn.

    .. math:: x_i' = W_1 x_i + \sum_{j \in N(i)} \alpha_{ij} (W_2 x_j + W_6 e_{ji})

    ``edge_index`` may also be a topology: on ``Full(batch)`` no edge is listed. In training, other attention weights are
    dropped than PyG would draw, the same share of them. Missing edge features are refused in words.

    >>> from graphattn.pyg import TransformerConv
    >>> TransformerConv(8, 4, heads=2)(torch.randn(5, 8), Full([3, 2])).shape
    torch.Size([5, 8])
    """

    theirs = pyg.TransformerConv
    aggregations = frozenset({SumAggregation})
    propagate_type = {  # noqa: RUF012
        "query": "Tensor",
        "key": "Tensor",
        "value": "Tensor",
        "edge_attr": "OptTensor",
    }

    def forward(
        self, x: Tensor | Ends, edge_index: Graph, edge_attr: Tensor | None = None, return_attention_weights: Any = None
    ) -> Any:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *_features_misplaced(self, edge_index, edge_attr)]):
            return super().forward(x, listed(edge_index), edge_attr, return_attention_weights)
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        graph, layer = graph_of(edge_index, x_j, x_i), self._layer()
        inputs = prepared(layer, graph, x_j, x_i, edge_attr, self.dropout if self.training else 0.0)
        out = self._finish(_joined(self, heard(layer, graph, inputs)), x_i)
        return (
            (out, (listed(edge_index), layer.weights(graph, inputs))) if return_attention_weights is not None else out
        )

    def _layer(self) -> GraphLayer:
        shape = (self.heads, self.out_channels)
        return made_of(self, (*shape, self.lin_query, self.lin_key, self.lin_value, self.lin_edge), _transformer)

    def _finish(self, out: Tensor, x_i: Tensor) -> Tensor:
        if not self.root_weight:
            return out
        root = self.lin_skip(x_i)
        if self.lin_beta is None:
            return out + root
        beta = self.lin_beta(torch.cat([out, root, out - root], dim=-1)).sigmoid()
        return beta * root + (1 - beta) * out


@final
class GATConv(DropIn, pyg.GATConv):
    r"""PyG's ``GATConv`` (Veličković et al. 2018) with the same parameters and results, computed by graphattn.

    .. math:: \alpha_{ij} = \text{softmax}_j(\text{LeakyReLU}(a_s \cdot W_s x_j + a_t \cdot W_t x_i + a_e \cdot W_e e_{ji}))

    Self-loops are added as PyG does, behind all other edges. In training, other attention weights are dropped than PyG would
    draw, the same share of them.

    >>> from graphattn.pyg import GATConv
    >>> GATConv(8, 4, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 8])
    """

    theirs = pyg.GATConv
    aggregations = frozenset({SumAggregation})
    propagate_type = {"x": "OptPairTensor", "alpha": "Tensor"}  # noqa: RUF012
    edge_updater_type = {"alpha": "OptPairTensor", "edge_attr": "OptTensor"}  # noqa: RUF012

    def forward(
        self,
        x: Tensor | Ends,
        edge_index: Graph,
        edge_attr: Tensor | None = None,
        size: tuple[int, int] | None = None,
        return_attention_weights: Any = None,
    ) -> Any:
        """As PyG's."""
        reasons = [*why_not(self, x, edge_index), *_beyond_gat(self, x, edge_index, size, return_attention_weights)]
        if not answered(self, reasons):
            return super().forward(x, listed(edge_index), edge_attr, size, return_attention_weights)
        edge_attr = edge_attr if self.lin_edge is not None else None
        return _gat(self, self._layer(edge_attr), x, edge_index, edge_attr, return_attention_weights)

    def _layer(self, edge_attr: Tensor | None) -> GraphLayer:
        source, target = (self.lin, self.lin) if self.lin is not None else (self.lin_src, self.lin_dst)
        edge = (None, None) if edge_attr is None else (self.lin_edge, self.att_edge)
        shape = (self.heads, self.out_channels, self.negative_slope)
        return made_of(self, (*shape, source, target, self.att_src, self.att_dst, *edge), _split)


@final
class GATv2Conv(DropIn, pyg.GATv2Conv):
    r"""PyG's ``GATv2Conv`` (Brody et al. 2022) with the same parameters and results, computed by graphattn.

    .. math:: \alpha_{ij} = \text{softmax}_j(a \cdot \text{LeakyReLU}(W_s x_i + W_t x_j + W_e e_{ji}))

    Self-loops are added as PyG does, behind all other edges. In training, other attention weights are dropped than PyG would
    draw, the same share of them.

    >>> from graphattn.pyg import GATv2Conv
    >>> GATv2Conv(8, 4, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 8])
    """

    theirs = pyg.GATv2Conv
    aggregations = frozenset({SumAggregation})
    propagate_type = {"x": "PairTensor", "alpha": "Tensor"}  # noqa: RUF012
    edge_updater_type = {"x": "PairTensor", "edge_attr": "OptTensor"}  # noqa: RUF012

    def forward(
        self, x: Tensor | Ends, edge_index: Graph, edge_attr: Tensor | None = None, return_attention_weights: Any = None
    ) -> Any:
        """As PyG's."""
        reasons = [*why_not(self, x, edge_index), *_beyond_gat(self, x, edge_index, None, return_attention_weights)]
        if not answered(self, [*reasons, *_features_misplaced(self, edge_index, edge_attr)]):
            return super().forward(x, listed(edge_index), edge_attr, return_attention_weights)
        return _gat(self, self._layer(edge_attr), x, edge_index, edge_attr, return_attention_weights)

    def _layer(self, edge_attr: Tensor | None) -> GraphLayer:
        edge = None if edge_attr is None else self.lin_edge
        shape = (self.heads, self.out_channels, self.negative_slope)
        return made_of(self, (*shape, self.lin_l, self.lin_r, self.att, edge), _additive)


AnyGAT = GATConv | GATv2Conv

_LOOPED: WeakTensorKeyDictionary = WeakTensorKeyDictionary()


def _gat(
    conv: AnyGAT,
    layer: GraphLayer,
    x: Tensor | Ends,
    edge_index: Graph,
    edge_attr: Tensor | None,
    return_attention_weights: Any,
) -> Any:
    x_j, x_i = x if isinstance(x, tuple) else (x, x)
    assert x_i is not None
    if edge_attr is not None and edge_attr.dim() == 1:
        edge_attr = edge_attr.unsqueeze(1)
    edges = listed(edge_index)
    if conv.add_self_loops:
        edges, edge_attr = _looped(conv, edges, edge_attr, min(x_j.size(0), x_i.size(0)))
    graph = graph_of(edges if conv.add_self_loops else edge_index, x_j, x_i)
    inputs = prepared(layer, graph, x_j, x_i, edge_attr, conv.dropout if conv.training else 0.0)
    out = _joined(conv, heard(layer, graph, inputs))
    out = out if conv.res is None else out + conv.res(x_i)
    out = out if conv.bias is None else out + conv.bias
    # A copy: what is remembered must not change.
    return (out, (edges.clone(), layer.weights(graph, inputs))) if return_attention_weights else out


def _looped(conv: AnyGAT, edges: Tensor, edge_attr: Tensor | None, nodes: int) -> tuple[Tensor, Tensor | None]:
    """Edges and features with PyG's self-loops: one tensor for one list of edges, so that it is grouped once."""
    key = (nodes, None if edges.is_inference() else edges._version)
    seen = _LOOPED.get(edges)
    if seen is not None and seen[0] == key and edge_attr is None:
        return seen[1], None
    others, edge_attr = remove_self_loops(edges, edge_attr)
    looped, edge_attr = add_self_loops(others, edge_attr, fill_value=conv.fill_value, num_nodes=nodes)
    if seen is not None and seen[0] == key:
        return seen[1], edge_attr
    if key[1] is not None and isinstance(edges, Tensor) and edges.layout == torch.strided:
        _LOOPED[edges] = (key, looped)
    return looped, edge_attr


def _joined(conv: AnyGAT | TransformerConv, heard: Tensor) -> Tensor:
    return heard.flatten(1) if conv.concat else heard.mean(1)


def _features_misplaced(conv: TransformerConv | GATv2Conv, edge_index: object, edge_attr: Tensor | None) -> list[str]:
    reasons = []
    if conv.lin_edge is None and edge_attr is not None:
        reasons.append("it has no edge_dim, and edge_attr is given")
    if _is_sparse(edge_index) and edge_attr is None and conv.lin_edge is not None:
        reasons.append("edge features stand in a sparse matrix")
    return reasons


def _beyond_gat(
    conv: AnyGAT, x: Tensor | Ends, edge_index: object, size: tuple[int, int] | None, weights: Any
) -> list[str]:
    reasons = []
    ends = x if isinstance(x, tuple) else (x, x)
    if ends[1] is None:
        reasons.append("receivers have no state")
    elif size is not None and tuple(size) != (ends[0].size(0), ends[1].size(0)):
        reasons.append("size is not that of x")
    if conv.training and conv.dropout and weights:
        reasons.append("attention weights behind dropout are asked for")
    if _is_sparse(edge_index) and (weights or conv.lin_edge is not None):
        reasons.append("edge features or attention weights stand in a sparse matrix")
    return reasons


def _is_sparse(edge_index: object) -> bool:
    return isinstance(edge_index, Tensor) and edge_index.layout != torch.strided


def _transformer(
    heads: int, channels: int, query: nn.Module, key: nn.Module, value: nn.Module, edge: nn.Module | None
) -> GraphLayer:
    said = None if edge is None else _linear_value(edge, heads, channels)
    return _attention(heads, channels, None, (query, key, value), said, said)


def _split(
    heads: int,
    channels: int,
    slope: float,
    source: nn.Module,
    target: nn.Module,
    att_src: Tensor,
    att_dst: Tensor,
    edge: nn.Module | None,
    att_edge: Tensor | None,
) -> GraphLayer:
    score = bare(SplitAdditive)
    score.activation = nn.LeakyReLU(slope)
    put(score, "key_weight", att_src)
    put(score, "query_weight", att_dst)
    said = None if edge is None or att_edge is None else ProductKey(edge, att_edge)
    return _attention(heads, channels, score, (target, source, source), said, None)


def _additive(
    heads: int, channels: int, slope: float, source: nn.Module, target: nn.Module, att: Tensor, edge: nn.Module | None
) -> GraphLayer:
    score = bare(Additive)
    score.activation = nn.LeakyReLU(slope)
    put(score, "weight", att)
    said = None if edge is None else _linear_value(edge, heads, channels)
    return _attention(heads, channels, score, (target, source, source), said, None)


def _attention(
    heads: int,
    channels: int,
    score: Score | None,
    maps: tuple[nn.Module, nn.Module, nn.Module],
    edge_key: EdgeValue | None,
    edge_value: EdgeValue | None,
) -> GraphLayer:
    message = Attend(-1, Heads(heads, channels), score, edge_key=edge_key, edge_value=edge_value).set_maps(*maps)
    return GraphLayer(message, SoftmaxSum(), Replace())


def _linear_value(linear: nn.Module, heads: int, channels: int) -> LinearValue:
    said = LinearValue("edge_attr", -1, heads, channels)
    put(said, "linear", linear)
    return said
