"""Pictures of tissue graphs: cells and edges, coloured by type or by a score, over the image where there is one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.tissue.writing import positions, type_colors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_EDGES = 200_000
_NO_TYPE, _EDGES, _DOTS = "#b9c0c8", "#7b8794", 60_000.0


def draw_tissue(
    graph: Data,
    scores: Tensor | NDArray[Any] | Sequence[float] | None = None,
    *,
    image: NDArray[Any] | None = None,
    name: str = "score",
) -> Figure:
    """A tissue graph as a figure: its cells where they are, its edges, and a scale bar in micrometres.

    Cells are coloured by type, with a legend, or by ``scores``, with a bar: from blue over white to red around 0 if there are
    scores of both signs, else from dark to light; of 100 scores or more the scale leaves out the most extreme hundredth. More
    than 200,000 edges are not drawn, and the title says so.

    Args:
        graph: with ``pos``, as :func:`graphattn.data.tissue.read` makes it.
        scores: a number for each cell, ``[N]``; NaN is grey.
        image: what lies behind, ``[height, width]`` or ``[height, width, 3]``, in the pixels of the graph's file.
        name: what the bar of scores is called.

    Raises:
        ValueError: scores that are not one for each cell; an image of another shape, or one and no pixel size.

    >>> import torch
    >>> figure = draw_tissue(Data(pos=torch.rand(5, 2), unit="um", image="biopsy"), [0.1, 0.4, 0.2, 0.9, 0.5])
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['', 'score']
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 6), layout="constrained", dpi=150)
    axes = figure.subplots()
    draw_cells(axes, graph, scores, image=image, name=name)
    return figure


def draw_cells(
    axes: Axes,
    graph: Data,
    scores: Tensor | NDArray[Any] | Sequence[float] | None = None,
    *,
    image: NDArray[Any] | None = None,
    name: str = "score",
) -> None:
    """The picture of :func:`draw_tissue` on given axes; its arguments and errors are the same."""
    places = positions(graph, pixels=image is not None)
    if image is not None:
        if image.ndim != 2 and (image.ndim != 3 or image.shape[-1] not in (3, 4)):
            raise ValueError(f"expected an image [height, width] or [height, width, 3], got {list(image.shape)}")
        axes.imshow(image, cmap="gray" if image.ndim == 2 else None, extent=(0, image.shape[1], image.shape[0], 0))
    edges = 0 if graph.edge_index is None else graph["edge_index"].size(1)
    if 0 < edges <= MOST_EDGES:
        _draw_edges(axes, graph, places)
    size = float(np.clip(_DOTS / max(1, len(places)), 0.5, 60))
    if scores is None:
        _draw_types(axes, graph, places, size)
    else:
        _draw_scores(axes, places, scores, size, name)
    hidden = f", {edges:,} edges not drawn" if edges > MOST_EDGES else f", {edges:,} edges" if edges else ""
    axes.set_title(f"{graph.get('image', '')}: {len(places):,} cells{hidden}", fontsize=11)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    if image is None:
        axes.invert_yaxis()
        axes.margins(0.08)
    _draw_scale(axes, graph, in_pixels=image is not None)


def _draw_edges(axes: Axes, graph: Data, places: NDArray[np.float64]) -> None:
    from matplotlib.collections import LineCollection

    ends = np.sort(graph["edge_index"].numpy().T, axis=1)
    ends = np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0)
    width = float(np.clip(2000 / max(1, len(ends)), 0.15, 0.9))
    axes.add_collection(
        LineCollection(list(places[ends]), colors=_EDGES, linewidths=width, zorder=1, rasterized=len(ends) > 5000)
    )


def _draw_types(axes: Axes, graph: Data, places: NDArray[np.float64], size: float) -> None:
    colors = type_colors(graph)
    kinds = graph["cell_type"].numpy() if colors else np.full(len(places), -1)
    for at, (kind, color) in enumerate(colors.items()):
        if (here := kinds == at).any():
            label = f"{kind} ({int(here.sum()):,})"
            axes.scatter(
                *places[here].T, s=size, c=color, label=label, zorder=2, linewidths=0, rasterized=len(places) > 5000
            )
    if (here := kinds < 0).any():
        label = f"without a type ({int(here.sum()):,})" if colors else None
        axes.scatter(
            *places[here].T,
            s=size,
            c=_NO_TYPE if colors else "#26364a",
            label=label,
            zorder=2,
            linewidths=0,
            rasterized=len(places) > 5000,
        )
    if colors and len(places):
        axes.legend(
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            frameon=False,
            fontsize=9,
            markerscale=max(1.0, (30 / size) ** 0.5),
        )


def _draw_scores(axes: Axes, places: NDArray[np.float64], scores: Any, size: float, name: str) -> None:
    values = np.asarray(scores.detach().cpu() if isinstance(scores, Tensor) else scores, dtype=np.float64)
    if values.shape != (len(places),):
        raise ValueError(f"expected scores of shape ({len(places)},), one for each cell, got {values.shape}")
    finite = values[np.isfinite(values)]
    signed = len(finite) > 0 and finite.min() < 0 < finite.max()
    low, high = _limits(finite, signed=signed)
    order = np.argsort(np.abs(np.nan_to_num(values)), kind="stable")  # the strongest on top
    dots = axes.scatter(
        *places[order].T,
        s=size,
        c=values[order],
        cmap="RdBu_r" if signed else "viridis",
        vmin=low,
        vmax=high if high > low else low + 1,
        zorder=2,
        linewidths=0.2 if len(places) < 5000 else 0,
        edgecolors=_EDGES,
        plotnonfinite=True,
        rasterized=len(places) > 5000,
    )
    dots.cmap = dots.get_cmap().with_extremes(bad=_NO_TYPE)
    beyond = len(finite) > 0 and bool(finite.min() < low or finite.max() > high)
    axes.figure.colorbar(dots, ax=axes, label=name, shrink=0.7, extend="both" if beyond else "neither")


def _limits(finite: NDArray[np.float64], *, signed: bool) -> tuple[float, float]:
    """Ends of the scale: of 100 scores or more, all but the most extreme hundredth, so that one outlier pales no others."""
    if not len(finite):
        return 0.0, 1.0
    share = 1.0 if len(finite) >= 100 else 0.0
    if signed:
        most = float(np.percentile(np.abs(finite), 100 - share))
        return -most, most
    return float(np.percentile(finite, share / 2)), float(np.percentile(finite, 100 - share / 2))


def _draw_scale(axes: Axes, graph: Data, *, in_pixels: bool) -> None:
    """A bar of a round length, about a fifth of the width, in the lower left corner."""
    left, right = sorted(axes.get_xlim())
    unit, per = ("µm", 1.0) if graph.get("unit") == "um" else ("px", 1.0)
    if in_pixels and graph.get("unit") == "um":
        per = float(graph["mpp"])
    span = (right - left) * per / 5
    if graph.get("unit") not in ("um", "px") or not span > 0 or not math.isfinite(span):
        return
    ten = 10 ** math.floor(math.log10(span))
    length = max(step * ten for step in (1, 2, 5) if step * ten <= span)
    bottom, top = axes.get_ylim()
    x, y = left + 0.03 * (right - left), bottom + 0.04 * (top - bottom)
    axes.plot([x, x + length / per], [y, y], color="black", linewidth=3, solid_capstyle="butt", zorder=4)
    text = f"{length:g} {unit}"
    box = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 1.5}
    axes.text(
        x + length / per / 2, y + 0.02 * (top - bottom), text, ha="center", va="bottom", fontsize=9, zorder=4, bbox=box
    )
