"""A bias by the distance of two nodes in space."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from graphattn.edge_terms.place import heads_first
from graphattn.edge_terms.reading import feature, must_be_many, read_kinds
from graphattn.reset import reset
from graphattn.slots import State
from graphattn.topology import Tile, Topology


@final
class SpatialBias(nn.Module):
    r"""A bias from the distance of two nodes in space, through functions of the distance and a network.

    .. math:: b_{ji} = \text{network}\big(\psi_1(d), \dots, \psi_K(d)\big) \qquad d = \lVert p_i - p_j \rVert

    With :class:`GaussianKernels` and a network of one hidden layer it is the spatial bias of 3-d Graphormer (Shi et al. 2022);
    with PyG's ``GaussianSmearing`` and a linear map, one of radial basis functions (Schuett et al. 2017). ``K`` numbers are held
    for each pair while it is computed.

    Args:
        basis: :math:`\psi`, ``[P] -> [P, K]``; where pairs are of kinds, it is given those, too.
        network: ``[P, K] -> [P, H]``.
        name: the feature that holds positions ``[N, D]``; ``name_sender`` and ``name_receiver`` where senders and receivers
            stand elsewhere. ``name_kind [E]`` holds the kinds of pairs, if there are any.

    Raises:
        ValueError: there is no such feature; positions for another number of nodes; one for both where there are
            other numbers of senders than of receivers.

    >>> from torch_geometric.nn.models.schnet import GaussianSmearing
    >>> bias = SpatialBias(GaussianSmearing(0, 10, 16), torch.nn.Linear(16, 2))
    >>> layer = SelfAttention(8, heads=2, edge_bias=bias)
    >>> layer(torch.randn(3, 8), Full([3]), {"position": torch.randn(3, 3)}).shape
    torch.Size([3, 8])
    """

    def __init__(self, basis: nn.Module, network: nn.Module, name: str = "position") -> None:
        super().__init__()
        self.basis = basis
        self.network = network
        self.name = name

    def reset_parameters(self) -> None:
        reset(self.basis, self.network)

    def forward(self, distance: Tensor, kind: Tensor | None = None) -> Tensor:
        pairs = (distance.flatten(),) if kind is None else (distance.flatten(), kind.flatten())
        return self.network(self.basis(*pairs)).unflatten(0, distance.shape)

    def read(self, graph: Topology, edge: State) -> State:
        speaking, listening = self.name, self.name
        if f"{self.name}_sender" in edge:
            speaking, listening = f"{self.name}_sender", f"{self.name}_receiver"
        must_be_many(feature(edge, speaking), graph.num_senders, "positions of all senders of", graph, speaking)
        if speaking != listening:
            must_be_many(
                feature(edge, listening), graph.num_receivers, "positions of all receivers of", graph, listening
            )
        return read_kinds(graph, edge, f"{self.name}_kind", None) if f"{self.name}_kind" in edge else {}

    def on_edges(self, graph: Topology, edge: State) -> Tensor:
        sender, receiver = graph.edge_index()
        at_sender, at_receiver = self._positions(edge, _same_numbers(graph.receivers.ptr, graph.senders.ptr))
        distance = (at_receiver[receiver] - at_sender[sender]).norm(dim=-1)
        return self(distance, edge.get(f"{self.name}_kind"))

    def on_tile(self, tile: Tile, edge: State) -> Tensor:
        at_sender, at_receiver = self._positions(edge, _same_numbers(tile.receiver, tile.sender))
        distance = (at_receiver[tile.receiver][:, :, None] - at_sender[tile.sender][:, None]).norm(dim=-1)
        kind = edge.get(f"{self.name}_kind")
        return heads_first(self(distance, None if kind is None else kind[tile.edge]), tile)

    def _positions(self, edge: State, alike: bool) -> tuple[Tensor, Tensor]:
        if f"{self.name}_sender" in edge:
            return edge[f"{self.name}_sender"], feature(edge, f"{self.name}_receiver")
        both = feature(edge, self.name)
        if not alike:
            raise ValueError(
                f"expected {self.name}_sender and {self.name}_receiver where graphs have other numbers of senders than of "
                f"receivers, got {self.name!r} alone"
            )
        return both, both


def _same_numbers(receiver: Tensor, sender: Tensor) -> bool:
    # Comparing them would stall a CUDA stream and break a compiled graph: there, shapes must do.
    waits = receiver.is_cuda or torch.compiler.is_compiling()
    return receiver.shape == sender.shape and (receiver is sender or waits or torch.equal(receiver, sender))


@final
class GaussianKernels(nn.Module):
    r"""Gaussian functions of a distance, learned centres and widths (3-d Graphormer, Shi et al. 2022).

    .. math:: \psi_k(d) = \frac{1}{\sqrt{2 \pi}\, |\sigma_k|}
        \exp\left(-\frac12 \left(\frac{\gamma_t\, d + \beta_t - \mu_k}{|\sigma_k|}\right)^2\right)

    where ``t`` is the kind of the pair, such as its two atom types. The sign is that of the paper's code.

    Args:
        kernels: how many functions ``K``.
        kinds: how many kinds of pairs there are; all are of one if not given.

    Shapes: distance ``[P]``, kind ``[P]`` integers -> ``[P, K]``.

    >>> GaussianKernels(16)(torch.tensor([0.0, 1.5])).shape
    torch.Size([2, 16])
    """

    def __init__(self, kernels: int, kinds: int = 1) -> None:
        super().__init__()
        self.center = nn.Parameter(torch.empty(kernels))
        self.width = nn.Parameter(torch.empty(kernels))
        self.scale = nn.Parameter(torch.empty(kinds, 1))
        self.shift = nn.Parameter(torch.empty(kinds, 1))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        nn.init.uniform_(self.center, 0, 3)
        nn.init.uniform_(self.width, 0, 3)
        nn.init.ones_(self.scale)
        nn.init.zeros_(self.shift)

    def forward(self, distance: Tensor, kind: Tensor | None = None) -> Tensor:
        kind = torch.zeros_like(distance, dtype=torch.long) if kind is None else kind
        moved = embedding(kind, self.scale) * distance[:, None] + embedding(kind, self.shift)
        width = self.width.abs() + 1e-5  # as the paper's code, which never divides by zero
        return torch.exp(-0.5 * ((moved - self.center) / width) ** 2) / (math.sqrt(2 * math.pi) * width)

    def extra_repr(self) -> str:
        return f"kernels={self.center.numel()}, kinds={self.scale.size(0)}"
