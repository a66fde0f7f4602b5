"""Pixels hear the pixels around them: the graph of a convolution on images."""

from __future__ import annotations

from typing import final

import torch

from graphattn.counts import read_integer
from graphattn.topology.lattice import Lattice, Padding, each, make_axes
from graphattn.topology.sizes import of_equal


@final
class Grid(Lattice):
    r"""The graph of a 2-d convolution (LeCun et al. 1989): an output position hears the pixels under the kernel.

    .. math:: N(i) = \{ i \cdot \text{stride} - \text{padding} + t \cdot \text{dilation} \ \text{inside the image} \}

    for the places ``t`` of the kernel, by row and column. The type of an edge is ``t`` as a number, ``row * width + column``:
    the order of a convolution's ``weight``, so that a message with a weight for each type is ``torch.nn.Conv2d``.

    Pixels are numbered row by row, one image behind the other. With a stride of 1 and the padding "same" senders and
    receivers are the same nodes. Otherwise receivers are the output positions, also row by row, and layers take
    ``x = (pixels, None)``.

    Args:
        height, width: of every image.
        kernel_size, stride, dilation: as in ``torch.nn.Conv2d``, one number or one for rows and one for columns.
        padding: how far the kernel may stand out, likewise; "same" makes the output as large as the image.
        wrap: whether opposite borders touch (``padding_mode="circular"``); what stands out is then heard from the other side.
        images: how many images there are.

    Raises:
        ValueError: negative sizes, a kernel size, stride or dilation below 1, or "same" with a stride.
        TypeError: no integers.

    >>> Grid(4, 4)
    Grid(height=4, width=4, kernel_size=(3, 3), ..., graphs=1, receivers=16, senders=16, edges=100)
    >>> Grid(4, 4, kernel_size=2, stride=2, padding=0, images=3).edge_index()[:, :4]
    tensor([[0, 1, 4, 5],
            [0, 0, 0, 0]])
    """

    def __init__(
        self,
        height: int,
        width: int,
        kernel_size: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        dilation: int | tuple[int, int] = 1,
        padding: Padding = "same",
        wrap: bool = False,
        images: int = 1,
    ) -> None:
        for name, given in (("height", height), ("width", width), ("images", images)):
            read_integer(given, name)
        if min(height, width, images) < 0:
            raise ValueError(f"expected sizes of 0 or more, got height={height}, width={width} and images={images}")
        self.height, self.width = height, width
        self.kernel_size = each(kernel_size, 2, "kernel_size")
        self.stride, self.dilation = each(stride, 2, "stride"), each(dilation, 2, "dilation")
        self.padding, self.wrap = padding, wrap
        axes = make_axes(self.kernel_size, self.stride, self.dilation, padding, wrap)
        lengths = (torch.full((images,), height), torch.full((images,), width))
        self._measure(axes, lengths, of_equal(images, height * width, torch.device("cpu")))

    @property
    def images(self) -> int:
        """How many images there are."""
        return self.num_graphs

    def _options(self) -> dict[str, object]:
        return {"height": self.height, "width": self.width, **super()._options()}
