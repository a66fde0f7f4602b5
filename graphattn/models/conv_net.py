"""A convolutional network as message passing on the grid of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from torch import Tensor, nn
from torch.nn.functional import relu
from torch_geometric.data import Data

from graphattn.aggregation import Max
from graphattn.layer import GraphLayer
from graphattn.message import Copy
from graphattn.models.parts.reading import AllPlaces, all_are, leave_out_of_edge_masks
from graphattn.reset import reset
from graphattn.topology import Grid, read_sizes
from graphattn.update import Replace
from graphattn.zoo import GridConv


@final
class ConvNet(nn.Module):
    r"""A convolutional network (LeCun et al. 1989): pixels hear those around them, the largest of four goes on.

    .. math:: h = \text{relu}(\text{conv}_{3 \times 3}(x)) \qquad x' = \max_{2 \times 2}\, h

    Every layer is a graph layer: the convolution has a weight for each type of a ``Grid``'s edges, and pooling is a maximum on
    a grid with strides. After ``K`` stages an image has ``(height // 2^K) (width // 2^K)`` nodes, which are read side by side.

    Args:
        shape: height and width of the images.
        features: channels of a pixel, ``data.x``.
        outputs: classes.
        widths: channels of each stage.
        hidden: channels between the last stage and the classes.
        dropout: share of hidden channels dropped in training.
        wrap: whether opposite borders touch.

    Shapes: pixels row by row, ``data.x [B height width, features] -> [B, outputs]``.

    Raises:
        ValueError: no stage, or more than images have pixels for; in ``forward``, images of another number of pixels.

    >>> from torch_geometric.data import Batch
    >>> from graphattn.data.images import pixels
    >>> images = Batch.from_data_list(pixels(torch.rand(3, 1, 8, 8)))
    >>> ConvNet((8, 8), features=1, outputs=10, widths=(4, 8))(images).shape
    torch.Size([3, 10])
    """

    def __init__(
        self,
        shape: tuple[int, int],
        features: int,
        outputs: int,
        widths: Sequence[int] = (32, 64),
        hidden: int = 128,
        dropout: float = 0.0,
        wrap: bool = False,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("expected one stage or more, got no widths")
        self.shape = shape
        self.wrap = wrap
        self.convolutions = nn.ModuleList(
            GridConv(before, after, (3, 3)) for before, after in zip((features, *widths), widths, strict=False)
        )
        self.pooling = GraphLayer(Copy(), Max(), Replace(), name="MaxPool")
        height, width = (side // 2 ** len(widths) for side in shape)
        if not height * width:
            raise ValueError(
                f"expected images of {2 ** len(widths)} pixels a side or more, got {shape[0]} x {shape[1]}"
            )
        self.readout = AllPlaces(height * width)
        last = widths[-1] * height * width
        self.head = nn.Sequential(nn.Linear(last, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, outputs))
        leave_out_of_edge_masks(self)

    def reset_parameters(self) -> None:
        """Draw all parameters anew."""
        reset(*self.children())

    def forward(self, data: Data) -> Tensor:
        grids, x = self._grids(data), data["x"]
        for convolution, (grid, pooled) in zip(self.convolutions, grids, strict=True):
            x = self.pooling((relu(convolution(x, grid)), None), pooled)
        return self.head(self.readout(x, grids[-1][1].receivers))

    def states(self, data: Data) -> Tensor:
        """What each pixel makes of those around it in the first stage, ``[N, F]``."""
        return relu(self.convolutions[0](data["x"], self._grids(data)[0][0]))

    def _grids(self, data: Data) -> list[tuple[Grid, Grid]]:
        """The graphs of convolution and pooling, for each stage."""
        sizes, (height, width) = read_sizes(data), self.shape
        if not all_are(height * width, sizes):
            raise ValueError(f"expected images of {height} x {width} pixels, got sizes {sizes.ptr.diff().tolist()}")
        images, grids = sizes.ptr.numel() - 1, []
        for _ in self.convolutions:
            around = Grid(height, width, 3, wrap=self.wrap, images=images)
            grids.append((around, Grid(height, width, 2, stride=2, padding=0, images=images)))
            height, width = height // 2, width // 2
        return grids
