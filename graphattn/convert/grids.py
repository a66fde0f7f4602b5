"""Convolutions of ``torch.nn`` as graph layers on grids and lines."""

from __future__ import annotations

from typing import Any, final

from torch import Tensor, nn

from graphattn.convert.copying import put, refuse
from graphattn.layer import GraphLayer
from graphattn.topology import Grid, Line, Topology
from graphattn.zoo import GridConv


@final
class OnGrid(nn.Module):
    """A convolution as a graph layer, called as the original, or as a graph layer with a grid.

    Args:
        layer: the convolution (:func:`~graphattn.zoo.GridConv`).
        stride, dilation, padding: of the kernel along each axis; padding may be "same".
        wrap: whether opposite borders touch.

    Shapes: ``[B, F, H, W] -> [B, F', H', W']`` (``[B, F, L] -> [B, F', L']`` in one dimension); with a graph, pixels
    ``[N_j, F] -> [N_i, F']``, row by row.

    Raises:
        ValueError: an image of another shape.

    >>> from graphattn.convert import from_torch
    >>> convolution = from_torch(torch.nn.Conv2d(3, 8, kernel_size=3, stride=2, padding=1))
    >>> convolution(torch.randn(2, 3, 8, 8)).shape
    torch.Size([2, 8, 4, 4])
    >>> convolution(torch.randn(128, 3), convolution.graph(2, 8, 8)).shape
    torch.Size([32, 8])
    """

    def __init__(
        self,
        layer: GraphLayer,
        kernel_size: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        padding: tuple[int, ...] | str,
        wrap: bool,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.kernel_size = kernel_size
        self.stride = stride
        self.dilation = dilation
        self.padding = padding
        self.wrap = wrap

    def graph(self, images: int, *extent: int) -> Grid | Line:
        """Who hears whom in so many images of this height and width (sequences of this length)."""
        if len(extent) != len(self.kernel_size):
            raise ValueError(f"expected the extent of {len(self.kernel_size)} axes, got {extent}")
        if len(extent) == 1:
            padding = self.padding if isinstance(self.padding, str) else self.padding[0]
            kernel = self.kernel_size[0], self.stride[0], self.dilation[0]
            return Line(list(extent) * images, *kernel, padding, self.wrap)  # pyright: ignore[reportArgumentType]
        shape = self.kernel_size, self.stride, self.dilation, self.padding
        return Grid(*extent, *shape, self.wrap, images)  # pyright: ignore[reportArgumentType, reportCallIssue]

    def forward(self, x: Tensor, graph: Topology | None = None) -> Tensor:
        """``x`` are images, or the pixels of a graph."""
        if graph is not None:
            return self._heard(x, graph)
        if x.dim() != 2 + len(self.kernel_size):
            raise ValueError(f"expected images of {2 + len(self.kernel_size)} dimensions, got shape {list(x.shape)}")
        images, _, *extent = x.shape
        grid = self.graph(images, *extent).to(x.device)
        out = self._heard(x.flatten(2).transpose(1, 2).flatten(0, 1), grid)
        positions = [int(axis.positions(length[0])) for axis, length in zip(grid.axes, grid.lengths, strict=True)]
        return out.view(images, -1, out.size(-1)).transpose(1, 2).unflatten(2, positions)

    def _heard(self, x: Tensor, graph: Topology) -> Tensor:
        return self.layer(x if graph.senders is graph.receivers else (x, None), graph)


def convolution(module: nn.Conv1d | nn.Conv2d) -> OnGrid:
    """``convolution(images)``, or ``convolution(pixels, grid)``."""
    name = f"nn.{type(module).__name__}"
    refuse(name, module, {"padding_mode": ("zeros", "circular")})
    layer: Any = GridConv(
        module.in_channels, module.out_channels, module.kernel_size, module.groups, module.bias is not None
    )
    put(layer.message_function.weight, "weight", module.weight)
    put(layer.update_function, "bias", module.bias)
    padding = (0,) * len(module.kernel_size) if module.padding == "valid" else module.padding
    wrap = module.padding_mode == "circular"
    return OnGrid(layer, module.kernel_size, module.stride, module.dilation, padding, wrap)
