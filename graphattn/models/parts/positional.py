"""What a model is told about where its nodes are, as one object: added to nodes, turned in queries and keys, or on the edges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol, final

import torch
from torch import Tensor, nn

from graphattn.edge_terms import ALiBi, GridBias, RelativeBias, T5Bias, heads_first, places_on_edges, places_on_tile
from graphattn.edge_terms.reading import must_be_many
from graphattn.encoding import AxialRotary, Rotary, grid_coordinates, sinusoidal, sinusoidal_grid
from graphattn.models.parts.embedding import below
from graphattn.reset import reset
from graphattn.slots import EdgeTerm, Rotate, State
from graphattn.topology import Tile, Topology, graph_of


class Positional(NamedTuple):
    """What each part of a model learns about places; each is made from a width, or None where that part is told nothing.

    ``added(channels)`` maps places ``[N]`` to ``[N, F]``, ``rotate(head channels)`` turns queries and keys in each layer,
    ``edge_bias(heads)`` is a term of the scores in each layer, which :class:`AtPlaces` tells where nodes stand. Several at once:
    ``sinusoids()._replace(edge_bias=alibi().edge_bias)``.
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
    return Positional(added=partial(PlaceTable, size))


def rotary(base: float = 10000.0) -> Positional:
    """Queries and keys turned by their place (Su et al. 2021)."""
    return Positional(rotate=lambda channels: Rotary(channels - channels % 2, base))


def axial_rotary(shape: tuple[int, int], base: float = 100.0) -> Positional:
    """Queries and keys turned by row and column in a grid of ``shape`` (Heo et al. 2024)."""
    return Positional(rotate=lambda channels: AxialRotary(Rotary(channels // 4 * 2, base), shape))


def relative(farthest: int) -> Positional:
    """A learned bias for each distance in the order of nodes up to ``farthest`` (Shaw et al. 2018)."""
    return Positional(edge_bias=lambda heads: AtPlaces(RelativeBias(farthest, heads)))


def alibi() -> Positional:
    """A penalty that grows with the distance (Press et al. 2022)."""
    return Positional(edge_bias=lambda heads: AtPlaces(ALiBi(heads)))


def t5() -> Positional:
    """A learned bias for each bucket of distances (Raffel et al. 2020)."""
    return Positional(edge_bias=lambda heads: AtPlaces(T5Bias(heads)))


def grid_bias(shape: tuple[int, int]) -> Positional:
    """A learned bias for each step of rows and columns between two nodes in a grid of ``shape`` (Liu et al. 2021)."""
    return Positional(edge_bias=lambda heads: AtPlaces(GridBias(*shape, heads)))


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


@final
class PlaceTable(nn.Module):
    """A learned vector for each place.

    Args:
        size: how many places there are.
        channels: channels ``F`` of a node.

    Shapes: place ``[N] -> [N, F]``.

    Raises:
        ValueError: in ``forward``, a place beyond the table (:func:`~graphattn.models.parts.embedding.below`).

    >>> PlaceTable(512, channels=8)(torch.tensor([0, 1, 0])).shape
    torch.Size([3, 8])
    """

    def __init__(self, size: int, channels: int) -> None:
        super().__init__()
        self.table = nn.Embedding(size, channels)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the table anew."""
        nn.init.normal_(self.table.weight, std=0.02)

    def forward(self, place: Tensor) -> Tensor:
        return self.table(below(self.table.num_embeddings, place, "places"))


class PlaceTerm(Protocol):
    """An edge term of two places: called with those of receivers and senders, it gives the bias of any pair."""

    def __call__(self, receiver: Tensor, sender: Tensor) -> Tensor: ...


@final
class AtPlaces(nn.Module):
    """A term of places, told where the nodes stand, of which there may be fewer than places.

    The edge feature ``place [N]`` tells it; a node at -1 stands nowhere, and no bias is about it. Without it nodes stand in the
    order of their graph, and where receivers are fewer than senders they are the last ones, as new tokens are beside a KV cache.

    Args:
        term: a term of places, such as :class:`~graphattn.edge_terms.RelativeBias`.

    >>> from graphattn.topology import Cross
    >>> AtPlaces(ALiBi(heads=1)).on_edges(Cross([3], [1]), {}).flatten()
    tensor([-0.0078, -0.0039, -0.0000])
    >>> AtPlaces(ALiBi(heads=1)).on_edges(Full([2]), {"place": torch.tensor([0, 2])}).flatten()
    tensor([-0.0000, -0.0078, -0.0078, -0.0000])
    """

    def __init__(self, term: PlaceTerm) -> None:
        super().__init__()
        self.term = term

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(self.term)

    def read(self, graph: Topology, edge: State) -> State:
        """What it reads of ``edge``: a place for each node."""
        if "place" in edge:
            must_be_many(edge["place"], graph.num_receivers, "places of all nodes of", graph, "place")
        return {}

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        if "place" in edge:
            sender, receiver = edge["place"][graph.edge_index()]
            return self._somewhere(receiver, sender)
        receiver, sender = places_on_edges(graph)
        if graph.senders is not graph.receivers:
            before = graph.senders.ptr.diff() - graph.receivers.ptr.diff()
            receiver = receiver + before[graph_of(graph.receivers.ptr, graph.edge_index()[1])]
        return self.term(receiver, sender)

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        if "place" in edge:
            place = edge["place"]
            return heads_first(self._somewhere(place[tile.receiver][:, :, None], place[tile.sender][:, None]), tile)
        receiver, sender = places_on_tile(tile)
        before = _count(tile.real_sender, tile.sender) - _count(tile.real_receiver, tile.receiver)
        return heads_first(self.term(receiver + before, sender), tile)

    def _somewhere(self, receiver: Tensor, sender: Tensor) -> Tensor:
        bias = self.term(receiver.clamp(min=0), sender.clamp(min=0))
        return bias.masked_fill(((receiver < 0) | (sender < 0)).unsqueeze(-1), 0)


def add_places(x: Tensor, added: nn.Module | None, place: Tensor) -> Tensor:
    """The states ``[N, F]`` with what is added by ``place [N]``, if anything is."""
    return x if added is None else x + added(place).to(x.dtype)


class _OnGrid(NamedTuple):
    shape: tuple[int, int]

    def __call__(self, place: Tensor, channels: int) -> Tensor:
        return sinusoidal_grid(grid_coordinates(place, self.shape), channels)


def _count(real: Tensor | None, node: Tensor) -> Tensor | int:
    """How many nodes each graph of a tile has, ``[b, 1, 1]``, or all of them."""
    return node.size(1) if real is None else real.sum(1)[:, None, None]
