"""Attention on graphs, as graph networks write it: GAT, GATv2 and the graph transformer."""

from __future__ import annotations

from torch import nn
from torch_geometric.nn import Linear

from graphattn.aggregation import SoftmaxSum
from graphattn.counts import must_be_counts
from graphattn.edge_terms import LinearValue
from graphattn.layer import GraphLayer
from graphattn.message import Attend, Heads
from graphattn.score import Additive, SplitAdditive
from graphattn.update import AddRoot, Replace
from graphattn.zoo.channels import channels_of_both


def GraphTransformer(  # noqa: N802  named as the field names the layer
    in_channels: int | tuple[int, int],
    out_channels: int,
    heads: int = 1,
    edge_dim: int | None = None,
    bias: bool = True,
    update: nn.Module | None = None,
    dropout: float = 0.0,
) -> GraphLayer:
    r"""The graph transformer of "Masked Label Prediction" (Shi et al. 2021): edges speak in keys and values.

    .. math::
        x_i' = W_r x_i + \|_h \sum_{j \in N(i)}
        \text{softmax}_j\!\left(\frac{q_i^h \cdot (k_j^h + W_e^h e_{ji})}{\sqrt{C}}\right)(v_j^h + W_e^h e_{ji})

    Args:
        in_channels: channels of a node, or ``(senders, receivers)``; -1 reads them from the first input.
        out_channels: channels ``C`` of one head.
        heads: number of heads ``H``.
        edge_dim: channels of the edge features ``edge_attr``; none if not given.
        bias: whether queries, keys and values have a bias.
        update: what a node becomes, instead of ``AddRoot(in_channels, heads * out_channels, bias)``: ``GatedRoot`` is PyG's
            ``beta=True``, ``Replace()`` its ``root_weight=False``, and ``MeanHeads`` around an update its ``concat=False``.
        dropout: share of the messages not heard in training.

    >>> GraphTransformer(8, 4, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1], [1, 2]])).shape
    torch.Size([3, 8])
    """
    both, shape = channels_of_both(in_channels, "GraphTransformer"), Heads(heads, out_channels)
    must_be_counts("GraphTransformer", out_channels=out_channels, heads=heads, edge_dim=edge_dim)
    said = None if edge_dim is None else LinearValue("edge_attr", edge_dim, heads, out_channels)
    message = Attend(both, shape, bias=bias, edge_key=said, edge_value=said)
    update = AddRoot(both[1], heads * out_channels, bias) if update is None else update
    return GraphLayer(message, SoftmaxSum(), update, name="GraphTransformer", dropout=dropout)


def GAT(  # noqa: N802
    in_channels: int | tuple[int, int],
    out_channels: int,
    heads: int = 1,
    edge_dim: int | None = None,
    negative_slope: float = 0.2,
    update: nn.Module | None = None,
    dropout: float = 0.0,
) -> GraphLayer:
    r"""Graph attention (Veličković et al. 2018): a score of each node, added up on each edge.

    .. math::
        x_i' = b + \|_h \sum_{j \in N(i)} \text{softmax}_j\!\left(\text{LeakyReLU}(
        a_q^h \cdot W^h x_i + a_k^h \cdot W^h x_j + w_e^h \cdot e_{ji})\right) W^h x_j

    The paper's self-loops are the graph's: ``layer(x, graph.with_self_loops())``. PyG's ``GATConv`` adds them by itself, and
    writes :math:`w_e` as a product :math:`a_e W_e`.

    Args:
        in_channels: channels of a node, or ``(senders, receivers)``, which then have a ``W`` each; -1 reads them from the
            first input.
        out_channels: channels of one head.
        heads: number of heads ``H``.
        edge_dim: channels of the edge features ``edge_attr``; none if not given.
        negative_slope: slope of the leaky ReLU below zero.
        update: what a node becomes, instead of ``Replace(bias=heads * out_channels)``: ``AddRoot`` is PyG's ``residual=True``,
            ``MeanHeads`` around an update its ``concat=False``.
        dropout: share of the messages not heard in training.

    >>> GAT(8, 4, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1, 2], [1, 2, 2]])).shape
    torch.Size([3, 8])
    """
    both = channels_of_both(in_channels, "GAT")
    must_be_counts("GAT", out_channels=out_channels, heads=heads, edge_dim=edge_dim)
    key = _glorot(both[0], heads * out_channels)
    query = _glorot(both[1], heads * out_channels) if isinstance(in_channels, (tuple, list)) else key
    said = None if edge_dim is None else LinearValue("edge_attr", edge_dim, heads, 1)
    score = SplitAdditive(heads, out_channels, nn.LeakyReLU(negative_slope))
    message = Attend(both, Heads(heads, out_channels), score, edge_key=said).set_maps(query, key, key)
    update = Replace(bias=heads * out_channels) if update is None else update
    return GraphLayer(message, SoftmaxSum(), update, name="GAT", dropout=dropout)


def GATv2(  # noqa: N802
    in_channels: int | tuple[int, int],
    out_channels: int,
    heads: int = 1,
    edge_dim: int | None = None,
    bias: bool = True,
    share_weights: bool = False,
    update: nn.Module | None = None,
    dropout: float = 0.0,
) -> GraphLayer:
    r"""Graph attention in which a receiver can prefer any sender, (Brody et al. 2022).

    .. math::
        x_i' = b + \|_h \sum_{j \in N(i)} \text{softmax}_j\!\left(
        a^h \cdot \text{LeakyReLU}(W_q^h x_i + W_k^h x_j + W_e^h e_{ji})\right) W_k^h x_j

    Self-loops are the graph's: ``layer(x, graph.with_self_loops())``. PyG's ``GATv2Conv`` adds them by itself.

    Args:
        in_channels: channels of a node, or ``(senders, receivers)``; -1 reads them from the first input.
        out_channels: channels of one head.
        heads: number of heads ``H``.
        edge_dim: channels of the edge features ``edge_attr``; none if not given.
        bias: whether the maps of receivers and senders have a bias.
        share_weights: whether ``W_q`` is ``W_k``.
        update: what a node becomes, as in :func:`GAT`.
        dropout: share of the messages not heard in training.

    >>> GATv2(8, 4, heads=2)(torch.randn(3, 8), torch.tensor([[0, 1, 2], [1, 2, 2]])).shape
    torch.Size([3, 8])
    """
    senders, receivers = channels_of_both(in_channels, "GATv2")
    must_be_counts("GATv2", out_channels=out_channels, heads=heads, edge_dim=edge_dim)
    key = _glorot(senders, heads * out_channels, bias)
    query = key if share_weights else _glorot(receivers, heads * out_channels, bias)
    said = None if edge_dim is None else LinearValue("edge_attr", edge_dim, heads, out_channels)
    score = Additive(heads, out_channels, nn.LeakyReLU(0.2))
    message = Attend((senders, receivers), Heads(heads, out_channels), score, edge_key=said).set_maps(query, key, key)
    update = Replace(bias=heads * out_channels) if update is None else update
    return GraphLayer(message, SoftmaxSum(), update, name="GATv2", dropout=dropout)


def _glorot(in_channels: int, out_channels: int, bias: bool = False) -> Linear:
    return Linear(in_channels, out_channels, bias=bias, weight_initializer="glorot")
