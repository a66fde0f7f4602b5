"""A weight for each type of edge."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple, Protocol, final

import torch
from torch import Tensor, nn

from graphattn.lasting import remembered
from graphattn.message.edge_values import must_be_one_each
from graphattn.message.relation_weights import Kernel
from graphattn.reset import reset
from graphattn.slots import Positions, State
from graphattn.topology import Topology
from graphattn.topology.lattice import Lattice


class RelationWeight(Protocol):
    """The weights of all relations: calling it gives ``[R, B, F / B, C / B]``, ``B`` blocks of channels on their own.

    Implementations: :class:`~graphattn.message.EachRelation`, :class:`~graphattn.message.Bases`,
    :class:`~graphattn.message.Blocks`, :class:`~graphattn.message.Kernel`.
    """

    relations: int
    blocks: int

    def __call__(self) -> Tensor: ...


@final
class Relation(nn.Module):
    r"""The sender's state times a weight that the edge's type chooses: RGCN (Schlichtkrull et al. 2018), a convolution's kernel.

    .. math:: m_{ij} = W_{r(j, i)}\, x_j

    The type of an edge is ``edge["edge_type"]``, or what the topology knows: the offset on a grid, the part of a union. The
    aggregation hears the types, too. Never holds a weight per edge: edges of one type are multiplied together.

    Args:
        weight: the weights ``W`` of all relations; its blocks of channels become heads.
        name: the edge feature that holds the types, ``[E]`` integers.

    Shapes: ``x_j [N_j, F]`` -> value ``[E, B, C / B]``.

    Raises:
        ValueError: no types; types of another number than edges, or out of range; a grid of another
            kernel than the weight's.
        TypeError: types that are no integers.

    >>> from graphattn import GraphLayer, Replace, Sum
    >>> from graphattn.message import EachRelation
    >>> layer = GraphLayer(Relation(EachRelation(4, 3, relations=2)), Sum(), Replace())
    >>> layer(torch.randn(2, 4), torch.tensor([[0, 1], [1, 0]]), {"edge_type": torch.tensor([0, 1])}).shape
    torch.Size([2, 3])
    """

    scored = False

    def __init__(self, weight: RelationWeight, name: str = "edge_type") -> None:
        super().__init__()
        self.weight = weight
        self.name = name

    def reset_parameters(self) -> None:
        reset(self.weight)

    def project(
        self, x_j: Tensor, x_i: Tensor | None, graph: Topology, position: Positions | None
    ) -> tuple[State, State]:
        return {"x": x_j.unflatten(-1, (self.weight.blocks, -1))}, {}

    def on_edges(self, graph: Topology, edge: State) -> State:
        kind = edge[self.name] if self.name in edge else self._of(graph)
        if kind is None:
            raise ValueError(
                f"expected types of edges in edge[{self.name!r}] or a topology that knows them, "
                f"got {sorted(edge) or 'no edge features'} and {graph}"
            )
        if kind.is_floating_point() or kind.is_complex() or kind.dtype == torch.bool:
            raise TypeError(f"expected integer types of edges, got {kind.dtype}")
        if kind.dim() != 1:
            raise ValueError(f"expected types of edges as one row [E], got shape {list(kind.shape)}")
        must_be_one_each(kind, graph)
        return {"edge_type": kind}

    def check(self, graph: Topology) -> None:
        """Refuse a grid of another kernel than the weight's."""
        if isinstance(graph, Lattice):
            if isinstance(self.weight, Kernel):
                mine, its = self.weight.kernel_size, tuple(axis.taps for axis in graph.axes)
            else:
                mine, its = (self.weight.relations,), (graph.num_edge_types,)
            if mine != its:
                raise ValueError(f"expected a grid with a kernel of {list(mine)} weights, got {list(its)} in {graph}")

    def _of(self, graph: Topology) -> Tensor | None:
        self.check(graph)
        return graph.known_types()

    def speak(self, sender: State, receiver: State, edge: State) -> tuple[None, Tensor]:
        return None, _by_relation(sender["x"], self.weight(), edge["edge_type"])


def _by_relation(x: Tensor, weight: Tensor, kind: Tensor) -> Tensor:
    """Each row times the weight of its type: ``x [E, B, F], weight [R, B, F, C], kind [E] -> [E, B, C]``."""
    if torch.compiler.is_compiling():
        return _by_choice(x, weight, kind)
    many, order, back = by_type(kind, weight.size(0))
    parts = x.index_select(0, order).split(many)
    said = torch.cat([_times(part, matrix) for part, matrix in zip(parts, weight.unbind(), strict=True)])
    return said.index_select(0, back)


class ByType(NamedTuple):
    """How many edges each type has, the edges by type, and where each edge stands among those."""

    many: list[int]
    order: Tensor
    back: Tensor


def by_type(kind: Tensor, relations: int) -> ByType:
    """Edges by type, read once for a tensor of types as long as it lives and stays as it is: reading waits for the device.

    Raises:
        ValueError: types out of range.
    """
    return remembered(kind, ("by type", relations), lambda: _read_order(kind, relations))


def _read_order(kind: Tensor, relations: int) -> ByType:
    ordered, order = kind.sort(stable=True)
    ends = torch.searchsorted(ordered, torch.arange(relations + 1, device=kind.device)).tolist()
    if ends[0] > 0 or ends[-1] < kind.numel():
        raise ValueError(
            f"expected types of edges from 0 to {relations - 1}, got {int(ordered[0])} to {int(ordered[-1])}"
        )
    return ByType([end - start for start, end in pairwise(ends)], order, order.argsort())


def _by_choice(x: Tensor, weight: Tensor, kind: Tensor) -> Tensor:
    """The same without sizes that depend on the data, which a compiled graph cannot hold."""
    said = x.new_zeros(x.size(0), weight.size(1), weight.size(3))
    for number, matrix in enumerate(weight.unbind()):
        said = torch.where((kind == number)[:, None, None], _times(x, matrix), said)
    return said


def _times(x: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("ebf,bfc->ebc", x, matrix)
