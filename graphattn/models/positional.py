"""What a model is told about where its nodes are, as one object: added to nodes, turned in queries and keys, or on the edges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, final

import torch
from torch import Tensor, nn

from graphattn.edge_terms import ALiBi, GridBias, RelativeBias, T5Bias, heads_first, places_on_edges, places_on_tile
from graphattn.encoding import AxialRotary, Rotary, grid_coordinates, sinusoidal, sinusoidal_grid
from graphattn.reset import reset
from graphattn.slots import EdgeTerm, Rotate, State
from graphattn.topology import Tile, Topology, graph_of


class Positional(NamedTuple):
    """What each part of a model learns about places; each is made from a width, or None where that part is told nothing.

    ``added(channels)`` maps places ``[N]`` to ``[N, F]``, ``rotate(head channels)`` turns queries and keys in each layer,
    ``edge_bias(heads)`` is a term of the scores in each layer. Several at once: ``sinusoids()._replace(edge_bias=ALiBi)``.
    """

    added: Callable[[int], nn.Module] | None = None
    rotate: Callable[[int], Rotate] | None = None
    edge_bias: Callable[[int], EdgeTerm] | None = None


NOWHERE = Positional()
"""No positions: the model cannot tell the order of its nodes, but for what the graph tells."""


def sinusoids() -> Positional:
    """Sines and cosines added to the nodes (Vaswani et al. 2017)."""
    return Positional(added=partial(Sinusoids, sinusoidal))


def grid_sinusoids(shape: tuple[int, int]) -> Positional:
    """Sines and cosines of row and column in a grid of ``shape``, added to the nodes (He et al. 2022)."""
    return Positional(added=partial(Sinusoids, _OnGrid(shape)))


def learned(size: int) -> Positional:
    """A learned vector for each of ``size`` places, added to the nodes (Radford et al. 2018, Dosovitskiy et al. 2021)."""
    return Positional(added=partial(_table, size))


def rotary(base: float = 10000.0) -> Positional:
    """Queries and keys turned by their place (Su et al. 2021)."""
    return Positional(rotate=lambda channels: Rotary(channels - channels % 2, base))


def axial_rotary(shape: tuple[int, int], base: float = 100.0) -> Positional:
    """Queries and keys turned by row and column in a grid of ``shape`` (Heo et al. 2024)."""
    return Positional(rotate=lambda channels: AxialRotary(Rotary(channels // 4 * 2, base), shape))


def relative(farthest: int) -> Positional:
    """A learned bias for each distance in the order of nodes up to ``farthest`` (Shaw et al. 2018)."""
    return Positional(edge_bias=lambda heads: EndAligned(RelativeBias(farthest, heads)))


def alibi() -> Positional:
    """A penalty that grows with the distance (Press et al. 2022)."""
    return Positional(edge_bias=lambda heads: EndAligned(ALiBi(heads)))


def t5() -> Positional:
    """A learned bias for each bucket of distances (Raffel et al. 2020)."""
    return Positional(edge_bias=lambda heads: EndAligned(T5Bias(heads)))


def grid_bias(shape: tuple[int, int]) -> Positional:
    """A learned bias for each step of rows and columns between two nodes of whole grids (Liu et al. 2021)."""
    return Positional(edge_bias=lambda heads: GridBias(*shape, heads))


@final
class Sinusoids(nn.Module):
    """Sines and cosines of places.

    Args:
        encode: ``(place [N], channels) -> [N, F]``, such as :func:`~graphattn.encoding.sinusoidal`.
        channels: channels ``F`` of a node.

    Shapes: place ``[N] -> [N, F]``.

    >>> Sinusoids(sinusoidal, 4)(torch.tensor([0, 2]))
    tensor([[ 0.0000,  1.0000,  0.0000,  1.0000],
            [ 0.9093, -0.4161,  0.0200,  0.9998]])
    """

    def __init__(self, encode: Callable[[Tensor, int], Tensor], channels: int) -> None:
        super().__init__()
        self.encode = encode
        self.channels = channels

    def forward(self, place: Tensor) -> Tensor:
        # Many graphs share few places.
        every = torch.arange(int(place.max()) + 1 if place.numel() else 0, device=place.device)
        return self.encode(every, self.channels).index_select(0, place)


class PlaceTerm(Protocol):
    """An edge term of two places: called with those of receivers and senders, it gives the bias of any pair."""

    def __call__(self, receiver: Tensor, sender: Tensor) -> Tensor: ...


@final
class EndAligned(nn.Module):
    """A term of places for graphs whose receivers are the last of the senders, as new tokens are beside those of a KV cache.

    Where senders and receivers are the same nodes, it is the term itself.

    Args:
        term: a term of places, such as :class:`~graphattn.edge_terms.RelativeBias`.

    >>> from graphattn.topology import Cross
    >>> EndAligned(ALiBi(heads=1)).on_edges(Cross([3], [1]), {}).flatten()
    tensor([-0.0078, -0.0039, -0.0000])
    """

    def __init__(self, term: PlaceTerm) -> None:
        super().__init__()
        self.term = term

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(self.term)

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        receiver, sender = places_on_edges(graph)
        if graph.senders is not graph.receivers:
            before = graph.senders.ptr.diff() - graph.receivers.ptr.diff()
            receiver = receiver + before[graph_of(graph.receivers.ptr, graph.edge_index()[1])]
        return self.term(receiver, sender)

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        receiver, sender = places_on_tile(tile)
        before = _count(tile.real_sender, tile.sender) - _count(tile.real_receiver, tile.receiver)
        return heads_first(self.term(receiver + before, sender), tile)


class _OnGrid(NamedTuple):
    shape: tuple[int, int]

    def __call__(self, place: Tensor, channels: int) -> Tensor:
        return sinusoidal_grid(grid_coordinates(place, self.shape), channels)


def _count(real: Tensor | None, node: Tensor) -> Tensor | int:
    """How many nodes each graph of a tile has, ``[b, 1, 1]``, or all of them."""
    return node.size(1) if real is None else real.sum(1)[:, None, None]


def _table(size: int, channels: int) -> nn.Embedding:
    table = nn.Embedding(size, channels)
    nn.init.normal_(table.weight, std=0.02)
    return table
