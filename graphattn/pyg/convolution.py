"""Drop-ins for PyG's convolutions."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch_geometric import nn as pyg
from torch_geometric.nn.aggr import Aggregation
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.typing import Size

from graphattn.layer import GraphLayer
from graphattn.message import Copy, Difference, Scaled, as_weighted
from graphattn.pyg.dropin import (
    AGGREGATIONS,
    DropIn,
    Ends,
    Graph,
    answered,
    heard,
    is_sparse,
    listed,
    made_of,
    prepared,
    put,
    topology_of,
    why_not,
)
from graphattn.topology import Topology
from graphattn.update import Replace


@final
class GCNConv(DropIn, pyg.GCNConv):
    r"""PyG's ``GCNConv`` (Kipf & Welling 2017) with the same parameters and results, computed by graphattn.

    .. math:: x_i' = \sum_{j \in N(i) \cup \{i\}} \frac{w_{ji}}{\sqrt{d_i d_j}} W x_j + b

    Self-loops are added and edges weighed as PyG does, by its own ``gcn_norm``.

    >>> from graphattn.pyg import GCNConv
    >>> GCNConv(4, 2)(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 2])
    """

    theirs = pyg.GCNConv
    propagate_type = {"x": "Tensor", "edge_weight": "OptTensor"}  # noqa: RUF012

    def forward(self, x: Tensor, edge_index: Graph, edge_weight: Tensor | None = None) -> Tensor:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *self._own_reasons(x, edge_index, edge_weight)]):
            return super().forward(x, listed(edge_index), edge_weight)
        edges, weight = self._normalised(x, listed(edge_index), edge_weight)
        graph = topology_of(edges if self.normalize else edge_index, x, x)
        layer = made_of(self, (self.lin, type(self.aggr_module)), _scaled)
        out = heard(layer, graph, prepared(layer, graph, x, x, weight)).flatten(1)
        return out if self.bias is None else out + self.bias

    def _normalised(self, x: Tensor, edges: Tensor, weight: Tensor | None) -> Any:
        if not self.normalize:
            return edges, weight
        if self._cached_edge_index is not None:
            return self._cached_edge_index[0], self._cached_edge_index[1]
        result: Any = gcn_norm(edges, weight, x.size(0), self.improved, self.add_self_loops, self.flow, x.dtype)
        if self.cached:
            self._cached_edge_index = result
        return result

    def _own_reasons(self, x: Any, edge_index: Any, weight: Tensor | None) -> list[str]:
        reasons = []
        if isinstance(x, tuple | list):
            reasons.append("senders and receivers are different nodes")
        elif weight is not None and weight.dtype != x.dtype:
            reasons.append("edge weights are of another dtype than x")
        cache = self._cached_edge_index
        if is_sparse(edge_index) or (cache is not None and is_sparse(cache[0])):
            reasons.append("PyG multiplies sparse matrices")
        if torch.compiler.is_compiling() and self.normalize:
            reasons.append("a graph would have to be made inside a compiled graph")
        return reasons


@final
class SAGEConv(DropIn, pyg.SAGEConv):
    r"""PyG's ``SAGEConv`` (Hamilton et al. 2017) with the same parameters and results, computed by graphattn.

    .. math:: x_i' = W_1 x_i + W_2\, \text{mean}_{j \in N(i)}\, x_j

    Sums, means and maxima are ours; PyG answers for its other aggregations.

    >>> from graphattn.pyg import SAGEConv
    >>> SAGEConv(4, 2)(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 2])
    """

    theirs = pyg.SAGEConv
    propagate_type = {"x": "OptPairTensor"}  # noqa: RUF012

    def forward(self, x: Tensor | Ends, edge_index: Graph, size: Size = None) -> Tensor:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *_beyond_sums(x, edge_index, size)]):
            return super().forward(x, listed(edge_index), size)
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        said = self.lin(x_j).relu() if self.project and hasattr(self, "lin") else x_j
        out = self.lin_l(_copied(self, said, x_i, topology_of(edge_index, x_j, x_i, size)))
        out = out + self.lin_r(x_i) if self.root_weight and x_i is not None else out
        return normalize(out, p=2.0, dim=-1) if self.normalize else out


@final
class GINConv(DropIn, pyg.GINConv):
    r"""PyG's ``GINConv`` (Xu et al. 2019) with the same parameters and results, computed by graphattn.

    .. math:: x_i' = h\Big((1 + \epsilon) x_i + \sum_{j \in N(i)} x_j\Big)

    >>> from graphattn.pyg import GINConv
    >>> GINConv(torch.nn.Linear(4, 2))(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 2])
    """

    theirs = pyg.GINConv
    propagate_type = {"x": "OptPairTensor"}  # noqa: RUF012

    def forward(self, x: Tensor | Ends, edge_index: Graph, size: Size = None) -> Tensor:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *_beyond_sums(x, edge_index, size)]):
            return super().forward(x, listed(edge_index), size)
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        out = _copied(self, x_j, x_i, topology_of(edge_index, x_j, x_i, size))
        return self.nn(out if x_i is None else out + (1 + self.eps) * x_i)


@final
class EdgeConv(DropIn, pyg.EdgeConv):
    r"""PyG's ``EdgeConv`` (Wang et al. 2019) with the same parameters and results, computed by graphattn.

    .. math:: x_i' = \max_{j \in N(i)} h(x_i \,\|\, x_j - x_i)

    >>> from graphattn.pyg import EdgeConv
    >>> EdgeConv(torch.nn.Linear(8, 2))(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 2])
    """

    theirs = pyg.EdgeConv
    propagate_type = {"x": "PairTensor"}  # noqa: RUF012

    def forward(self, x: Tensor | Ends, edge_index: Graph) -> Tensor:
        """As PyG's."""
        alone = ["receivers have no state"] if isinstance(x, tuple) and x[1] is None else []
        if not answered(self, [*why_not(self, x, edge_index), *alone]):
            return super().forward(x, listed(edge_index))
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        graph = topology_of(edge_index, x_j, x_i)
        layer = made_of(self, (self.nn, type(self.aggr_module)), _difference)
        return heard(layer, graph, prepared(layer, graph, x_j, x_i, None)).flatten(1)


def _copied(conv: SAGEConv | GINConv, x_j: Tensor, x_i: Tensor | None, graph: Topology) -> Tensor:
    layer = made_of(conv, (type(conv.aggr_module),), _copy)
    return heard(layer, graph, prepared(layer, graph, x_j, x_i, None)).flatten(1)


def _beyond_sums(x: Tensor | Ends, edge_index: object, size: Size) -> list[str]:
    if is_sparse(edge_index):
        return ["PyG multiplies sparse matrices"]
    x_j, x_i = x if isinstance(x, tuple) else (x, x)
    given = None if size is None else tuple(size)
    if given is not None and given != (x_j.size(0), given[1] if x_i is None else x_i.size(0)):
        return ["size is not that of x"]
    return []


def _scaled(linear: nn.Module, aggregation: type[Aggregation]) -> GraphLayer:
    message = Scaled(-1, 1, as_weighted)
    put(message, "linear", linear)
    return GraphLayer(message, AGGREGATIONS[aggregation](), Replace())


def _copy(aggregation: type[Aggregation]) -> GraphLayer:
    return GraphLayer(Copy(), AGGREGATIONS[aggregation](), Replace())


def _difference(network: nn.Module, aggregation: type[Aggregation]) -> GraphLayer:
    message = Difference(nn.Identity())
    put(message, "network", network)
    return GraphLayer(message, AGGREGATIONS[aggregation](), Replace())
