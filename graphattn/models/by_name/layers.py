r"""The layers that are compared: how each is made, from which graph, and what it costs by its formula.

All stand in the same block and take and give ``F`` channels. Letters: ``F`` channels of a node, ``H`` heads, ``C = F / H``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from torch import nn

from graphattn.aggregation import Sum
from graphattn.edge_terms import LinearBias, LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Copy
from graphattn.topology import Edges, Topology
from graphattn.update import Replace, UpdateThen
from graphattn.zoo import GAT, GCN, GIN, EdgeConv, GATv2, GraphSAGE, SelfAttention


class LayerWork(NamedTuple):
    """What one layer computed with in one pass.

    ``sums`` are the senders that are added up where a receiver's own state changes nothing of what it hears: all edges of a
    list, but of a graph in which everyone hears everyone each node once. ``kinds`` are the different things that pairs say,
    ``spoken`` the edges that say a value of their own.
    """

    nodes: int
    edges: int
    sums: int
    channels: int
    heads: int
    kinds: int = 0
    spoken: int = 0


def itself_too(graph: Topology) -> Topology:
    """The graph in which every node also hears itself; edges of the data stay in front, in the order of their features."""
    if not isinstance(graph, Edges):
        return graph.with_self_loops()
    ends, node = graph.edge_index(), torch.arange(graph.num_senders, device=graph.device)
    lonely = node[~torch.isin(node, ends[0, ends[0] == ends[1]])]
    return Edges(torch.cat([ends, lonely.expand(2, -1)], dim=1), graph.num_senders, ptr=graph.receivers.ptr)


def as_it_is(graph: Topology) -> Topology:
    """The graph, as a layer wants it that treats the node itself apart."""
    return graph


@final
@dataclass(frozen=True)
class LayerKind:
    """A layer of the comparison.

    Args:
        make: from channels ``F`` and heads ``H`` the layer.
        flops: its products and sums in one pass; a product and its sum count two; activations, norms and softmax are left out.
        paper: where it comes from.
        graph: what it makes of a list of edges: :func:`itself_too`, or :func:`as_it_is`.
        pairs: whether it hears what pairs of nodes are: ``pair`` and ``bond`` of :mod:`graphattn.models.by_name.features`.
        weights: whether it multiplies by the weights of edges.
    """

    make: Callable[[int, int], GraphLayer]
    flops: Callable[[LayerWork], int]
    paper: str
    graph: Callable[[Topology], Topology] = as_it_is
    pairs: bool = False
    weights: bool = False


def edge_attention(channels: int, heads: int) -> GraphLayer:
    """Attention in which a pair has a bias, and an edge of the data a value, too, as in ``MoleculeTransformer``.

    >>> edge_attention(8, heads=2).name
    'SelfAttention'
    """
    bias = LinearBias("pair", channels, heads)
    value = LinearValue("bond", channels, heads, channels // heads)
    return SelfAttention(channels, heads, edge_bias=bias, edge_value=value)


def token_wise(channels: int) -> GraphLayer:
    """A network on what a node hears, :math:`h(x_i)` where it hears itself alone: no graph at all (Zaheer et al. 2017).

    >>> token_wise(8)
    MLP(
      ...
    """
    return GraphLayer(Copy(), Sum(), UpdateThen(Replace(), _network(channels, channels)), name="MLP")


def _network(in_channels: int, channels: int) -> nn.Sequential:
    """As in the papers of GIN and EdgeConv; with ReLU, for which EdgeConv has a kernel."""
    return nn.Sequential(nn.Linear(in_channels, channels), nn.ReLU(), nn.Linear(channels, channels))


def _attention(work: LayerWork) -> int:
    return 8 * work.nodes * work.channels**2 + 4 * work.edges * work.channels


def _edge_attention(work: LayerWork) -> int:
    said = 2 * work.kinds * work.channels * (work.heads + work.channels)
    return _attention(work) + said + work.edges * work.heads + 2 * work.spoken * work.channels


def _gat(work: LayerWork) -> int:
    nodes = 2 * work.nodes * work.channels**2 + 4 * work.nodes * work.channels
    return nodes + work.edges * (work.heads + 2 * work.channels)


def _gatv2(work: LayerWork) -> int:
    return 4 * work.nodes * work.channels**2 + 5 * work.edges * work.channels


def _edge_conv(work: LayerWork) -> int:
    # The first linear map is one of receivers and one of senders, as the kernels compute it.
    return 4 * work.nodes * work.channels**2 + work.edges * (work.channels + 2 * work.channels**2)


def _gcn(work: LayerWork) -> int:
    return 2 * work.nodes * work.channels**2 + 2 * work.sums * work.channels


def _copying(work: LayerWork) -> int:
    return 4 * work.nodes * work.channels**2 + work.sums * work.channels


def _mlp(work: LayerWork) -> int:
    return 4 * work.nodes * work.channels**2


LAYERS: dict[str, LayerKind] = {
    "attention": LayerKind(SelfAttention, _attention, "Vaswani et al. 2017", itself_too),
    "edge_attention": LayerKind(edge_attention, _edge_attention, "Ying et al. 2021", itself_too, pairs=True),
    "gcn": LayerKind(
        lambda channels, heads: GCN(channels, channels), _gcn, "Kipf & Welling 2017", itself_too, weights=True
    ),
    "gat": LayerKind(
        lambda channels, heads: GAT(channels, channels // heads, heads), _gat, "Veličković et al. 2018", itself_too
    ),
    "gatv2": LayerKind(
        lambda channels, heads: GATv2(channels, channels // heads, heads), _gatv2, "Brody et al. 2022", itself_too
    ),
    "gin": LayerKind(lambda channels, heads: GIN(_network(channels, channels)), _copying, "Xu et al. 2019"),
    "sage": LayerKind(lambda channels, heads: GraphSAGE(channels, channels), _copying, "Hamilton et al. 2017"),
    "edgeconv": LayerKind(
        lambda channels, heads: EdgeConv(_network(2 * channels, channels)), _edge_conv, "Wang et al. 2019"
    ),
    "mlp": LayerKind(lambda channels, heads: token_wise(channels), _mlp, "Zaheer et al. 2017"),
}
"""By name. Attention, GCN, GAT and GATv2 hear themselves, which is a self-loop: by their papers, and for attention because it
does on a full graph, too. GIN, GraphSAGE and EdgeConv know the node itself apart. Where everyone hears everyone, and where
every node is alone, all hear themselves."""
