"""Who neighbours whom in tissue: one function for each rule, sparse for any number of cells, by SciPy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import Delaunay, KDTree, QhullError
from torch_geometric.data import Data

from graphattn.data.tissue.edge_features import of_file, with_edge_features
from graphattn.data.tissue.formats.segmentation import load_labels

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

_MOST_EDGES = 500_000_000
_FLAT = 1e-9  # of the extent: points within it are on a line


def knn(graph: Data, k: int = 8) -> Data:
    """A copy with an edge to each cell from its ``k`` nearest others, of equally near ones the first found; all if there are
    fewer.

    Args:
        graph: with ``pos`` ``[N, 2]``.
        k: the number of neighbours.

    Raises:
        ValueError: ``k`` is not at least 1, or ``pos`` is no finite ``[N, 2]``.

    >>> graph = Data(pos=torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]))
    >>> knn(graph, 1).edge_index.tolist()
    [[1, 0, 1], [0, 1, 2]]
    """
    check_count("k", k)
    position = _position(graph)
    near = min(k, len(position) - 1)
    if near < 1:
        return _with_edges(graph, np.empty((2, 0), dtype=np.int64), f"knn:{k}")
    order = _in_strips(position)
    found = np.asarray(KDTree(position[order]).query(position[order], k=near + 1)[1])
    own = found == np.arange(len(position))[:, None]
    own[~own.any(axis=1), -1] = True  # where as many cells or more share its position, a cell need not find itself
    sender = np.empty((len(position), near), dtype=np.int64)
    sender[order] = order[found[~own].reshape(len(position), near)]
    receiver = np.repeat(np.arange(len(position)), near)
    return _with_edges(graph, np.stack([sender.ravel(), receiver]), f"knn:{k}")


def _in_strips(position: Floats) -> Ints:
    """An order in which points that follow each other are near each other; searches in it take two thirds of the time."""
    width, height = np.ptp(position, axis=0)
    strip = 4 * (width * height / len(position)) ** 0.5
    return np.lexsort((position[:, 0], np.floor(position[:, 1] / strip) if strip > 0 else position[:, 1]))


def radius(graph: Data, r: float | Sequence[float]) -> Data:
    """A copy with edges both ways between cells at most ``r`` apart, or between the least and the largest distance of a pair.

    Raises:
        ValueError: a distance that is not positive and finite, a pair that falls, or more than 500 million edges.

    >>> graph = Data(pos=torch.tensor([[0.0, 0.0], [1.0, 0.0], [5.0, 0.0]]))
    >>> radius(graph, 4.0).edge_index.tolist()
    [[1, 0, 2, 1], [0, 1, 1, 2]]
    """
    ends: list[Any] = list(r) if isinstance(r, (tuple, list)) and len(r) == 2 else [0.0, r]
    numbers = all(isinstance(each, Real) and not isinstance(each, bool) for each in ends)
    least, most = map(float, ends) if numbers else (0.0, 0.0)
    if not 0 <= least <= most < float("inf") or most <= 0:
        raise ValueError(f"expected a distance above 0, or two that rise, as r, got {r!r}")
    position = _position(graph)
    reach = f"{least:g}-{most:g}" if least else f"{most:g}"
    return _with_edges(graph, _both_ways(_within(position, least, most)), f"radius:{reach}")


def _within(position: Floats, least: float, most: float) -> Ints:
    if not len(position):
        return np.empty((0, 2), dtype=np.int64)
    tree = KDTree(position)
    expected = int(tree.count_neighbors(tree, most)) - len(position)
    if expected > _MOST_EDGES:
        raise ValueError(
            f"{expected:,} edges lie within a radius of {most:g}; expected at most {_MOST_EDGES:,}: take a smaller one"
        )
    pairs = tree.query_pairs(most, output_type="ndarray").astype(np.int64)
    apart = np.linalg.norm(position[pairs[:, 0]] - position[pairs[:, 1]], axis=1)
    return pairs[apart >= least]


def delaunay(graph: Data, max_length: float | None = None) -> Data:
    """A copy with the edges of the Delaunay triangulation, both ways, but those longer than ``max_length``.

    Cells on a line are joined along it; cells that share a position are joined to the first of them.

    Raises:
        ValueError: a length that is not positive.

    >>> graph = Data(pos=torch.tensor([[0.0, 0.0], [2.0, 2.0], [1.0, 1.0]]))
    >>> delaunay(graph).edge_index.tolist()
    [[2, 2, 0, 1], [0, 1, 2, 2]]
    """
    if max_length is not None and not (isinstance(max_length, Real) and 0 < max_length < float("inf")):
        raise ValueError(f"expected a length above 0 as max_length, got {max_length!r}")
    position = _position(graph)
    pairs = _triangulated(position)
    if max_length is not None:
        pairs = pairs[np.linalg.norm(position[pairs[:, 0]] - position[pairs[:, 1]], axis=1) <= max_length]
    return _with_edges(graph, _both_ways(pairs), "delaunay" if max_length is None else f"delaunay:{max_length:g}")


def _triangulated(position: Floats) -> Ints:
    """Pairs of neighbours of a triangulation, and each cell with the first of its position."""
    _, first, which = np.unique(position.view(np.complex128)[:, 0], return_index=True, return_inverse=True)
    twins = np.flatnonzero(first[which] != np.arange(len(position)))
    pairs = [np.stack([twins, first[which[twins]]], axis=1)]
    places = position[first]
    if len(places) > 1:
        order = _in_strips(places)
        pairs.append(first[order[_chain(places[order]) if _on_a_line(places) else _triangles(places[order])]])
    return np.concatenate(pairs).astype(np.int64)


def _on_a_line(places: Floats) -> bool:
    if len(places) < 3:
        return True
    spread = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return bool(spread[1] <= _FLAT * spread[0])


def _chain(places: Floats) -> Ints:
    """Each place with the next one along the line."""
    direction = np.linalg.svd(places - places.mean(axis=0), full_matrices=False)[2][0]
    order = np.argsort((places - places.mean(axis=0)) @ direction, kind="stable")
    return np.stack([order[:-1], order[1:]], axis=1)


def _triangles(places: Floats) -> Ints:
    try:
        found = Delaunay(places)
    except QhullError:
        return _chain(places)
    starts, ends = found.vertex_neighbor_vertices
    pairs = np.stack([np.repeat(np.arange(len(places)), np.diff(starts)), ends], axis=1).astype(np.int64)
    left_out = found.coplanar[:, [0, 2]].astype(np.int64)  # too near to another for Qhull: joined to it
    return np.concatenate([pairs[pairs[:, 0] < pairs[:, 1]], left_out])


def contact(graph: Data, labels: str | Path | NDArray[Any] | None = None, *, corners: bool = False) -> Data:
    """A copy with edges both ways between objects of a label image that touch.

    Args:
        graph: of a label image; ``node_id`` are its numbers.
        labels: the image ``[height, width]``, or its file; the one that the graph was read from if not given.
        corners: whether objects that share only a corner touch.

    Raises:
        ValueError: no label image is known, or it is not the one of the graph.
        FileNotFoundError: its file is not there.
    """
    given = labels if labels is not None else graph.get("label_image")
    if given is None:
        raise ValueError(f"image {graph.get('image')!r} was not read from a label image: give one as labels")
    array = load_labels(Path(given))[0] if isinstance(given, (str, Path)) else np.asarray(given)
    if array.ndim != 2:
        raise ValueError(f"expected a label image of the shape (height, width), got {array.shape}")
    steps = [(0, 1), (1, 0), (1, 1), (1, -1)][: 4 if corners else 2]
    pairs = np.unique(np.sort(np.concatenate([_touching(array, *step) for step in steps]), axis=1), axis=0)
    number = _numbers_of_objects(graph)
    if strange := set(pairs.ravel().tolist()) - set(number):
        raise ValueError(f"the label image has object {min(strange)}, which image {graph.get('image')!r} has not")
    ends = np.array([number[name] for name in pairs.ravel().tolist()], dtype=np.int64).reshape(-1, 2)
    return _with_edges(graph, _both_ways(ends), "contact")


def _numbers_of_objects(graph: Data) -> dict[int, int]:
    """The row of each object by its number in the label image, which is its name."""
    names = graph.get("node_id") or []
    strange = next((name for name in names if not str(name).isdecimal()), None)
    if strange is not None or len(names) != len(graph["pos"]):
        got = f"{strange!r}" if strange is not None else f"{len(names)} names of {len(graph['pos'])} cells"
        raise ValueError(f"expected numbers of objects in the label image as node_id, got {got}")
    return {int(name): at for at, name in enumerate(names)}


def _touching(labels: NDArray[Any], down: int, right: int) -> Ints:
    """Pairs of different objects, one of which is ``down`` rows and ``right`` columns from the other."""
    height, width = labels.shape
    one = labels[: height - down, max(0, -right) : width - max(0, right)]
    other = labels[down:, max(0, right) : width + min(0, right)]
    differ = (one != other) & (one > 0) & (other > 0)
    return np.unique(np.stack([one[differ], other[differ]], axis=1).astype(np.int64), axis=0)


def grid(graph: Data, step: float | None = None, *, diagonal: bool = False) -> Data:
    """A copy with edges both ways between neighbours on a grid: 4 of squares (8 with ``diagonal``), 6 of hexagons.

    Args:
        graph: with ``pos`` ``[N, 2]`` on a grid.
        step: distance of neighbours, in the unit of ``pos``; that of the file, else the median distance of the nearest, if not
            given.
        diagonal: whether squares that share a corner are neighbours.

    Raises:
        ValueError: a step that is not positive.

    >>> square = Data(pos=torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]]))
    >>> grid(square).num_edges, grid(square, diagonal=True).num_edges
    (8, 12)
    """
    if step is not None and not (isinstance(step, Real) and 0 < step < float("inf")):
        raise ValueError(f"expected a distance above 0 as step, got {step!r}")
    position = _position(graph)
    if len(position) < 2:
        return _with_edges(graph, np.empty((2, 0), dtype=np.int64), "grid")
    step = step or float(graph.get("step") or 0.0) or float(np.median(KDTree(position).query(position, k=2)[0][:, 1]))
    return _with_edges(graph, _both_ways(_within(position, 0.5 * step, (1.6 if diagonal else 1.25) * step)), "grid")


BUILDERS: dict[str, Callable[..., Data]] = {
    "knn": knn,
    "radius": radius,
    "delaunay": delaunay,
    "contact": contact,
    "grid": grid,
    "file": of_file,
}


def builder(text: str) -> Callable[[Data], Data]:
    """The builder that a word names, with its number behind a colon: ``knn:8``, ``radius:30``, ``radius:5-30``, ``delaunay:50``.

    Raises:
        ValueError: another word, or what is no number.

    >>> builder("knn:1")(Data(pos=torch.tensor([[0.0, 0.0], [1.0, 0.0]]))).edge_index.tolist()
    [[1, 0], [0, 1]]
    """
    name, _, number = text.partition(":")
    if name not in BUILDERS:
        raise ValueError(f"expected one of {', '.join(BUILDERS)} as the builder, got {text!r}")
    if name in ("contact", "file") and number:
        raise ValueError(f"{name} takes no number, got {text!r}")
    if name == "radius" and not number:
        raise ValueError("radius needs a distance, such as radius:30")
    try:
        values = [int(part) if name == "knn" else float(part) for part in number.split("-")] if number else []
    except ValueError:
        raise ValueError(f"expected a number behind {name}:, got {number!r}") from None
    if len(values) > (2 if name == "radius" else 1):
        raise ValueError(f"expected one number behind {name}:, got {number!r}")
    given = (tuple(values),) if len(values) == 2 else tuple(values)
    return lambda graph: BUILDERS[name](graph, *given)


def check_count(name: str, count: int, least: int = 1) -> None:
    """Refuse what is no whole number of at least ``least``."""
    if isinstance(count, bool) or not isinstance(count, Integral) or count < least:
        raise ValueError(f"expected a whole number from {least} as {name}, got {count!r}")


def _position(graph: Data) -> Floats:
    pos = graph.pos
    if pos is None or pos.dim() != 2 or pos.size(1) != 2:
        raise ValueError(f"expected pos [N, 2], got {'none' if pos is None else list(pos.shape)}")
    position = np.ascontiguousarray(pos.detach().cpu().double().numpy()) + 0.0  # no negative zeros
    if not np.isfinite(position).all():
        row = int(np.flatnonzero(~np.isfinite(position).all(axis=1))[0])
        raise ValueError(f"expected finite positions, got {position[row].tolist()} for node {row}")
    return position


def _both_ways(pairs: Ints) -> Ints:
    """Edges of pairs in both directions, by receiver and sender."""
    if not len(pairs):
        return np.empty((2, 0), dtype=np.int64)
    count = int(pairs.max()) + 1
    keys = np.sort(np.concatenate([pairs[:, 1] * count + pairs[:, 0], pairs[:, 0] * count + pairs[:, 1]]))
    return np.stack([keys % count, keys // count])


def _with_edges(graph: Data, edge_index: Ints, rule: str) -> Data:
    built = graph.clone()
    built.edge_index = torch.from_numpy(np.ascontiguousarray(edge_index))
    built.builder = rule
    return with_edge_features(built)
