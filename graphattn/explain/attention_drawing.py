"""Pictures of attention, each on the axes of a figure: heat map, arcs over tokens, overlay on an image, graph, star.

Matrices are ``[receiver, sender]``, as :meth:`~graphattn.explain.attention.AttentionMap.matrix` has them for each head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import networkx
import numpy as np
import torch
from torch import Tensor

from graphattn.explain.topology import COLOURS, INK, LINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

BACK, AHEAD = COLOURS[0], COLOURS[1]
_MOST_LABELS = 40


def draw_heat_map(
    matrix: Tensor,
    axes: Axes,
    receivers: Sequence[str] | None = None,
    senders: Sequence[str] | None = None,
    most: float | None = None,
) -> AxesImage:
    """Weights as colours: rows hear, columns speak.

    Args:
        matrix: ``[n, m]``.
        axes: to draw on.
        receivers, senders: labels of rows and columns; receivers' for both if senders' are not given and fit.
        most: the weight of the darkest colour; the largest there is if not given.

    Returns:
        The image, for ``figure.colorbar``.

    Raises:
        ValueError: another number of labels than of rows or columns.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> _ = draw_heat_map(torch.eye(2), axes, ["a", "b"])
    >>> [label.get_text() for label in axes.get_yticklabels()]
    ['a', 'b']
    """
    rows, columns = matrix.shape
    senders = receivers if senders is None and rows == columns else senders
    _check_labels(receivers, rows)
    _check_labels(senders, columns)
    image = axes.imshow(_numbers(matrix), cmap="Blues", vmin=0, vmax=most, interpolation="none")
    for labels, axis, turn in ((receivers, axes.yaxis, 0), (senders, axes.xaxis, 90)):
        shown = labels is not None and len(labels) <= _MOST_LABELS
        axis.set_ticks(range(len(labels)) if labels and shown else [], labels if shown and labels else [])
        axis.set_tick_params(length=0, labelsize=8, labelrotation=turn if labels and max(map(len, labels)) > 1 else 0)
    axes.spines[:].set_color(LINES)
    axes.set_xlabel("sender", fontsize=8)
    axes.set_ylabel("receiver", fontsize=8)
    return image


def draw_arcs(
    matrix: Tensor, axes: Axes, tokens: Sequence[str], receiver: int | None = None, least: float = 0.05
) -> None:
    """Arcs from sender to receiver over a line of tokens, wider where more is heard: above from earlier tokens, below from later.

    Args:
        matrix: ``[n, n]``.
        axes: to draw on.
        tokens: what is written at each node.
        receiver: only what this one hears, whose token stands out; all if not given.
        least: weights below are left out.

    Raises:
        ValueError: another number of tokens than of rows, or none.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_arcs(torch.tensor([[1.0, 0.0], [0.3, 0.7]]), axes, ["to", "be"])
    >>> len(axes.patches)
    1
    """
    from matplotlib.patches import Arc

    _check_labels(tokens, max(1, len(matrix)))
    weights, at = _numbers(matrix), _line(tokens)
    above = below = 0.0
    for i, j in np.argwhere(weights >= least):
        if i == j or receiver not in (None, i):
            continue
        earlier, weight, width = j < i, float(weights[i, j]), abs(at[i] - at[j])
        height = 0.6 * width
        above, below = (max(above, height / 2), below) if earlier else (above, max(below, height / 2))
        middle = ((at[i] + at[j]) / 2, 0.3 if earlier else -0.3)
        style = {"color": BACK if earlier else AHEAD, "linewidth": 0.5 + 4 * weight, "alpha": 0.3 + 0.7 * weight}
        axes.add_patch(
            Arc(middle, width, height, theta1=0 if earlier else 180, theta2=180 if earlier else 360, **style)
        )
    for place, token in enumerate(tokens):
        weight = "bold" if place == receiver else "normal"
        axes.text(at[place], 0, token, ha="center", va="center", color=INK, fontsize=9, weight=weight)
    axes.set_xlim(at[0] - 1, at[-1] + 1)
    axes.set_ylim(-below - 0.6, above + 0.6)
    axes.axis("off")


def draw_overlay(image: Tensor, axes: Axes, weight: Tensor, shape: tuple[int, int]) -> AxesImage:
    """What was heard of each patch, laid over the image: the more, the more colour.

    Args:
        image: ``[height, width]``, or ``[channels, height, width]`` of one or three channels, from 0 to 1.
        axes: to draw on.
        weight: of each patch, row by row, ``[n]``; only their ratios count.
        shape: rows and columns of patches.

    Raises:
        ValueError: another number of weights than of patches.

    >>> from matplotlib.figure import Figure
    >>> _ = draw_overlay(torch.rand(8, 8), Figure().subplots(), torch.rand(16), (4, 4))
    """
    from matplotlib.colors import to_rgb

    if weight.numel() != shape[0] * shape[1]:
        raise ValueError(f"expected weights of {shape[0]} x {shape[1]} patches, got {weight.numel()}")
    picture = _numbers(image if image.dim() == 2 else image.movedim(0, -1).squeeze(-1))
    height, width = picture.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1, extent=extent, interpolation="none")
    heard = _numbers(weight).reshape(shape)
    colour = np.broadcast_to(to_rgb(AHEAD), (*shape, 3))
    strength = 0.7 * heard[..., None] / max(float(heard.max()), 1e-12)
    laid = axes.imshow(np.concatenate([colour, strength], axis=2), extent=extent, interpolation="none")
    axes.set_axis_off()
    return laid


def draw_graph(
    matrix: Tensor,
    axes: Axes,
    pos: Tensor | None = None,
    labels: Sequence[str] | None = None,
    least: float = 0.05,
    colours: Sequence[str] | None = None,
) -> None:
    """The nodes as a graph with an arrow from sender to receiver for each weight, wider where more is heard, by networkx.

    Args:
        matrix: ``[n, n]``.
        axes: to draw on.
        pos: where nodes are drawn, ``[n, 2]``; on a circle if not given.
        labels: written at the nodes.
        least: weights below are left out.
        colours: of the nodes.

    Raises:
        ValueError: another number of labels than of nodes.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_graph(torch.tensor([[1.0, 0.0], [0.3, 0.7]]), axes, labels=["to", "be"])
    >>> len(axes.patches)
    1
    """
    _check_labels(labels, len(matrix))
    weights = _numbers(matrix)
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(weights)))
    graph.add_weighted_edges_from((j, i, float(weights[i, j])) for i, j in np.argwhere(weights >= least) if i != j)
    where = networkx.circular_layout(graph) if pos is None else dict(enumerate(_numbers(pos)))
    strength = [weight for _, _, weight in graph.edges(data="weight")]
    # In square points, so that a label fits, and that many nodes on a circle do.
    size = (
        min(90, (500 / max(1, len(weights))) ** 2)
        if labels is None
        else (10 + 4.6 * max(map(len, labels), default=0)) ** 2
    )
    networkx.draw_networkx_nodes(
        graph, where, ax=axes, node_size=size, node_color=colours or "white", edgecolors=INK, linewidths=1.0
    )
    networkx.draw_networkx_edges(
        graph,
        where,
        ax=axes,
        width=[0.4 + 4 * weight for weight in strength],
        alpha=[min(1.0, 0.3 + 0.7 * weight) for weight in strength],
        edge_color=BACK,
        node_size=size,
        arrowsize=8,
        connectionstyle="arc3,rad=0.12",
    )
    if labels is not None:
        networkx.draw_networkx_labels(graph, where, dict(enumerate(labels)), ax=axes, font_size=8, font_color=INK)
    axes.set_aspect("equal")
    axes.margins(0.15)
    axes.axis("off")


def draw_star(weights: Tensor, axes: Axes, chosen: Tensor | None = None, least: float = 0.005) -> None:
    """What one receiver hears of nodes on a circle around it, clockwise from the top, by :func:`draw_graph`.

    Args:
        weights: of each sender, ``[n]``.
        axes: to draw on.
        chosen: senders that are coloured, bool ``[n]``.
        least: weights below are left out.

    Raises:
        ValueError: another number of choices than of weights.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().subplots()
    >>> draw_star(torch.tensor([0.9, 0.1, 0.0]), axes)
    >>> len(axes.patches)
    2
    """
    chosen = torch.zeros_like(weights, dtype=torch.bool) if chosen is None else chosen
    if chosen.shape != weights.shape:
        raise ValueError(f"expected a choice for each of {weights.numel()} weights, got {chosen.numel()}")
    turn = 2 * torch.pi * torch.arange(len(weights)) / max(1, len(weights))
    pos = torch.cat([torch.zeros(1, 2), torch.stack([turn.sin(), turn.cos()], dim=1)])
    matrix = weights.new_zeros(len(pos), len(pos))
    matrix[0, 1:] = weights
    draw_graph(matrix, axes, pos, least=least, colours=[INK, *(AHEAD if each else "white" for each in chosen.tolist())])


def _line(tokens: Sequence[str]) -> list[float]:
    """Where tokens stand so that they do not touch."""
    wide = np.array([max(1.0, 0.24 * len(token) + 0.4) for token in tokens])
    return (wide.cumsum() - wide / 2).tolist()


def _numbers(values: Tensor) -> np.ndarray:
    return values.detach().cpu().to(torch.float64).numpy()


def _check_labels(labels: Sequence[str] | None, count: int) -> None:
    if labels is not None and len(labels) != count:
        raise ValueError(f"expected {count} labels, got {len(labels)}")
