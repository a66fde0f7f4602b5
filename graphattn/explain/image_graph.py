"""Pictures of who hears whom on an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from graphattn.explain.topology import COLOURS, INK
from graphattn.topology import Topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_on_image(image: Tensor, axes: Axes, graph: Topology, pos: Tensor, receiver: int) -> None:
    """The nodes of an image's graph on the image, and a line from each node that one of them hears.

    Args:
        image: ``[height, width]``, ink on paper: the more, the darker.
        axes: to draw on.
        graph: among the nodes of this image.
        pos: row and column of each node in pixels, ``[N, 2]``.
        receiver: the node whose edges are drawn.

    Raises:
        ValueError: another number of places than of nodes.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_on_image(torch.rand(8, 8), axes, Full([2]), torch.tensor([[1.0, 1.0], [3.0, 5.0]]), receiver=1)
    >>> len(axes.lines)
    2
    """
    if len(pos) != graph.num_senders:
        raise ValueError(f"expected places of {graph.num_senders} nodes, got {len(pos)}")
    sender, listener = graph.edge_index().cpu()
    heard = sender[listener == receiver]
    at = pos.cpu().flip(1).numpy()
    axes.imshow(image.cpu().numpy(), cmap="gray_r", alpha=0.4, interpolation="none")
    for node in heard.tolist():
        axes.plot(*zip(at[node], at[receiver], strict=True), color=COLOURS[3], linewidth=1.2, zorder=2)
    axes.scatter(*at.T, s=12, color=INK, zorder=3)
    axes.scatter(*at[heard].T, s=12, color=COLOURS[3], zorder=4)
    axes.set_axis_off()
