"""Graphs of convolutions: nodes on a lattice of any number of axes, an edge for each weight that falls on a node.

Letters: ``N_i`` receivers, the output positions; ``N_j`` senders, the input positions; ``E`` edges; ``B`` graphs.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, Literal, NamedTuple, Self

import torch
from torch import Tensor

from graphattn.counts import read_integer
from graphattn.slots import Sizes
from graphattn.topology.base import Topology
from graphattn.topology.edges import Edges
from graphattn.topology.sizes import from_ptr, graph_of, joined

Padding = int | tuple[int, ...] | Literal["same"]
"""How far a kernel may stand out, by axis or alike; "same" makes the output as large as the input."""


class Axis(NamedTuple):
    """A kernel along one axis: ``taps`` of it, ``dilation`` apart, moved by ``stride``, standing out ``before`` and ``after``.

    With ``wrap`` the axis is a circle: what stands out on one side falls on the other.
    """

    taps: int
    stride: int
    dilation: int
    before: int
    after: int
    wrap: bool

    def positions(self, length: Tensor) -> Tensor:
        """How many output positions an axis of ``length`` has, as in torch's convolutions; none where it is empty."""
        room = length + self.before + self.after - self.dilation * (self.taps - 1) - 1
        return ((room.div(self.stride, rounding_mode="floor") + 1) * (length > 0)).clamp(min=0)

    def place(self, position: Tensor, tap: Tensor | int, length: Tensor) -> Tensor:
        """Where a tap falls, seen from an output position; outside of 0 to ``length`` it falls on padding."""
        place = position * self.stride - self.before + tap * self.dilation
        return place % length.clamp(min=1) if self.wrap else place

    def inside(self, position: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """The first tap that falls on a node, and how many do."""
        if self.wrap:
            return torch.zeros_like(position), torch.full_like(position, self.taps)
        origin = position * self.stride - self.before
        first = (-origin).div(self.dilation, rounding_mode="floor") + ((-origin) % self.dilation > 0)
        last = (length - 1 - origin).div(self.dilation, rounding_mode="floor").clamp(max=self.taps - 1)
        first = first.clamp(min=0)
        return first, (last - first + 1).clamp(min=0)


class Lattice(Topology):
    """Output positions hear the input positions under a kernel; the type of an edge is the weight's place in the kernel.

    Edges are ordered receiver-major, then by weight.
    """

    kernel_size: int | tuple[int, ...]
    stride: int | tuple[int, ...]
    dilation: int | tuple[int, ...]
    padding: Padding
    wrap: bool
    axes: tuple[Axis, ...]
    _num_edges: int
    lengths: tuple[Tensor, ...]  # of the input, [B] for each axis

    def _measure(self, axes: tuple[Axis, ...], lengths: tuple[Tensor, ...], sizes: Sizes) -> None:
        self.axes, self.lengths = axes, lengths
        outs = [axis.positions(length) for axis, length in zip(axes, lengths, strict=True)]
        # A node hears itself as others do where the output is laid out as the input is.
        same = all(
            axis.stride == 1 and axis.before + axis.after == axis.dilation * (axis.taps - 1) for axis in self.axes
        )
        many = torch.stack(outs).prod(0)
        self.senders = sizes
        self.receivers = sizes if same else from_ptr(torch.cat([many.new_zeros(1), many.cumsum(0)]))
        self.num_senders, self.num_receivers = int(self.senders.ptr[-1]), int(self.receivers.ptr[-1])
        self._num_edges = int(self.degrees().sum())

    def coordinates(self, node: Tensor, *, out: bool) -> list[Tensor]:
        """Where receivers (``out``) or senders stand on each axis, row-major in their graph: of the shape of ``node``."""
        sizes = self.receivers if out else self.senders
        graph = graph_of(sizes.ptr, node)
        place = node - sizes.ptr[graph]
        coordinates: list[Tensor] = []
        for axis, length in reversed(list(zip(self.axes, self.lengths, strict=True))):
            size = (axis.positions(length) if out else length)[graph].clamp(min=1)
            coordinates.insert(0, place % size)
            place = place // size
        return coordinates

    def keep(self, receiver: Tensor, sender: Tensor) -> Tensor:
        if self.num_senders == 0 or self.num_receivers == 0:
            shape = torch.broadcast_shapes(receiver.shape, sender.shape)
            return torch.zeros(shape, dtype=torch.bool, device=receiver.device)
        graph = graph_of(self.receivers.ptr, receiver)
        heard = graph == graph_of(self.senders.ptr, sender)
        positions = self.coordinates(receiver, out=True)
        places = self.coordinates(sender, out=False)
        for axis, length, position, place in zip(self.axes, self.lengths, positions, places, strict=True):
            falls = [axis.place(position, tap, length[graph]) == place for tap in range(axis.taps)]
            heard = heard & torch.stack(torch.broadcast_tensors(*falls)).any(0)
        return heard

    @property
    def num_edges(self) -> int:
        return self._num_edges

    @property
    def num_edge_types(self) -> int:
        """Number of weights in the kernel."""
        number = 1
        for axis in self.axes:
            number *= axis.taps
        return number

    def degrees(self) -> Tensor:
        degrees = torch.ones(self.num_receivers, dtype=torch.long, device=self.receivers.ptr.device)
        for _, _, _, count in self._kernels():
            degrees = degrees * count
        return degrees

    def edge_index(self) -> Tensor:
        return self._make_list()[0] if self._traced else self.listed().edge_index()

    def edge_type(self) -> Tensor:
        """Which weight of the kernel each edge takes, in the order of a convolution's ``weight``, ``[E]``."""
        types = self._make_list()[1] if self._traced else self.listed().edge_type()
        assert types is not None
        return types

    @property
    def _traced(self) -> bool:
        """Whether a compiler looks on, and there is no list yet: none is checked then, as what is computed needs no check."""
        return torch.compiler.is_compiling() and self._edges is None

    def as_edges(self) -> Edges:
        return self._listed_as(*self._make_list())

    def with_self_loops(self) -> Topology:
        """Itself where all nodes hear themselves already; else a list of edges."""
        centred = all(axis.before % axis.dilation == 0 for axis in self.axes)
        return self if self.senders is self.receivers and centred else self.as_edges().with_self_loops()

    def reverse(self) -> Edges:
        """The graph of the transposed convolution, as a list of edges of the same order and types."""
        return self.as_edges().reverse()

    def _options(self) -> dict[str, object]:
        names = ("kernel_size", "stride", "dilation", "padding", "wrap")
        return {name: getattr(self, name) for name in names}

    def _joined(self, graphs: Sequence[Any]) -> Self:
        whole = copy(self)
        whole._edges = None
        lengths = zip(*(graph.lengths for graph in graphs), strict=True)
        sizes = joined([graph.senders for graph in graphs])
        whole._measure(self.axes, tuple(map(torch.cat, lengths)), sizes)
        return whole

    def _kernels(self) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """For each axis, of each receiver: its position, the axis' length, its first tap inside, and how many are."""
        node = torch.arange(self.num_receivers, device=self.receivers.ptr.device)
        positions = self.coordinates(node, out=True)
        many = self.receivers.ptr.diff()
        kernels = []
        for axis, length, position in zip(self.axes, self.lengths, positions, strict=True):
            long = length.repeat_interleave(many, output_size=self.num_receivers)
            kernels.append((position, long, *axis.inside(position, long)))
        return kernels

    def _make_list(self) -> tuple[Tensor, Tensor]:
        degrees = self.degrees()
        node = torch.arange(self.num_receivers, device=degrees.device)
        receiver = node.repeat_interleave(degrees, output_size=self.num_edges)
        rank = torch.arange(self.num_edges, device=degrees.device) - (degrees.cumsum(0) - degrees)[receiver]
        sender, edge_type = torch.zeros_like(rank), torch.zeros_like(rank)
        stride, weights = torch.ones_like(rank), 1
        # The last axis runs fastest, in nodes and in weights.
        for axis, kernel in reversed(list(zip(self.axes, self._kernels(), strict=True))):
            position, length, first, count = (part[receiver] for part in kernel)
            tap = first + rank % count
            sender = sender + axis.place(position, tap, length) * stride
            edge_type = edge_type + tap * weights
            rank, stride, weights = rank // count, stride * length, weights * axis.taps
        start = self.senders.ptr[:-1].repeat_interleave(self.receivers.ptr.diff(), output_size=self.num_receivers)
        return torch.stack([sender + start[receiver], receiver]), edge_type


def make_axes(
    kernel_size: tuple[int, ...], stride: tuple[int, ...], dilation: tuple[int, ...], padding: Padding, wrap: bool
) -> tuple[Axis, ...]:
    """The axes of a kernel, from what torch's convolutions are given.

    Raises:
        ValueError: a kernel size, stride or dilation below 1, a negative padding, or "same" with a stride.
        TypeError: no integers.
    """
    for name, given in (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation)):
        for value in given:
            read_integer(value, name)
    if min(kernel_size + stride + dilation) < 1:
        raise ValueError(
            "expected kernel_size, stride and dilation of 1 or more, "
            f"got {list(kernel_size)}, {list(stride)} and {list(dilation)}"
        )
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(f"expected a stride of 1 with padding 'same', got {list(stride)}")
        around = [d * (taps - 1) for taps, d in zip(kernel_size, dilation, strict=True)]
        sides = [(total // 2, total - total // 2) for total in around]
    else:
        given = each(padding, len(kernel_size), "padding")
        if min(given) < 0:
            raise ValueError(f"expected a padding of 0 or more, got {list(given)}")
        sides = [(side, side) for side in given]
    return tuple(
        Axis(*kernel, *side, wrap)
        for kernel, side in zip(zip(kernel_size, stride, dilation, strict=True), sides, strict=True)
    )


def each(value: int | tuple[int, ...], axes: int, name: str) -> tuple[int, ...]:
    """One integer for each axis.

    Raises:
        ValueError: another number of them than axes.
        TypeError: no integers.
    """
    given = value if isinstance(value, (tuple, list)) else (value,) * axes
    many = tuple(read_integer(one, name) for one in given)
    if len(many) != axes:
        raise ValueError(f"expected one {name} or {axes} of them, got {list(many)}")
    return many
