"""Convolutions on graphs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from graphattn.aggregation import Max, Mean, Multi, Sum
from graphattn.counts import must_be_counts
from graphattn.edge_terms import LinearValue, NetworkValue
from graphattn.layer import GraphLayer
from graphattn.message import AddEdge, Copy, Difference, Gated, Scale, Scaled, as_weighted, symmetric
from graphattn.slots import Aggregation
from graphattn.update import AddRoot, AddSelf, Project, ProjectBoth, Recur, Replace, UpdateThen
from graphattn.zoo.channels import UNREAD, channels_of_both, must_be_network, must_be_one_number


def GCN(in_channels: int, out_channels: int, bias: bool = True, scale: Scale = symmetric) -> GraphLayer:  # noqa: N802
    r"""Graph convolution (Kipf & Welling 2017): a sum of neighbours, scaled by degrees.

    .. math:: x_i' = \sum_{j \in N(i)} \frac{w_{ji}}{\sqrt{d_i d_j}} W x_j + b

    The paper's self-loops are the graph's: ``layer(x, graph.with_self_loops())``. PyG's ``GCNConv`` adds them by itself.
    Its other options are the graph's or the scale's, too: ``improved=True`` is a graph whose loops weigh 2 (PyG heeds it only
    where edges have weights), ``normalize=False`` is ``scale=as_weighted``.

    Args:
        in_channels, out_channels: channels of a node before and after.
        bias: whether there is a ``b``.
        scale: the factor of each edge: :func:`~graphattn.message.symmetric`, :func:`~graphattn.message.by_row` (a mean),
            :func:`~graphattn.message.as_weighted`.

    Raises:
        TypeError: channels of senders and of receivers; as all layers among nodes of one kind do.

    >>> graph = Edges(torch.tensor([[0, 1], [1, 0]]))
    >>> GCN(4, 2)(torch.randn(2, 4), graph.with_self_loops()).shape
    torch.Size([2, 2])
    """
    if in_channels != UNREAD:
        must_be_one_number(in_channels, "GCN")
    must_be_counts("GCN", out_channels=out_channels)
    message = Scaled(in_channels, out_channels, scale)
    return GraphLayer(message, Sum(), Replace(out_channels if bias else None), name="GCN")


def GraphSAGE(  # noqa: N802
    in_channels: int | tuple[int, int],
    out_channels: int,
    aggregation: Aggregation | None = None,
    root_weight: bool = True,
    bias: bool = True,
    project: nn.Module | None = None,
    last: Callable[[Tensor], Tensor] | None = None,
) -> GraphLayer:
    r"""GraphSAGE (Hamilton et al. 2017): the mean of the neighbours beside the node itself, each with a weight.

    .. math:: x_i' = W_1 \cdot \text{mean}_{j \in N(i)}\, x_j + b + W_2 x_i

    Args:
        in_channels, out_channels: channels of a node before, or ``(senders, receivers)``, and after.
        aggregation: instead of the mean; PyG's ``aggr=["mean", "max"]`` is ``Multi([Mean(), Max()])``.
        root_weight: whether there is a ``W_2``.
        bias: whether there is a ``b``.
        project: a network that senders go through first, of as many channels in and out; PyG's ``project=True`` is
            ``nn.Sequential(nn.Linear(in_channels, in_channels), nn.ReLU())``.
        last: a function of the result; PyG's ``normalize=True`` is ``torch.nn.functional.normalize``.

    >>> GraphSAGE(4, 2)(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 2])
    """
    sender, receiver = channels_of_both(in_channels, "GraphSAGE")
    must_be_counts("GraphSAGE", out_channels=out_channels)
    heard = sender * aggregation.times if isinstance(aggregation, Multi) else sender
    update = ProjectBoth(heard, receiver, out_channels, bias) if root_weight else Project(heard, out_channels, bias)
    update = update if last is None else UpdateThen(update, last)
    return GraphLayer(Copy(project), aggregation or Mean(), update, name="GraphSAGE")


def GIN(network: nn.Module, eps: float = 0.0, train_eps: bool = False) -> GraphLayer:  # noqa: N802
    r"""Graph isomorphism network (Xu et al. 2019): a network on the sum of the neighbours and the node itself.

    .. math:: x_i' = h\Big((1 + \epsilon)\, x_i + \sum_{j \in N(i)} x_j\Big)

    Args:
        network: ``h``, from ``F`` to ``F'`` channels.
        eps: :math:`\epsilon`, where it starts if learned.
        train_eps: whether :math:`\epsilon` is learned.

    >>> GIN(torch.nn.Linear(4, 2))(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 2])
    """
    must_be_network(network, "GIN")
    return GraphLayer(Copy(), Sum(), UpdateThen(AddSelf(eps, train_eps), network), name="GIN")


def GINE(  # noqa: N802
    network: nn.Module, eps: float = 0.0, train_eps: bool = False, edge: nn.Module | None = None
) -> GraphLayer:
    r"""Graph isomorphism network with edge features (Hu et al. 2020), ``edge["edge_attr"]``.

    .. math:: x_i' = h\Big((1 + \epsilon)\, x_i + \sum_{j \in N(i)} \text{relu}(x_j + u(e_{ji}))\Big)

    Args:
        network: ``h``, from ``F`` to ``F'`` channels.
        eps, train_eps: as in :func:`GIN`.
        edge: ``u``, from an edge's channels to ``F``; the features as they are if not given. PyG's ``edge_dim=D`` is
            ``nn.Linear(D, F)``.

    >>> layer = GINE(torch.nn.Linear(4, 2), edge=torch.nn.Linear(3, 4))
    >>> layer(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]]), torch.randn(2, 3)).shape
    torch.Size([2, 2])
    """
    must_be_network(network, "GINE")
    message = AddEdge(NetworkValue("edge_attr", edge))
    return GraphLayer(message, Sum(), UpdateThen(AddSelf(eps, train_eps), network), name="GINE")


def EdgeConv(network: nn.Module, aggregation: Aggregation | None = None) -> GraphLayer:  # noqa: N802
    r"""Edge convolution (Wang et al. 2019): the largest of what a network makes of each difference.

    .. math:: x_i' = \max_{j \in N(i)} h(x_i \,\|\, x_j - x_i)

    Args:
        network: ``h``, from ``2 F`` to ``F'`` channels.
        aggregation: instead of the maximum.

    >>> EdgeConv(torch.nn.Linear(8, 3))(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 3])
    """
    must_be_network(network, "EdgeConv")
    return GraphLayer(Difference(network), aggregation or Max(), Replace(), name="EdgeConv")


def ResGatedGraph(  # noqa: N802
    in_channels: int | tuple[int, int],
    out_channels: int,
    edge_channels: int | None = None,
    root_weight: bool = True,
    bias: bool = True,
) -> GraphLayer:
    r"""Residual gated graph convolution (Bresson & Laurent 2017): gated neighbours beside the node itself.

    .. math:: x_i' = W_1 x_i + b + \sum_{j \in N(i)} \sigma(W_3 x_i + W_4 x_j + W_5 e_{ji} + c) \odot (W_2 x_j + W_6 e_{ji} + d)

    PyG's ``ResGatedGraphConv`` has two biases in the gate, and two weights of the edge: their sums are ours.

    Args:
        in_channels, out_channels: channels of a node before, or ``(senders, receivers)``, and after.
        edge_channels: channels of ``edge["edge_attr"]``, if there is one.
        root_weight: whether there is a ``W_1``.
        bias: whether there is a ``b``.

    >>> ResGatedGraph(4, 2)(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 2])
    """
    both = channels_of_both(in_channels, "ResGatedGraph")
    must_be_counts("ResGatedGraph", out_channels=out_channels, edge_channels=edge_channels)
    edges = [LinearValue("edge_attr", edge_channels, 1, out_channels) if edge_channels else None for _ in range(2)]
    message = Gated(both, out_channels, torch.sigmoid, *edges)
    root = AddRoot(both[1], out_channels, bias) if root_weight else Replace(out_channels if bias else None)
    return GraphLayer(message, Sum(), root, name="ResGatedGraph")


def GatedGraph(channels: int, bias: bool = True) -> GraphLayer:  # noqa: N802
    r"""Gated graph network (Li et al. 2016), one step: a sum of neighbours into a recurrent cell.

    .. math:: x_i' = \text{GRU}\Big(\sum_{j \in N(i)} w_{ji}\, W x_j,\; x_i\Big)

    Edge weights are ``edge["edge_attr"]``. PyG's ``GatedGraphConv`` takes several steps with one cell.

    Args:
        channels: channels of a node, before and after.
        bias: whether the cell has biases.

    >>> GatedGraph(4)(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 4])
    """
    must_be_one_number(channels, "GatedGraph")
    cell = nn.GRUCell(channels, channels, bias)
    return GraphLayer(Scaled(channels, channels, as_weighted), Sum(), Recur(cell), name="GatedGraph")
