"""A slide in parts: tiles of neighbouring cells, each with the cells around it that its own hear through some layers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch_geometric.data import Data

from graphattn.data.tissue.builders import check_count

Ints = NDArray[np.int64]
_NOT_LABELLED = -100


def tiles(graph: Data, cells: int, hops: int) -> Iterator[Data]:
    r"""Parts of a slide, each with a halo, so that layers make of its own nodes what they make of them in the whole graph.

    .. math:: V_0 = \text{tile} \qquad V_{k+1} = V_k \cup \{j : j \in N(i),\, i \in V_k\} \qquad
        E = \{(j, i) : i \in V_{\text{hops} - 1}\}

    Every node is the tile's own in exactly one tile, and all its incoming edges are there in their order, as are those of the
    nodes of the halo that it hears through fewer than ``hops`` layers. That holds for models whose nodes hear ``hops`` layers of
    neighbours and nobody else; norms over a batch and attention to all nodes see the tile.

    Args:
        graph: with ``pos`` ``[N, 2]`` and ``edge_index``; attributes of nodes and edges are carried along if they are tensors.
        cells: most nodes that a tile has of its own.
        hops: layers of neighbours; 0 cuts all edges off.

    Yields:
        Tiles with ``own [n]``, whether a node is the tile's, and ``node [n]``, its number in the slide. In ``y``, if there is one
        of nodes, the halo is not labelled (-100 or NaN), so that a sum of losses over tiles is the loss of the slide.

    Raises:
        ValueError: no whole number from 1 as ``cells``, or from 0 as ``hops``.

    >>> line = Data(pos=torch.tensor([[0.0, 0], [1, 0], [2, 0], [3, 0]]), edge_index=torch.tensor([[0, 1, 2], [1, 2, 3]]))
    >>> [(tile.node.tolist(), tile.own.tolist()) for tile in tiles(line, cells=2, hops=1)]
    [([0, 1], [True, True]), ([1, 2, 3], [False, True, True])]
    """
    check_count("cells", cells)
    check_count("hops", hops, least=0)
    index = graph["edge_index"].cpu().numpy()
    order = np.argsort(index[1], kind="stable")
    starts = np.concatenate([[0], np.bincount(index[1], minlength=graph.num_nodes or 0).cumsum()])
    where = np.full(graph.num_nodes or 0, -1, dtype=np.int64)  # of each node its row in a tile, kept between tiles
    for own in _parts(graph["pos"].detach().cpu().double().numpy(), cells):
        nodes, edges = own, np.empty(0, dtype=np.int64)
        for _ in range(hops):
            edges = order[_ranges(starts[nodes], starts[nodes + 1])]
            nodes = np.union1d(nodes, index[0, edges])
        edges = np.sort(edges)
        where[nodes] = np.arange(len(nodes))
        yield _tile(graph, nodes, edges, where[index[:, edges]], np.isin(nodes, own))
        where[nodes] = -1


def _parts(position: NDArray[np.float64], cells: int) -> Iterator[Ints]:
    """Numbers of the nodes of each tile, ascending: strips of equally many along x, cut into equally many along y."""
    strips = math.ceil(math.sqrt(math.ceil(len(position) / cells)))
    if not strips:
        return
    for strip in np.array_split(np.argsort(position[:, 0], kind="stable"), strips):
        for part in np.array_split(strip[np.argsort(position[strip, 1], kind="stable")], math.ceil(len(strip) / cells)):
            yield np.sort(part)


def _ranges(starts: Ints, ends: Ints) -> Ints:
    """The numbers from each start to its end, one range behind the other."""
    lengths = ends - starts
    return np.repeat(ends - lengths.cumsum(), lengths) + np.arange(lengths.sum())


def _tile(graph: Data, nodes: Ints, edges: Ints, ends: Ints, own: NDArray[np.bool_]) -> Data:
    node, edge = torch.from_numpy(nodes), torch.from_numpy(edges)
    tile = Data(edge_index=torch.from_numpy(ends), node=node, own=torch.from_numpy(own), num_nodes=len(nodes))
    for name, value in graph.to_dict().items():
        if not isinstance(value, Tensor) or name == "edge_index":
            continue
        if graph.is_node_attr(name):
            tile[name] = value[node]
        elif graph.is_edge_attr(name):
            tile[name] = value[edge]
    if "y" in tile:
        y = tile["y"]
        y[~tile["own"]] = torch.nan if y.is_floating_point() else _NOT_LABELLED
    return tile
