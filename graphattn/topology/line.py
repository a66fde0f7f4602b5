"""Places hear the places around them: the graph of a convolution on sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch_geometric.data import Batch, Data

from graphattn.slots import Sizes
from graphattn.topology.lattice import Lattice, Padding, make_axes
from graphattn.topology.sizes import read_sizes


@final
class Line(Lattice):
    r"""The graph of a 1-d convolution, :class:`Grid` with one axis; sequences may be of unequal length.

    .. math:: N(i) = \{ i \cdot \text{stride} - \text{padding} + t \cdot \text{dilation} \ \text{inside the sequence} \}

    for the places ``t`` of the kernel, which are the types of the edges: a message with a weight for each type is
    ``torch.nn.Conv1d`` on each sequence alone. With a stride of 1 and the padding "same" senders and receivers are the same
    nodes; otherwise receivers are the output positions, and layers take ``x = (senders, None)``.

    Args:
        source: lengths of the sequences: a PyG ``Data`` or ``Batch``, a list of sizes, or
            :func:`~graphattn.topology.read_sizes` of a ``ptr`` or a ``batch``.
        kernel_size, stride, dilation: as in ``torch.nn.Conv1d``.
        padding: how far the kernel may stand out; "same" makes the output as long as the sequence.
        wrap: whether the ends touch (``padding_mode="circular"``).

    Raises:
        ValueError: a kernel size, stride or dilation below 1, a negative padding, or "same" with a stride.
        TypeError: no integers.

    >>> line = Line([4], kernel_size=2, stride=2, padding=0)
    >>> line.edge_index(), line.edge_type()
    (tensor([[0, 1, 2, 3],
            [0, 0, 1, 1]]), tensor([0, 1, 0, 1]))
    """

    def __init__(
        self,
        source: Data | Batch | Sizes | Sequence[int],
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        padding: Padding = "same",
        wrap: bool = False,
    ) -> None:
        self.kernel_size, self.stride, self.dilation = kernel_size, stride, dilation
        self.padding, self.wrap = padding, wrap
        sizes = read_sizes(source)
        axes = make_axes((kernel_size,), (stride,), (dilation,), padding, wrap)
        self._measure(axes, (sizes.ptr.diff(),), sizes)
