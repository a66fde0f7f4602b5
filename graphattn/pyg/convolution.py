"""Drop-ins for PyG's convolutions."""

from __future__ import annotations

from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch_geometric import nn as pyg
from torch_geometric.nn.aggr import MeanAggregation, SumAggregation
from torch_geometric.typing import Size
from torch_geometric.utils import is_torch_sparse_tensor

from graphattn.layer import GraphLayer
from graphattn.message import Copy, Difference, Scale, Scaled, as_weighted, symmetric
from graphattn.pyg.dropin import (
    DropIn,
    Ends,
    Graph,
    answered,
    heard,
    kinds_of,
    listed,
    made_of,
    must_be_listed,
    ours_of,
    prepared,
    put,
    topology_of,
)
from graphattn.pyg.loops import looped, normalised
from graphattn.pyg.refusals import why_not
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

    def forward(self, x: Tensor, edge_index: Graph, edge_weight: Tensor | None = None) -> Tensor:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *self._own_reasons(x, edge_index, edge_weight)]):
            return super().forward(x, listed(edge_index), edge_weight)
        graph, weight, scale = self._weighted(x, edge_index, edge_weight)
        layer = made_of(self, (self.lin, scale, *kinds_of(self.aggr_module)), _scaled)
        out = heard(layer, graph, prepared(layer, graph, x, x, weight)).flatten(1)
        return out if self.bias is None else out + self.bias

    def _weighted(self, x: Tensor, edge_index: Graph, weight: Tensor | None) -> tuple[Topology, Tensor | None, Scale]:
        edges: Any = listed(edge_index)
        matrix = is_torch_sparse_tensor(edges)
        if not self.normalize:
            weight = edges.values() if matrix else weight
            return topology_of(edge_index, x, x), None if weight is None else weight.flatten(), as_weighted
        if weight is None and not matrix and not self.cached and self._cached_edge_index is None:
            return looped(edges, x) if self.add_self_loops else topology_of(edge_index, x, x), None, symmetric
        if self._cached_edge_index is None:
            if weight is not None:
                must_be_listed(weight, edges)
            graph, weight = normalised(edges, weight, x, improved=self.improved, loops=self.add_self_loops)
            if not self.cached:
                return graph, weight, as_weighted
            self._cached_edge_index = graph.edge_index(), weight
        ends, weight = self._cached_edge_index
        return topology_of(ends, x, x), weight, as_weighted

    def _own_reasons(self, x: Any, edge_index: Any, weight: Tensor | None) -> list[str]:
        if isinstance(x, tuple | list):
            return ["senders and receivers are different nodes"]
        reasons = _unlike_a_product(self, edge_index, x, frozenset({SumAggregation}))
        if is_torch_sparse_tensor(edge_index):
            if self.normalize and (self.cached or edge_index.layout == torch.sparse_csc):
                reasons.append("PyG normalises this matrix")
        elif weight is not None and weight.dtype != x.dtype:
            reasons.append("edge weights are of another dtype than x")
        if self._cached_edge_index is not None and is_torch_sparse_tensor(self._cached_edge_index[0]):
            reasons.append("PyG keeps a sparse matrix")
        if torch.compiler.is_compiling() and self.normalize:
            reasons.append("a graph would have to be made inside a compiled graph")
        return reasons


@final
class SAGEConv(DropIn, pyg.SAGEConv):
    r"""PyG's ``SAGEConv`` (Hamilton et al. 2017) with the same parameters and results, computed by graphattn.

    .. math:: x_i' = W_1 x_i + W_2\, \text{mean}_{j \in N(i)}\, x_j

    Sums, means, extremes, variances and lists of these are ours; PyG answers for its other aggregations.

    >>> from graphattn.pyg import SAGEConv
    >>> SAGEConv(4, 2)(torch.randn(3, 4), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 2])
    """

    theirs = pyg.SAGEConv

    def forward(self, x: Tensor | Ends, edge_index: Graph, size: Size = None) -> Tensor:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *_beyond_sums(self, x, edge_index, size)]):
            return super().forward(x, listed(edge_index), size)
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        said = self.lin(x_j).relu() if self.project and hasattr(self, "lin") else x_j
        out = self.lin_l(_copied(self, said, x_i, edge_index, size))
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

    def forward(self, x: Tensor | Ends, edge_index: Graph, size: Size = None) -> Tensor:
        """As PyG's."""
        if not answered(self, [*why_not(self, x, edge_index), *_beyond_sums(self, x, edge_index, size)]):
            return super().forward(x, listed(edge_index), size)
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        out = _copied(self, x_j, x_i, edge_index, size)
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
    inside = ("aggr_module", "nn")

    def forward(self, x: Tensor | Ends, edge_index: Graph) -> Tensor:
        """As PyG's."""
        alone = ["receivers have no state"] if isinstance(x, tuple) and x[1] is None else []
        if not answered(self, [*why_not(self, x, edge_index), *alone]):
            return super().forward(x, listed(edge_index))
        x_j, x_i = x if isinstance(x, tuple) else (x, x)
        graph = topology_of(edge_index, x_j, x_i)
        layer = made_of(self, (self.nn, *kinds_of(self.aggr_module)), _difference)
        return heard(layer, graph, prepared(layer, graph, x_j, x_i, None)).flatten(1)


def _copied(conv: SAGEConv | GINConv, x_j: Tensor, x_i: Tensor | None, edge_index: Any, size: Size) -> Tensor:
    graph, kinds = topology_of(edge_index, x_j, x_i, size), kinds_of(conv.aggr_module)
    if is_torch_sparse_tensor(edge_index):
        layer, weight = made_of(conv, (_AS_IT_IS, as_weighted, *kinds), _scaled), edge_index.values()
    else:
        layer, weight = made_of(conv, kinds, _copy), None
    return heard(layer, graph, prepared(layer, graph, x_j, x_i, weight)).flatten(1)


def _beyond_sums(conv: SAGEConv | GINConv, x: Tensor | Ends, edge_index: Any, size: Size) -> list[str]:
    x_j, x_i = x if isinstance(x, tuple) else (x, x)
    reasons = _unlike_a_product(conv, edge_index, x_j, frozenset({SumAggregation, MeanAggregation}))
    given = None if size is None else tuple(size)
    if given is not None and given != (x_j.size(0), given[1] if x_i is None else x_i.size(0)):
        reasons.append("size is not that of x")
    return reasons


def _unlike_a_product(conv: Products, edge_index: Any, x: Tensor, reductions: frozenset[type]) -> list[str]:
    """Why a sparse matrix must be multiplied by PyG: whose entries are ours are weights of the edges."""
    if not is_torch_sparse_tensor(edge_index):
        return []
    reasons = []
    if not conv.fuse or type(conv.aggr_module) not in reductions:
        reasons.append(f"PyG multiplies sparse matrices with aggregation {conv.aggr}")
    if edge_index.layout == torch.sparse_coo and not edge_index.is_coalesced():
        reasons.append("entries of its sparse matrix stand in several places")
    elif edge_index.requires_grad or edge_index.dim() != 2 or edge_index.values().dim() != 1:
        reasons.append("entries of its sparse matrix are more than weights")
    elif edge_index.dtype != x.dtype:
        reasons.append("edge weights are of another dtype than x")
    return reasons


def _scaled(linear: nn.Module, scale: Scale, *kinds: type) -> GraphLayer:
    message = Scaled(-1, 1, scale)
    put(message, "linear", linear)
    return GraphLayer(message, ours_of(kinds), Replace())


def _copy(*kinds: type) -> GraphLayer:
    return GraphLayer(Copy(), ours_of(kinds), Replace())


def _difference(network: nn.Module, *kinds: type) -> GraphLayer:
    message = Difference(nn.Identity())
    put(message, "network", network)
    return GraphLayer(message, ours_of(kinds), Replace())


Products = GCNConv | SAGEConv | GINConv
_AS_IT_IS = nn.Identity()
