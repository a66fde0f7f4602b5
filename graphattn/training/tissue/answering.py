"""What a trained network says of images, or of the cells of images; large images are taken in parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from torch_geometric.data import Data

from graphattn.data.tissue.tiles import tiles
from graphattn.training.fitted_graphs import FittedNetwork

Floats = NDArray[np.float64]

MOST_NODES = 200_000
"""In a batch."""
MOST_CELLS = 20_000
"""Of an image whose cells are learned or predicted at once; of a larger one tiles of so many, with the cells around them."""


def predictions(model: FittedNetwork, graphs: Sequence[Data]) -> Floats:
    """Probabilities ``[N, K]``, of two classes that of the second ``[N, 1]``, or values ``[N, 1]``, of images that fit."""
    return member_predictions(model, graphs).mean(0)


def member_predictions(model: FittedNetwork, graphs: Sequence[Data]) -> Floats:
    """What each member of an ensemble says of images, ``[members, N, outputs]``."""
    largest = max((graph.num_nodes or 0 for graph in graphs), default=1)
    return _of_task(model, model.each(graphs, batch_size=max(1, min(64, MOST_NODES // max(1, largest)))))


def cell_predictions(model: FittedNetwork, graph: Data) -> Floats:
    """Probabilities of the cells of an image, ``[n, K]``, or of two classes that of the second, ``[n, 1]``."""
    found = np.empty((graph.num_nodes or 0, model.columns))
    for part in parts(graph, model.size.depth):
        said = model([part])
        if "own" in part:
            own = part["own"].numpy()
            found[part["node"].numpy()[own]] = said[own]
        else:
            found = said
    return _of_task(model, found)


def parts(graph: Data, hops: int) -> Iterator[Data]:
    """A graph, or tiles of a large one with all that their own cells read through so many layers."""
    if (graph.num_nodes or 0) <= MOST_CELLS:
        yield graph
    else:
        yield from tiles(graph, MOST_CELLS, hops)


def _of_task(model: FittedNetwork, found: Floats) -> Floats:
    return found[..., 1:] if "y" not in model.scales and found.shape[-1] == 2 else found
