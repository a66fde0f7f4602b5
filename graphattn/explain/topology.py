"""Pictures of topologies: nodes and arrows beside the matrix of who hears whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from graphattn.topology import Causal, Grid, Line, Prefix, Reversed, Topology, Window, WithHubs, graph_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_EDGES = 3000
INK, PALE, LINES = "#26364a", 0.16, "#d9dee5"
COLOURS = ("#2a6fb0", "#e0852c", "#3f9b5d", "#c2484d", "#7e5ab5", "#8a6048", "#d26fae", "#5f6b77", "#a3a52a", "#2ba5b8")


class Layout(NamedTuple):
    """Where nodes are drawn, ``[N, 2]``; arrows are bent by ``bend``, the share of their length."""

    senders: np.ndarray
    receivers: np.ndarray
    bend: float


def draw(graph: Topology, title: str | None = None, receiver: int | None = None) -> Figure:
    """Nodes and arrows on the left, the matrix on the right; colours are types of edges.

    Rows of the matrix hear, columns speak. Full dots hear themselves; where senders and receivers are different nodes, senders
    are squares in the upper row.

    Args:
        graph: a topology of at most 3000 edges.
        title: written on top; the topology's ``repr`` if not given.
        receiver: a node whose edges stand out.

    Raises:
        ValueError: more edges than can be told apart in a picture.

    >>> figure = draw(Full([3, 2]))
    >>> [axes.get_title() for axes in figure.axes]
    ['who hears whom', 'rows hear columns']
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    nodes, matrix = figure.subplots(1, 2)
    draw_nodes(graph, nodes, receiver)
    draw_matrix(graph, matrix, receiver)
    nodes.set_title("who hears whom", fontsize=10)
    matrix.set_title("rows hear columns", fontsize=10)
    figure.suptitle(repr(graph) if title is None else title, fontsize=9 if title is None else 12)
    return figure


def draw_nodes(graph: Topology, axes: Axes, receiver: int | None = None) -> None:
    """Nodes and an arrow from sender to receiver for each edge, on the axes of a figure."""
    from matplotlib.patches import FancyArrowPatch

    layout, (sender, listener), colour = _layout(graph), _ends(graph), _colours(graph)
    bipartite = graph.senders is not graph.receivers
    for j, i, ink in zip(sender, listener, colour, strict=True):
        if i == j and not bipartite:
            continue
        loud = receiver is None or i == receiver
        arrow = FancyArrowPatch(
            tuple(layout.senders[j]),
            tuple(layout.receivers[i]),
            arrowstyle="-|>",
            mutation_scale=7,
            shrinkA=4,
            shrinkB=5,
            connectionstyle=f"arc3,rad={layout.bend}",
            color=ink,
            alpha=(0.75 if receiver is None else 1.0) if loud else PALE,
            linewidth=0.9 if receiver is None or not loud else 1.5,
            zorder=2 if loud else 1,
        )
        axes.add_patch(arrow)
    itself = np.isin(np.arange(graph.num_receivers), listener[sender == listener])
    if bipartite:
        axes.scatter(*layout.senders.T, s=42, marker="s", c=INK, zorder=3)
        itself[:] = False
    axes.scatter(*layout.receivers.T, s=46, c=np.where(itself, INK, "white"), edgecolors=INK, linewidths=1.2, zorder=3)
    axes.autoscale_view()
    axes.margins(0.18)
    axes.set_aspect("equal", adjustable="datalim")
    axes.axis("off")


def draw_matrix(graph: Topology, axes: Axes, receiver: int | None = None) -> None:
    """Who hears whom as a matrix, rows receive, on the axes of a figure."""
    from matplotlib.colors import to_rgb

    cells = np.ones((graph.num_receivers, graph.num_senders, 3))
    (sender, listener), colours = _ends(graph), np.array([to_rgb(colour) for colour in _colours(graph)]).reshape(-1, 3)
    loud = np.full(len(sender), True) if receiver is None else listener == receiver
    cells[listener, sender] = np.where(loud[:, None], colours, 1 - 0.45 * (1 - colours))
    if cells.size:
        axes.imshow(cells, interpolation="none", aspect="auto" if graph.senders is not graph.receivers else "equal")
    axes.set_xticks(np.arange(graph.num_senders + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(graph.num_receivers + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=LINES, linewidth=0.6)
    axes.tick_params(which="both", length=0, labelbottom=False, labelleft=False)
    axes.spines[:].set_color(LINES)
    for end in graph.senders.ptr.tolist()[1:-1]:
        axes.axvline(end - 0.5, color=INK, linewidth=1)
    for end in graph.receivers.ptr.tolist()[1:-1]:
        axes.axhline(end - 0.5, color=INK, linewidth=1)
    axes.set_xlabel("sender", fontsize=8, labelpad=2)
    axes.set_ylabel("receiver", fontsize=8, labelpad=2)


def _ends(graph: Topology) -> np.ndarray:
    if graph.num_edges > MOST_EDGES:
        raise ValueError(
            f"expected at most {MOST_EDGES} edges in a picture, got {graph}; graph.subgraph(nodes) has fewer"
        )
    return graph.edge_index().cpu().numpy()


def _colours(graph: Topology) -> list[str]:
    types = graph.edge_type()
    kinds = [0] * graph.num_edges if types is None else types.tolist()
    return [COLOURS[kind % len(COLOURS)] for kind in kinds]


def _layout(graph: Topology) -> Layout:
    if isinstance(graph, Grid):
        return Layout(_on_grid(graph, sender=True), _on_grid(graph, sender=False), 0.0)
    if graph.senders is not graph.receivers:
        return Layout(_rows(graph, sender=True), _rows(graph, sender=False), 0.0)
    if isinstance(graph, Causal | Window | Prefix | Line | Reversed):
        where = np.stack([_along(graph.receivers.ptr.cpu().numpy(), 1.0), np.zeros(graph.num_receivers)], axis=1)
        # Bent to one side: arrows to the right pass above, arrows to the left below.
        return Layout(where, where, -0.8)
    where = _circles(graph)
    return Layout(where, where, 0.08)


def _rows(graph: Topology, *, sender: bool) -> np.ndarray:
    """Senders above, receivers below, each graph's spread over the same width."""
    many = np.maximum(*(sizes.ptr.diff().cpu().numpy() for sizes in (graph.senders, graph.receivers)))
    start = np.concatenate([[0], np.cumsum(many + 1.0)])
    counts = (graph.senders if sender else graph.receivers).ptr.diff().tolist()
    across = [s + (np.arange(c) + 0.5) * m / c for s, m, c in zip(start, many, counts, strict=False) if c]
    x = np.concatenate([np.empty(0), *across])
    return np.stack([x, np.full(len(x), (0.4 * start[-1]) if sender else 0.0)], axis=1)


def _on_grid(graph: Grid, *, sender: bool) -> np.ndarray:
    """Pixels row by row, image beside image; output positions amid the pixels under the kernel."""
    node = torch.arange(graph.num_senders if sender else graph.num_receivers)
    image = graph_of((graph.senders if sender else graph.receivers).ptr.cpu(), node).numpy()
    coordinates = [c.cpu().numpy() for c in graph.coordinates(node.to(graph.senders.ptr.device), out=not sender)]
    if not sender:
        coordinates = [
            place * axis.stride - axis.before + axis.dilation * (axis.taps - 1) / 2
            for place, axis in zip(coordinates, graph.axes, strict=True)
        ]
    row, column = coordinates
    return np.stack([column + image * (graph.width + 1.0), -1.0 * row], axis=1)


def _along(ptr: np.ndarray, gap: float) -> np.ndarray:
    graph = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
    return np.arange(ptr[-1]) + gap * graph


def _circles(graph: Topology) -> np.ndarray:
    """Each graph's nodes on a circle of its own, hubs within."""
    hubs, left = graph.hubs if isinstance(graph, WithHubs) else 0, 0.0
    places: list[np.ndarray] = [np.empty((0, 2))]
    for count in graph.receivers.ptr.diff().tolist():
        around = max(count - hubs, 1)
        radius = max(around / 6.3, 0.6)
        turn = np.pi / 2 - 2 * np.pi * np.arange(count - hubs) / around
        circle = radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        middle = np.stack([(np.arange(hubs) - (hubs - 1) / 2) * 0.5 * radius, np.zeros(hubs)], axis=1)
        places.append(np.concatenate([circle, middle]) + np.array([left + radius, 0.0]))
        left += 2 * radius + 1.0
    return np.concatenate(places)
