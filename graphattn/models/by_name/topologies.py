"""Topologies by name: the edges among the nodes of a batch, and what has to be computed once from the data for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphattn.encoding import shortest_path
from graphattn.models.by_name.layers import LAYERS, LayerKind
from graphattn.models.network import of_edges
from graphattn.models.parts.pairs import FARTHEST
from graphattn.topology import Edges, Full, Topology, read_sizes

_GIVEN = ("x", "edge_index", "edge_attr", "edge_weight", "pos", "y", "true_edge")


class Configuration(NamedTuple):
    """A layer on a topology, by name.

    Called with a batch it is the graph of that layer, self-loops included where the layer has them.

    >>> Configuration("gcn", "edges")(Data(x=torch.zeros(2, 1), edge_index=torch.tensor([[0], [1]]))).edge_index()
    tensor([[0, 0, 1],
            [1, 0, 1]])
    """

    layer: str
    topology: str

    @property
    def layer_kind(self) -> LayerKind:
        return LAYERS[self.layer]

    @property
    def topology_kind(self) -> TopologyKind:
        return TOPOLOGIES[self.topology]

    @property
    def reads(self) -> frozenset[str]:
        """What the layer reads of edges beside their ends: ``edge_attr`` or ``edge_weight``, or nothing.

        >>> [set(Configuration("gcn", topology).reads) for topology in ("edges", "full")]
        [{'edge_weight'}, set()]
        """
        weighted = self.layer_kind.weights and self.topology_kind.listed
        return frozenset(filter(None, ("edge_attr" * self.layer_kind.pairs, "edge_weight" * weighted)))

    def __call__(self, data: Data) -> Topology:
        return self.layer_kind.graph(self.topology_kind.make(data))


@final
@dataclass(frozen=True)
class TopologyKind:
    """A topology of the comparison.

    Args:
        make: who hears whom among the nodes of a batch.
        note: the same in words.
        hubs: virtual nodes for each graph.
        whole: whether everyone hears everyone; what pairs without an edge say is then their distance.
        listed: whether edges are those that the data list, in their order, and have their weights.
    """

    make: Callable[[Data], Topology]
    note: str
    hubs: int = 0
    whole: bool = False
    listed: bool = True


def alone(data: Data) -> Edges:
    """Every node hears itself and nobody else.

    >>> alone(Data(x=torch.zeros(2, 1))).edge_index()
    tensor([[0, 1],
            [0, 1]])
    """
    sizes = read_sizes(data)
    return Edges(sizes.ptr.new_zeros(2, 0), ptr=sizes.ptr).with_self_loops()


def of_shuffled_edges(data: Data) -> Edges:
    """The edges that ``data.shuffled_index`` lists, which :func:`prepared` makes.

    Raises:
        ValueError: there are none.
    """
    if "shuffled_index" not in data:
        raise ValueError(
            f"expected graphs made by prepared(data, configurations), with shuffled_index, got {sorted(data.keys())}"
        )
    return Edges(data["shuffled_index"], ptr=read_sizes(data).ptr)


TOPOLOGIES: dict[str, TopologyKind] = {
    "edges": TopologyKind(of_edges, "the edges of the data"),
    "full": TopologyKind(Full, "everyone hears everyone in a graph, itself included", whole=True, listed=False),
    "edges+hub": TopologyKind(
        of_edges, "the edges of the data, and one virtual node that hears all and is heard by all", hubs=1
    ),
    "none": TopologyKind(alone, "every node hears itself only", listed=False),
    "shuffled": TopologyKind(
        of_shuffled_edges, "as many edges, whose receivers are permuted in each graph: a graph that means nothing"
    ),
}
"""By name."""


def configurations(layers: Iterable[str], topologies: Iterable[str]) -> list[Configuration]:
    """All pairs of a layer and a topology, in this order.

    ``mlp`` hears nobody and stands on ``none`` alone, whatever is asked; ``edge_attention`` is left out there, where no pair
    could say anything.

    Raises:
        ValueError: names that are not there or given twice, with those that are; nothing that is left.

    >>> [tuple(each) for each in configurations(["gcn", "mlp"], ["edges", "full"])]
    [('gcn', 'edges'), ('gcn', 'full'), ('mlp', 'none')]
    """
    layers, topologies = _named("layers", layers, LAYERS), _named("topologies", topologies, TOPOLOGIES)
    chosen = [
        Configuration(layer, topology)
        for layer in layers
        for topology in (("none",) if layer == "mlp" else topologies)
        if not (LAYERS[layer].pairs and topology == "none")
    ]
    if not chosen:
        raise ValueError(f"expected a layer that has a graph, got layers {layers} on topologies {topologies}")
    return chosen


def prepared(data: Data, configurations: Iterable[Configuration], seed: Sequence[int] = (0,)) -> Data:
    """A graph that holds what these configurations read and nothing else; the given one is not changed.

    Beside ``x``, ``edge_index``, ``edge_attr``, ``edge_weight``, ``pos``, ``y`` and ``true_edge`` these are ``distance [n n]``
    (edges on the shortest path, as ``to_data`` of molecules has it) for the pairs of a full graph, and
    ``shuffled_index [2, K]`` for the topology ``shuffled``, a permutation that ``seed`` draws.

    >>> ring = Data(x=torch.zeros(3, 1), edge_index=torch.tensor([[0, 1, 2], [1, 2, 0]]))
    >>> prepared(ring, [Configuration("edge_attention", "full")]).distance
    tensor([0, 2, 1, 1, 0, 2, 2, 1, 0])
    """
    made = Data.from_dict({name: data[name] for name in _GIVEN if name in data})
    for configuration in configurations:
        if LAYERS[configuration.layer].pairs and TOPOLOGIES[configuration.topology].whole and "distance" not in made:
            made.distance = distance(data)
        if configuration.topology == "shuffled" and "shuffled_index" not in made:
            made.shuffled_index = _shuffled(data["edge_index"], np.random.default_rng(seed))
    return made


def _shuffled(edge_index: Tensor, generator: np.random.Generator) -> Tensor:
    """The edges with their receivers permuted; self-loops stay."""
    between, shuffled = edge_index[0] != edge_index[1], edge_index.clone()
    shuffled[:, between] = shuffled_ends(edge_index[:, between], generator)
    return shuffled


def distance(data: Data) -> Tensor:
    """Edges on the shortest path between all nodes, ``[n n]`` from sender to receiver at ``receiver * n + sender``.

    Those that the data bring as ``distance`` where they are of this kind; else computed.
    """
    nodes = data.num_nodes or 0
    if "distance" in data:
        given = data["distance"]
        if given.dtype == torch.long and given.shape == (nodes**2,) and (not nodes or int(given.max()) <= FARTHEST + 1):
            return given
    return shortest_path(data["edge_index"], nodes, FARTHEST)


def shuffled_ends(edge_index: Tensor, generator: np.random.Generator) -> Tensor:
    """The edges with their receivers permuted: each node speaks as often and hears as many as before.

    The two directions of an undirected edge part, as every edge is permuted for itself.
    Where that makes a self-loop or a second edge between two nodes, the edge changes receivers with another, as long as tries
    last; in small or dense graphs some remain.

    >>> edge_index = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 0], [1, 0, 2, 1, 3, 2, 0, 3]])
    >>> shuffled = shuffled_ends(edge_index, np.random.default_rng(0))
    >>> torch.equal(shuffled[0], edge_index[0]), torch.equal(shuffled[1].bincount(), edge_index[1].bincount())
    (True, True)
    """
    sender = edge_index[0].cpu().numpy()
    receiver = generator.permutation(edge_index[1].cpu().numpy())
    for _ in range(20):
        poor = _poor(sender, receiver)
        if not poor.size:
            break
        _exchange(sender, receiver, poor, generator)
    return torch.stack([edge_index[0], torch.from_numpy(receiver).to(edge_index)])


def _poor(sender: NDArray[np.int64], receiver: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of the edges that are self-loops, or not the first between their nodes."""
    code = sender * (max(sender.max(initial=0), receiver.max(initial=0)) + 1) + receiver
    again = np.ones(len(code), dtype=bool)
    again[np.unique(code, return_index=True)[1]] = False
    return np.flatnonzero(again | (sender == receiver))


def _exchange(
    sender: NDArray[np.int64], receiver: NDArray[np.int64], poor: NDArray[np.int64], generator: np.random.Generator
) -> None:
    """Each of the poor edges changes receivers with an edge drawn for it, where both are better for it."""
    taken = set(zip(sender.tolist(), receiver.tolist(), strict=True))
    for one, other in zip(poor.tolist(), generator.integers(len(sender), size=len(poor)).tolist(), strict=True):
        first, second = (int(sender[one]), int(receiver[other])), (int(sender[other]), int(receiver[one]))
        if first[0] != first[1] and second[0] != second[1] and not {first, second} & taken and first != second:
            receiver[one], receiver[other] = first[1], second[1]
            taken |= {first, second}


def _named(what: str, names: Iterable[str], known: dict[str, LayerKind] | dict[str, TopologyKind]) -> list[str]:
    names = [names] if isinstance(names, str) else list(names)
    strangers = [name for name in names if name not in known]
    if strangers or not names or len(set(names)) < len(names):
        raise ValueError(f"expected {what} of {', '.join(known)}, each once, got {', '.join(names) or 'none'}")
    return names
