"""Convolutions on graphs."""

from __future__ import annotations

from torch import nn

from graphattn.aggregation import Max, Sum
from graphattn.layer import GraphLayer
from graphattn.message import Difference, Scale, Scaled, symmetric
from graphattn.slots import Aggregation
from graphattn.update import Replace


def GCN(in_channels: int, out_channels: int, bias: bool = True, scale: Scale = symmetric) -> GraphLayer:  # noqa: N802
    r"""Graph convolution (Kipf & Welling 2017): a sum of neighbours, scaled by degrees.

    .. math:: x_i' = \sum_{j \in N(i)} \frac{w_{ji}}{\sqrt{d_i d_j}} W x_j + b

    The paper's self-loops are the graph's: ``layer(x, graph.with_self_loops())``. PyG's ``GCNConv`` adds them by itself.

    Args:
        in_channels, out_channels: channels of a node before and after.
        bias: whether there is a ``b``.
        scale: the factor of each edge (:func:`~graphattn.message.symmetric`).

    >>> graph = Edges(torch.tensor([[0, 1], [1, 0]]))
    >>> GCN(4, 2)(torch.randn(2, 4), graph.with_self_loops()).shape
    torch.Size([2, 2])
    """
    message = Scaled(in_channels, out_channels, scale)
    return GraphLayer(message, Sum(), Replace(out_channels if bias else None), name="GCN")


def EdgeConv(network: nn.Module, aggregation: Aggregation | None = None) -> GraphLayer:  # noqa: N802
    r"""Edge convolution (Wang et al. 2019): the largest of what a network makes of each difference.

    .. math:: x_i' = \max_{j \in N(i)} h(x_i \,\|\, x_j - x_i)

    Args:
        network: ``h``, from ``2 F`` to ``F'`` channels.
        aggregation: instead of the maximum.

    >>> EdgeConv(torch.nn.Linear(8, 3))(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]])).shape
    torch.Size([2, 3])
    """
    return GraphLayer(Difference(network), aggregation or Max(), Replace(), name="EdgeConv")
