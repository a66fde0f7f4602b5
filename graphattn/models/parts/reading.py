"""Readouts: what a model makes of the states of nodes, for each graph or for each node."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

from graphattn.aggregation import Mean, SoftmaxSum, Sum
from graphattn.blocks import Readout
from graphattn.layer import GraphLayer
from graphattn.message import Copy, OwnScore
from graphattn.slots import Sizes
from graphattn.topology import Star
from graphattn.update import Replace

_TYPICAL = 16
Reading = Callable[[int, int], nn.Module]
"""Makes a readout from ``(channels, heads)``; it is called with ``(x [N, F], sizes)``. The classes of this file are such."""


def leave_out_of_edge_masks(model: nn.Module) -> None:
    """Tell PyG's explainers that a model's layers hear other edges than those of the data, which their masks are of."""
    for layer in model.modules():
        if isinstance(layer, GraphLayer):
            layer.explain = False


@final
class EachNode(nn.Module):
    """Every node is read for itself: ``[N, F] -> [N, F]``."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return x


@final
class MeanOfNodes(nn.Module):
    """The mean of a graph's nodes, a layer on a ``Star``: ``[N, F] -> [B, F]``; zero for a graph without nodes.

    >>> from graphattn.topology import read_sizes
    >>> MeanOfNodes(1, heads=1)(torch.tensor([[1.0], [3.0], [5.0]]), read_sizes([2, 1])).flatten()
    tensor([2., 5.])
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.layer = GraphLayer(Copy(), Mean(), Replace(), name="MeanOfNodes")
        leave_out_of_edge_masks(self)

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return self.layer((x, None), Star(sizes))

    def each(self, x: Tensor, sizes: Sizes) -> Tensor:
        """What each node gives, ``[N, F]``, whose mean over a graph is what is read: the states themselves."""
        return x


@final
class GatedAttention(nn.Module):
    r"""Gated attention pooling (Ilse et al. 2018), a layer on a ``Star``: ``[N, F] -> [B, F]``; zero without nodes.

    .. math:: z = \sum_k a_k x_k \qquad a_k = \text{softmax}_k\big(w \cdot (\tanh(V x_k + b) \odot \sigma(U x_k + c))\big)

    Args:
        channels: ``F``, also those of ``V`` and ``U``.
        heads: not used: one weight for each node.

    >>> from graphattn.topology import read_sizes
    >>> GatedAttention(4, heads=1)(torch.randn(5, 4), read_sizes([3, 2])).shape
    torch.Size([2, 4])
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.layer = GraphLayer(OwnScore(_Gate(channels)), SoftmaxSum(), Replace(), name="GatedAttention")
        leave_out_of_edge_masks(self)

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return self.layer((x, None), Star(sizes))

    def each(self, x: Tensor, sizes: Sizes) -> Tensor:
        r"""What each node gives, ``[N, F]``, whose mean over a graph is what is read: :math:`n\, a_k x_k`."""
        count = sizes.ptr.diff().repeat_interleave(sizes.ptr.diff(), output_size=len(x))
        return self.layer.attention((x, None), Star(sizes)) * count[:, None].to(x.dtype) * x


@final
class Hub(nn.Module):
    """Learned hubs attend to all nodes of their graph, :class:`~graphattn.blocks.Readout`: ``[N, F] -> [B, hubs F]``."""

    def __init__(self, channels: int, heads: int, hubs: int = 1) -> None:
        super().__init__()
        self.hubs = hubs
        self.readout = Readout(channels, heads, hubs)
        leave_out_of_edge_masks(self)

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return self.readout(x, Star(sizes, hubs=self.hubs))


@final
class Totals(nn.Module):
    r"""Sums over the nodes of a graph, which know its size as means do not: ``[N, F] -> [B, T]``; zero without nodes.

    .. math:: z = \tfrac{1}{16} \sum_k \text{GELU}(W x_k + b)

    Args:
        channels: ``F``.
        totals: ``T``.

    >>> from graphattn.topology import read_sizes
    >>> Totals(4, 3)(torch.randn(5, 4), read_sizes([3, 0, 2]))[1]
    tensor([0., 0., 0.], grad_fn=<SelectBackward0>)
    """

    def __init__(self, channels: int, totals: int) -> None:
        super().__init__()
        self.each = nn.Linear(channels, totals)
        self.layer = GraphLayer(Copy(), Sum(), Replace(), name="Totals")
        leave_out_of_edge_masks(self)

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return self.layer((functional.gelu(self.each(x)) / _TYPICAL, None), Star(sizes))


@final
class SideBySide(nn.Module):
    """What several readouts say of each graph, one behind the other: ``[N, F] -> [B, F_1 + F_2 + ...]``.

    >>> from graphattn.topology import read_sizes
    >>> SideBySide(MeanOfNodes(1, 1), LastNode(1, 1))(torch.tensor([[1.0], [3.0]]), read_sizes([2]))
    tensor([[2., 3.]])
    """

    def __init__(self, *readouts: nn.Module) -> None:
        super().__init__()
        self.readouts = nn.ModuleList(readouts)

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return torch.cat([readout(x, sizes) for readout in self.readouts], dim=1)


@final
class FirstNode(nn.Module):
    """The first node of each graph, such as a CLS token (Devlin et al. 2019), ``[N, F] -> [B, F]``; zero where there is none.

    >>> from graphattn.topology import read_sizes
    >>> FirstNode(1, heads=1)(torch.tensor([[1.0], [3.0], [5.0]]), read_sizes([2, 0, 1])).flatten()
    tensor([1., 0., 5.])
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return _rows(x, sizes, sizes.ptr[:-1])


@final
class LastNode(nn.Module):
    """The last node of each graph, ``[N, F] -> [B, F]``; zero for a graph without nodes.

    >>> from graphattn.topology import read_sizes
    >>> LastNode(1, heads=1)(torch.tensor([[1.0], [3.0], [5.0]]), read_sizes([2, 0, 1])).flatten()
    tensor([3., 0., 5.])
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        return _rows(x, sizes, sizes.ptr[1:] - 1)


@final
class AllPlaces(nn.Module):
    """The states of all nodes of a graph side by side, graphs of ``size`` nodes each: ``[B size, F] -> [B, size F]``.

    Args:
        size: nodes of every graph.

    Raises:
        ValueError: a graph of another size.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor, sizes: Sizes) -> Tensor:
        if not all_are(self.size, sizes):
            raise ValueError(f"expected graphs of {self.size} nodes, got sizes {sizes.ptr.diff().tolist()}")
        return x.view(-1, self.size * x.size(1))


class _Gate(nn.Module):
    """A score of each node, from a hyperbolic tangent and a gate: ``[N, F] -> [N, 1]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.state = nn.Linear(channels, channels)
        self.gate = nn.Linear(channels, channels)
        self.score = nn.Linear(channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.score(self.state(x).tanh() * self.gate(x).sigmoid())


def all_are(size: int, sizes: Sizes) -> bool:
    """Whether every graph has so many nodes, or there is no graph.

    >>> from graphattn.topology import read_sizes
    >>> [all_are(3, read_sizes(sizes)) for sizes in ([3, 3], [3, 2], [0], [])]
    [True, False, False, True]
    """
    return sizes.ptr.numel() == 1 or (sizes.equal and sizes.max == size)


def _rows(x: Tensor, sizes: Sizes, node: Tensor) -> Tensor:
    """One node of each graph; zero for a graph without nodes."""
    there = torch.where(sizes.ptr.diff() > 0, node, x.size(0))
    return torch.cat([x, x.new_zeros(1, x.size(1))]).index_select(0, there)
