"""Drop-ins for PyG's attention layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import torch
from torch import Tensor, nn
from torch_geometric import nn as pyg
from torch_geometric.nn.aggr import SumAggregation
from torch_geometric.utils import add_self_loops, is_torch_sparse_tensor, remove_self_loops
from torch_geometric.utils.sparse import set_sparse_value

from graphattn.layer import GraphLayer
from graphattn.pyg import layers
from graphattn.pyg.dropin import (
    DropIn,
    Ends,
    Graph,
    answered,
    heard,
    listed,
    made_of,
    must_be_listed,
    prepared,
    topology_of,
)
from graphattn.pyg.intact import linear
from graphattn.pyg.loops import with_new_loops
from graphattn.pyg.refusals import why_not
from graphattn.topology import Topology


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
    side_by_side = False
    inside = ("aggr_module", "lin_edge")

    def forward(
        self, x: Tensor | Ends, edge_index: Graph, edge_attr: Tensor | None = None, return_attention_weights: Any = None
    ) -> Any:
        """As PyG's."""
        shared = _called_twice([self.lin_query, self.lin_key, self.lin_value])
        misplaced = _features_misplaced(self, edge_index, edge_attr)
        if not answered(self, [*why_not(self, x, edge_index), *shared, *misplaced]):
            return super().forward(x, listed(edge_index), edge_attr, return_attention_weights)
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        graph, layer = topology_of(edge_index, x_j, x_i), self._layer()
        inputs = prepared(layer, graph, x_j, x_i, edge_attr, self.dropout if self.training else 0.0)
        out = self._finish(_joined(self, heard(layer, graph, inputs)), x_i)
        if not isinstance(return_attention_weights, bool):
            return out
        return out, (listed(edge_index), layer.weights(graph, inputs))

    def _layer(self) -> GraphLayer:
        shape = (self.heads, self.out_channels)
        return made_of(self, (*shape, self.lin_query, self.lin_key, self.lin_value, self.lin_edge), layers.transformer)

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
    side_by_side = False
    inside = ("aggr_module", "lin_edge")

    def forward(
        self,
        x: Tensor | Ends,
        edge_index: Graph,
        edge_attr: Tensor | None = None,
        size: tuple[int, int] | None = None,
        return_attention_weights: Any = None,
    ) -> Any:
        """As PyG's."""
        asked = edge_index, edge_attr, size, return_attention_weights
        if not answered(self, [*why_not(self, x, edge_index), *_beyond_gat(self, x, *asked)]):
            return super().forward(x, listed(edge_index), edge_attr, size, return_attention_weights)
        edge_attr = edge_attr if self.lin_edge is not None else None
        silent = isinstance(x, tuple) and x[1] is None
        return _gat(self, self._layer(edge_attr, silent), x, edge_index, edge_attr, size, return_attention_weights)

    def _layer(self, edge_attr: Tensor | None, silent: bool) -> GraphLayer:
        source, target = (self.lin, self.lin) if self.lin is not None else (self.lin_src, self.lin_dst)
        target, att_dst = (_AS_IT_IS, _NONE) if silent else (target, self.att_dst)
        edge = (None, None) if edge_attr is None else (self.lin_edge, self.att_edge)
        shape = (self.heads, self.out_channels, self.negative_slope)
        return made_of(self, (*shape, source, target, self.att_src, att_dst, *edge), layers.split)


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
    side_by_side = False
    inside = ("aggr_module", "lin_edge")

    def forward(
        self, x: Tensor | Ends, edge_index: Graph, edge_attr: Tensor | None = None, return_attention_weights: Any = None
    ) -> Any:
        """As PyG's."""
        asked = edge_index, edge_attr, None, return_attention_weights
        if not answered(self, [*why_not(self, x, edge_index), *_beyond_gat(self, x, *asked)]):
            return super().forward(x, listed(edge_index), edge_attr, return_attention_weights)
        layer = self._layer(edge_attr, alone=not isinstance(x, tuple))
        return _gat(self, layer, x, edge_index, edge_attr, None, return_attention_weights)

    def _layer(self, edge_attr: Tensor | None, alone: bool) -> GraphLayer:
        edge = None if edge_attr is None else self.lin_edge
        shape = (self.heads, self.out_channels, self.negative_slope)
        # PyG maps shared states once, whatever stands as `lin_r`.
        target = self.lin_l if self.share_weights and alone else self.lin_r
        return made_of(self, (*shape, self.lin_l, target, self.att, edge), layers.additive)


AnyGAT = GATConv | GATv2Conv
_AS_IT_IS = nn.Identity()
_NONE = torch.zeros(())


def _gat(
    conv: AnyGAT,
    layer: GraphLayer,
    x: Tensor | Ends,
    edge_index: Graph,
    edge_attr: Tensor | None,
    size: tuple[int, int] | None,
    return_attention_weights: Any,
) -> Any:
    x_j, x_i = x if isinstance(x, tuple) else (x, x)
    root = None if conv.res is None or x_i is None else conv.res(x_i)
    edges, graph, edge_attr = _heard_by_gat(conv, x_j, x_i, edge_index, edge_attr, size)
    asked = _silence(x_j, graph.num_receivers, conv.heads) if x_i is None else x_i
    inputs = prepared(layer, graph, x_j, asked, edge_attr, conv.dropout if conv.training else 0.0)
    out = _joined(conv, heard(layer, graph, inputs))
    out = out if root is None else out + root
    out = out if conv.bias is None else out + conv.bias
    return (out, _with_weights(edges, layer.weights(graph, inputs))) if return_attention_weights else out


def _heard_by_gat(
    conv: AnyGAT,
    x_j: Tensor,
    x_i: Tensor | None,
    edge_index: Graph,
    edge_attr: Tensor | None,
    size: tuple[int, int] | None,
) -> tuple[Tensor, Topology, Tensor | None]:
    """PyG's ``edge_index`` with the loops that it adds, the same as a topology, and the edges' features."""
    if edge_attr is not None and edge_attr.dim() == 1:
        edge_attr = edge_attr.unsqueeze(1)
    edges = listed(edge_index)
    if not conv.add_self_loops:
        return edges, topology_of(edge_index, x_j, x_i, size), edge_attr
    many = (x_j.size(0), x_j.size(0) if x_i is None else x_i.size(0)) if size is None else (size[0], size[1])
    if edge_attr is not None:
        must_be_listed(edge_attr, edges)
        fill: Any = conv.fill_value
        _, edge_attr = add_self_loops(*remove_self_loops(edges, edge_attr), fill, min(many))
    ends, graph = with_new_loops(edges, min(many), many[0] if x_i is x_j else many)
    # A copy: what the caller does to it must not change the graph.
    return ends.clone(), graph, edge_attr


def _silence(x_j: Tensor, receivers: int, heads: int) -> Tensor:
    """What receivers without a state add to the scores: nothing."""
    device = x_j.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else x_j.dtype
    return x_j.new_zeros(receivers, heads, dtype=dtype)


def _with_weights(edges: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """What PyG's GAT returns beside its result: a matrix holds the attention weights itself."""
    return set_sparse_value(edges, alpha) if is_torch_sparse_tensor(edges) else edges, alpha


def _joined(conv: AnyGAT | TransformerConv, heard: Tensor) -> Tensor:
    return heard.flatten(1) if conv.concat else heard.mean(1)


def _features_misplaced(conv: TransformerConv | AnyGAT, edge_index: object, edge_attr: Tensor | None) -> list[str]:
    if conv.lin_edge is None:
        # GATConv forgets them.
        misplaced = edge_attr is not None and not isinstance(conv, GATConv)
        return ["it has no edge_dim, and edge_attr is given"] if misplaced else []
    reasons, listens = [], isinstance(conv, TransformerConv)
    if is_torch_sparse_tensor(edge_index) and (edge_attr is None or not listens):
        reasons.append("edge features stand in a sparse matrix")
    if edge_attr is not None and linear(conv.lin_edge):
        shape = (*edge_attr.shape, 1) if edge_attr.dim() == 1 and not listens else edge_attr.shape
        if len(shape) != 2 or shape[1] != conv.lin_edge.weight.size(-1):
            reasons.append("edge_attr is not one row for each edge, of the channels that lin_edge takes")
    return reasons


def _beyond_gat(
    conv: AnyGAT,
    x: Tensor | Ends,
    edge_index: object,
    edge_attr: Tensor | None,
    size: tuple[int, int] | None,
    weights: Any,
) -> list[str]:
    reasons = []
    x_j, x_i = x if isinstance(x, tuple) else (x, x)
    if x_i is None and isinstance(conv, GATv2Conv):
        reasons.append("receivers have no state")
    elif size is not None and tuple(size) != (x_j.size(0), size[1] if x_i is None else x_i.size(0)):
        reasons.append("size is not that of x")
    if conv.training and conv.dropout and weights:
        reasons.append("attention weights behind dropout are asked for")
    maps = [conv.lin] * 2 if isinstance(conv, GATConv) else [conv.lin_l, conv.lin_r]
    if isinstance(x, tuple) and x_i is x_j:
        reasons.extend(_called_twice(maps))
    return [*reasons, *_features_misplaced(conv, edge_index, edge_attr)]


def _called_twice(maps: Sequence[nn.Module | None]) -> list[str]:
    """Why a map that stands in several places must be called as often: graphattn computes it once."""
    shared = [part for number, part in enumerate(maps) if part is not None and part in maps[:number]]
    return [] if all(linear(part) for part in shared) else ["a shared map of its states is more than a linear one"]
